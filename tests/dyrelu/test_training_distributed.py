"""Two real processes on gloo: what they exchange, what they write, and what a death among them leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dyrelu.errors import CheckpointError, RecipeError
from dyrelu.training import DistributedError, Ranks, launched_ranks, load_weights, read_log, train
from dyrelu.training.distributed import Alone
from dyrelu.training.log import Epoch, RunStart, RunStop
from tests.dyrelu.launching import REPOSITORY, launch
from tests.dyrelu.rank_process import BATCH, LONGER_THAN_AN_EPOCH_S, gradients
from tests.dyrelu.training_support import TinyNet, tiny_job

Found = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Found]]:
    """The folder of one job of two processes, and what each found."""
    folder = tmp_path_factory.mktemp("job")
    process = launch(folder, str(REPOSITORY / "tests/dyrelu/rank_process.py"), str(folder))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return folder, [dict(np.load(folder / f"rank{rank}.npz")) for rank in (0, 1)]


def part(found: Found, name: str) -> Found:
    return {key.removeprefix(f"{name}/"): value for key, value in found.items() if key.startswith(f"{name}/")}


def test_the_reduced_gradient_is_the_mean_of_the_half_batches(job: tuple[Path, list[Found]]) -> None:
    halves = [gradients(slice(0, BATCH // 2)), gradients(slice(BATCH // 2, BATCH))]
    whole = gradients(slice(0, BATCH))
    for found in job[1]:
        reduced = part(found, "gradient")
        assert set(reduced) == set(whole)
        for name, value in reduced.items():
            mean = (halves[0][name].numpy() + halves[1][name].numpy()) / 2
            np.testing.assert_allclose(value, mean, rtol=0, atol=1e-6)
    # Batch norm sees half a batch, so this is not the gradient of the whole one.
    assert not np.allclose(reduced["conv.weight"], whole["conv.weight"].numpy(), rtol=0, atol=1e-6)


def test_the_processes_keep_the_same_parameters_and_their_own_batch_norm_statistics(
    job: tuple[Path, list[Found]],
) -> None:
    first, second = (part(found, "weights") for found in job[1])
    statistics = {"bn._mean", "bn._variance"}
    for name, value in first.items():
        assert np.array_equal(value, second[name]) == (name not in statistics), name
    kept = TinyNet()
    load_weights(kept, job[0] / "run/weights.safetensors")
    for name, tensor in kept.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), first[name])


def test_the_log_is_written_once_and_says_what_is_local(job: tuple[Path, list[Found]]) -> None:
    folder, found = job
    events = read_log(folder / "run/training.jsonl")
    start, stop = events[0], events[-1]
    assert isinstance(start, RunStart)
    assert isinstance(stop, RunStop)
    assert start.ranks == 2
    assert (
        "by 2 processes with 4 of each batch's 8 images each; batch-norm statistics are local"
        in start.notes[0]
    )
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2, 3]
    assert sum(isinstance(event, RunStop) for event in events) == 1
    assert {path.name for path in (folder / "run").iterdir()} == {
        "training.jsonl",
        "checkpoint.safetensors",
        "weights.safetensors",
    }
    assert stop.accuracy == found[0]["accuracy"] == found[1]["accuracy"]


def test_sums_and_waiting(job: tuple[Path, list[Found]]) -> None:
    first, second = job[1]
    assert first["sums"].tolist() == second["sums"].tolist() == [3.0, 1.0]
    assert second["waited"] > 0.5 * LONGER_THAN_AN_EPOCH_S > first["waited"]


def test_another_number_of_processes_may_not_go_on(job: tuple[Path, list[Found]]) -> None:
    with pytest.raises(CheckpointError, match="made with another number of processes: resume with the same"):
        train(TinyNet(), tiny_job(job[0] / "run", ema_decay=0.0), resume=True)


class Three(Alone):
    """Three processes, of which nobody needs to exist to be refused."""

    ranks = Ranks(0, 3, 3)


@pytest.mark.parametrize(("batch", "said"), [(8, "cannot be shared by 3"), (3, "at least 2 images")])
def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path, batch: int, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        train(TinyNet(), tiny_job(tmp_path, batch_size=batch), communicator=Three())


def test_a_process_without_a_launcher_is_alone() -> None:
    assert launched_ranks({}) == Ranks(0, 1, 1)
    assert launched_ranks({}).leads


def test_the_launchers_variables_say_who_this_is() -> None:
    ranks = launched_ranks(
        {"PADDLE_TRAINER_ID": "3", "PADDLE_TRAINERS_NUM": "4", "PADDLE_LOCAL_SIZE": "2", "OTHER": "x"}
    )
    assert (ranks, ranks.leads) == (Ranks(3, 4, 2), False)


@pytest.mark.parametrize(
    "environment",
    [
        {"PADDLE_TRAINER_ID": "two"},
        {"PADDLE_TRAINER_ID": "1"},
        {"PADDLE_TRAINERS_NUM": "0"},
        {"PADDLE_LOCAL_SIZE": "2"},
    ],
)
def test_variables_that_make_no_sense_are_named(environment: dict[str, str]) -> None:
    with pytest.raises(DistributedError, match="describe no process of a job: unset them") as error:
        launched_ranks(environment)
    assert next(iter(environment)) in str(error.value)
