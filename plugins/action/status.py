# SPDX-License-Identifier: MIT
"""Ansible action: the module comfywatchman.ops.status, told which run of Ansible asks."""

from __future__ import annotations

from ansible_collections.comfywatchman.ops.plugins.plugin_utils.holding import HoldingActionModule


class ActionModule(HoldingActionModule):
    """The action."""
