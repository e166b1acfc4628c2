"""What must be as it was when a session is resumed: the machine, the weights, the variants' kernels."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.errors import EnvironmentMismatch, UsageError
from bench.journal import Journal, SessionEntry
from bench.plan import Plan

__all__ = ["check_same_session"]


def check_same_session(journal: Journal, environment: str, plan: Plan) -> None:
    """Enters the session in a new journal, and refuses to add to one that was begun otherwise.

    Raises EnvironmentMismatch for another machine, UsageError for other weights or kernels.
    """
    files = plan.weights.items()
    digests = {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in files}
    now = SessionEntry(environment, digests, plan.kernels)
    begun = next((entry for entry in journal.entries if isinstance(entry, SessionEntry)), None)
    if begun is None:
        journal.append(now)
    elif begun.environment != environment:
        raise EnvironmentMismatch(
            f"this run was begun in environment {begun.environment} and this is {environment} "
            "(`dyrelu-bench env` describes it); go on there, or start again in another folder"
        )
    elif begun.weights != digests:
        raise UsageError(
            "this run was begun with other weights (was something trained since?); start again in another "
            "folder"
        )
    elif begun.kernels != plan.kernels:
        raise UsageError(
            f"this run was begun with the kernels {_shown(begun.kernels)} and would go on with "
            f"{_shown(plan.kernels)}; set DYRELU_KERNEL as it was then (`dyrelu-bench env` says what it "
            "comes to), or start again in another folder"
        )


def _shown(kernels: dict[str, str]) -> str:
    """Such as "relu plain, dyrelu_b fused"; repeated by subjects, each is shown once."""
    shown = dict.fromkeys(f"{name.partition('/')[2]} {kernel}" for name, kernel in kernels.items())
    return ", ".join(shown) or "unknown"
