"""Why workflows got worse."""

from comfywatchman.history.cause.explain import Explained, explain
from comfywatchman.history.cause.trial import Worse

__all__ = ["Explained", "Worse", "explain"]
