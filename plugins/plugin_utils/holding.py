# SPDX-License-Identifier: MIT
"""Running a module that takes a lease, or respects it, for this run of Ansible."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import WAIT
from ansible_collections.comfywatchman.ops.plugins.plugin_utils import runs


class HoldingActionModule(ActionBase):
    """Tells the module which run this is. What held the host and has ended does so no longer.

    Only this machine knows whether a run of its own has ended: so the module is asked at first not
    to wait, and once more if the host is held.
    """

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """Run the module of the same name."""
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "run": runs.describe(task_vars["inventory_hostname"])}
        result = self._ask(arguments, task_vars)
        holder = result.get("held_by")
        if holder and arguments.get("lease", "ignore") != "ignore":
            ended = runs.has_ended(holder.get("controller") or {})
            more = {"instead_of": holder["run"]} if ended else {"wait": WAIT}
            result = self._ask({**arguments, **more}, task_vars)
        return result

    def _ask(self, arguments, task_vars):
        return self._execute_module(
            module_name=self._task.action, module_args=arguments, task_vars=task_vars
        )
