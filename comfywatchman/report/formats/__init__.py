"""The forms of ``--format``: each module is one, and has a function ``write(report, stream)``."""
