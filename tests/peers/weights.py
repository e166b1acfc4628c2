"""Do weights matter? Times with trained and with random weights, side by side in the blocks of one session.

    dyrelu-bench train --preset quick --out runs/trained
    python -m tests.peers.weights runs/trained --out reports/published/weights

Both are models of one group, whose bursts take turns, so that their ratio is a paired one. Beside it stands
how many denormal numbers there are in the weights and in all layers' results. It takes seven minutes on two
cores; `--resume` goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench.cli.options import make_request
from bench.cli.progress import Reporter
from bench.errors import BenchError
from bench.metrics.denormals import Denormals, in_activations, in_weights
from bench.pipeline import measure
from bench.presets import Preset, load_preset
from bench.presets.schema import Measurement, ModelEntry, ModelsSpec
from bench.quality import calibration_drift, case_result, time_ratio
from bench.record import HARNESS_OVERHEAD, Suite
from bench.report.formats import estimate, exact, ratio
from bench.report.layout import table
from bench.run_folder import RunFolder
from bench.statistics import Estimate
from bench.storage import write_atomically
from bench.subjects import DataSource
from dyrelu.training import calibrate_batch_norm, load_state
from tests.peers import weights_networks

__all__ = ["Answer", "answers", "conditions", "main", "page", "plan"]

VARIANTS = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
_TRAINED, _RANDOM = "trained", "random"
_IMAGES = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """A variant on an engine at a batch size: its time with trained weights over that with random ones."""

    variant: str
    engine: str
    batch: int
    trained_ms: Estimate
    random_ms: Estimate
    ratio: Estimate
    doubt: str


def plan(trained: Path, measure_as: Measurement) -> Preset:
    """Every variant twice: with the weights of the first seed that `quick` was trained from, and random."""
    entries = []
    for variant in VARIANTS:
        weights = RunFolder(trained).weights_of(variant, 0)
        if weights is None:
            raise SystemExit(f"{trained}: holds no weights of {variant}; train with `dyrelu-bench train`")
        factory = f"{weights_networks.__name__}:{variant}"
        entries.append(ModelEntry(f"{variant} {_TRAINED}", factory, str(weights)))
        entries.append(ModelEntry(f"{variant} {_RANDOM}", factory))
    subject = ModelsSpec(image=(1, 8, 8), models=tuple(entries), name="resnet8-w16")
    return Preset("weights", "trained and random weights", (subject,), measure_as)


def answers(suite: Suite) -> tuple[Answer, ...]:
    """What a session says; a pair of which either has no time is left out."""
    protocol = suite.sessions[0].protocol
    records = {(r.case.variant, r.case.engine, r.case.batch): r for r in suite.records if r.series}
    found = []
    for (name, engine, batch), own in records.items():
        variant, _, kind = name.rpartition(" ")
        other = records.get((f"{variant} {_RANDOM}", engine, batch))
        if kind != _TRAINED or other is None:
            continue
        results = [case_result(record, protocol) for record in (own, other)]
        doubt = next((result.inconclusive for result in results if result.inconclusive), "")
        trained_ms, random_ms = (result.latency_ms for result in results)
        of_times = time_ratio(own, other, protocol)
        found.append(Answer(variant, engine, batch, trained_ms, random_ms, of_times, doubt))
    return tuple(found)


def counts(trained: Path) -> dict[str, tuple[Denormals, Denormals]]:
    """Denormals in weights and in activations, by the names of the models."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((_IMAGES, 1, 8, 8), dtype=np.float32)
    found = {}
    for variant in VARIANTS:
        for kind in (_TRAINED, _RANDOM):
            model = getattr(weights_networks, variant)()
            weights = RunFolder(trained).weights_of(variant, 0)
            if kind == _TRAINED and weights is not None:
                load_state(model, weights)
            else:
                calibrate_batch_norm(model, (1, 8, 8))
            found[f"{variant} {kind}"] = (in_weights(model), in_activations(model, batch))
    return found


