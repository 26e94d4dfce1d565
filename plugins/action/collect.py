# SPDX-License-Identifier: MIT
"""Ansible action: fetch what a host reports into a folder on the controller, by one remote call.

Options: ``folder`` and those of the module comfywatchman.ops.status. Each host has a file of its
own, replaced by rename. A host that cannot be asked keeps what it last said, beside the reason.
"""

from __future__ import annotations

import os
import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.comfywatchman.ops.plugins.plugin_utils import report_files


class ActionModule(ActionBase):
    """The action."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Ask the host, and write its file."""
        super().run(tmp, task_vars)
        asked = {**self._task.args, "reports": True}
        folder = os.path.abspath(os.path.expanduser(asked.pop("folder")))
        self._host = task_vars["inventory_hostname"]
        self._path = os.path.join(folder, "hosts", report_files.file_name(self._host))
        self._asked_at = time.time()
        try:
            answer = self._execute_module(
                module_name="comfywatchman.ops.status", module_args=asked, task_vars=task_vars
            )
        except AnsibleConnectionFailure as error:
            self._write(
                {**report_files.last_said(self._path), "unreachable": True, "failure": str(error)}
            )
            raise
        except AnsibleError as error:
            answer = {"failed": True, "msg": str(error)}
        if answer.get("failed") or "installed" not in answer:
            said = answer.get("module_stderr") or answer.get("msg") or "it gave no answer"
            failure = (str(said).strip().splitlines() or ["it gave no answer"])[-1]
            self._write(
                {**report_files.last_said(self._path), "unreachable": False, "failure": failure}
            )
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
            report_files.replace(self._path, {**started, **document})
        except OSError as error:
            raise AnsibleActionFail(f"{self._path} cannot be written: {error.strerror}") from None
