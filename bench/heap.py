"""Keeps memory that was freed in the process, so that no step's time depends on the heap's past.

The C library gives large blocks back to the system when they are freed, and a network's step then meets new
pages again and again, as many as what was allocated before decides: that says nothing of the network, and
can be a large part of its time (`python -m tests.microbench.training` counts them). A long-running server
keeps its memory, as other allocators do. Linux with the GNU C library; elsewhere nothing is changed.
"""

from __future__ import annotations

import ctypes
from typing import Final

__all__ = ["retain_memory"]

# mallopt(3)
_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_MAX: Final = -4

_NEVER_TRIM: Final = -1  # whatever lies free at the heap's end stays there
_TOP_PAD_BYTES: Final = 64 * 2**20  # taken in addition whenever the heap grows; untouched, it costs nothing
_NO_MAPPINGS: Final = 0  # a block of its own mapping would be given back whenever it is freed


def retain_memory() -> bool:
    """Tells the C library to keep what is freed; whether it could be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = ((_M_TRIM_THRESHOLD, _NEVER_TRIM), (_M_TOP_PAD, _TOP_PAD_BYTES), (_M_MMAP_MAX, _NO_MAPPINGS))
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)
