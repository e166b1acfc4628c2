"""Verdicts hold: what the rule promises, whatever the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.evidence import Cell, Evidence, Paired, Unfit, Unpaired, log_ratio
from bench.verdict import Judged, Rule, Verdict, blocks_for, detectable, judge

pytestmark = pytest.mark.nopaddle

RULE = Rule()
MIRROR = {
    Verdict.SLOWER: Verdict.FASTER,
    Verdict.FASTER: Verdict.SLOWER,
    Verdict.EQUIVALENT: Verdict.EQUIVALENT,
    Verdict.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}
DECIDED = (Verdict.SLOWER, Verdict.FASTER)

times = st.floats(min_value=1e-3, max_value=1e4)
# Small relative to one another, as blocks are, so that every verdict comes up.
noise = st.floats(min_value=-0.03, max_value=0.03)
rules = st.builds(Rule, st.sampled_from([0.0, 0.005, 0.02, 0.1]), st.sampled_from([0.01, 0.05, 0.2]))


@st.composite
def paired(draw: st.DrawFn) -> Paired:
    shift = draw(st.sampled_from([0.0, 0.01, 0.0198, 0.03, -0.05, 0.4, -2.0]))
    return Paired(tuple(shift + value for value in draw(st.lists(noise, max_size=14))))


@st.composite
def unpaired(draw: st.DrawFn) -> Unpaired:
    sessions = st.lists(st.lists(noise, min_size=1, max_size=9).map(tuple), min_size=1, max_size=4)
    shift = draw(st.sampled_from([0.0, 0.02, 0.3, -0.3]))
    new = tuple(tuple(shift + value for value in values) for values in draw(sessions))
    spread, df = draw(st.sampled_from([(0.0, math.inf), (0.01, 9.0), (0.1, 3.0)]))
    return Unpaired.of(tuple(draw(sessions)), new, spread, df)


cells = st.one_of(paired(), unpaired())
families = st.lists(cells, min_size=1, max_size=7)


def swapped(cell: Cell) -> Cell:
    if isinstance(cell, Paired):
        return Paired(tuple(-value for value in cell.log_ratios))
    return Unpaired.of(cell.new, cell.base, cell.spread, cell.spread_df)


@given(families, rules)
def test_swapping_the_sides_mirrors_the_verdict(family: list[Cell], rule: Rule) -> None:
    there, back = judge(family, rule), judge([swapped(cell) for cell in family], rule)
    for one, other in zip(there, back, strict=True):
        assert other.verdict is MIRROR[one.verdict]
        assert other.p_value == one.p_value
        assert (other.blocks_needed, other.level) == (one.blocks_needed, one.level)
        if one.ratio.has_interval:
            assert other.ratio.low == pytest.approx(1 / one.ratio.high)
            assert other.ratio.high == pytest.approx(1 / one.ratio.low)


@given(
    st.lists(st.tuples(times, st.floats(-0.05, 0.05)), min_size=6, max_size=12),
    st.floats(min_value=1e-3, max_value=1e3),
)
def test_scaling_both_sides_changes_nothing(pairs: list[tuple[float, float]], factor: float) -> None:
    plain = Paired(tuple(log_ratio(base * math.exp(change), base) for base, change in pairs))
    scaled = Paired(
        tuple(log_ratio(base * math.exp(change) * factor, base * factor) for base, change in pairs)
    )
    one, other = judge([plain], RULE)[0], judge([scaled], RULE)[0]
    assert other.verdict is one.verdict
    assert other.p_value == pytest.approx(one.p_value, abs=1e-6)
    assert other.ratio.value == pytest.approx(one.ratio.value)


@given(families, rules, st.randoms())
def test_the_order_of_cells_and_blocks_does_not_matter(
    family: list[Cell], rule: Rule, random: np.random.Generator
) -> None:
    order = list(range(len(family)))
    random.shuffle(order)
    judged = judge(family, rule)
    shuffled = judge([in_another_order(family[index], random) for index in order], rule)
    for place, index in enumerate(order):
        assert same(shuffled[place], judged[index])


def in_another_order(cell: Cell, random: np.random.Generator) -> Cell:
    def shuffle(values: Sequence[object]) -> tuple[object, ...]:
        copy = list(values)
        random.shuffle(copy)
        return tuple(copy)

    if isinstance(cell, Paired):
        return Paired(shuffle(cell.log_ratios))
    base, new = (shuffle([shuffle(values) for values in side]) for side in (cell.base, cell.new))
    return Unpaired.of(base, new, cell.spread, cell.spread_df)


def same(one: Judged, other: Judged) -> bool:
    """Also where both are NaN."""
    return repr(one) == repr(other)


@given(families, rules)
def test_verdict_and_interval_never_disagree(family: list[Cell], rule: Rule) -> None:
    for judged in judge(family, rule):
        ratio = judged.ratio
        assert (judged.p_value <= rule.alpha) == (judged.verdict in DECIDED)
        assert bool(judged.reason) == (judged.verdict is Verdict.INCONCLUSIVE)
        if not ratio.has_interval:
            assert judged.verdict is Verdict.INCONCLUSIVE
            continue
        assert ratio.low <= ratio.value <= ratio.high
        inside = rule.lower < ratio.low and ratio.high < rule.upper
        assert (ratio.low > rule.upper) == (judged.verdict is Verdict.SLOWER)
        assert (ratio.high < rule.lower) == (judged.verdict is Verdict.FASTER)
        assert inside == (judged.verdict is Verdict.EQUIVALENT)


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.lists(anything, max_size=9).map(tuple), min_size=2, max_size=5), rules)
def test_any_numbers_at_all_get_an_answer(lists: list[tuple[float, ...]], rule: Rule) -> None:
    family: list[Cell] = [Paired(values) for values in lists]
    family += [Unpaired.of((lists[0],), tuple(lists[1:]), 0.01), Unpaired.of((), ())]
    for judged in judge(family, rule):
        assert 0 <= judged.p_value <= 1
        assert isinstance(judged.verdict, Verdict)


USABLE = tuple(0.3 + 0.001 * index for index in range(9))
BROKEN = {
    "nothing": Paired(()),
    "one sample": Paired((0.5,)),
    "constant": Paired((0.5,) * 9),
    "the same but for rounding": Paired(tuple(0.5 + 1e-16 * index for index in range(9))),
    "NaN": Paired((*USABLE, math.nan)),
    "infinite": Paired((*USABLE, math.inf)),
    "a zero time": Paired((*USABLE, log_ratio(0.0, 1.0))),
    "a negative time": Paired((*USABLE, log_ratio(-1.0, 1.0))),
    "an infinite time": Paired((*USABLE, log_ratio(math.inf, 1.0))),
    "no side": Unpaired.of((), ()),
    "an empty session": Unpaired.of(((),), (USABLE,)),
    "one block against many": Unpaired.of(((0.0,),), (USABLE,)),
    "a constant side": Unpaired.of(((0.0,) * 9,), (USABLE,)),
    "NaN on a side": Unpaired.of((USABLE,), ((math.nan, 0.0, 0.1, 0.2, 0.1),)),
    "three blocks a side": Unpaired.of(((0.0, 0.01, 0.02),), ((0.5, 0.51, 0.52),)),
}


@pytest.mark.parametrize("cell", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_measurement_is_never_significant(cell: Cell) -> None:
    judged, clear = judge([cell, Paired(USABLE)], RULE)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.p_value == 1.0
    assert judged.reason
    assert not judged.ratio.has_interval
    assert clear.verdict is Verdict.SLOWER  # its neighbours keep their verdicts


@pytest.mark.parametrize("blocks", range(1, 6))
def test_too_few_blocks_say_how_many_are_needed(blocks: int) -> None:
    clear = tuple(0.7 + 0.001 * index for index in range(blocks))
    judged = judge([Paired(clear)], RULE)[0]
    assert judged.reason == f"{blocks} of the 6 blocks that a verdict needs"
    assert judged.blocks_needed == 6
    assert judged.ratio.value == pytest.approx(math.exp(np.mean(clear)))


def test_unequal_sides_are_judged_where_a_rank_test_could_be() -> None:
    many = tuple(0.001 * index for index in range(12))
    few = tuple(0.5 + 0.001 * index for index in range(3))
    assert judge([Unpaired.of((many,), (few,))], RULE)[0].verdict is Verdict.SLOWER
    judged = judge([Unpaired.of((many,), (few[:1],))], RULE)[0]
    assert judged.blocks_needed == 4
    assert "12 and 1 of the 4 blocks a side" in judged.reason


def test_an_undecided_cell_names_the_blocks_that_decide_it() -> None:
    """As many blocks as were asked for, of the same spread, settle it nearly always."""
    rng = np.random.default_rng(3)
    judged = judge([Paired(tuple(rng.normal(0.03, 0.02, 8)))], RULE)[0]
    assert judged.verdict is Verdict.INCONCLUSIVE
    needed = judged.blocks_needed
    assert needed is not None
    assert f"about {needed} blocks" in judged.reason
    values = rng.normal(0, 1, 8)
    centre, sd = math.log(judged.ratio.value), (math.log(judged.ratio.high / judged.ratio.low))
    assert sd > 0
    wide = (values - values.mean()) / values.std(ddof=1)
    more = np.tile(wide, needed // 8 + 1)[:needed] * 0.02 + centre
    assert judge([Paired(tuple(more))], RULE)[0].verdict is not Verdict.INCONCLUSIVE


def test_what_sessions_differ_by_can_not_be_averaged_away() -> None:
    rng = np.random.default_rng(1)
    sides = [tuple(rng.normal(0, 0.001, 500)) for _ in range(2)]
    judged = judge([Unpaired.of((sides[0],), (sides[1],), 0.02, 9)], RULE)[0]
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.blocks_needed is None
    assert "sessions of the same code differ by 2%" in judged.reason
    assert judge([Unpaired.of((sides[0],), (sides[1],))], RULE)[0].verdict is Verdict.EQUIVALENT


def test_more_sessions_narrow_what_the_spread_widens() -> None:
    rng = np.random.default_rng(1)
    side = tuple(tuple(rng.normal(0, 0.001, 9)) for _ in range(4))
    width = [judge([Unpaired.of(side[:n], side[:n], 0.02, 30)], RULE)[0].ratio for n in (1, 4)]
    assert width[1].high - width[1].low < 0.6 * (width[0].high - width[0].low)


def test_sessions_of_one_block_show_their_spread_themselves() -> None:
    rng = np.random.default_rng(5)
    base = tuple((value,) for value in rng.normal(0.0, 0.01, 9))
    new = tuple((value,) for value in rng.normal(0.3, 0.01, 9))
    with_spread, without = judge([Unpaired.of(base, new, 5.0, 9), Unpaired.of(base, new)], RULE)
    assert with_spread.ratio == without.ratio
    assert without.verdict is Verdict.SLOWER


@dataclass(frozen=True)
class Fixed:
    """Evidence of a known normal distribution."""

    centre: float
    n: int = 9
    limited_by: str = ""

    def p_above(self, limit: float) -> float:
        return float(stats.norm.sf(self.centre - limit))

    def p_below(self, limit: float) -> float:
        return float(stats.norm.cdf(self.centre - limit))

    def interval(self, error: float) -> tuple[float, float]:
        half = float(stats.norm.isf(error / 2))
        return self.centre - half, self.centre + half

    def blocks_needed(self, _error: float, _distance: float) -> int | None:
        return None


def fixed(cell: Cell, _alpha: float) -> Evidence | Unfit:
    assert isinstance(cell, Paired)
    return Fixed(cell.log_ratios[0])


def test_another_test_can_take_the_place_of_this_one() -> None:
    """And Holm's procedure by hand: 0.0027 < 0.05 / 3, then 0.0455 > 0.05 / 2."""
    judged = judge([Paired((2.0,)), Paired((3.0,)), Paired((0.1,))], Rule(0.0), fixed)
    assert [one.verdict for one in judged] == [
        Verdict.INCONCLUSIVE,
        Verdict.SLOWER,
        Verdict.INCONCLUSIVE,
    ]
    assert [one.level for one in judged] == pytest.approx([1 - 0.05 / 2, 1 - 0.05 / 3, 1 - 0.05 / 2])
    assert judged[1].p_value == pytest.approx(3 * 2 * stats.norm.sf(3.0))
    assert judged[0].p_value == pytest.approx(2 * 2 * stats.norm.sf(2.0))


