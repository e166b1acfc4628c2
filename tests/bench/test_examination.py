"""Test images on an engine: its classes against the reference's, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.case import DType
from bench.engines import Prepared
from bench.examining import examine
from bench.failures import ParityError
from bench.journal import Journal
from bench.messages import Begin, BlockTask, Event, Examination, Examined, FactsTask, Lost, Request
from bench.parity import check_agreement, classes_of
from bench.plan import Context
from bench.protocol import Protocol
from bench.record import Fact, Failure, FailureKind, Suite
from bench.runner import run_session
from bench.units import Unit
from tests.bench.fakes import FakeClock
from tests.bench.test_runner import Quiet, Script, healthy, plan, record, suite_of

pytestmark = pytest.mark.nopaddle

IMAGES, CLASSES = 50, 10
PROTOCOL = Protocol(reference="relu", min_agreement=0.98)
TRUTH = np.arange(IMAGES) % CLASSES
Array = np.ndarray[Any, Any]


class Answers:
    """Models whose class for an image is what the image's only pixel says, plus an error for some images."""

    def __init__(
        self, folder: Path, kernel: str = "", wrong: dict[tuple[str, str], int] | None = None
    ) -> None:
        self.path, self.own, self.wrong = folder, kernel, wrong or {}
        self.sizes: list[int] = []

    def load(self, engine: str, *names: str) -> Any:
        kernel = names[2] if len(names) > 2 else ""

        def bind(batch: Array) -> Prepared:
            self.sizes.append(len(batch))
            pixels = np.rint(batch.reshape(-1)).astype(int)
            wrong = pixels < self.wrong.get((engine, kernel), 0)
            classes = np.where(wrong, pixels + 1, pixels) % CLASSES
            return Prepared(lambda: None, lambda: np.eye(CLASSES)[classes])

        return bind

    def kernel(self, *_: str) -> str:
        return self.own

    def folder(self, *_: str) -> Path:
        return self.path


@pytest.fixture
def images(tmp_path: Path) -> str:
    """Stored pixels are the numbers of the images, and the network's input is twice that and one."""
    file = tmp_path / "images.npz"
    pixels = np.arange(IMAGES, dtype=np.uint8).reshape(-1, 1, 1, 1)
    ones = np.ones((1, 1, 1, 1), np.float32)
    np.savez(file, images=pixels, labels=TRUTH, gain=ones * 2, offset=-ones)
    return str(file)


def examined(models: Answers, engine: str, images: str) -> Examined:
    events: list[Event] = []
    asked = Examination(engine, DType.FLOAT32, images, batch=20)
    task = FactsTask("net", "relu", ())
    examine(models, task, asked, events.append, PROTOCOL)  # type: ignore[arg-type]  # an understudy
    *before, last = events
    assert before[0] == Begin(asked.key)
    assert set(before) == {Begin(asked.key)}
    assert isinstance(last, Examined)
    return last


def counted(event: Examined) -> dict[str, float]:
    assert event.failure is None
    return {fact.metric: fact.value for fact in event.facts}


def halved(images: str) -> str:
    """The same file, scaled so that a pixel's input is itself."""
    with np.load(images) as arrays:
        content = dict(arrays)
    content |= {"gain": content["gain"] / 2, "offset": content["offset"] * 0}
    np.savez(images, **content)
    return images


def test_images_are_scaled_and_every_one_is_asked_once(tmp_path: Path, images: str) -> None:
    models = Answers(tmp_path)
    # The input is the label only where 2p + 1 = p, modulo ten.
    assert counted(examined(models, "eager", images)) == {
        "test_correct": sum((2 * p + 1 - p) % CLASSES == 0 for p in range(IMAGES)),
        "test_agreeing": IMAGES,
        "test_images": IMAGES,
    }
    assert models.sizes == [20, 20, 10]


def test_an_engine_is_held_to_the_reference_and_not_to_the_labels(tmp_path: Path, images: str) -> None:
    halved(images)
    wrong = {("eager", ""): 30, ("inference", ""): 31, ("static", ""): 32}
    models = Answers(tmp_path, wrong=wrong)
    assert counted(examined(models, "eager", images))["test_correct"] == IMAGES - 30
    # One of fifty may differ, and two may not.
    inference = counted(examined(models, "inference", images))
    assert (inference["test_agreeing"], inference["test_correct"]) == (IMAGES - 1, IMAGES - 31)
    failure = examined(models, "static", images).failure
    assert failure is not None
    assert failure.kind is FailureKind.PARITY
    assert (
        "2 of 50 test images get another class than from eager Paddle on plain operators" in failure.message
    )


def test_a_fused_reference_is_held_to_the_plain_one(tmp_path: Path, images: str) -> None:
    models = Answers(tmp_path, "fused", {("eager", ""): 10})
    failure = examined(models, "eager", halved(images)).failure
    assert failure is not None
    assert failure.kind is FailureKind.PARITY
    # Others are held to the plain one all the same.
    assert counted(examined(models, "inference", images))["test_agreeing"] == IMAGES


