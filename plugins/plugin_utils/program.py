# SPDX-License-Identifier: MIT
"""Where ComfyWatchman itself is, on the controller."""

from __future__ import annotations

import glob
import os

from ansible.errors import AnsibleActionFail


def find():
    """What to put on ``PYTHONPATH``, to run the program with nothing installed.

    A checkout, and a collection that was installed from git, have the package's folder; one that
    was installed from its archive has the wheel instead, which Python reads without unpacking it.
    """
    collection = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    if os.path.isfile(os.path.join(collection, "comfywatchman", "__init__.py")):
        return collection
    wheels = glob.glob(
        os.path.join(
            glob.escape(collection), "roles", "comfywatchman", "files", "comfywatchman-*.whl"
        )
    )
    if len(wheels) != 1:
        raise AnsibleActionFail(
            f"{collection} holds neither the package comfywatchman nor its wheel: the collection "
            "comfywatchman.ops is not whole, install it again."
        )
    return wheels[0]
