"""Synthetic training logs and run folders, the same on every machine."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.record import Suite
from bench.storage import save_suite

__all__ = ["TROUBLED_TRAINING", "Training", "over_seeds", "write_log", "write_run"]


@dataclass(frozen=True, slots=True)
class Training:
    """One synthetic training run; `correct` of 540 test images, None for a run that failed."""

    variant: str
    seed: int = 0
    correct: int | None = 530
    epochs: int = 12
    target: float | None = 0.97


def write_log(folder: Path, run: Training) -> None:
    """Writes the JSON lines of one run."""
    rng = random.Random(run.seed * 1000 + sum(run.variant.encode()))
    pace = rng.uniform(0.5, 0.7)
    target = {"value": run.target, "source": "scikit-learn"} if run.target is not None else None
    events: list[dict[str, object]] = [
        {
            "event": "run_start",
            "variant": run.variant,
            "dataset": "digits",
            "recipe": {"name": "standard", "epochs": run.epochs if run.correct is not None else 12},
            "target": target,
            "trainable_parameters": 78_042,
            "images": {"train": 1_000, "validation": 257, "test": 540},
        },
        {"event": "seed", "seed": run.seed},
    ]
    for epoch in range(1, run.epochs + 1):
        miss = 0.9 * pace**epoch + 0.02 + rng.uniform(0, 0.01)
        events.append(
            {
                "event": "epoch",
                "epoch": epoch,
                "loss": round(2.3 * miss, 4),
                "train_accuracy": round(1 - miss, 4),
                "validation_loss": round(2.5 * miss, 4),
                "validation_accuracy": round(1 - 0.9 * miss, 4),
                "learning_rate": 0.1,
                "images_per_second": round(rng.uniform(900, 1100), 1),
                "seconds": 1.5,
            }
        )
    if run.correct is not None:
        for split, augmentation, correct, images in (
            ("validation", "none", 250, 257),
            ("test", "none", run.correct, 540),
            ("test", "flip", run.correct - 3, 540),
        ):
            events.append(
                {
                    "event": "eval_accuracy",
                    "split": split,
                    "weights": "ema",
                    "augmentation": augmentation,
                    "correct": correct,
                    "images": images,
                }
            )
    status = "finished" if run.correct is not None else "failed"
    events.append({"event": "run_stop", "status": status, "seconds": 1.5 * run.epochs})
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{len(list(folder.iterdir())):02d}.jsonl"
    (folder / name).write_text("".join(json.dumps(event) + "\n" for event in events))


def write_run(folder: Path, suite: Suite, runs: Sequence[Training] = ()) -> Path:
    """A run folder as the command line leaves it, without the report."""
    save_suite(suite, folder / "suite.json")
    for run in runs:
        write_log(folder / "training", run)
    return folder


def over_seeds(run: Training, corrects: Sequence[int]) -> list[Training]:
    """One run a seed."""
    return [replace(run, seed=seed, correct=correct) for seed, correct in enumerate(corrects)]


# One variant reaches the target, one misses it, one gets past it, one run fails.
TROUBLED_TRAINING = (
    Training("relu"),
    Training("dyrelu_a", correct=515),
    Training("dyrelu_b", correct=533),
    Training("dyrelu_c", correct=None, epochs=5),
)
