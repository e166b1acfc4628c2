"""Separate random streams from one seed, so that variants trained with the same seed are paired.

A stream's generator is rebuilt from (seed, stream, keys) wherever it is needed: no generator state has to be
stored to resume a run, and drawing more from one stream never shifts another.
"""

from __future__ import annotations

import zlib
from enum import IntEnum, unique

import numpy as np

__all__ = ["Stream", "generator", "name_key"]


@unique
class Stream(IntEnum):
    """What the random numbers are for. The values are part of every published result: never renumber them."""

    ORDER = 1
    AUGMENTATION = 2
    MIRROR = 3
    TRUNK = 4
    HYPER = 5


def generator(seed: int, stream: Stream, *keys: int) -> np.random.Generator:
    """A fresh generator of one stream; equal arguments give equal numbers in every process."""
    return np.random.default_rng([seed, int(stream), *keys])


def name_key(name: str) -> int:
    """A number for a structured name: the CRC-32 of its UTF-8 bytes (`hash` differs per process)."""
    return zlib.crc32(name.encode())
