"""ComfyWatchman: a scheduled health check for the saved workflows of a ComfyUI host."""

__version__ = "0.1.0"
