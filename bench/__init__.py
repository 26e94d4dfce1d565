"""Figures, as ratios of medians measured in one run. See README.md."""
