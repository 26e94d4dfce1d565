#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: what can be mended in a host's workflows, shown or done."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fix
short_description: Mend the workflows of a host, or show how
description:
  - Asks the ComfyWatchman that is installed on the host for a plan, and has it applied. With
    C(--check) nothing is written; with C(--diff) what changes is shown.
  - Run again, it changes nothing.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  program:
    description: >-
      The command line that runs C(comfywatchman), as the user who runs ComfyUI.
    type: list
    elements: str
    required: true
  config: {description: The configuration of the instance., type: str, required: true}
  workflows:
    description: >-
      Only these, by path or short name; empty for all.
    type: list
    elements: str
    default: []
  only:
    description: >-
      What is applied; C(proven) is what was judged and raised a verdict, C(planned) is also what
      is only likely.
    type: str
    choices: [proven, planned]
    default: proven
  allow_download:
    description: >-
      Whether models are downloaded as planned.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Mend what is proven
  comfywatchman.ops.fix:
    program: [/home/comfy/.local/bin/comfywatchman]
    config: /home/comfy/.config/comfywatchman/config.toml
  become: true
  become_user: comfy
  register: mended
"""

RETURN = r"""
workflows:
  description: >-
    the paths of those that are mended
  type: list
  elements: str
  returned: always
said: {description: 'what was done, line by line', type: list, elements: str, returned: always}
text:
  description: >-
    the plan for people, line by line
  type: list
  elements: str
  returned: always
by_hand:
  description: >-
    what is left to a person
  type: list
  elements: dict
  returned: always
not_written:
  description: >-
    workflows that are not mended by it, each with the reason
  type: list
  elements: str
  returned: always
"""

import json

from ansible.module_utils.basic import AnsibleModule

PREFIX = "comfywatchman: "


def sentence_of(error):
    """What the program says of why it did not do it."""
    lines = [line.removeprefix(PREFIX) for line in error.splitlines() if line.strip()]
    return "; ".join(lines) or "it says nothing"


def main():
    module = AnsibleModule(
        argument_spec={
            "program": {"type": "list", "elements": "str", "required": True},
            "config": {"type": "str", "required": True},
            "workflows": {"type": "list", "elements": "str", "default": []},
            "only": {"type": "str", "choices": ["proven", "planned"], "default": "proven"},
            "allow_download": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params

    def run(*arguments, **more):
        command = [*given["program"], "fix", "--config", given["config"], *arguments]
        code, output, error = module.run_command(command, cwd="/", **more)
        if code != 0:
            said = output.splitlines() if "data" in more else []  # what was done all the same
            msg = "Not all is mended" if said else "Workflows are not mended"
            module.fail_json(
                msg=f"{msg}: {sentence_of(error)}", rc=code, changed=bool(said), said=said
            )
        return output

    planned = run("--plan", "-", "--", *given["workflows"])
    try:
        plan = json.loads(planned)
        outcome = "proven" if given["only"] == "proven" else "all"
        does = [
            each["workflow"]
            for each in plan["workflows"]
            if (each[outcome] and each[outcome]["fixes"])
            or (
                given["allow_download"]
                and outcome == "all"
                and any(fix["download"] for fix in each["fixes"])
            )
        ]
        text, by_hand, not_written = plan["text"], plan["by_hand"], plan["not_written"]
    except (ValueError, KeyError, TypeError):
        module.fail_json(
            msg="The program on the host is of another release: run the playbook deploy."
        )
    said = []
    if does and not module.check_mode:
        options = ["--only", "proven"] if outcome == "proven" else []
        options += ["--allow-download"] if given["allow_download"] else []
        said = run("--apply", "-", *options, data=planned).splitlines()
    module.exit_json(
        changed=bool(does),
        workflows=does,
        said=said,
        text=text,
        by_hand=by_hand,
        not_written=not_written,
        diff={"prepared": "\n".join(text) + "\n"} if text else {},
    )


if __name__ == "__main__":
    main()
