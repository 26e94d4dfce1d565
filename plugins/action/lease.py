# SPDX-License-Identifier: MIT
"""Ansible action: the module comfywatchman.ops.lease, told which run of Ansible asks."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.comfywatchman.ops.plugins.plugin_utils import runs


class ActionModule(ActionBase):
    """The action."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Run the module of the same name."""
        super().run(tmp, task_vars)
        return self._execute_module(
            module_name=self._task.action,
            module_args={**self._task.args, "run": runs.describe(task_vars["inventory_hostname"])},
            task_vars=task_vars,
        )
