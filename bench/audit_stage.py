"""Audits every model of a preset, in this process: nothing is timed."""

from __future__ import annotations

from collections.abc import Callable

from bench.audited import AuditedModel, AuditRow
from bench.failures import describe
from bench.metrics.audit import Audit, AuditedLayer, audit
from bench.metrics.formulas import Cost
from bench.presets.schema import Preset, SubjectSpec
from bench.subjects import PLAIN, known_formulas, open_subject, running

__all__ = ["audit_preset"]


def audit_preset(preset: Preset, advance: Callable[[str, int, int], None]) -> tuple[AuditedModel, ...]:
    """Each variant of each subject on one image. A model that can't be built or traced is a row with why."""
    wanted = [(spec, variant) for spec in preset.subjects for variant in spec.variants]
    found = []
    for number, (spec, variant) in enumerate(wanted):
        advance("models audited", number, len(wanted))
        found.append(_audited(spec, variant))
    advance("models audited", len(wanted), len(wanted))
    return tuple(found)


def _audited(spec: SubjectSpec, variant: str) -> AuditedModel:
    image = tuple(spec.image)
    try:
        # What is counted is the plain formulation, for which nothing has to be built.
        with running(PLAIN):
            model = open_subject(spec).build(variant, None)
        found = audit(model, image, known_formulas())
    except Exception as error:  # a user's model may raise whatever it likes
        return AuditedModel(spec.name, variant, image, error=describe(error))
    return AuditedModel(
        subject=spec.name,
        variant=variant,
        image=image,
        traced=_pair(found.traced),
        by_layers=_pair(found.by_layers),
        by_formulas=_pair(found.by_formulas),
        rows=_rows(found),
        unknown=found.unknown,
        without_formula=found.without_formula,
        agrees=found.agrees,
    )


def _pair(cost: Cost) -> tuple[int, int]:
    return cost.macs, cost.flops


def _rows(found: Audit) -> tuple[AuditRow, ...]:
    return tuple(_row(layer) for layer in found.layers if layer.counted)


def _row(layer: AuditedLayer) -> AuditRow:
    formula = layer.formula
    return AuditRow(
        path=layer.path,
        kind=layer.kind,
        inputs=layer.inputs,
        outputs=layer.outputs,
        macs=layer.traced.macs,
        flops=layer.traced.flops,
        formula_macs=None if formula is None else formula.macs,
        formula_flops=None if formula is None else formula.flops,
        source=layer.source,
        agrees=layer.agrees,
        unknown=layer.unknown,
    )
