"""Saved workflows: finding them, loading them, converting them to an API prompt."""
