"""One picture of every host: what they reported, compared, as JSON, Markdown and an HTML page.

Runs on the controller, where there may be nothing but Ansible: it imports the standard library and
Jinja, which Ansible brings. ``python -m comfywatchman.fleet DIR`` is ``comfywatchman fleet DIR``.
"""
