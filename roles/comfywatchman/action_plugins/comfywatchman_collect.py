# SPDX-License-Identifier: MIT
"""Ansible action: fetch what a host reports into a folder on the controller, by one remote call.

Options: ``folder`` and those of the module comfywatchman_status. Each host has a file of its own,
replaced by rename. A host that cannot be asked keeps what it last said, beside the reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from urllib.parse import quote

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

LONGEST_NAME = 200
KEPT = ("collected_at", "status", "report", "inventory")


def file_name(host):
    """Name of the host's file: whatever the host is called, a file in the folder, and its own."""
    name = quote(host, safe="")
    if len(name) > LONGEST_NAME:
        name = hashlib.sha256(host.encode(errors="surrogatepass")).hexdigest()
    return name + ".json"


def make_private(folder):
    """Make a folder and those above it that are not there, for their owner alone."""
    if not os.path.isdir(folder):
        make_private(os.path.dirname(folder))
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)


def replace(path, document):
    """Put a JSON document in place of a file in one step, for its owner alone."""
    make_private(os.path.dirname(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".part-", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def last_said(path):
    """What is to be kept of the host's file; nothing if it is not there or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return {key: found.get(key) for key in KEPT}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


class ActionModule(ActionBase):
    """The action."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Ask the host, and write its file."""
        super().run(tmp, task_vars)
        asked = {**self._task.args, "reports": True}
        folder = os.path.abspath(os.path.expanduser(asked.pop("folder")))
        self._host = task_vars["inventory_hostname"]
        self._path = os.path.join(folder, "hosts", file_name(self._host))
        self._asked_at = time.time()
        try:
            answer = self._execute_module(
                module_name="comfywatchman_status", module_args=asked, task_vars=task_vars
            )
        except AnsibleConnectionFailure as error:
            self._write({**last_said(self._path), "unreachable": True, "failure": str(error)})
            raise
        except AnsibleError as error:
            answer = {"failed": True, "msg": str(error)}
        if answer.get("failed") or "installed" not in answer:
            said = answer.get("module_stderr") or answer.get("msg") or "it gave no answer"
            failure = (str(said).strip().splitlines() or ["it gave no answer"])[-1]
            self._write({**last_said(self._path), "unreachable": False, "failure": failure})
            return {"changed": False, "msg": failure}
        reports = answer.pop("reports")
        self._write(
            {
                "collected_at": time.time(),
                "unreachable": False,
                "failure": "",
                "status": {
                    k: v for k, v in answer.items() if not k.startswith(("_", "invocation"))
                },
                **reports,
            }
        )
        return {"changed": False}

    def _write(self, document):
        started = {"schema_version": 1, "host": self._host, "asked_at": self._asked_at}
        try:
            replace(self._path, {**started, **document})
        except OSError as error:
            raise AnsibleActionFail(f"{self._path} cannot be written: {error.strerror}") from None