def test_equal_cells_get_equal_answers() -> None:
    cell = Paired(tuple(0.1 + 0.01 * index for index in range(9)))
    judged = judge([cell, cell, Paired((0.0,))], RULE)
    assert judged[0] == judged[1]
    assert judged[0].level == pytest.approx(1 - 0.05 / 3)


def test_nothing_to_judge_is_nothing() -> None:
    assert judge([], RULE) == ()


@pytest.mark.parametrize(
    "values", [(-0.1, 0.05), (math.nan, 0.05), (math.inf, 0.05), (0.02, 0.0), (0.02, 1.0)]
)
def test_a_rule_that_makes_no_sense_is_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"theta|alpha"):
        Rule(*values)


def upper_bound(hits: int, runs: int) -> float:
    """Exact one-sided 99.9% bound on a share (Clopper and Pearson)."""
    return float(stats.binomtest(hits, runs, alternative="less").proportion_ci(0.999).high)


def lower_bound(hits: int, runs: int) -> float:
    return float(stats.binomtest(hits, runs, alternative="greater").proportion_ci(0.999).low)


NOISES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, size: rng.normal(0, 0.02, size),
    "heavy tails": lambda rng, size: 0.02 * rng.standard_t(3, size),
    "bursts": lambda rng, size: (
        rng.normal(0, 0.01, size) + rng.choice([0.0, 0.2, -0.2], size, p=[0.9, 0.05, 0.05])
    ),
}


