"""Why workflows got worse."""

from comfywatchman.history.cause.explain import Explained, explain
from comfywatchman.history.cause.mending import mended
from comfywatchman.history.cause.trial import Judged, Worse

__all__ = ["Explained", "Judged", "Worse", "explain", "mended"]