def conditions(suite: Suite) -> str:
    """In which the times were taken."""
    session = suite.sessions[0]
    machine = suite.environments[session.environment]
    paddle = next((version for name, version in machine.packages if name.startswith("paddle")), "unknown")
    count = suite.records[0].condition.threads
    threads = "one thread" if count == 1 else f"{count} threads"
    drift = max(calibration_drift(s) for s in session.calibration if s.metric != HARNESS_OVERHEAD)
    dynamic = (record for record in suite.records if not record.case.variant.startswith("relu "))
    kernels = sorted({record.condition.kernel for record in dynamic})
    operators = f", DyReLU on {' and '.join(kernels)} operators" if kernels else ""
    return (
        f"ResNet-8 of width 16 on images of 1x8x8{operators}. "
        f"{machine.cpu}, {machine.logical_cores} cores, {threads}, PaddlePaddle {paddle}; medians over "
        f"{session.protocol.blocks} blocks with 95% intervals, ratios paired inside blocks. The machine's "
        f"own speed moved by up to {drift:.0%} between blocks, which moves times and not ratios."
    )


def page(found: tuple[Answer, ...], numbers: dict[str, tuple[Denormals, Denormals]], said_of: str) -> str:
    """The answer, with a table of times and one of denormals. `said_of` are the conditions."""
    sure = [answer for answer in found if not answer.doubt and answer.ratio.has_interval]
    apart = [answer for answer in sure if not answer.ratio.low <= 1.0 <= answer.ratio.high]
    widest = max((max(abs(a.ratio.low - 1), abs(a.ratio.high - 1)) for a in sure), default=float("nan"))
    said = (
        f"Of {len(sure)} pairs the interval of {len(apart) or 'none'} leaves out 1 (one in twenty would by "
        f"chance); no interval reaches farther from 1 than {widest:.1%}."
        if sure
        else "Nothing can be said: no pair has an interval to believe."
    )
    header = ["Variant", "Engine", "Batch", "Trained (ms)", "Random (ms)", "Trained / random"]
    body = [
        [a.variant, a.engine, str(a.batch), estimate(a.trained_ms), estimate(a.random_ms), ratio(a.ratio)]
        + ([] if not a.doubt else [f"*inconclusive*: {a.doubt}"])
        for a in found
    ]
    if any(answer.doubt for answer in found):
        header.append("")
    small = [
        [name, *(f"{exact(one.count)} of {exact(one.of)}" for one in pair)] for name, pair in numbers.items()
    ]
    parts = [
        "# Do weights matter?",
        said,
        said_of,
        table(header, body, 2),
        f"## Denormal numbers\n\nIn all that is saved with the model, and in the results of all layers for "
        f"{_IMAGES} random images.",
        table(["Model", "Weights", "Activations"], small),
        "[The report](report.md) is of the same session, and has its warnings.",
        "```\n" + (__doc__ or "").split("\n\n")[1].replace("    ", "") + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def main(command: Sequence[str] | None = None) -> None:
    """Measures, and writes README.md beside suite.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder of `dyrelu-bench train --preset quick`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--engines", nargs="+", default=list(load_preset("quick").measure.engines))
    arguments = parser.parse_args(command)
    measurement = Measurement(
        batches=tuple(arguments.batches),
        engines=tuple(arguments.engines),
        blocks=arguments.blocks,
        rounds=load_preset("quick").measure.rounds,
        burst_ms=15,
        threads=arguments.threads,
    )
    preset = plan(arguments.trained, measurement)
    try:
        folder, request = make_request(preset, arguments.out, arguments.resume)
        request = msgspec.structs.replace(request, command=_command(parser, arguments))
        with folder.claimed(request, arguments.resume) as standing, Reporter() as reporter:
            suite = measure(folder, standing, reporter, DataSource())
    except BenchError as error:
        raise SystemExit(str(error)) from error
    text = page(answers(suite), counts(arguments.trained), conditions(suite))
    write_atomically(folder.path / "README.md", text.encode())
    print(text)


def _command(parser: argparse.ArgumentParser, given: argparse.Namespace) -> str:
    """The command as anybody could repeat it: without this machine's places."""
    words = ["python -m tests.peers.weights TRAINED --out DIR"]
    for name in ("blocks", "threads", "batches", "engines"):
        value = getattr(given, name)
        if value != parser.get_default(name):
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return " ".join(words)


if __name__ == "__main__":
    main()
