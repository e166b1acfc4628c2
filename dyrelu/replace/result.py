"""What became of a network's activations."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Replacement", "Site", "Unreplaced"]


@dataclass(frozen=True, slots=True)
class Site:
    """A call that has a new layer.

    `path` is where the network registers it, `old` the type that was there, `channels` the size of axis 1,
    and `position` tells the calls of one path apart: 0, 1, ... in the order in which they are made.
    """

    path: str
    old: str
    channels: int
    position: int


@dataclass(frozen=True, slots=True)
class Unreplaced:
    """What was left as it was: `where` is the path of a layer, `what` a type or a function, and `why`."""

    where: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """What became of a network: `sites` in the order of their calls, and what is left of the old."""

    sites: tuple[Site, ...]
    unreplaced: tuple[Unreplaced, ...]
