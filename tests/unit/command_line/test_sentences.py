"""What a command says of a bug, or of the damage that looks like one."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

sys.modules["comfywatchman.integrity"] = None  # cannot be imported
from comfywatchman.command_line import sentences

try:
    raise ZeroDivisionError("by nothing")
except ZeroDivisionError as error:
    print(sentences.of_bug(error))
"""


def test_a_damaged_integrity_check_does_not_hide_the_sentence() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert ended.stderr == ""
    assert "a bug of ComfyWatchman" in ended.stdout
    assert "(ZeroDivisionError: by nothing, at " in ended.stdout
