"""How the CIFAR-10 recipe was chosen: ReLU alone, on a validation part, several recipes from one seed.

    python -m tests.studies.recipe_search --data-file cifar-10-python.tar.gz --out DIR [NAME ...]

Trains ResNet-8 (width 16) by each candidate into DIR/NAME on 45,000 of the 50,000 training images and prints
the accuracy on the other 5,000. The test images are not looked at: the validation part stands in their place.
Runs that are there already are shown and not made again, those cut short are gone on with.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import paddle

from bench.heap import retain_memory
from dyrelu.activations import build
from dyrelu.data import cifar10
from dyrelu.models import resnet_cifar
from dyrelu.training import Progress, TrainingJob, read_log, recipe, train
from dyrelu.training.log import EvalAccuracy, EvalAugmentation, RunStop, SplitName, Status

__all__ = ["CANDIDATES", "main"]

# Not one of those that the published runs have.
SEED = 100
SMALL = {"size": 24, "share": 0.6}
# Changes to the recipe `standard`.
CANDIDATES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "e16": {"epochs": 16},
        "e16-small": {"epochs": 16, "small_first": SMALL},
        "e16-small-fast": {
            "epochs": 16,
            "small_first": SMALL,
            "peak_learning_rate": 0.2,
            "label_smoothing": 0.05,
            "warmup": 0.2,
        },
        "e20-small-fast": {
            "epochs": 20,
            "small_first": SMALL,
            "peak_learning_rate": 0.2,
            "label_smoothing": 0.05,
            "warmup": 0.2,
        },
    }
)


def main() -> None:
    """Trains what is asked for, all by default, and prints a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-file", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CANDIDATES)}")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(CANDIDATES):
        parser.error(f"no candidate {', '.join(sorted(unknown))}: choose of {', '.join(CANDIDATES)}")
    retain_memory()
    paddle.base.core.set_num_threads(asked.threads)
    data = cifar10.load(asked.data_file, validation_images=cifar10.VALIDATION_IMAGES)
    for name in asked.names or CANDIDATES:
        job = TrainingJob(
            dataset=replace(data, test=data.validation),
            recipe=recipe("standard", **CANDIDATES[name]),
            seed=SEED,
            folder=asked.out / name,
            variant="relu",
            threads=asked.threads,
        )
        if not _finished(job):
            network = resnet_cifar(act_layer=build("relu"), depth=8, width=16, num_classes=10)
            train(network, job, resume=True, on_progress=_tell)
        print(f"{name}: {_found(job)}", flush=True)


def _tell(progress: Progress) -> None:
    if progress.step == progress.steps:
        print(
            f"  epoch {progress.epoch}/{progress.epochs}: loss {progress.loss:.3f}, "
            f"{progress.images_per_second:.0f} images/s, {progress.eta_seconds:.0f} s left",
            flush=True,
        )


def _finished(job: TrainingJob) -> bool:
    if not job.log.exists():
        return False
    last = read_log(job.log)[-1]
    return isinstance(last, RunStop) and last.status is Status.FINISHED


def _found(job: TrainingJob) -> str:
    events = read_log(job.log)
    scores = {
        event.augmentation: event.accuracy
        for event in events
        if isinstance(event, EvalAccuracy) and event.split is SplitName.VALIDATION
    }
    plain, flipped = scores[EvalAugmentation.NONE], scores[EvalAugmentation.FLIP]
    seconds = sum(event.seconds for event in events if isinstance(event, RunStop) and event.accuracy)
    return f"validation accuracy {plain:.2%} ({flipped:.2%} with flips), {seconds:.0f} s"


if __name__ == "__main__":
    main()
