"""The checks, one file each.

To add a check, add a file here: see :mod:`comfywatchman.checks.engine.registry`.
"""
