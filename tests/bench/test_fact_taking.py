"""Facts and parity with real models: the reference is the plain formulation, and its memory is nobody's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from paddle import Tensor

from bench.case import Case, DType
from bench.device import Device
from bench.disturbance import LinuxProbe
from bench.engines import Prepared
from bench.fact_taking import FactTaking
from bench.loading import Models
from bench.messages import CaseFacts, CaseFailed, Event, FactsTask, ModelFacts, Request
from bench.metrics.memory import PeakMemory
from bench.presets import DyReLUSpec, ModelEntry, ModelsSpec
from bench.presets.schema import SubjectSpec
from bench.record import FailureKind, Protocol
from dyrelu.activations import dyrelu_b
from dyrelu.kernels import Kernel
from tests.dyrelu.kernel_support import needs_compiler

OWN = DyReLUSpec("resnet_cifar", 10, (3, 8, 8), ("relu", "dyrelu_b"), depth=8, width=8)
ANYBODYS = ModelsSpec((3, 8, 8), (ModelEntry("net", "tests.bench.dynamic_models:dynamic"),), "models")
FUSED = {f"{OWN.name}/relu": "plain", f"{OWN.name}/dyrelu_b": "fused"}


class Watched(Models):
    """Models that remember what was made ready, in order."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, lambda _: None)
        self.prepared: list[tuple[int, str]] = []

    def prepare(self, case: Case, kernel: str = "") -> Prepared:
        self.prepared.append((case.batch, kernel))
        return super().prepare(case, kernel)


def take(
    folder: Path,
    engine: str,
    variant: str = "dyrelu_b",
    subject: SubjectSpec = OWN,
    kernels: dict[str, str] = FUSED,
    image: tuple[int, ...] = (),
) -> tuple[list[Event], list[tuple[int, str]]]:
    """What a process of facts says of two batches, and what it made ready."""
    cases = tuple(Case(subject.name, variant, batch, (3, 8, 8), DType.FLOAT32, engine) for batch in (2, 3))
    task = FactsTask(subject.name, variant, cases, image, (engine,))
    request = Request((subject,), Protocol("relu"), 1, 0, str(folder), {}, task, kernels=kernels)
    models, events = Watched(request), list[Event]()
    device = Device((PeakMemory(),), LinuxProbe(1), tuple)
    FactTaking(models, device, events.append, request.protocol).take(task)
    return events, models.prepared


def failures(events: list[Event]) -> list[tuple[FailureKind, str]]:
    return [(event.failure.kind, event.failure.message) for event in events if isinstance(event, CaseFailed)]


@needs_compiler
@pytest.mark.parametrize("engine", ["eager", "training"])
def test_a_reference_runs_on_plain_operators_after_every_peak_was_read(tmp_path: Path, engine: str) -> None:
    events, prepared = take(tmp_path, engine)
    assert failures(events) == []
    assert [event.facts != () for event in events if isinstance(event, CaseFacts)] == [True, True]
    assert prepared == [(2, ""), (3, ""), (2, "plain"), (3, "plain")]


@pytest.mark.parametrize("engine", ["eager", "training"])
@pytest.mark.parametrize("variant", ["relu", "dyrelu_b"])
def test_what_ran_on_plain_operators_is_its_own_reference(tmp_path: Path, engine: str, variant: str) -> None:
    events, prepared = take(tmp_path, engine, variant, kernels=dict.fromkeys(FUSED, "plain"))
    assert failures(events) == []
    assert prepared == [(2, ""), (3, "")]


def distorted(x: Tensor, *_: Any) -> Tensor:
    """Another function of x."""
    return x * 1.5


def detached(x: Tensor, hyper: Any, k: int) -> Tensor:
    """The right function with no gradient to x but that of the identity."""
    return original(x, hyper, k).detach() + (x - x.detach())


original = dyrelu_b.fused_ab


@needs_compiler
def test_a_fused_output_that_is_wrong_is_found_where_it_is_its_engines_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dyrelu_b, "fused_ab", distorted)
    found = failures(take(tmp_path, "eager")[0])
    assert [kind for kind, _ in found] == [FailureKind.PARITY] * 2
    assert "the output differs from that of eager Paddle on plain operators" in found[0][1]
    # The reference was left all the same, so that a right one passes.
    monkeypatch.undo()
    assert failures(take(tmp_path, "inference")[0]) == []


@needs_compiler
def test_a_fused_gradient_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dyrelu_b, "fused_ab", detached)
    assert failures(take(tmp_path / "eager", "eager")[0]) == []
    found = failures(take(tmp_path / "training", "training")[0])
    assert [kind for kind, _ in found] == [FailureKind.PARITY] * 2
    assert "the gradient differs from that of training step on plain operators" in found[0][1]


def test_without_a_reference_an_engine_cannot_be_checked(tmp_path: Path) -> None:
    found = failures(take(tmp_path, "inference", "relu")[0])
    assert [kind for kind, _ in found] == [FailureKind.PARITY] * 2
    assert "gave no output to compare with" in found[0][1]


@needs_compiler
def test_anybodys_model_stays_on_the_kernel_it_was_first_built_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYRELU_KERNEL", "auto")
    events, _ = take(tmp_path, "eager", "net", ANYBODYS, {}, (3, 8, 8))
    assert [event.kernel for event in events if isinstance(event, ModelFacts)] == ["fused"]
    monkeypatch.setenv("DYRELU_KERNEL", "plain")
    events, prepared = take(tmp_path, "eager", "net", ANYBODYS, {})
    assert failures(events) == []
    assert prepared == [(2, ""), (3, ""), (2, "plain"), (3, "plain")]


def test_the_fused_kernel_is_called_so_in_records() -> None:
    """Plain is spelled out in `bench.subjects`, which can't import the other."""
    from bench.subjects import PLAIN

    assert Kernel.PLAIN.value == PLAIN
