"""The same figures for programs. Raw numbers with nine significant digits, units in the names of columns."""

from __future__ import annotations

from bench.quality import LATENCY, latency_percentile
from bench.ratios import Ratio
from bench.record import Bound, Fact, Record
from bench.report.accuracy import Accuracy
from bench.report.cells import Cells, csv_text, estimate_cells, number, shape_text
from bench.report.comparison import COST_METRICS, VariantRow, comparison
from bench.report.table import CaseRow, Report, Status
from bench.report.text import guard
from bench.report.timing import PERCENTILES, step_count
from bench.report.tipc import TIPC_KEYS, tipc_cells
from bench.statistics import samples_needed
from bench.units import Direction, Unit

__all__ = ["comparison_csv", "results_csv", "training_csv"]

_COST_COLUMNS = {
    "parameters_trainable": "parameters_trainable_count",
    "parameters_total": "parameters_total_count",
    "macs": "macs_per_image",
    "flops": "flops_per_image",
    "model_bytes": "model_size_bytes",
}
_SPLITS = ("train", "validation", "test", "test_flip")
_COMPARISON = (
    *("subject", "image", "dtype", "variant", "is_reference", "seeds"),
    *(f"{split}_accuracy_fraction{end}" for split in _SPLITS for end in ("", "_low", "_high")),
    *("test_interval_method", "test_images", "target_accuracy_fraction", "target_reached", "seeds_reached"),
    *(column for name in _COST_COLUMNS.values() for column in (name, f"{name}_bound")),
    "notes",
)
_CASE = ("session", "environment", "subject", "variant", "engine", "dtype", "image", "batch")
_RESULTS = (
    *_CASE,
    *("threads", "kernel", "weights", "options", "metric", "kind", "unit", "direction", "value", "low"),
    *("high", "confidence", "n", "bound", "status", "reason"),
    *TIPC_KEYS,
)
_TRAINING = (
    *("variant", "seed", "dataset", "recipe", "status", "epoch", "loss", "train_accuracy_fraction"),
    *("validation_loss", "validation_accuracy_fraction", "learning_rate", "throughput_images_per_s"),
    "duration_s",
)


def comparison_csv(report: Report) -> str:
    """The comparison table: one row a variant. Accuracies are fractions (0 to 1) with 95% intervals."""
    return csv_text(_COMPARISON, [_comparison_row(row) for row in comparison(report)])


def _comparison_row(row: VariantRow) -> Cells:
    setting, test = row.setting, row.test
    cells = {
        "subject": guard(setting.subject) if setting else "",
        "image": shape_text(setting.image) if setting else "",
        "dtype": setting.dtype.value if setting else "",
        "variant": guard(row.variant),
        "is_reference": "yes" if row.is_reference else "no",
        "seeds": str(len(row.runs)),
        "test_interval_method": test.method if test else "",
        "test_images": str(test.images) if test else "",
        "target_accuracy_fraction": number(row.target.value) if row.target else "",
        "target_reached": {True: "yes", False: "no", None: ""}[row.reached],
        "seeds_reached": str(row.seeds_reached) if row.target and test else "",
        "notes": guard("; ".join(dict.fromkeys(fact.note for fact in row.facts if fact.note))),
    }
    for split, found in zip(_SPLITS, (row.train, row.validation, test, row.test_flip), strict=True):
        cells |= _accuracy(f"{split}_accuracy_fraction", found)
    for metric in COST_METRICS:
        fact, name = row.fact(metric), _COST_COLUMNS[metric]
        cells |= {name: number(fact.value), f"{name}_bound": fact.bound.value} if fact else {}
    return cells


def _accuracy(column: str, found: Accuracy | None) -> Cells:
    if found is None:
        return {}
    ends = {f"{column}_low": number(found.low), f"{column}_high": number(found.high)}
    return {column: number(found.mean), **ends}


def results_csv(report: Report) -> str:
    """Tidy: one row a case and metric. A case without times keeps its row, with the reason."""
    return csv_text(_RESULTS, [{**_case(row), **cells} for row in report.rows for cells in _metrics(row)])


