"""Denormal numbers are found where they are, and what trained and random weights cost is set side by side."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import paddle
import pytest
from paddle import nn

from bench.metrics.denormals import Denormals, denormals, in_activations, in_weights
from bench.presets import load_preset
from bench.storage import load_suite
from dyrelu.activations import build
from dyrelu.training.state_file import save_state
from tests.bench.suites import Plan, build_suite
from tests.peers import weights, weights_networks
from tests.peers.weights import answers, conditions, page, plan

SMALL = np.float32(1e-40)
PUBLISHED = Path(__file__).parents[2] / "reports" / "published" / "weights"


def test_only_what_is_small_and_not_zero_counts() -> None:
    array = np.array([0.0, SMALL, -SMALL, np.finfo(np.float32).tiny, 1.0], dtype=np.float32)
    assert denormals([array, array]) == Denormals(4, 10)
    assert denormals([]) == Denormals(0, 0)


def test_they_are_found_in_weights_and_in_activations() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    weight = np.array([[1.0, SMALL], [0.0, 1.0]], dtype=np.float32)
    model[0].weight.set_value(weight)
    model[0].bias.set_value(np.zeros(2, dtype=np.float32))
    assert in_weights(model) == Denormals(1, 6)
    # Both layers' results for one image: (1, 1e-40) twice; a processor that flushes gives 0 instead.
    found = in_activations(model, np.array([[1.0, 0.0]], dtype=np.float32))
    assert found.of == 4
    assert found.count in (0, 2)
    assert not model[1]._forward_post_hooks
    assert paddle.is_grad_enabled()


@pytest.mark.parametrize("variant", ["relu", "dyrelu_a", "dyrelu_b", "dyrelu_c"])
def test_an_activations_own_result_counts_whatever_it_is_computed_by(variant: str) -> None:
    """The fused operator calls none of the layers inside; its result is the layer's all the same."""
    model = nn.Sequential(nn.Conv2D(3, 8, 1), build(variant)(8))
    model.eval()
    found = in_activations(model, np.ones((2, 3, 4, 4), dtype=np.float32))
    assert found.of >= 2 * (2 * 8 * 4 * 4)


def test_trained_and_random_weights_are_one_group_and_their_ratio_is_paired() -> None:
    names = ("relu trained", "relu random", "dyrelu_b trained", "dyrelu_b random")
    suite = build_suite(Plan(variants=names, slowness=(1.0, 1.0, 1.1, 1.0), batches=(1, 8)))
    found = answers(suite)
    assert [(a.variant, a.engine, a.batch) for a in found][:2] == [
        ("relu", "eager", 1),
        ("dyrelu_b", "eager", 1),
    ]
    assert all(a.ratio.n == 9 for a in found)
    assert found[1].ratio.value == pytest.approx(1.1, rel=0.05)
    text = page(found, {"relu trained": (Denormals(0, 10), Denormals(3, 20))}, conditions(suite))
    assert "3 of 20" in text
    assert "Of 8 pairs" in text
    assert "over 9 blocks" in text


def test_without_a_trained_folder_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="dyrelu-bench train"):
        plan(tmp_path, load_preset("quick").measure)


def test_the_command_measures_both_and_writes_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weights, "VARIANTS", ("relu",))
    file = tmp_path / "trained" / "training" / "relu-seed0" / "weights.safetensors"
    file.parent.mkdir(parents=True)
    save_state(weights_networks.relu(), file)
    options = ["--blocks", "1", "--batches", "1", "--engines", "eager", "--threads", "1"]
    weights.main([str(tmp_path / "trained"), "--out", str(tmp_path / "out"), *options])
    page_there = (tmp_path / "out" / "README.md").read_text()
    assert page_there in capsys.readouterr().out
    assert load_suite(tmp_path / "out").sessions[0].command == (
        "python -m tests.peers.weights TRAINED --out DIR --blocks 1 --threads 1 --batches 1 --engines eager"
    )
    # One block gives no interval, and the page says nothing that it can't.
    assert "Nothing can be said" in page_there
    assert re.search(r"\| relu trained \| [\d,]+ of [\d,]+ \|", page_there)
    with pytest.raises(SystemExit, match="holds a run already"):
        weights.main([str(tmp_path / "trained"), "--out", str(tmp_path / "out"), *options])
    measured = load_suite(tmp_path / "out").records
    assert [record.case.variant for record in measured if record.series] == ["relu trained", "relu random"]


def test_the_published_page_says_what_was_measured() -> None:
    suite = load_suite(PUBLISHED)
    remade = page(answers(suite), {}, conditions(suite)).partition("## Denormal numbers")[0]
    assert (PUBLISHED / "README.md").read_text().startswith(remade)
    assert remade.count("\n| ") == 1 + 24


def test_the_plan_has_every_variant_twice_in_one_group(tmp_path: Path) -> None:
    for variant in ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c"):
        file = tmp_path / "training" / f"{variant}-seed0" / "weights.safetensors"
        file.parent.mkdir(parents=True)
        file.touch()
    preset = plan(tmp_path, msgspec.structs.replace(load_preset("quick").measure, batches=(8,)))
    assert len({case.group for case in preset.cases()}) == 2  # one an engine
    assert len(preset.cases()) == 16
