"""A profile for programs: layers, operators and parts, one row each; units are in the columns' names."""

from __future__ import annotations

from collections.abc import Sequence

from bench.ceilings import Ceilings
from bench.profile_record import Profile
from bench.profile_split import Split
from bench.profiled import CaseView, views
from bench.report.cells import Cells, csv_text, number, shape_text
from bench.report.profiling.sums import Work, by_layer, by_operator, outside
from bench.report.text import guard
from bench.statistics import Estimate

__all__ = ["layers_csv", "operators_csv", "parts_csv"]

_CASE = ("subject", "variant", "engine", "dtype", "image", "batch", "kernel")
_WORK = (
    *("calls", "time_ms", "time_low_ms", "time_high_ms", "blocks", "share_of_step", "macs", "flops"),
    *("counts", "moved_bytes", "gflops_per_s", "gigabytes_per_s", "flops_per_byte", "share_of_roof"),
)


def layers_csv(profile: Profile) -> str:
    """One row a layer of a case, in the order in which they begin; times are of the whole batch."""
    rows = []
    for view in views(profile):
        facts = {layer.name: layer for layer in view.profiled.layers}
        for work in (*by_layer(view), *outside(view)):
            known = facts.get(work.name)
            shapes = {
                "inputs": shape_text(known.inputs) if known else "",
                "outputs": shape_text(known.outputs) if known else "",
                "formula_agrees": ("yes" if known.agrees else "no") if known else "",
                "fused": ("yes" if known.fused else "no") if known else "",
            }
            named = {"layer": guard(work.name), "kind": guard(work.kind)}
            rows.append(_case(view) | named | shapes | _cells(work, profile.ceilings))
    columns = (*_CASE, "layer", "kind", "inputs", "outputs", "fused", "formula_agrees", *_WORK)
    return csv_text(columns, rows)


def operators_csv(profile: Profile) -> str:
    """One row a name of operators of a case, by the engine's profiler, whose steps the shares are of."""
    rows = []
    for view in views(profile):
        for work in by_operator(view):
            kernel = {"kernel_ms": number(work.kernel.value)} if work.kernel else {}
            rows.append(
                _case(view) | {"operator": guard(work.name)} | kernel | _cells(work, profile.ceilings)
            )
    return csv_text((*_CASE, "operator", "kernel_ms", *_WORK), rows)


def parts_csv(splits: Sequence[Split]) -> str:
    """One row a part of a variant's extra time over the reference, with the difference and what is left."""
    rows = []
    for split in splits:
        share = 100.0 / split.difference.value if split.difference.value else 0.0
        lines = [("difference", split.difference, "plain steps, paired inside blocks")]
        lines += [(part.name, part.time, part.how) for part in split.parts]
        lines += [("unexplained", split.unexplained, "the difference less its parts")]
        for name, found, how in lines:
            cells = {"part": name, "percent_of_difference": number(share * found.value), "measured_by": how}
            reference = {"reference": guard(split.reference.case.variant)}
            rows.append(_case(split.view) | reference | cells | _time(found))
    columns = (
        "part",
        "time_ms",
        "time_low_ms",
        "time_high_ms",
        "blocks",
        "percent_of_difference",
        "measured_by",
    )
    return csv_text((*_CASE, "reference", *columns), rows)


def _case(view: CaseView) -> Cells:
    case = view.case
    return {
        "subject": guard(case.subject),
        "variant": guard(case.variant),
        "engine": guard(case.engine),
        "dtype": case.dtype.value,
        "image": shape_text(case.image),
        "batch": str(case.batch),
        "kernel": guard(view.profiled.condition.kernel),
    }


def _time(found: Estimate) -> Cells:
    cells = {"time_ms": number(found.value) if found.n else "", "blocks": str(found.n)}
    if not found.has_interval:
        return cells
    return cells | {"time_low_ms": number(found.low), "time_high_ms": number(found.high)}


def _cells(work: Work, ceilings: Ceilings | None) -> Cells:
    counts = "" if work.flops is None else "exact" if work.known else "at least"
    return _time(work.time) | {
        "calls": str(work.calls),
        "share_of_step": number(work.share.value) if work.share.n else "",
        "macs": number(work.macs),
        "flops": number(work.flops),
        "counts": counts,
        "moved_bytes": number(work.moved),
        "gflops_per_s": number(work.gflops),
        "gigabytes_per_s": number(work.gigabytes),
        "flops_per_byte": number(work.intensity),
        "share_of_roof": number(work.of_roof(ceilings)),
    }