def _case(row: CaseRow) -> Cells:
    case, condition = row.case, row.record.condition if row.record else None
    cells = {
        "session": guard(row.session.id),
        "environment": guard(row.session.environment),
        "subject": guard(case.subject),
        "variant": guard(case.variant),
        "engine": guard(case.engine),
        "dtype": case.dtype.value,
        "image": shape_text(case.image),
        "batch": str(case.batch),
    }
    if condition is None:
        return cells
    return cells | {
        "threads": str(condition.threads),
        "kernel": guard(condition.kernel),
        "weights": guard(condition.weights),
        "options": guard(" ".join(f"{name}={value}" for name, value in condition.options)),
    }


def _metrics(row: CaseRow) -> list[Cells]:
    return [*_times(row), *(_fact(fact) for fact in (row.record.facts if row.record else ()))]


def _times(row: CaseRow) -> list[Cells]:
    lower, higher = Direction.LOWER_IS_BETTER.value, Direction.HIGHER_IS_BETTER.value
    latency = {"metric": LATENCY, "kind": "estimate", "unit": Unit.MILLISECONDS.value, "direction": lower}
    throughput = {
        "metric": "throughput",
        "kind": "estimate",
        "unit": Unit.IMAGES_PER_SECOND.value,
        "direction": higher,
    }
    doubt = {"status": row.status.value, "reason": guard(row.reason)}
    if row.result is None or row.record is None:
        return [latency | doubt, throughput | doubt]
    confidence = row.session.protocol.confidence
    found = [
        latency | estimate_cells(row.result.latency_ms, confidence) | doubt,
        throughput | estimate_cells(row.result.throughput, confidence) | doubt | _tipc(row),
        *({**latency, **_percentile(row.record, percent, doubt)} for percent in PERCENTILES),
    ]
    if not row.is_reference:
        found.append(_ratio("throughput_ratio", Ratio(row.ratio, row.ratio_reason), confidence))
    others = [(name, other) for name, other in row.others if name != row.case.variant]
    return [*found, *(_ratio(f"throughput_ratio_to_{name}", other, confidence) for name, other in others)]


def _ratio(metric: str, found: Ratio, confidence: float) -> Cells:
    return {
        "metric": guard(metric),
        "kind": "ratio",
        "unit": "1",
        "direction": Direction.HIGHER_IS_BETTER.value,
        **(estimate_cells(found.estimate, confidence) if found.estimate else {}),
        "status": (Status.INCONCLUSIVE if found.reason else Status.OK).value,
        "reason": guard(found.reason),
    }


def _tipc(row: CaseRow) -> Cells:
    return {key: guard(str(value)) for key, value in tipc_cells(row).items()}


def _percentile(record: Record, percent: float, doubt: Cells) -> Cells:
    value, samples = latency_percentile(record, percent), step_count(record)
    cells = {"metric": f"{LATENCY}_p{percent:g}", "kind": "percentile", "n": str(samples), **doubt}
    if value is not None:
        return cells | {"value": number(value)}
    reason = f"needs {samples_needed(percent)} undisturbed steps, there are {samples}"
    return cells | {"status": Status.INCONCLUSIVE.value, "reason": reason}


def _fact(fact: Fact) -> Cells:
    return {
        "metric": guard(fact.metric),
        "kind": "fact",
        "unit": fact.unit.value,
        "direction": Direction.LOWER_IS_BETTER.value,
        "value": number(fact.value),
        "bound": fact.bound.value,
        "status": Status.OK.value,
        # A note on a lower bound is its reason; other notes are said here too, so that none is lost.
        "reason": guard(fact.note or ("unknown operators" if fact.bound is Bound.AT_LEAST else "")),
    }


def training_csv(report: Report) -> str:
    """One row an epoch of every run; only the header where nothing was trained."""
    return csv_text(
        _TRAINING,
        [
            {
                "variant": guard(run.variant),
                "seed": str(run.seed),
                "dataset": guard(run.dataset),
                "recipe": guard(run.recipe),
                "status": guard(run.status),
                "epoch": str(epoch.epoch),
                "loss": number(epoch.loss),
                "train_accuracy_fraction": number(epoch.train_accuracy),
                "validation_loss": number(epoch.validation_loss),
                "validation_accuracy_fraction": number(epoch.validation_accuracy),
                "learning_rate": number(epoch.learning_rate),
                "throughput_images_per_s": number(epoch.images_per_second),
                "duration_s": number(epoch.seconds),
            }
            for run in report.runs
            for epoch in run.epochs
        ],
    )
