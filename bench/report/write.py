"""The one place that writes a report's files."""

from __future__ import annotations

from pathlib import Path

from bench.report.batches import batches_csv, has_batches
from bench.report.html import page, picture
from bench.report.layout import picture_path
from bench.report.markdown import markdown
from bench.report.plots import PLOTS, draw
from bench.report.table import assemble
from bench.report.tables_csv import comparison_csv, results_csv, training_csv
from bench.report.targets_csv import targets_csv
from bench.report.tipc import tipc_lines
from bench.storage import load_suite, write_atomically
from bench.training_run import read_training_runs, unstarted_logs

__all__ = ["write_report"]


def write_report(run_dir: Path) -> tuple[Path, ...]:
    """Remakes every report file of a run folder from its `suite.json` and `training/**/*.jsonl`.

    Gives the written paths. A plot that an earlier report drew and that has no data now is removed, so that
    no stale picture lies beside a new report. Raises InputError for unreadable input or an unwritable folder.
    """
    training = run_dir / "training"
    report = assemble(load_suite(run_dir), read_training_runs(training), unstarted_logs(training))
    drawn = {plot: draw(plot, report) for plot in PLOTS if plot.has_data(report)}
    text = markdown(report, {plot.name: plot.alternative for plot in drawn})
    pictures = {picture_path(plot.name): picture(plot, report) for plot in drawn}
    files = {
        "report.md": text.encode(),
        "report.html": page(text, pictures).encode(),
        "comparison.csv": comparison_csv(report).encode(),
        "results.csv": results_csv(report).encode(),
        "training.csv": training_csv(report).encode(),
        "tipc.jsonl": tipc_lines(report).encode(),
    }
    # Only a preset with ratio targets has this file; published folders of others stay as they are.
    if report.targets:
        files["targets.csv"] = targets_csv(report).encode()
    else:
        (run_dir / "targets.csv").unlink(missing_ok=True)
    if has_batches(report):
        files["batches.csv"] = batches_csv(report).encode()
    else:
        (run_dir / "batches.csv").unlink(missing_ok=True)
    for plot, images in drawn.items():
        files |= {f"plots/{plot.name}.{ending}": content for ending, content in images.items()}
    for name, content in files.items():
        write_atomically(run_dir / name, content)
    for plot in PLOTS:
        if plot not in drawn:
            for ending in ("png", "svg"):
                (run_dir / "plots" / f"{plot.name}.{ending}").unlink(missing_ok=True)
    return tuple(run_dir / name for name in files)
