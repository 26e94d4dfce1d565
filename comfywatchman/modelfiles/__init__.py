"""Model files on disk: what they are, and whether they can be loaded."""