def test_without_a_reference_nothing_can_be_held_to_it(tmp_path: Path, images: str) -> None:
    failure = examined(Answers(tmp_path), "inference", images).failure
    assert failure is not None
    assert "eager Paddle on plain operators gave no classes" in failure.message


def test_what_goes_wrong_is_said(tmp_path: Path) -> None:
    failure = examined(Answers(tmp_path), "eager", str(tmp_path / "none.npz")).failure
    assert failure is not None
    assert failure.kind is FailureKind.ERROR


def test_a_class_is_where_the_largest_output_is() -> None:
    outputs = np.array([[0.0, 2.0, 1.0], [3.0, 3.0, 0.0]])
    assert classes_of(outputs).tolist() == [1, 0]
    assert classes_of(outputs.reshape(2, 3, 1, 1)).tolist() == [1, 0]


@pytest.mark.parametrize(("differing", "passes"), [(0, True), (1, True), (2, False)])
def test_the_share_that_has_to_agree_is_inclusive(differing: int, passes: bool) -> None:
    classes = TRUTH.copy()
    classes[:differing] += 1
    if passes:
        assert check_agreement(classes, TRUTH, PROTOCOL, "it") == IMAGES - differing
    else:
        with pytest.raises(ParityError, match=r"at least 98\.0% have to agree"):
            check_agreement(classes, TRUTH, PROTOCOL, "it")


FACTS = (Fact("test_correct", Unit.COUNT, 49), Fact("test_images", Unit.COUNT, 50))


def answering(request: Request) -> Iterator[Event]:
    """A worker that examines too; `slow` gives wrong classes on `inference`."""
    task = request.task
    *work, end = healthy(request)
    yield from work
    if isinstance(task, FactsTask) and task.examination is not None:
        yield Begin(task.examination.key)
        name = (task.subject, task.variant, task.examination.engine, task.examination.dtype)
        if name[1:3] == ("slow", "inference"):
            yield Examined(*name, failure=Failure(FailureKind.PARITY, "9 of 50 test images"))
        else:
            yield Examined(*name, FACTS)
    yield end


def measured(folder: Path, script: Script, *variants: str) -> tuple[Suite, list[Request]]:
    asked: list[Request] = []

    def watched(request: Request) -> Iterator[Event]:
        asked.append(request)
        return script(request)

    trained = {f"net/{variant}": "images.npz" for variant in variants}
    context = Context(plan(test_images=trained), Journal(folder / "journal"), watched)
    run_session(context, FakeClock(), Quiet())
    return suite_of(context), asked


def test_an_engine_with_other_classes_is_a_row_and_is_never_timed(tmp_path: Path) -> None:
    suite, asked = measured(tmp_path, answering, "relu", "slow")
    for batch in (1, 2):
        lost = record(suite, "slow", "inference", batch)
        assert lost.skipped == Failure(FailureKind.PARITY, "9 of 50 test images")
        assert not lost.series
    others = [r for r in suite.records if (r.case.variant, r.case.engine) != ("slow", "inference")]
    assert len(others) == 6
    for each in others:
        assert each.skipped is None
        assert set(FACTS) <= set(each.facts)
    timed = {c.key for r in asked if isinstance(r.task, BlockTask) for g in r.task.groups for c in g.cases}
    assert timed == {each.case.key for each in others}


def test_only_what_was_trained_is_examined_and_only_once(tmp_path: Path) -> None:
    _, asked = measured(tmp_path, answering, "relu")
    tasks = [r.task for r in asked if isinstance(r.task, FactsTask) and r.task.examination is not None]
    assert [(task.variant, task.examination.engine) for task in tasks if task.examination] == [
        ("relu", "eager"),
        ("relu", "inference"),
    ]
    _, again = measured(tmp_path, answering, "relu")
    assert again == []


def test_a_worker_that_is_lost_at_the_test_images_costs_its_engine(tmp_path: Path) -> None:
    def script(request: Request) -> Iterator[Event]:
        for event in answering(request):
            if isinstance(event, Examined) and event.engine == "inference" and event.variant == "relu":
                yield Lost(FailureKind.DIED, "the worker was ended by SIGKILL")
                return
            yield event

    suite, _ = measured(tmp_path, script, "relu")
    lost = record(suite, "relu", "inference", 2)
    assert lost.skipped is not None
    assert lost.skipped.message == "at the test images: the worker was ended by SIGKILL"
    assert record(suite, "relu", "eager", 2).skipped is None


def test_a_worker_of_an_older_revision_is_not_asked_for_ever(tmp_path: Path) -> None:
    suite, asked = measured(tmp_path, healthy, "relu", "slow")
    assert all(each.skipped is None for each in suite.records)
    assert len(asked) < 20
