# SPDX-License-Identifier: MIT
"""Ansible action: make one picture of what comfywatchman.ops.collect fetched. Asks no host.

Options: ``folder``; ``hosts``, all that should be there; ``asked``, those that this run asked;
``started_at``, when it began; ``fail_on`` and ``stale_after`` as the program has them. Returns
``well`` and, as ``msg``, what the program printed.
"""

from __future__ import annotations

import os
import subprocess
import sys

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.comfywatchman.ops.plugins.plugin_utils import program, report_files


class ActionModule(ActionBase):
    """The action."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Note down who should be there, and run the program."""
        super().run(tmp, task_vars)
        given = self._task.args
        folder = os.path.abspath(os.path.expanduser(given["folder"]))
        asked = set(given["asked"])
        hosts = [
            {"name": str(host), "file": report_files.file_name(host), "asked": host in asked}
            for host in given["hosts"]
        ]
        started_at = float(given["started_at"])
        expected = {"schema_version": 1, "started_at": started_at, "hosts": hosts}
        try:
            report_files.replace(os.path.join(folder, "expected.json"), expected)
        except OSError as error:
            raise AnsibleActionFail(f"{folder} cannot be written: {error.strerror}") from None
        # -P: a folder of that name where the playbook is run is not the program.
        command = [sys.executable, "-P", "-m", "comfywatchman.fleet", folder]
        command.append(f"--fail-on={given['fail_on']}")
        if given["stale_after"] not in ("", None):
            command.append(f"--stale-after={given['stale_after']}")
        path = [program.find(), os.environ.get("PYTHONPATH")]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
                "PYTHONUTF8": "1",
                "PYTHONDONTWRITEBYTECODE": "1",  # not into a collection
            },
            check=False,
        )
        if done.returncode not in (0, 1):
            raise AnsibleActionFail(done.stderr.strip() or "the program ended without a word")
        lines = done.stdout.strip("\n").splitlines()
        return {
            "changed": False,
            "well": done.returncode == 0,
            "msg": lines,
            "_ansible_verbose_always": True,
        }
