"""The commands of the program: each module is one, named like it.

Its function ``run`` is what typer makes the command of, and the function's docstring its help. A
command that reads the settings names the groups of flags it takes in ``FLAGS`` and finds what was
given of them in its parameter ``flags``, which also says where in ``--help`` they stand.

Nothing slow is imported but inside ``run``: ``comfywatchman --help`` imports every command.
"""
