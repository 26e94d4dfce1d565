"""Who brings a node type: what the workflow, the server's Manager, ComfyUI and the name say.

``inquiry`` asks, ``knowledge`` holds what was learned, ``origin`` draws the conclusion. Nothing
here installs, enables, fetches or writes anything on the server.
"""
