"""``python -m comfywatchman`` is ``comfywatchman``."""

from comfywatchman.cli import program

program()
