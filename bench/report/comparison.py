"""The comparison table: what each variant gains and what it costs, one row a variant."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.record import Fact
from bench.report.accuracy import FLIP, Accuracy, split_accuracy
from bench.report.table import CaseRow, Report, Setting
from bench.training_run import TrainingRun

__all__ = ["COST_METRICS", "Target", "VariantRow", "common_target", "comparison", "runs_of"]

# Facts of a variant that don't depend on the batch size.
COST_METRICS = ("parameters_trainable", "parameters_total", "macs", "flops", "model_bytes")


@dataclass(frozen=True, slots=True)
class Target:
    """Test accuracy to reach (0 to 1) and where that figure comes from."""

    value: float
    source: str


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant in one setting. `reached` is None where there is no target or no test accuracy.

    With several seeds the mean has to reach the target; `seeds_reached` counts those that did.
    `elsewhere` holds a fact's other values, where engines or batches disagree.
    """

    setting: Setting | None
    variant: str
    is_reference: bool
    runs: tuple[TrainingRun, ...]
    train: Accuracy | None
    validation: Accuracy | None
    test: Accuracy | None
    test_flip: Accuracy | None
    target: Target | None
    reached: bool | None
    seeds_reached: int
    facts: tuple[Fact, ...]
    elsewhere: tuple[tuple[str, tuple[float, ...]], ...]

    def fact(self, metric: str) -> Fact | None:
        """The fact of this name, or None."""
        return next((fact for fact in self.facts if fact.metric == metric), None)


def runs_of(report: Report, variant: str) -> tuple[TrainingRun, ...]:
    """The training runs of one variant; they belong to the first setting, the only one that is trained."""
    return tuple(run for run in report.runs if run.variant == variant)


def common_target(report: Report) -> Target | None:
    """The target that every variant has; None where there is none or they differ."""
    targets = {_target_of(report, runs_of(report, variant)) for variant in report.variants}
    return targets.pop() if len(targets) == 1 else None


def _target_of(report: Report, runs: tuple[TrainingRun, ...]) -> Target | None:
    """A variant's own target where it was trained to another than the session's, else the session's."""
    general = _general_target(report)
    own = next((Target(run.target, run.target_source) for run in runs if run.target is not None), None)
    return own if own and (general is None or own.value != general.value) else general


def _general_target(report: Report) -> Target | None:
    """The session's target, else the training runs', else None."""
    for session in report.suite.sessions:
        if session.target is not None:
            return Target(session.target, session.target_source)
    for run in report.runs:
        if run.target is not None:
            return Target(run.target, run.target_source)
    return None


def comparison(report: Report) -> tuple[VariantRow, ...]:
    """Every variant of every setting; variants that were only trained follow those of the first setting.

    Only the first setting is trained, so the others' rows have neither accuracies nor a target.
    """
    measured = {row.case.variant for row in report.rows}
    found = []
    for index, setting in enumerate(report.settings or (None,)):
        rows = [row for row in report.rows if Setting.of(row.case) == setting]
        here = {row.case.variant for row in rows}
        for variant in report.variants:
            trained = runs_of(report, variant) if index == 0 else ()
            if variant in here or trained or (index == 0 and variant not in measured):
                row = _variant_row(report, setting, variant, rows)
                found.append(row if index == 0 else _untrained(row))
    return tuple(found)


def _variant_row(report: Report, setting: Setting | None, variant: str, rows: list[CaseRow]) -> VariantRow:
    runs = runs_of(report, variant)
    target = _target_of(report, runs)
    test = split_accuracy(runs, "test")
    accuracies = [value for run in runs if (value := run.test_accuracy) is not None]
    own = [row for row in rows if row.case.variant == variant]
    values = {metric: _fact_values(own, metric) for metric in COST_METRICS}
    return VariantRow(
        setting=setting,
        variant=variant,
        is_reference=variant == report.reference,
        runs=runs,
        train=split_accuracy(runs, "train"),
        validation=split_accuracy(runs, "validation"),
        test=test,
        test_flip=split_accuracy(runs, "test", FLIP),
        target=target,
        reached=None if target is None or test is None else test.mean >= target.value,
        seeds_reached=sum(value >= target.value for value in accuracies) if target else 0,
        facts=tuple(facts[0] for facts in values.values() if facts),
        elsewhere=tuple(
            (metric, tuple(fact.value for fact in facts[1:])) for metric, facts in values.items() if facts[1:]
        ),
    )


def _untrained(row: VariantRow) -> VariantRow:
    return replace(
        row,
        runs=(),
        train=None,
        validation=None,
        test=None,
        test_flip=None,
        target=None,
        reached=None,
        seeds_reached=0,
    )


def _fact_values(rows: list[CaseRow], metric: str) -> list[Fact]:
    """The metric's facts with different values, in the rows' order."""
    facts = [fact for row in rows if (fact := row.fact(metric)) is not None]
    return list({fact.value: fact for fact in reversed(facts)}.values())[::-1]
