#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: a handful of small files in one directory, as the user who is to own them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Put small files into a directory and take others away
description:
  - Contents travel inside the task, so that a host which is entered as one unprivileged user and
    worked on as another needs neither ACLs nor world-readable temporary files
    (ansible.builtin.copy does). Root writes them as the owner, never by itself in a folder of
    theirs.
  - Files are replaced by rename. Contents are never part of the result.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  directory: {description: Made if it is not there., type: str, required: true}
  owner: {description: The user who does it; empty for this process's., type: str, default: ''}
  directory_mode: {description: For directories that are made., type: str, default: '0700'}
  mode: {description: For the files., type: str, default: '0600'}
  files: {description: Contents by file name., type: dict, default: {}}
  encoded_files: {description: Contents in Base64 by file name., type: dict, default: {}}
  absent:
    description: >-
      Names of files that shall not be there.
    type: list
    elements: str
    default: []
  remove_empty:
    description: >-
      Whether to remove the directory too once it is empty.
    type: bool
    default: false
  lease: {description: What the probe returned of it; is renewed., type: dict, default: {}}
"""

EXAMPLES = r"""
- name: Put a file there, and take another away
  comfywatchman.ops.files:
    directory: /srv/comfy/notes
    mode: "0644"
    files:
      new.txt: "A line.\n"
    absent: [old.txt]
"""

RETURN = r"""
names:
  description: >-
    the files that were, or would be, written or removed
  type: list
  elements: str
  returned: always
"""

import base64
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import carry_out
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    make_directories,
    mode_of,
    read,
    write,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import account_of
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import Held, LostError


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "str", "required": True},
            "owner": {"type": "str", "default": ""},
            "directory_mode": {"type": "str", "default": "0700"},
            "mode": {"type": "str", "default": "0600"},
            "files": {"type": "dict", "default": {}, "no_log": True},
            "encoded_files": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "str", "default": []},
            "remove_empty": {"type": "bool", "default": False},
            "lease": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    carry_out(module, account_of(module.params["owner"]), work)


def work(module):
    """Write and remove them."""
    given = module.params
    directory, mode = given["directory"], int(given["mode"], 8)
    wanted = {name: text.encode() for name, text in given["files"].items()}
    wanted |= {name: base64.b64decode(text) for name, text in given["encoded_files"].items()}

    paths = {name: os.path.join(directory, name) for name in wanted}
    different = [
        name for name, path in paths.items() if read(path) != wanted[name] or mode_of(path) != mode
    ]
    unwanted = [name for name in given["absent"] if os.path.lexists(os.path.join(directory, name))]
    if not module.check_mode:
        try:
            Held(given["lease"]).renew()
            if different:
                make_directories(directory, int(given["directory_mode"], 8))
            for name in different:
                write(paths[name], wanted[name], mode)
            for name in unwanted:
                os.unlink(os.path.join(directory, name))
            if given["remove_empty"] and os.path.isdir(directory) and not os.listdir(directory):
                os.rmdir(directory)
        except LostError as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=bool(different or unwanted), names=different + unwanted)


if __name__ == "__main__":
    main()
