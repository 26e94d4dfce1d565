"""The choices of a combo, searched as the server searches them and as a person would."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.names import Names, is_media, looks_like_file

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_SIMILAR: Final = 80.0
_MOST_SEARCHED: Final = 20_000
_LONGEST_SEARCHED: Final = 200


class Choices(Names):
    """What a combo accepts.

    Args:
        listed: the choices, in the server's order.
    """

    def __init__(self, listed: Sequence[Any]) -> None:
        super().__init__(listed)
        self.listed = listed
        self._similar: dict[str, tuple[str, ...]] = {}

    def __contains__(self, value: object) -> bool:
        """Whether the server finds a value: by equality, so that 1, 1.0 and true are one."""
        try:
            return value in self._hashed or value in self._unhashable
        except TypeError:
            return value in self.listed

    def __len__(self) -> int:
        return len(self.listed)

    @cached_property
    def files(self) -> frozenset[str]:
        """Those that are names of files."""
        return frozenset(c for c in self.listed if isinstance(c, str) and looks_like_file(c))

    @cached_property
    def are_files(self) -> bool:
        """Whether these are names of files.

        Lists of files may begin with a word of their own, such as ``None`` or ``baked VAE``.
        """
        files = sum(map(looks_like_file, self.listed))
        return files > 0 and files >= len(self.listed) - 3

    @cached_property
    def are_media(self) -> bool:
        """Whether the files among these are pictures, videos, sounds or 3D objects, if any are."""
        return all(is_media(choice) for choice in self.listed if looks_like_file(choice))

    @cached_property
    def separator(self) -> str:
        """What the server separates folders by, where it lists files: that of its own system."""
        windows = any("\\" in choice for choice in self.listed if isinstance(choice, str))
        return "\\" if windows else "/"

    def similar(self, wanted: str, limit: int = 3) -> tuple[str, ...]:
        """The choices whose spelling comes nearest, best first; none if none comes near."""
        wanted = wanted[:_LONGEST_SEARCHED]
        known = self._similar.get(wanted)
        if known is None:
            known = self._similar[wanted] = self._search(wanted, limit)
        return known

    def _search(self, wanted: str, limit: int) -> tuple[str, ...]:
        from rapidfuzz import fuzz, process, utils  # only workflows with a wrong name pay for it

        strings = [c for c in self.listed[:_MOST_SEARCHED] if isinstance(c, str)]
        found = process.extract(
            wanted,
            strings,
            scorer=fuzz.ratio,
            processor=utils.default_process,
            limit=limit,
            score_cutoff=_SIMILAR,
        )
        return tuple(name for name, _, _ in found)

    @cached_property
    def _hashed(self) -> frozenset[Hashable]:
        return frozenset(c for c in self.listed if not isinstance(c, (list, dict)))

    @cached_property
    def _unhashable(self) -> tuple[Any, ...]:
        return tuple(c for c in self.listed if isinstance(c, (list, dict)))
