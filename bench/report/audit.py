"""An audit as tables: a row a model, then a row a kind of layer; one row a layer for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.audited import AuditedModel, AuditRow
from bench.report.cells import Cells, csv_text, number, shape_text
from bench.report.formats import exact
from bench.report.layout import bullets, table
from bench.report.text import escape, guard

__all__ = ["audit_csv", "audit_markdown", "summary"]

_COLUMNS = (
    *("subject", "variant", "image", "layer", "kind", "inputs", "outputs", "macs", "flops", "counts"),
    *("formula_macs", "formula_flops", "agrees", "formula", "unknown_operators"),
)


def audit_markdown(audits: Sequence[AuditedModel]) -> str:
    """The tables. MACs and FLOPs are of one image, a MAC being two FLOPs."""
    header = ["Model", "Input", "MACs", "FLOPs", "Sum of layers", "Sum of formulas", "Agree"]
    text = table(header, [_model(found) for found in audits], 2)
    remarks = [line for found in audits for line in _remarks(found)]
    notes = f"\n\n{bullets(remarks)}" if remarks else ""
    kinds = _kinds(audits)
    return f"{text}{notes}\n\n{kinds}\n" if kinds else f"{text}{notes}\n"


def _model(found: AuditedModel) -> list[str]:
    name = [escape(f"{found.subject}: {found.variant}"), shape_text(found.image)]
    if found.error:
        return [*name, "", "", "", "", "**no**"]
    bound = "≥ " if found.unknown else ""
    macs, flops = found.traced
    others = [f"{bound}{exact(flops)}" for _, flops in (found.by_layers, found.by_formulas)]
    return [*name, bound + exact(macs), bound + exact(flops), *others, "yes" if found.agrees else "**no**"]


def _remarks(found: AuditedModel) -> list[str]:
    name = escape(f"{found.subject}: {found.variant}")
    if found.error:
        return [f"{name} could not be counted: {escape(found.error)}"]
    lines = []
    if found.unknown:
        where = ", ".join(
            f"{row.path or 'the model itself'} ({row.kind})" for row in found.rows if row.unknown
        )
        names = ", ".join(found.unknown)
        lines.append(
            f"{name}: at least, since these operators are unknown: {escape(names)}, in {escape(where)}; a "
            "row for them belongs into `bench/metrics/flops.py`"
        )
    if found.without_formula:
        names = ", ".join(found.without_formula)
        lines.append(f"{name}: counted by operators alone, since these have no formula: {escape(names)}")
    wrong = [
        row for row in found.rows if row.formula_flops is not None and not row.agrees and not row.unknown
    ]
    lines += [
        f"{name}: {escape(row.path)} ({escape(row.kind)}) has {_counts(row.macs, row.flops)} by its "
        f"operators, {_counts(row.formula_macs or 0, row.formula_flops or 0)} by its formula"
        for row in wrong
    ]
    return lines


def _counts(macs: int, flops: int) -> str:
    return f"{exact(macs)} MACs and {exact(flops)} FLOPs"


def _kinds(audits: Iterable[AuditedModel]) -> str:
    """Every kind of layer that was met, with what it is counted by."""
    kinds: dict[str, list[AuditRow]] = {}
    for found in audits:
        for row in found.rows:
            kinds.setdefault(row.kind, []).append(row)
    body = [
        [
            escape(kind),
            escape(rows[0].source) or "by its operators alone",
            str(len(rows)),
            "yes" if all(row.agrees for row in rows) else "**no**",
        ]
        for kind, rows in sorted(kinds.items())
    ]
    return table(["Kind of layer", "Its formula", "Calls", "Agree"], body, 2) if body else ""


def audit_csv(audits: Iterable[AuditedModel]) -> str:
    """One row a layer that has anything to count."""
    return csv_text(_COLUMNS, [_cells(found, row) for found in audits for row in found.rows])


def _cells(found: AuditedModel, row: AuditRow) -> Cells:
    return {
        "subject": guard(found.subject),
        "variant": guard(found.variant),
        "image": shape_text(found.image),
        "layer": guard(row.path),
        "kind": guard(row.kind),
        "inputs": shape_text(row.inputs),
        "outputs": shape_text(row.outputs),
        "macs": number(row.macs),
        "flops": number(row.flops),
        "counts": "at least" if row.unknown else "exact",
        "formula_macs": number(row.formula_macs),
        "formula_flops": number(row.formula_flops),
        "agrees": "yes" if row.agrees else "no",
        "formula": guard(row.source),
        "unknown_operators": guard(", ".join(row.unknown)),
    }


def summary(audits: Sequence[AuditedModel]) -> str:
    """The last line."""
    agree = sum(found.agrees for found in audits)
    unknown = sum(bool(found.unknown) for found in audits)
    failed = sum(bool(found.error) for found in audits)
    return f"{agree} of {len(audits)} agree, {unknown} with unknown operators, {failed} not counted"
