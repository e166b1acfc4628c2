"""On which core both workers of an `ab` work where each has one thread: on the same one.

Left to the kernel, an engine's helper threads (Paddle Inference frees tensors on one) land on the main
thread's core after some of the stops that taking turns needs, and elsewhere after others, and preempt it or
don't: one program's bursts then differ by half. On one core, and as a batch job, whose waking threads preempt
nobody, they don't. Standard deviation of a block's log ratio between two sides of unchanged code: ResNet-8 on
8x8 images at batch 1 in Paddle Inference, one thread, two cores, from the suites of one `dyrelu-bench
selftest` each, four blocks of 30 bursts of 6 ms:

                               ReLU   DyReLU-B   (a single burst's: scaled median absolute deviation)
    as the kernel likes        6.1%       2.4%   17%, 22%
    a batch job only            19%        19%   16%, 15%
    on one core only           4.0%       6.7%   34%, 30%
    both                       0.9%       1.5%   2.7%, 5.7%

Threads that wait for each other are left alone: a team is as slow as the one whose core a helper shares.
"""

from __future__ import annotations

import contextlib
import os

__all__ = ["THREAD_VARIABLES", "can_share_core", "cores_for", "own_cores", "share_core", "shared_core"]

# By which libraries learn how many threads they may have, when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def can_share_core(threads: int) -> bool:
    """Whether workers of so many threads are better off on one core, of several that there are."""
    return threads == 1 and len(os.sched_getaffinity(0)) > 1


def cores_for(threads: int) -> bool:
    """Whether so many threads have a core each."""
    return threads <= len(os.sched_getaffinity(0))


def shared_core(block: int) -> int:
    """One of this process's cores. Blocks go through them in turns, since one may be slower than another."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[block % len(cores)]


def share_core(pid: int, block: int) -> None:
    """Puts a process that has just been started where both workers of this block belong, as a batch job.

    Threads that it starts inherit both. One that is gone already is reported by what it left, and where a
    sandbox forbids it, it runs as the kernel likes.
    """
    with contextlib.suppress(OSError):
        os.sched_setaffinity(pid, {shared_core(block)})
        os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


def own_cores() -> frozenset[int] | None:
    """The cores that this process may use; None where they are all that there are."""
    cores = frozenset(os.sched_getaffinity(0))
    return cores if len(cores) < (os.cpu_count() or 1) else None
