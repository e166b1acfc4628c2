"""What a reader of a profile has to know: what is in each number, and what was wrong."""

from __future__ import annotations

from bench.profile_record import Mode, Profile
from bench.profiled import CaseView, views
from bench.report.layout import bullets
from bench.report.text import escape

__all__ = ["doubt", "how_measured", "warnings_of"]

_MODES = {
    Mode.LAYERS: "with hooks around every layer",
    Mode.OPERATORS: "under a profiler",
    Mode.PARTS: "with the parts of each activation",
}


def doubt(view: CaseView) -> str:
    """Why a case's times can't be believed; empty where they can."""
    found = view.result()
    if found.latency_ms.n:
        return found.inconclusive
    if view.profiled.failures:
        failure = view.profiled.failures[-1]
        return f"no time: {failure.kind.value}, {failure.message}"
    return "no time: the session ended before its turn; go on with --resume"


def warnings_of(profile: Profile) -> tuple[str, ...]:
    """Everything that a reader must know before believing the figures, each with its remedy."""
    found = list(profile.warnings)
    for view in views(profile):
        found += _warnings(view)
    return tuple(dict.fromkeys(found))


def _warnings(view: CaseView) -> list[str]:
    key, profiled = view.case.key, view.profiled
    found = []
    if reason := doubt(view):
        found.append(f"{key}: {reason}. Close other programs, or raise --blocks.")
    for mode, reason in profiled.missing.items():
        found.append(f"{key} was not run {_MODES.get(mode, mode.value)}: {reason}.")
    unknown = sorted({name for layer in profiled.layers for name in layer.unknown})
    if unknown:
        found.append(f"{key}: the counts are lower bounds, since these are unknown: {', '.join(unknown)}.")
    wrong = [layer.name for layer in profiled.layers if not layer.agrees and not layer.unknown]
    if wrong:
        found.append(
            f"{key}: {len(wrong)} layers have no formula or another count than their operators "
            f"(`dyrelu-bench audit` says which): {', '.join(wrong[:3])}{' ...' if len(wrong) > 3 else ''}."
        )
    seen, counted = {layer.name for layer in view.layers()}, {layer.name for layer in profiled.layers}
    if seen and counted and not seen <= counted:
        found.append(f"{key}: {len(seen - counted)} calls of layers are in no trace and have no counts.")
    if profiled.unpaired:
        blocks = ", ".join(map(str, profiled.unpaired))
        found.append(f"{key}: a worker was lost in block {blocks}, which gives no differences.")
    return found


def how_measured(profile: Profile) -> str:
    """What is measured, and what each number includes."""
    protocol = profile.protocol
    lines = [
        f"{protocol.blocks} blocks, each a fresh process; in a block every variant runs in every mode, in "
        f"bursts that take turns in shuffled order (seed {protocol.seed}). A block's value is the median of "
        "its undisturbed bursts; intervals are exact, over the blocks.",
        "**Step**: the model's forward pass as any measurement runs it, without instruments.",
        "**Layer**: by hooks that are there only while such a step runs. Its own time is its span less the "
        "spans of the layers that it calls, so that every moment belongs to one layer. A block's own time is "
        "what it does between layers, such as adding the shortcut, and the calling of its layers. What the "
        "hooks take is taken apart. An activation of the project counts as one layer with all inside it.",
        "**Operator**: by Paddle's profiler, or ONNX Runtime's or OpenVINO's own, from a step of its own; "
        "the time of the call with its kernel. What no operator accounts for is Python between them, and "
        "the fused operator, of which Paddle has no event in eager mode. Shares are of a step under the "
        "profiler.",
        "**Parts**: while the network runs, each activation's parts run one by one on the very tensor that "
        "it is given, in its place and order, and again on a tensor of eight numbers. A part's work is the "
        "one less the other; the framework's overhead is the whole activation on the small tensor. The "
        "fused operator does all in one call: its parts are differences to calls that leave something out, "
        "in changing order.",
        "**Counts**: MACs and FLOPs of the traced operators of the plain formulation; what is moved is every "
        "input of an operator once and its output once, in four bytes an element, of a fused layer its "
        "input, parameters and output. Caches and repeated reads are not in it.",
        "**Roof**: the lower one of the ceilings at the FLOPs a byte that the work has.",
    ]
    ceilings = profile.ceilings
    if ceilings is not None:
        size = f"{ceilings.matrix} x {ceilings.matrix}"
        lines.append(
            f"**Ceilings**: the best of {len(ceilings.product_ms)} products of two {size} matrices, and of "
            f"as many copies of {ceilings.copied // 2**20} MiB, both by NumPy on {ceilings.threads} threads, "
            f"measured {escape(ceilings.measured)}{_beside(ceilings.disturbed)}."
        )
    return bullets(lines)


def _beside(disturbed: str) -> str:
    return (
        f" beside other work ({escape(disturbed)}): measure again with --fresh-ceilings" if disturbed else ""
    )
