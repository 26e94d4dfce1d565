#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: give a host back that a run has held, or take it from a run that is gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lease
short_description: Release the lease of an instance of ComfyWatchman
description:
  - A run that changes an instance holds its lease, so that no other does at the same time. This
    gives it back where the run ends early, or takes it by force from a run that will not come
    back.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  lease:
    description: >-
      What the probe returned of it; is given back. Without it, whoever holds it loses it.
    type: dict
    default: {}
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ''}
  root: {description: Where the releases are., type: path, default: ''}
  run: {description: 'Who asks; the action fills it in.', type: dict, default: {}}
"""

EXAMPLES = r"""
- name: Take the host from a run that will not come back
  comfywatchman.ops.lease:
    root: /home/comfy/.local/share/comfywatchman
  become: true
"""

RETURN = r"""
holder:
  description: >-
    who held it, where it was taken by force; null if nobody did
  type: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    AccountError,
    as_account,
    owner_on_the_way,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import (
    Held,
    Lease,
    in_words,
    path_of,
)


def main():
    module = AnsibleModule(
        argument_spec={
            "lease": {"type": "dict", "default": {}},
            "instance": {"type": "str", "default": ""},
            "root": {"type": "str", "default": ""},
            "run": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["lease"]:
        try:
            if not module.check_mode:
                as_account(owner_on_the_way(given["lease"]["path"]), Held(given["lease"]).release)
        except AccountError as error:
            module.fail_json(msg=str(error))
        module.exit_json(changed=False, holder=None)
    lease, by = Lease(path_of(given["instance"], given["root"])), given["run"].get("by", "somebody")
    try:
        if module.check_mode:
            holder = lease.holder()
        else:
            holder = as_account(owner_on_the_way(lease.path), lambda: lease.force(by))
    except AccountError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or lease.path}: {error.strerror}")
    if holder and not module.check_mode:
        module.log(f"{by} has released the lease of ComfyWatchman by force: {in_words(holder)}")
    module.exit_json(changed=holder is not None, holder=holder)


if __name__ == "__main__":
    main()
