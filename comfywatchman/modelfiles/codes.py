"""The codes of what can be wrong with a model file of any format."""

from __future__ import annotations

from typing import Final

from comfywatchman.findings import declare
from comfywatchman.results import Severity

_LISTED: Final = (
    "The server only looks whether the name is there, so it accepts the workflow; the node that "
    "loads the file fails."
)

EMPTY: Final = declare(
    "model_empty",
    Severity.WARNING,
    title="Empty model file",
    explanation=f"The file has not a single byte. {_LISTED}",
    remedy="Download it again.",
)
UNREADABLE: Final = declare(
    "model_unreadable",
    Severity.WARNING,
    title="Model file that cannot be read",
    explanation="The system refuses to read the file: by its permissions, for an error of the disk "
    "or of a network drive, or because it is no file at all but a pipe or a device. What is in it "
    "is not known. If ComfyUI runs as another user, it may be able to.",
    remedy="Give the user of ComfyUI the right to read it, and look at the disk or mount it is on.",
)
BROKEN_LINK: Final = declare(
    "model_broken_link",
    Severity.WARNING,
    title="Link to a model file that is not there",
    explanation=f"The name is a symbolic link, and what it leads to does not exist. {_LISTED}",
    remedy="Put the file back where the link leads, mount the drive that it is on, or make the "
    "link anew.",
)
FOLDER: Final = declare(
    "model_is_folder",
    Severity.WARNING,
    title="Folder that is named like a model file",
    explanation="Where a model file is expected lies a folder. Some programs make one that is "
    "named like the file which they then put into it.",
    remedy="Move the file that is in it to the folder's place, under the name that the workflow "
    "gives.",
)
TRUNCATED: Final = declare(
    "model_truncated",
    Severity.WARNING,
    title="Model file that is cut off",
    explanation="By what the file says of itself it is longer than it is: a download or a copy "
    f"ended early, or a disk was full. {_LISTED}",
    remedy="Wait if it is still being downloaded or copied. Otherwise go on with that if the "
    "program can, or start it again; compare the size with the one on the page that it is from.",
)
TRAILING_BYTES: Final = declare(
    "model_trailing_bytes",
    Severity.WARNING,
    title="Model file with more in it than belongs there",
    explanation="Bytes follow what the file says of itself: two files were written one after the "
    "other, or an old and larger one was written over. The package `safetensors` refuses it; a "
    "ComfyUI that reads the file without it, as with dynamic VRAM, does not look at that.",
    remedy="Download the file again.",
)
EXTENSION_LIES: Final = declare(
    "model_extension_lies",
    Severity.WARNING,
    title="Model file with the ending of another format",
    explanation="ComfyUI chooses how to load a file by the ending of its name, and this one's "
    "content is of another format. The file itself may be in order.",
    remedy="Rename the file so that its ending fits, and choose it anew in the workflow, with a "
    "node that loads this format.",
)
HASH_DIFFERS: Final = declare(
    "model_hash_differs",
    Severity.WARNING,
    title="Model file that is not what it should be",
    explanation="`comfywatchman models verify` has read the file as a whole, and its SHA-256 is "
    "not the one that is written down of it, or not the one that it had before, though nothing "
    "has written to it since (docs/models.md). It may load all the same, and give other pictures.",
    remedy="Download the file again, and have `comfywatchman models verify` read it. If it changed "
    "by itself, look at the disk, the memory and the network drive.",
)
DOWNLOAD_UNFINISHED: Final = declare(
    "model_download_unfinished",
    Severity.WARNING,
    title="Download that is not finished",
    explanation="The ending of the file's name, or a file of aria2 beside it, says that a program "
    "is still downloading it, or was stopped; or its end lacks, and it grew while it was looked "
    "at. As long as it is written to, nothing is said of what is in it.",
    remedy="Wait until it is finished. If nothing is written to it any more, let the program go on "
    "with it, or start the download again.",
)
