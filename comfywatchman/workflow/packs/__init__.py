"""Node packs whose JavaScript changes the prompt, one file each.

To add one, add a file with a :class:`~comfywatchman.workflow.pack.Pack` called ``PACK``, and a test
of the same name in ``tests/unit/workflow/packs``.
"""
