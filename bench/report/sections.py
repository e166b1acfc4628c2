"""The report's tables: comparison, memory and training. Timing has a file of its own."""

from __future__ import annotations

import statistics as plain
from collections.abc import Mapping

from bench.record import Bound
from bench.report.accuracy import Accuracy
from bench.report.comparison import VariantRow, comparison
from bench.report.formats import amount, bytes_text, exact, fact_text, percent, threshold
from bench.report.layout import Notes, bullets, picture, table
from bench.report.table import CaseRow, Panel, Report
from bench.report.text import escape
from bench.training_run import TrainingRun

__all__ = ["MEMORY_METRICS", "comparison_section", "memory_section", "training_section"]

# Metric and column; the GPU's columns appear where a session measured on one.
MEMORY_METRICS = (
    ("peak_resident", "Peak resident"),
    ("peak_tensor", "Peak of tensors"),
    ("gpu_allocated_peak", "GPU peak allocated"),
    ("gpu_reserved_peak", "GPU peak reserved"),
    ("gpu_process_memory", "GPU memory of the process"),
)
_COSTS = (
    ("parameters_trainable", "Parameters (trainable)", exact),
    ("parameters_total", "Parameters (with BN statistics)", exact),
    ("macs", "MACs an image", exact),
    ("flops", "FLOPs an image", exact),
    ("model_bytes", "Model size", bytes_text),
)
_BARS = (
    "Bars are 95% intervals: of accuracy Wilson's for one seed, which speaks of the choice of test images "
    "only, and Student's t over several; of throughput that of the median over blocks."
)


def comparison_section(report: Report, plots: Mapping[str, str]) -> str:
    """One row a variant: accuracies, target and costs."""
    rows = comparison(report)
    if not rows:
        return ""
    notes = Notes()
    several = len(report.settings) > 1
    flipped = any(row.test_flip for row in rows)
    header = ["Variant", *(["Setting"] if several else []), "Train acc.", "Val. acc.", "Test acc."]
    header += [*([_flip_title(notes)] if flipped else []), "Seeds", "Target", "Reached"]
    header += [title for _, title, _ in _COSTS]
    body = []
    for row in rows:
        cells = [escape(row.variant), *([_setting(row)] if several else [])]
        cells += [_accuracy(row.train, notes), _accuracy(row.validation, notes), _accuracy(row.test, notes)]
        cells += [*([_accuracy(row.test_flip, notes)] if flipped else []), str(len(row.runs) or "")]
        cells += [threshold(row.target.value) if row.target else "", _reached(row)]
        cells += [_cost(row, metric, notes) for metric, _, _ in _COSTS]
        body.append(cells)
    text = table(header, body, 2 if several else 1)
    drawn = picture(plots, "accuracy_throughput")
    caption = f"\n\n{_BARS}" if drawn else ""
    return f"## Comparison\n\n{text}{notes.text()}{drawn}{caption}"


def _flip_title(notes: Notes) -> str:
    about = "Outputs for an image and its mirror image averaged; the target is judged without."
    return f"Test acc., flip{notes.mark(about)}"


def _setting(row: VariantRow) -> str:
    if row.setting is None:
        return ""
    return escape(f"{row.setting.subject} {'×'.join(map(str, row.setting.image))} {row.setting.dtype.value}")


def _accuracy(found: Accuracy | None, notes: Notes) -> str:
    if found is None:
        return ""
    if found.images == 0:
        mark = notes.mark(
            "From the last epoch; for the training images while the weights changed, augmented."
        )
        return percent(found.mean) + mark
    if found.seeds == 1 or found.low is None or found.high is None:
        return percent(found.mean)
    mark = notes.mark("Mean over the seeds with the 95% interval of Student's t, cut to 0 to 100%.")
    return f"{percent(found.mean)} ({percent(found.low)}–{percent(found.high)}){mark}"


