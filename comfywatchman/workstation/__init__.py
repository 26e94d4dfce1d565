"""``./dev install``: finds out who runs ComfyUI here, where, and at which address; then deploys.

Runs on the workstation itself, where there may be nothing but Python and Ansible: it imports the
standard library alone. ``python -m comfywatchman.workstation install`` is how ``./dev`` calls it.
"""
