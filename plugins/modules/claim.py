#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: note down that the folder of releases is this host's, before one is built."""

from __future__ import annotations

DOCUMENTATION = r"""
module: claim
short_description: Note down that the folder of releases belongs to this host
description:
  - Several hosts may have one home. Of two that claim a folder at once, one comes first; the other
    is told whose it is, and has changed nothing.
author: The ComfyWatchman maintainers
options:
  root: {description: The folder of releases., type: str, required: true}
  directory_mode: {description: Mode of the folders that are made., type: str, required: true}
"""

RETURN = r"""
{}
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import make_directories
from ansible_collections.comfywatchman.ops.plugins.module_utils.ownership import claim_folder


def main():
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "str", "required": True},
            "directory_mode": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    root = module.params["root"]
    if module.check_mode:
        module.exit_json(changed=not os.path.isdir(root))
    try:
        make_directories(root, int(module.params["directory_mode"], 8))
        problem = claim_folder("root", {"root": root})
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    if problem:
        module.fail_json(msg=problem)
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