def _reached(row: VariantRow) -> str:
    if row.target is None:
        return ""
    if row.reached is None or row.test is None:
        return "unknown"
    answer = "yes" if row.reached else "**no**"
    return f"{answer} ({row.seeds_reached} of {row.test.seeds} seeds)" if row.test.seeds > 1 else answer


def _cost(row: VariantRow, metric: str, notes: Notes) -> str:
    fact = row.fact(metric)
    if fact is None:
        return ""
    render = next(render for name, _, render in _COSTS if name == metric)
    mark = notes.mark(escape(fact.note))
    others = dict(row.elsewhere).get(metric, ())
    if others:
        values = ", ".join(render(value) for value in others)
        mark += notes.mark(f"{escape(row.variant)}: elsewhere {values}, depending on engine or batch size.")
    return fact_text(fact, render(fact.value)) + mark


def memory_section(report: Report, plots: Mapping[str, str]) -> str:
    """Peaks per engine, batch size and variant."""
    tables = [text for panel in report.panels if (text := _memory_table(panel))]
    if not tables:
        return ""
    return f"## Memory{picture(plots, 'memory_batch')}\n\n" + "\n\n".join(tables)


def _memory_table(panel: Panel) -> str:
    metrics = [(name, title) for name, title in MEMORY_METRICS if any(row.fact(name) for row in panel.rows)]
    if not metrics:
        return ""
    notes = Notes()
    body = [
        [str(row.case.batch), escape(row.case.variant), *(_memory(row, name, notes) for name, _ in metrics)]
        for row in panel.rows
    ]
    text = table(["Batch", "Variant", *(title for _, title in metrics)], body, 2)
    return f"### Memory: {escape(panel.label)}\n\n{text}{notes.text()}"


def _memory(row: CaseRow, metric: str, notes: Notes) -> str:
    fact = row.fact(metric)
    if fact is None:
        return ""
    mark = notes.mark(escape(fact.note))
    if fact.bound is Bound.CUMULATIVE_PEAK:
        mark += notes.mark(
            "Cumulative: the process's peak up to here, with batch sizes ascending, since it can't be reset."
        )
    return fact_text(fact, bytes_text(fact.value)) + mark


def training_section(report: Report, plots: Mapping[str, str]) -> str:
    """Every run, failures too."""
    if not report.runs:
        return ""
    header = ["Variant", "Seed", "Data", "Recipe", "Status", "Epochs", "Time", "Images/s", "Train acc."]
    header += ["Val. acc.", "Test acc."]
    order = {variant: index for index, variant in enumerate(report.variants)}
    runs = sorted(report.runs, key=lambda run: (order[run.variant], run.seed))
    text = table(header, [_run(run) for run in runs], 5)
    curves = picture(plots, "learning_curves")
    about = (
        "Every run is listed, also those that failed. Images/s is the median over the epochs; training "
        "accuracy is that of the last epoch, over augmented images while the weights changed."
    )
    if noted := list(dict.fromkeys(note for run in runs for note in run.notes)):
        about += "\n\n" + bullets([escape(note) for note in noted])
    if curves:
        about += " The curves show loss and validation accuracy per epoch."
    return f"## Training\n\n{about}\n\n{text}{curves}"


def _run(run: TrainingRun) -> list[str]:
    last = run.epochs[-1] if run.epochs else None
    test = run.evaluation("test")
    validation = run.evaluation("validation")
    final = last.validation_accuracy if last else None
    if validation and validation.images:
        final = validation.accuracy
    rates = [epoch.images_per_second for epoch in run.epochs]
    return [
        escape(run.variant),
        str(run.seed),
        escape(run.dataset),
        escape(run.recipe),
        escape(run.status),
        f"{len(run.epochs)} of {run.planned_epochs}" + (f", kept {run.kept_epoch}" if run.kept_epoch else ""),
        f"{run.seconds:,.0f} s" if run.seconds else "",
        amount(plain.median(rates)) if rates else "",
        percent(last.train_accuracy) if last else "",
        percent(final) if final is not None else "",
        percent(test.accuracy) if test and test.images else "",
    ]
