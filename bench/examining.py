"""A trained model on an engine, asked for the classes of test images: are they the reference's, and right?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import engines
from bench.failures import ParityError, failure
from bench.loading import Models
from bench.messages import Begin, Event, Examination, Examined, FactsTask
from bench.parity import check_agreement, classes_of
from bench.protocol import Protocol
from bench.record import TEST_AGREEING, TEST_CORRECT, TEST_IMAGES, Fact
from bench.subjects import PLAIN, TestImages
from bench.units import Unit

__all__ = ["examine"]

Array = np.ndarray[Any, Any]
Say = Callable[[Event], None]


def examine(models: Models, task: FactsTask, asked: Examination, say: Say, protocol: Protocol) -> None:
    """Says what the engine made of the images, or why its times can't count.

    The reference's classes are those of its engine on Paddle's own operators in float32, left in a file by
    the process that examined it.
    """
    name = (task.subject, task.variant, asked.engine, asked.dtype)
    say(Begin(asked.key))
    try:
        facts = _facts(models, task, asked, lambda: say(Begin(asked.key)), protocol)
    except (Exception, SystemExit) as error:
        say(Examined(*name, failure=failure(error)))
    else:
        say(Examined(*name, facts))


def _facts(
    models: Models, task: FactsTask, asked: Examination, alive: Callable[[], None], protocol: Protocol
) -> tuple[Fact, ...]:
    images = TestImages.read(Path(asked.images))
    reference = engines.engine(asked.engine).reference
    file = models.folder(task.subject, task.variant) / f"classes-{reference}.npy"
    title = f"{engines.engine(reference).title} on plain operators"

    def classes(kernel: str = "") -> Array:
        bind = models.load(asked.engine, task.subject, task.variant, kernel, asked.dtype)
        found = []
        for batch in images.batches(asked.batch):
            alive()
            prepared = bind(batch)
            prepared.step()
            found.append(classes_of(prepared.output()))
        return np.concatenate(found)

    own = classes()
    if asked.engine == reference:
        fused = models.kernel(task.subject, task.variant) not in ("", PLAIN)
        expected = classes(PLAIN) if fused else own
        _save(expected, file)
    elif file.exists():
        expected = np.load(file)
    else:
        raise ParityError(f"{title} gave no classes of the test images to compare with")
    agreeing = check_agreement(own, expected, protocol, title, asked.dtype)
    return (
        Fact(TEST_CORRECT, Unit.COUNT, int((own == images.labels).sum())),
        Fact(TEST_AGREEING, Unit.COUNT, agreeing),
        Fact(TEST_IMAGES, Unit.COUNT, len(images)),
    )


def _save(classes: Array, file: Path) -> None:
    # A worker may be killed at any time, and half a file is worse than none.
    part = file.with_name(f"part-{file.name}")
    np.save(part, classes)
    part.replace(file)
