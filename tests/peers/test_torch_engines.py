"""The comparison with PyTorch, without PyTorch: what is made of times, and of what fails."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.environment import collect
from bench.protocol import Protocol
from bench.record import Window
from tests.peers.engine_worker import Taken, to_torch
from tests.peers.torch_engines import main, order, process
from tests.peers.torch_times import Heading, Run, block_ms, page, read

pytestmark = pytest.mark.nopaddle

ENGINES = ("eager", "inference", "onnxruntime", "torch", "torch-compiled")
HEADING = Heading(ENGINES, (1, 8), 7, 2, 0, Protocol("relu"), collect())
# Milliseconds a step at batch 1; a batch of 8 takes four times as long.
TIMES = {"eager": 4.0, "inference": 2.0, "onnxruntime": 1.6, "torch": 5.0}


def taken(engine: str, block: int) -> Taken:
    if engine not in TIMES:
        return Taken(engine, block, "", {}, dict.fromkeys((1, 8), "RuntimeError: no compiler"))
    ms = TIMES[engine] * (1 + 0.01 * block)
    bursts = {
        batch: (
            Window(block, (50.0,), warmup=True),
            *(Window(block, (factor * ms, factor * ms)) for _ in range(3)),
            Window(block, (900.0,), discarded="disturbed"),
        )
        for batch, factor in ((1, 1), (8, 4))
    }
    return Taken(engine, block, "1.2.3", bursts, {})


RUN = Run(HEADING, tuple(taken(engine, block) for block in range(7) for engine in ENGINES))


def test_a_block_is_the_median_of_its_undisturbed_bursts() -> None:
    assert block_ms(RUN, "inference", 8) == {block: pytest.approx(8 + 0.08 * block) for block in range(7)}
    assert block_ms(RUN, "torch-compiled", 1) == {}


def test_every_block_has_every_engine_in_an_order_of_its_own() -> None:
    orders = [order(HEADING, block) for block in range(7)]
    assert all(sorted(names) == sorted(ENGINES) for names in orders)
    assert len(set(map(tuple, orders))) > 3
    assert orders == [order(HEADING, block) for block in range(7)]


def test_the_table_sets_all_beside_the_best_of_paddle() -> None:
    lines = page(RUN).splitlines()
    at_one = [line for line in lines if line.startswith("| 1 ")]
    assert [line.split("|")[2].strip() for line in at_one] == [
        *("onnxruntime", "inference", "eager", "torch", "torch-compiled")
    ]
    assert "1.25" in at_one[0]
    assert "best of Paddle's" in at_one[1]
    assert "0.5" in at_one[2]
    assert "0.4" in at_one[3]
    assert "no compiler" in at_one[4]


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    lines = [msgspec.json.encode(HEADING), *(msgspec.json.encode(taken("eager", block)) for block in (0, 1))]
    (tmp_path / "times.jsonl").write_bytes(b"\n".join(lines)[:-9])
    assert [one.block for one in read(tmp_path).taken] == [0]


def test_a_run_that_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = msgspec.json.encode(HEADING) + b"\n"
    (tmp_path / "times.jsonl").write_bytes(content)
    for resume in ([], ["--resume"]):  # the second one asks for other blocks
        with pytest.raises(SystemExit):
            main(["--torch-python", "python", "--out", str(tmp_path), "--blocks", "3", *resume])
    assert "give --resume" in capsys.readouterr().err
    assert (tmp_path / "times.jsonl").read_bytes() == content


def test_a_process_that_dies_is_a_row_with_the_reason(tmp_path: Path) -> None:
    dead = process(tmp_path, HEADING, 3, "torch", "/bin/false")
    assert dead == Taken("torch", 3, "", {}, {1: "status 1", 8: "status 1"})


def test_weights_go_by_the_names_of_the_other_network() -> None:
    weights = {
        "conv1.weight": np.zeros((64, 3, 3, 3)),
        "bn1._mean": np.zeros(64),
        "layer2.0.shortcut.1._variance": np.ones(128),
        "fc.weight": np.arange(6.0).reshape(2, 3),
    }
    found = to_torch(weights)
    assert set(found) == {
        *("conv1.weight", "bn1.running_mean", "bn1.num_batches_tracked"),
        *("stages.1.0.shortcut.1.running_var", "fc.weight"),
    }
    assert found["fc.weight"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
