"""What a profile's bursts say, against figures worked out by hand."""

from __future__ import annotations

import math

import msgspec
import pytest

from bench.profile_record import Burst, Mode, ModeBlock
from bench.profile_split import operator_kind, split_cost
from bench.profiled import CaseView, views
from bench.record import Window
from bench.report.profiling.sums import by_kind, by_layer, by_operator, outside
from bench.report.profiling.write import splits_of
from tests.bench.profiles import BLOCKS, CEILINGS, build_profile

pytestmark = pytest.mark.nopaddle

# The median of blocks that are 0 to 6 hundredths slower.
MIDDLE = 1.03


def first() -> CaseView:
    return views(build_profile())[0]


def test_a_step_is_the_median_over_blocks_of_plain_bursts() -> None:
    step = first().step()
    assert step.value == pytest.approx(10.0 * MIDDLE)
    assert step.n == BLOCKS
    assert step.has_interval


def test_layers_account_for_their_own_times_over_a_plain_step() -> None:
    # 0.5 + 1 + 6 + 2 of 10 ms; hooks and what is outside are no layers.
    assert first().accounted().value == pytest.approx(0.95)
    assert first().overhead(Mode.LAYERS).value == pytest.approx(0.02)
    assert [work.time.value for work in outside(first())] == pytest.approx([0.2 * MIDDLE, 0.3 * MIDDLE])


def test_a_layer_has_its_rate_and_its_share_of_the_roof() -> None:
    conv = next(work for work in by_layer(first()) if work.kind == "Conv2D")
    assert conv.share.value == pytest.approx(0.6)
    assert conv.gflops == pytest.approx(120e6 / (6.0 * MIDDLE) / 1e6)
    assert conv.gigabytes == pytest.approx(6e6 / (6.0 * MIDDLE) / 1e6)
    # 20 FLOPs a byte lie right of the ridge: the product's 100 GFLOP/s are the roof.
    assert conv.of_roof(CEILINGS) == pytest.approx((conv.gflops or 0) / 100)
    act = next(work for work in by_layer(first()) if work.kind == "ReLU")
    assert act.of_roof(CEILINGS) == pytest.approx((act.gflops or 0) / (0.25 * 10))


def test_kinds_are_the_longest_first_and_their_shares_make_the_sum() -> None:
    works = by_kind(first())
    assert [work.kind for work in works] == ["Conv2D", "ReLU", "Block", "Network"]
    assert sum(work.share.value for work in works) == pytest.approx(first().accounted().value)


def test_a_layer_with_a_formula_for_its_whole_takes_what_it_covers() -> None:
    case = build_profile().cases[0]
    layers = [
        msgspec.structs.replace(layer, covers=("block.conv#0", "block.act#0"))
        if layer.path == "block"
        else layer
        for layer in case.layers
    ]
    view = CaseView(msgspec.structs.replace(case, layers=tuple(layers)), build_profile().protocol)
    assert [work.name for work in by_layer(view)] == ["#0", "block#0"]
    assert by_layer(view)[1].time.value == pytest.approx(9.0 * MIDDLE)
    assert view.accounted().value == pytest.approx(0.95)


def test_operators_have_the_counts_of_the_trace_where_they_ran_as_often() -> None:
    works = {work.name: work for work in by_operator(first())}
    conv = works["conv2d"]
    assert (conv.calls, conv.flops) == (1, 120_000_000)
    assert conv.kernel is not None
    assert conv.kernel.value == pytest.approx(5.9 * MIDDLE)
    assert conv.share.value == pytest.approx(6.0 / 11.0)
    assert works["relu"].flops is None
    assert works["no operator"].calls == 0