@pytest.mark.parametrize("draw", NOISES.values(), ids=NOISES.keys())
def test_intervals_cover_and_families_rarely_err(
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray],
) -> None:
    """Where every ratio is exactly at the threshold, the worst case, and there is no room for error."""
    runs, size, blocks = 400, 12, 9
    rng = np.random.default_rng(11)
    rule = Rule(0.05, 0.05)
    samples = draw(rng, (runs, size, blocks)) + rule.log_limit
    alarms = covered = 0
    for family in samples:
        judged = judge([Paired(tuple(values)) for values in family], rule)
        alarms += any(one.verdict in DECIDED for one in judged)
        single = judge([Paired(tuple(family[0]))], rule)[0].ratio
        covered += single.low <= rule.upper <= single.high
    # The rule promises 5% and 95%: neither can be excluded by what was seen.
    assert lower_bound(alarms, runs) <= 0.05
    assert upper_bound(covered, runs) >= 0.95


def test_the_simulation_would_notice_a_family_without_correction() -> None:
    rng = np.random.default_rng(11)
    rule = Rule(0.05, 0.05)
    alarms = 0
    for family in rng.normal(rule.log_limit, 0.02, (400, 12, 9)):
        judged = [judge([Paired(tuple(values))], rule)[0] for values in family]
        alarms += any(one.verdict in DECIDED for one in judged)
    assert lower_bound(alarms, 400) > 0.05


