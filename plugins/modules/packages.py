#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: install what a lock names into a virtual environment, whatever the host says."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install locked packages into a virtual environment of ComfyWatchman
description:
  - Of the host's own configuration of pip and its C(PIP_) variables only what names an index or the
    way to it counts. What would put packages elsewhere, or others than the lock names, does not.
  - Python's variables of the host (C(PYTHONPATH), C(PYTHONHOME)) do not reach pip, and the programs
    that it installs are written so that they ignore them as well.
  - Contents of C(environment) travel inside the task, for they may be passwords.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  owner: {description: The user who does it; empty for this process's., type: str, default: ''}
  venv: {description: The virtual environment., type: str, required: true}
  requirements: {description: Files with hashes., type: list, elements: str, required: true}
  programs: {description: Names of programs to isolate., type: list, elements: str, default: []}
  find_links: {description: A folder of wheels; with it no index is asked., type: str, default: ''}
  environment: {description: What pip is told in any case., type: dict, default: {}}
  defaults: {description: What pip is told unless the host says otherwise., type: dict, default: {}}
  lease: {description: What the probe returned of it., type: dict, default: {}}
"""

EXAMPLES = r"""
# The role does this, with what the module comfywatchman.ops.probe found out.
- name: Install the locked packages
  comfywatchman.ops.packages:
    owner: comfy
    venv: "{{ host.release.path }}/venv"
    requirements: ["{{ host.release.path }}/requirements.txt"]
    lease: "{{ host.lease }}"
  become: true
"""

RETURN = r"""
changed: {description: always true, as a release is built once, type: bool, returned: success}
"""

import base64
import configparser
import csv
import glob
import hashlib
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import carry_out
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import read, write
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import account_of
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import Held, LostError
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import run

INSTALL_SECONDS = 1800
# What leads to an index. All else in pip's configuration is about what it installs, and where.
WAYS = {
    "cert",
    "client-cert",
    "default-timeout",
    "extra-index-url",
    "find-links",
    "index-url",
    "keyring-provider",
    "no-index",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
}
# What an operator tells pip, save what would lead packages elsewhere, or other packages here.
MISLEADING = re.compile(
    r"PIP_(ABI|CONFIG_FILE|CONSTRAINT|DRY_RUN|EDITABLE|IGNORE_INSTALLED|IMPLEMENTATION|NO_BINARY"
    r"|PLATFORM|PREFIX|PYTHON|PYTHON_VERSION|REQUIRE_VIRTUALENV|REQUIREMENT|ROOT|SRC|TARGET|USER)"
)
SECRET = re.compile(r"://[^\s/@]+@")
ISOLATED = "-IXutf8"  # one word: the first line of a script can have no second one
# In the order in which pip has one file override another.
VARIANTS = ("global", "user", "site", "env")
FILE = re.compile(r"^(?P<variant>[a-z]+):$|^  (?P<path>/.*), exists: True$", re.MULTILINE)


def without_the_hosts_python(environment):
    """An environment in which nothing is left that a Python of the host was told."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in environment.items() if not name.startswith(foreign)}


def configuration_files(debugged):
    """Paths of the files that ``pip config debug`` says are there; the last counts most."""
    paths, variant = {}, ""
    for found in FILE.finditer(debugged):
        variant = found["variant"] or variant
        if found["path"]:
            paths.setdefault(variant, []).append(found["path"])
    return [path for name in VARIANTS for path in paths.get(name, [])]


def ways_to_an_index(files, environment):
    """``{PIP_…: value}`` of what leads to an index in pip's own files and its variables.

    A setting for ``install`` counts for more than a ``global`` one, a variable for more than both.
    ``pip config list`` would heed a setting ``user`` itself, and then leave out most files.
    """
    ways = {}
    for section in ("global", "install"):
        for path in files:
            parser = configparser.RawConfigParser()
            parser.read(path, encoding="utf-8")
            for key, value in parser.items(section) if parser.has_section(section) else ():
                name = key.lower().replace("_", "-").lstrip("-")
                if name in WAYS and value:
                    ways[variable(name)] = value
    return ways | {name: environment[name] for name in map(variable, WAYS) if environment.get(name)}


def variable(setting):
    """The name of the variable for a setting of pip."""
    return "PIP_" + setting.upper().replace("-", "_")


class UnreadableError(Exception):
    """pip's own configuration cannot be read; the text is what it says of it."""


class Pip:
    """The pip of a virtual environment."""

    def __init__(self, given):
        self.python = os.path.join(given["venv"], "bin", "python")
        told = {name: str(value) for name, value in given["environment"].items()}
        surroundings = without_the_hosts_python(os.environ) | {"LC_ALL": "C.UTF-8"}
        others = {name: v for name, v in surroundings.items() if not name.startswith("PIP_")}
        chosen = {**surroundings, **told}.get("PIP_CONFIG_FILE")
        asked = {**others, **({"PIP_CONFIG_FILE": chosen} if chosen else {})}
        code, debugged, error = self.run(["config", "debug"], asked)
        if code != 0:
            raise UnreadableError(f"pip cannot read its configuration on this host: {error}")
        self.environment = {
            **others,
            **given["defaults"],
            **ways_to_an_index(configuration_files(debugged), surroundings),
            **{name: value for name, value in told.items() if not MISLEADING.fullmatch(name)},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }

    def run(self, arguments, environment):
        command = [self.python, ISOLATED, "-m", "pip", *arguments]
        return run(
            ["sh", "-c", 'umask 022 && exec "$@"', "sh", *command], environment, INSTALL_SECONDS
        )

    def install(self, requirements, find_links):
        """``(exit code, what it said)``."""
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        options += [f"--requirement={path}" for path in requirements]
        options += ["--no-index", f"--find-links={find_links}"] if find_links else []
        code, output, error = self.run(["install", *options], self.environment)
        return code, SECRET.sub("://***@", error or output)


def isolate(venv, program):
    """Have a program of the environment ignore what its user's Python is told.

    The list of installed files, by which a damaged one is found, is brought up to date.
    """
    path = os.path.join(venv, "bin", program)
    script = read(path)
    if script is None:  # what is missing is found when the release is completed
        return
    python = os.fsencode(os.path.join(venv, "bin", "python"))
    # pip starts those with a long path, or one with a space, by way of a shell.
    isolated = re.sub(
        rb"\A(?:#!|#!/bin/sh\n'''exec' )\"?" + re.escape(python) + rb"[\d.]*\"?",
        lambda found: found[0] + b" " + ISOLATED.encode(),
        script,
    )
    if isolated == script:
        return
    write(path, isolated, 0o755)
    digest = base64.urlsafe_b64encode(hashlib.sha256(isolated).digest()).rstrip(b"=").decode()
    for record in glob.glob(glob.escape(venv) + "/lib/python*/site-packages/*.dist-info/RECORD"):
        packages = os.path.dirname(os.path.dirname(record))
        with open(record, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        for row in rows:
            if os.path.normpath(os.path.join(packages, row[0])) == path:
                row[1:] = ["sha256=" + digest, str(len(isolated))]
                with open(record, "w", newline="", encoding="utf-8") as file:
                    csv.writer(file, lineterminator="\n").writerows(rows)


def work(module):
    """Install them, in a process of the owner's."""
    given = module.params
    try:
        with Held(given["lease"]).kept():
            code, said = Pip(given).install(given["requirements"], given["find_links"])
            if code != 0:
                module.fail_json(msg=said.strip() or f"pip ended with {code} and no word")
            for program in given["programs"]:
                isolate(given["venv"], program)
    except LostError as error:
        module.fail_json(msg=str(error))
    except UnreadableError as error:
        module.fail_json(msg=SECRET.sub("://***@", str(error)))
    except (configparser.Error, UnicodeError) as error:
        module.fail_json(msg=f"pip's configuration on this host cannot be understood: {error}")
    module.exit_json(changed=True)


def main():
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "default": ""},
            "venv": {"type": "str", "required": True},
            "requirements": {"type": "list", "elements": "str", "required": True},
            "programs": {"type": "list", "elements": "str", "default": []},
            "find_links": {"type": "str", "default": ""},
            "environment": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "lease": {"type": "dict", "default": {}},
        },
    )
    carry_out(module, account_of(module.params["owner"]), work)


if __name__ == "__main__":
    main()