def test_the_parts_explain_the_difference_but_for_what_they_leave() -> None:
    reference, other = views(build_profile())
    split = split_cost(other, reference)
    assert split.by_parts
    assert split.difference.value == pytest.approx(3.5 * MIDDLE)
    parts = {part.name: part.time.value for part in split.parts}
    assert parts.pop("layout changes") == 0.0
    assert parts == pytest.approx(
        {
            "pooling": 0.9 * MIDDLE,
            "elementwise": (3.2 - 1.4) * MIDDLE,
            "framework overhead": (0.6 - 0.2) * MIDDLE,
        }
    )
    assert split.unexplained.value == pytest.approx(0.4 * MIDDLE)
    assert split.unexplained_share == pytest.approx(0.4 / 3.5)
    assert split.tells


def test_a_part_that_only_the_reference_has_is_saved() -> None:
    reference, other = views(build_profile())
    split = split_cost(reference, other)
    parts = {part.name: part.time.value for part in split.parts}
    assert parts["pooling"] == pytest.approx(-0.9 * MIDDLE)
    assert split.difference.value == pytest.approx(-3.5 * MIDDLE)


def test_without_parts_the_operators_are_compared_by_kind() -> None:
    profile = build_profile()
    cases = [msgspec.structs.replace(case, parts=()) for case in profile.cases]
    split = splits_of(msgspec.structs.replace(profile, cases=tuple(cases)))[0]
    assert not split.by_parts
    parts = {part.name: part.time.value for part in split.parts}
    # Every operator takes as long in both: the profiled steps differ by what lies between operators.
    assert parts["convolutions"] == pytest.approx(0.0)
    assert parts["framework overhead"] == pytest.approx(3.5 * MIDDLE)
    assert split.unexplained.value == pytest.approx(0.0, abs=1e-9)


def test_a_block_in_which_a_worker_was_lost_gives_no_difference() -> None:
    profile = build_profile()
    cut = msgspec.structs.replace(profile.cases[1], unpaired=(0, 3))
    split = splits_of(msgspec.structs.replace(profile, cases=(profile.cases[0], cut)))[0]
    assert split.difference.n == BLOCKS - 2


def test_disturbed_bursts_do_not_count() -> None:
    case = build_profile().cases[0]
    noise = Burst(Window(0, (99.0,), discarded="steal 20%"), ())

    def with_noise(block: ModeBlock) -> ModeBlock:
        mine = block.mode is Mode.PLAIN and block.block == 0
        return msgspec.structs.replace(block, bursts=(*block.bursts, noise)) if mine else block

    noisy = msgspec.structs.replace(case, blocks=tuple(map(with_noise, case.blocks)))
    assert CaseView(noisy, build_profile().protocol).steps(Mode.PLAIN)[0] == pytest.approx(10.0)


def test_a_difference_within_the_noise_says_so() -> None:
    reference = first()
    split = split_cost(reference, reference)
    assert split.difference.value == 0.0
    assert not split.tells
    assert math.isnan(split.unexplained_share)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fused_conv2d", "convolutions"),
        ("pool2d", "pooling"),
        ("fc", "Linears"),
        ("matmul", "Linears"),
        ("multiply", "elementwise"),
        ("fused_elementwise_add", "elementwise"),
        ("expand", "moving data"),
        ("onednn_to_paddle_layout", "layout changes"),
        ("dyrelu_ab_result", "fused activation"),
        ("~rest", "framework overhead"),
        ("cumsum", "other operators"),
        ("multinomial", "other operators"),
        ("reduce_max", "other operators"),
        ("max_pool2d_with_index", "pooling"),
        # ONNX Runtime's names, then OpenVINO's.
        ("FusedConv", "convolutions"),
        ("GlobalAveragePool", "pooling"),
        ("Gemm", "Linears"),
        ("Mul", "elementwise"),
        ("ReorderInput", "layout changes"),
        ("Convolution", "convolutions"),
        ("ReduceMean", "pooling"),
        ("FullyConnected", "Linears"),
        ("Subgraph", "elementwise"),
        ("Reorder", "layout changes"),
    ],
)
def test_operators_by_kind(name: str, kind: str) -> None:
    assert operator_kind(name) == kind
