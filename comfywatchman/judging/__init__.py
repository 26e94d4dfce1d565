"""From a saved workflow to its verdict, and the verdicts that are kept."""