def test_two_sessions_err_rarely_where_the_spread_is_known() -> None:
    rng = np.random.default_rng(2)
    runs, spread = 1500, 0.03
    alarms = covered = 0
    for _ in range(runs):
        sides = [tuple(rng.normal(rng.normal(0, spread), 0.01, 7)) for _ in range(2)]
        judged = judge([Unpaired.of((sides[0],), (sides[1],), spread)], Rule(0.0))[0]
        alarms += judged.verdict in DECIDED
        covered += judged.ratio.low <= 1 <= judged.ratio.high
    assert lower_bound(alarms, runs) <= 0.05
    assert upper_bound(covered, runs) >= 0.95
    assert lower_bound(covered, runs) > 0.9  # nor is it wider than it claims


@pytest.mark.parametrize(("effect", "sd", "family"), [(0.05, 0.01, 60), (0.05, 0.03, 12), (0.1, 0.02, 1)])
def test_the_planned_number_of_blocks_finds_the_effect(effect: float, sd: float, family: int) -> None:
    blocks = blocks_for(effect, sd, family, RULE)
    assert blocks is not None
    assert detectable(sd, blocks, family, RULE) <= effect
    assert blocks == 6 or detectable(sd, blocks - 1, family, RULE) > effect
    rng = np.random.default_rng(0)
    runs, found = 1000, 0
    critical = float(stats.t.isf(RULE.alpha / family / 2, blocks - 1))
    samples = rng.normal(math.log1p(effect), sd, (runs, blocks)) - RULE.log_limit
    t = samples.mean(1) / (samples.std(1, ddof=1) / math.sqrt(blocks))
    found = int((t > critical).sum())
    assert upper_bound(found, runs) >= 0.95
    # And one of the family through the rule itself.
    family_of = [Paired(tuple(samples[0] + RULE.log_limit))]
    family_of += [Paired(tuple(rng.normal(0, sd, blocks))) for _ in range(family - 1)]
    assert (judge(family_of, RULE)[0].verdict is Verdict.SLOWER) == (t[0] > critical)


def test_plans_that_no_number_of_blocks_fulfils() -> None:
    assert blocks_for(0.02, 0.01, 1, RULE) is None
    assert blocks_for(0.01, 0.01, 1, RULE) is None
    assert blocks_for(0.020001, 0.5, 1, RULE) is None
    assert blocks_for(0.05, math.nan, 1, RULE) is None
    assert detectable(0.01, 5, 1, RULE) == math.inf


@given(st.floats(0.001, 0.1), st.integers(6, 60), st.integers(1, 200))
@settings(max_examples=30)
def test_more_blocks_less_noise_and_fewer_cells_find_more(sd: float, blocks: int, family: int) -> None:
    found = detectable(sd, blocks, family, RULE)
    assert found >= RULE.theta
    assert detectable(sd, blocks + 1, family, RULE) <= found
    assert detectable(1.1 * sd, blocks, family, RULE) >= found
    assert detectable(sd, blocks, family + 1, RULE) >= found
