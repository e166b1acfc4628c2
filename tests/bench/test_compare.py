"""Two sides compared: what each delta rests on, and that nothing is lost in silence."""

from __future__ import annotations

import dataclasses
import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.compare import CompareOptions, Spread, Spreads, compare, compare_observed, observe, observed_spread
from bench.compare.spread import moderated
from bench.compared import Basis, Comparison, Delta, FactChange, Status
from bench.evidence import Unpaired
from bench.record import Bound, Fact, Failure, FailureKind, Suite, Window
from bench.units import Unit
from bench.verdict import Rule, Verdict
from tests.bench.sessions import PLAN, Run, discarded, elsewhere, run_suite, with_records, without
from tests.bench.suites import troubled_suite

pytestmark = pytest.mark.nopaddle

# Small and well known, so that the synthetic sessions can be decided.
STEADY = CompareOptions(
    spreads=Spreads(Spread(0.002, 50, "from these tests"), Spread(0.004, 50, "from these tests"))
)


def deltas(found: Comparison, variant: str) -> list[Delta]:
    return [delta for delta in found.deltas if delta.case.variant == variant]


def verdicts(found: Comparison, variant: str) -> set[Verdict]:
    return {delta.verdict for delta in deltas(found, variant)}


def pair(**factors: float) -> Comparison:
    """Two sides of one `ab`, the new one slower by these factors."""
    base = run_suite(Run("a", drift=3, pair="p"))
    new = run_suite(Run("b", factors, drift=3, pair="p"))
    return compare([base], [new], CompareOptions())


def two(options: CompareOptions = STEADY, machine: float = 1.0, **factors: float) -> Comparison:
    """Two sessions."""
    base = run_suite(Run("old", drift=1))
    new = run_suite(Run("new one", factors, machine=machine, drift=2))
    return compare([base], [new], options)


def test_sides_of_one_ab_are_compared_block_by_block_the_reference_too() -> None:
    found = pair(dyrelu_b=1.05, relu=0.9)
    assert {delta.basis for delta in found.deltas} == {Basis.BLOCKS}
    assert verdicts(found, "dyrelu_b") == {Verdict.SLOWER}
    assert verdicts(found, "relu") == {Verdict.FASTER}
    assert verdicts(found, "dyrelu_a") == {Verdict.EQUIVALENT}
    assert all(delta.ratio.n == PLAN.blocks for delta in found.deltas)
    assert found.last_line() == "2 regressions, 6 compared, 0 inconclusive, 0 missing"
    assert found.notes == ()


def test_the_sides_of_one_ab_may_have_other_packages() -> None:
    """That is what is compared; the machine is the same."""
    base = run_suite(Run("a", drift=3, pair="p"))
    new = elsewhere(run_suite(Run("b", {"relu": 1.2}, drift=3, pair="p")), numpy="9.9")
    found = compare([base], [new], CompareOptions())
    assert found.same_environment
    assert verdicts(found, "relu") == {Verdict.SLOWER}
    assert not any(fact.note.startswith("not compared") for fact in found.facts)
    (note,) = found.notes
    assert "numpy: 2.3.5 against 9.9" in note
    assert "part of what is compared" in note


def test_another_pair_is_no_pair() -> None:
    base = run_suite(Run("a", drift=3, pair="p"))
    new = run_suite(Run("b", drift=3, pair="q"))
    found = compare([base], [new], STEADY)
    assert {delta.basis for delta in found.deltas} == {Basis.REFERENCE, Basis.CALIBRATION}


def test_two_sessions_rest_on_the_reference_and_the_reference_on_the_calibration() -> None:
    found = two(dyrelu_b=1.1)
    assert {delta.basis for delta in deltas(found, "relu")} == {Basis.CALIBRATION}
    assert {delta.basis for delta in deltas(found, "dyrelu_b")} == {Basis.REFERENCE}
    assert verdicts(found, "dyrelu_b") == {Verdict.SLOWER}
    assert verdicts(found, "dyrelu_a") == {Verdict.EQUIVALENT}
    assert "standard deviation of 0.2% of a ratio to the reference (from these tests)" in " ".join(
        found.notes
    )


def test_a_slower_machine_is_no_regression() -> None:
    found = two(machine=1.4)
    assert {delta.verdict for delta in found.deltas} <= {Verdict.EQUIVALENT, Verdict.INCONCLUSIVE}
    assert any("The machine itself took" in note and "more time" in note for note in found.notes)


def test_a_slowdown_of_all_variants_shows_through_the_calibration() -> None:
    found = two(relu=1.12, dyrelu_a=1.12, dyrelu_b=1.12)
    assert verdicts(found, "relu") == {Verdict.SLOWER}
    assert verdicts(found, "dyrelu_a") == {Verdict.EQUIVALENT}
    assert len(found.regressions) == 2
    note = next(note for note in found.notes if "itself became slower" in note)
    assert "relu itself became slower against the calibration in 2 of 2 groups" in note


def test_a_slower_reference_is_said_where_others_seem_faster_for_it() -> None:
    found = two(relu=1.12)
    assert verdicts(found, "dyrelu_a") == {Verdict.FASTER}
    assert any("4 of those read faster because relu became slower" in note for note in found.notes)


def test_a_common_change_that_cannot_be_told_from_chance_stays_open_and_is_said() -> None:
    found = two(CompareOptions(), relu=1.06, dyrelu_a=1.06, dyrelu_b=1.06)
    assert verdicts(found, "relu") == {Verdict.INCONCLUSIVE}
    assert any("whether all variants changed alike remains open" in note for note in found.notes)


def test_without_a_calibration_the_reference_is_not_judged_and_says_so() -> None:
    suites = []
    for run in (Run("old"), Run("new one")):
        suite = run_suite(run)
        session = msgspec.structs.replace(suite.sessions[0], calibration=())
        suites.append(msgspec.structs.replace(suite, sessions=(session,)))
    found = compare([suites[0]], [suites[1]], STEADY, ("left.json", "right.json"))
    for delta in deltas(found, "relu"):
        assert delta.verdict is Verdict.INCONCLUSIVE
        assert "left.json timed no calibration" in delta.reason
        assert math.isnan(delta.ratio.value)


def test_without_the_reference_a_case_rests_on_the_calibration() -> None:
    lost = without(run_suite(Run("new one", {"dyrelu_b": 1.2}, drift=2)), "relu")
    found = compare([run_suite(Run("old", drift=1))], [lost], STEADY)
    assert {delta.basis for delta in found.deltas} == {Basis.CALIBRATION}
    assert verdicts(found, "dyrelu_b") == {Verdict.SLOWER}
    assert {row.status for row in found.rows} == {Status.MISSING}


def test_another_environment_is_compared_by_ratios_only_and_says_so() -> None:
    base = run_suite(Run("old", drift=1))
    new = elsewhere(run_suite(Run("new one", {"dyrelu_b": 1.2}, machine=3.0, drift=2)))
    found = compare([base], [new], STEADY)
    assert not found.same_environment
    assert {delta.basis for delta in found.deltas} == {Basis.REFERENCE}
    assert verdicts(found, "dyrelu_b") == {Verdict.SLOWER}
    assert verdicts(found, "dyrelu_a") == {Verdict.EQUIVALENT}
    assert {delta.reason for delta in deltas(found, "relu")} == {
        "the reference itself, whose times in different environments can't be compared"
    }
    assert verdicts(found, "relu") == {Verdict.INCONCLUSIVE}
    note = next(note for note in found.notes if "different environments" in note)
    assert "CPU: Example CPU @ 2.00GHz against Another CPU" in note
    assert "only ratios inside each side are compared" in note
    peaks = [fact for fact in found.facts if fact.metric == "peak_resident"]
    assert not any(fact.changed for fact in peaks)
    assert all("different environments" in fact.note for fact in peaks)


def test_another_environment_without_a_reference_leaves_nothing_to_say() -> None:
    base = run_suite(Run("old", drift=1))
    new = without(elsewhere(run_suite(Run("new one", drift=2))), "relu")
    found = compare([base], [new], STEADY)
    assert {delta.reason for delta in found.deltas} == {
        "the reference of its group has no usable time on both sides"
    }


def test_other_conditions_are_shown_and_refused() -> None:
    base = run_suite(Run("old"))
    condition = msgspec.structs.replace(base.records[1].condition, threads=4, options=(("k", "2"),))
    new = with_records(run_suite(Run("new one")), "dyrelu_a", condition=condition)
    found = compare([base], [new], STEADY)
    refused = found.with_status(Status.REFUSED)
    assert {row.case.variant for row in refused} == {"dyrelu_a"}
    assert "threads is 2 in base and 4 in new" in refused[0].reason
    assert "options is reduction=8 in base and k=2 in new" in refused[0].reason
    assert not deltas(found, "dyrelu_a")
    assert not any(fact.case.variant == "dyrelu_a" for fact in found.facts)
    assert "2 refused" in found.last_line()


def test_rows_without_a_verdict_are_explicit() -> None:
    base = run_suite(Run("old"))
    memory = Failure(FailureKind.OUT_OF_MEMORY, "needs 3.1 GiB")
    lost = compare([base], [without(base, "dyrelu_a")], STEADY).missing
    assert [row.reason for row in lost] == ["new: has no such case"] * 2
    cut = compare([base], [without(base, "dyrelu_a", planned=True)], STEADY).missing
    assert "planned, but not measured; finish the run with --resume" in cut[0].reason
    new = compare([without(base, "dyrelu_a")], [base], STEADY).with_status(Status.NEW)
    assert [row.case.variant for row in new] == ["dyrelu_a"] * 2
    broken = with_records(base, "dyrelu_a", series=(), skipped=memory)
    failed = compare([base], [broken], STEADY).failed
    assert [(row.failure, row.reason) for row in failed] == [
        (FailureKind.OUT_OF_MEMORY, "out of memory: needs 3.1 GiB")
    ] * 2
    assert "base failed as well" in compare([broken], [broken], STEADY).failed[0].reason
    mended = compare([broken], [base], STEADY).with_status(Status.NEW)
    assert "failed (out of memory: needs 3.1 GiB)" in mended[0].reason


def test_every_case_of_either_side_is_somewhere() -> None:
    base, new = run_suite(Run("old", plan=dataclasses.replace(PLAN, batches=(1, 32)))), troubled_suite()
    found = compare([base], [new], CompareOptions())
    known = {record.case for suite in (base, new) for record in suite.records}
    known |= {case for suite in (base, new) for case in suite.sessions[0].planned}
    judged = [delta.case for delta in found.deltas] + [row.case for row in found.rows]
    assert sorted({*judged}) == sorted(known)
    # What failed in one block and was measured in the others has a delta and a row.
    twice = {case for case in judged if judged.count(case) > 1}
    reasons = [row.reason for row in found.rows if row.case in twice]
    assert "worker died: killed by SIGKILL (in block 3; measured in others)" in reasons


def test_a_case_that_crashed_in_some_blocks_is_judged_and_failed() -> None:
    base = run_suite(Run("a", drift=3, pair="p"))
    died = tuple(Failure(FailureKind.DIED, "killed by SIGSEGV", block) for block in (2, 5))
    new = with_records(run_suite(Run("b", drift=3, pair="p")), "dyrelu_a", failures=died, unpaired=(2, 5))
    found = compare([base], [new], CompareOptions())
    assert [(row.status, row.failure, row.reason) for row in found.rows] == [
        (
            Status.FAILED,
            FailureKind.DIED,
            "worker died: killed by SIGSEGV (in block 2, 5; measured in others)",
        )
    ] * 2
    assert verdicts(found, "dyrelu_a") == {Verdict.EQUIVALENT}
    # What the base lost is no failure of the new side, and memory that ran out in a block is none at all.
    assert compare([new], [base], CompareOptions()).rows == ()
    memory = tuple(msgspec.structs.replace(one, kind=FailureKind.OUT_OF_MEMORY) for one in died)
    assert compare([base], [with_records(new, "dyrelu_a", failures=memory)], CompareOptions()).rows == ()


def test_a_case_that_failed_in_one_of_several_sessions_is_judged_and_failed() -> None:
    base, new = run_suite(Run("old", drift=1)), run_suite(Run("new one", drift=2))
    died = Failure(FailureKind.ERROR, "no such operator")
    broken = with_records(run_suite(Run("newer one", drift=3)), "dyrelu_b", series=(), skipped=died)
    for order in ([new, broken], [broken, new]):
        found = compare([base], order, STEADY)
        assert [row.reason for row in found.failed] == [
            "error: no such operator (in a session; measured in others)"
        ] * 2
        assert len(deltas(found, "dyrelu_b")) == 2
    interrupted = msgspec.structs.replace(died, kind=FailureKind.NOT_RUN)
    cut = with_records(broken, "dyrelu_b", skipped=interrupted)
    assert compare([base], [new, cut], STEADY).rows == ()


def test_the_facts_of_either_side_are_known_by_name() -> None:
    base, new = run_suite(Run("old", drift=1)), run_suite(Run("new one", drift=2))
    bare = msgspec.structs.replace(
        new, records=tuple(msgspec.structs.replace(record, facts=()) for record in new.records)
    )
    for sides in ((base, bare), (bare, base)):
        found = compare([sides[0]], [sides[1]], STEADY)
        assert found.facts == ()
        assert "parameters_total" in found.fact_names


def test_facts_are_compared_exactly_and_peaks_of_the_process_within_a_tolerance() -> None:
    base = run_suite(Run("old"))

    def changed(**factors: float) -> Comparison:
        facts = tuple(
            msgspec.structs.replace(fact, value=round(fact.value * factors.get(fact.metric, 1)))
            for fact in base.records[1].facts
        )
        new = with_records(run_suite(Run("new one")), "dyrelu_a", facts=facts)
        return compare([base], [new], STEADY)

    def of(found: Comparison, metric: str) -> FactChange:
        return next(f for f in found.facts if f.metric == metric and f.case == base.records[1].case)

    same = changed()
    assert not of(same, "parameters_total").changed
    assert of(changed(parameters_total=1.00002), "parameters_total").changed
    assert of(changed(peak_tensor=1.00002), "peak_tensor").changed
    assert not of(changed(peak_resident=1.04), "peak_resident").changed
    assert of(changed(peak_resident=1.06), "peak_resident").changed
    assert of(changed(peak_resident=0.9), "peak_resident").changed
    assert of(same, "peak_resident").note == "within 5% counts as the same"


def facts_of(*facts: Fact) -> list[FactChange]:
    """What became of the facts of dyrelu_a, the first of them on the base's side."""
    base = with_records(run_suite(Run("old")), "dyrelu_a", facts=facts[:1])
    new = with_records(run_suite(Run("new one")), "dyrelu_a", facts=facts[1:])
    found = compare([base], [new], STEADY)
    return [fact for fact in found.facts if fact.case.variant == "dyrelu_a" and fact.case.batch == 8]


def test_a_fact_known_from_below_is_not_the_exact_one() -> None:
    exact = Fact("macs", Unit.MACS, 10)
    below = Fact("macs", Unit.MACS, 10, Bound.AT_LEAST)
    (fact,) = facts_of(exact, below)
    assert fact.changed
    assert fact.note == "exact became at least"
    assert not facts_of(below, below)[0].changed


def test_peaks_of_different_kinds_are_not_compared() -> None:
    peak = Fact("peak_resident", Unit.BYTES, 100, Bound.PEAK)
    cumulative = Fact("peak_resident", Unit.BYTES, 900, Bound.CUMULATIVE_PEAK)
    (fact,) = facts_of(peak, cumulative)
    assert not fact.changed
    assert fact.note == "not compared: peak against cumulative peak"
    assert facts_of(valued(cumulative, 800), cumulative)[0].changed


def valued(fact: Fact, value: float) -> Fact:
    return msgspec.structs.replace(fact, value=value)


def test_cumulative_peaks_behind_other_batches_are_not_compared() -> None:
    fact = Fact("peak_resident", Unit.BYTES, 100, Bound.CUMULATIVE_PEAK)
    base = with_records(run_suite(Run("old")), "relu", facts=(fact,))
    alone = run_suite(Run("new one", plan=dataclasses.replace(PLAN, batches=(8,))))
    new = with_records(alone, "relu", facts=(valued(fact, 900),))
    found = next(f for f in compare([base], [new], STEADY).facts if f.case.variant == "relu")
    assert not found.changed
    assert "behind different smaller batches" in found.note


def test_facts_that_one_side_lacks_are_named() -> None:
    base = run_suite(Run("old"))
    new = with_records(run_suite(Run("new one")), "dyrelu_a", facts=base.records[1].facts[1:])
    found = compare([base], [new], STEADY)
    assert any("Only one side knows parameters_trainable" in note for note in found.notes)


def test_disturbed_blocks_are_left_out_and_counted() -> None:
    base = run_suite(Run("a", drift=3, pair="p"))
    new = run_suite(Run("b", drift=3, pair="p"))
    record = new.records[1]
    windows = tuple(
        discarded(spoilt(window)) if window.block < 4 and not window.warmup else window
        for window in record.series[0].windows
    )
    series = (msgspec.structs.replace(record.series[0], windows=windows),)
    worse = msgspec.structs.replace(
        new,
        records=tuple(msgspec.structs.replace(r, series=series) if r is record else r for r in new.records),
    )
    found = compare([base], [worse], CompareOptions())
    (delta,) = [delta for delta in found.deltas if delta.case == record.case]
    assert (delta.ratio.n, delta.left_out) == (PLAN.blocks - 4, 4)
    assert delta.verdict is Verdict.EQUIVALENT
    assert any("4 blocks of 1 case were left out" in note for note in found.notes)


def spoilt(window: Window) -> Window:
    return msgspec.structs.replace(window, values=tuple(9 * value for value in window.values))


def test_blocks_that_a_lost_worker_cut_are_left_out() -> None:
    base = run_suite(Run("a", drift=3, pair="p"))
    new = with_records(run_suite(Run("b", drift=3, pair="p")), "dyrelu_a", unpaired=(0, 5))
    delta = deltas(compare([base], [new], CompareOptions()), "dyrelu_a")[0]
    assert (delta.ratio.n, delta.left_out) == (PLAN.blocks - 2, 2)


def test_a_case_without_a_usable_block_is_inconclusive_and_not_lost() -> None:
    base = run_suite(Run("a", drift=3, pair="p"))
    every = tuple(range(PLAN.blocks))
    new = with_records(run_suite(Run("b", drift=3, pair="p")), "dyrelu_a", unpaired=every)
    for delta in deltas(compare([base], [new], CompareOptions()), "dyrelu_a"):
        assert delta.verdict is Verdict.INCONCLUSIVE
        assert delta.reason == "no block has a usable time on both sides"
        assert delta.left_out == PLAN.blocks


def test_several_sessions_a_side_bring_their_own_spread() -> None:
    """Sessions that differ by 3% teach it, whatever was thought before."""
    machines = random.Random(4)
    base, new = (
        [run_suite(Run(f"{side}{n}", {"dyrelu_a": machines.gauss(1, 0.03)}, drift=n)) for n in range(6)]
        for side in "bn"
    )
    one, many = compare(base[:1], new[:1], STEADY), compare(base, new, STEADY)
    widths = [
        deltas(found, "dyrelu_a")[0].ratio.high - deltas(found, "dyrelu_a")[0].ratio.low
        for found in (one, many)
    ]
    assert widths[1] > widths[0]
    assert any("from these tests, and from the sessions given here" in note for note in many.notes)


def test_the_spread_between_sessions_is_estimated_without_that_of_blocks() -> None:
    rng = random.Random(8)
    cells = []
    for _ in range(30):
        levels = [[rng.gauss(0, 0.03) for _ in range(6)] for _ in range(2)]
        sides = [tuple(tuple(rng.gauss(level, 0.01) for _ in range(5)) for level in side) for side in levels]
        cells.append(Unpaired.of(sides[0], sides[1]))
    found = observed_spread(cells)
    assert found is not None
    assert found.sd == pytest.approx(0.03, rel=0.15)
    # 10 are of one cell, since sessions are fast or slow for all of them; blocks explain 2% of the variance.
    assert found.df == pytest.approx(10 * (1 / 1.022) ** 2, rel=0.02)
    assert observed_spread([Unpaired.of(((0.0, 0.1),), ((0.0, 0.2),))]) is None
    assert observed_spread([Unpaired.of(((0.0,), (1.0,)), ((0.0, 0.2),))]) is None


def test_sessions_that_show_no_spread_do_not_prove_that_there_is_none() -> None:
    """What an estimate that was cut off at nothing adds to what is known beforehand: next to nothing."""
    known = Spread(0.02, 9, "known")
    rng = random.Random(3)
    for _ in range(20):
        side = tuple(tuple(rng.gauss(0, 0.01) for _ in range(5)) for _ in range(5))
        other = tuple(tuple(rng.gauss(0, 0.01) for _ in range(5)) for _ in range(5))
        assert 0.0175 < moderated(known, [Unpaired.of(side, other)]).sd <= 0.02
    # Where the spread is plain to see, it counts.
    apart = tuple(tuple(rng.gauss(level, 0.001) for _ in range(5)) for level in (-0.1, 0.0, 0.1, 0.2, 0.3))
    assert moderated(known, [Unpaired.of(apart, apart)]).sd > 0.08


def test_a_session_counts_once_however_often_it_is_given() -> None:
    base, new = run_suite(Run("old")), run_suite(Run("new one"))
    found = compare([base, base], [new], STEADY)
    assert found.deltas == compare([base], [new], STEADY).deltas
    assert any("the session old was given more than once and counts once" in note for note in found.notes)
    same = compare([base], [base], STEADY)
    assert not same.regressions
    assert any("The session old stands on both sides" in note for note in same.notes)
    every = compare([base, new], [base, new], STEADY)
    assert any("The session new one and 1 more stand on both sides" in note for note in every.notes)


def test_another_reference_is_said() -> None:
    base, new = run_suite(Run("old")), run_suite(Run("new one"))
    protocol = msgspec.structs.replace(new.sessions[0].protocol, reference="dyrelu_a")
    session = msgspec.structs.replace(new.sessions[0], protocol=protocol)
    found = compare([base], [msgspec.structs.replace(new, sessions=(session,))], STEADY)
    assert any("The reference is relu in base and dyrelu_a in new" in note for note in found.notes)
    assert {delta.basis for delta in deltas(found, "dyrelu_a")} == {Basis.REFERENCE}


@given(st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_blocks_and_suites_does_not_matter(rng: random.Random, paired: bool) -> None:
    pair_name = "p" if paired else ""
    base = [run_suite(Run(f"b{n}", drift=n, pair=pair_name * (n == 0))) for n in range(2)]
    new = [run_suite(Run(f"n{n}", {"dyrelu_b": 1.05}, drift=n, pair=pair_name * (n == 0))) for n in range(2)]
    expected = compare(base, new, STEADY)
    shuffled = [[shuffle(suite, rng) for suite in rng.sample(side, len(side))] for side in (base, new)]
    assert compare(shuffled[0], shuffled[1], STEADY) == expected


def shuffle(suite: Suite, rng: random.Random) -> Suite:
    records = []
    for record in rng.sample(suite.records, len(suite.records)):
        windows = rng.sample(record.series[0].windows, len(record.series[0].windows))
        series = (msgspec.structs.replace(record.series[0], windows=tuple(windows)),)
        records.append(msgspec.structs.replace(record, series=series))
    return msgspec.structs.replace(suite, records=tuple(records))


@given(st.floats(0.1, 10.0))
@settings(max_examples=15, deadline=None)
def test_scaling_both_sides_changes_no_verdict(factor: float) -> None:
    plain, scaled = (
        [
            compare(
                [run_suite(Run("a", machine=machine, drift=1, pair=name))],
                [run_suite(Run("b", {"dyrelu_b": 1.04}, machine=machine, drift=1, pair=name))],
                STEADY,
            )
            for name in ("", "p")
        ]
        for machine in (1.0, factor)
    )
    for one, other in zip(plain, scaled, strict=True):
        assert [delta.verdict for delta in one.deltas] == [delta.verdict for delta in other.deltas]


def test_swapping_the_sides_mirrors_the_comparison() -> None:
    base, new = run_suite(Run("old", drift=1)), run_suite(Run("new one", {"dyrelu_b": 1.1}, drift=2))
    there, back = compare([base], [new], STEADY), compare([new], [base], STEADY)
    assert [delta.case for delta in there.regressions] == [delta.case for delta in back.improvements]
    assert there.regressions[0].p_value == back.improvements[0].p_value


def test_regressions_come_worst_first() -> None:
    found = pair(dyrelu_a=1.05, dyrelu_b=1.2)
    ratios = [delta.ratio.value for delta in found.regressions]
    assert ratios == sorted(ratios, reverse=True)
    assert found.regressions[0].case.variant == "dyrelu_b"


def test_a_reduced_suite_is_compared_like_the_whole_one_and_survives_being_kept() -> None:
    suites = [run_suite(Run("old", drift=1)), run_suite(Run("new one", {"dyrelu_b": 1.1}, drift=2))]
    observed = [observe(suite, name) for suite, name in zip(suites, ("base", "new"), strict=True)]
    kept = [msgspec.json.decode(msgspec.json.encode(one), type=type(one)) for one in observed]
    assert kept == observed
    assert compare_observed(kept[:1], kept[1:], STEADY) == compare([suites[0]], [suites[1]], STEADY)


def test_nothing_against_nothing_is_nothing() -> None:
    found = compare([], [], CompareOptions())
    assert found.last_line() == "0 regressions, 0 compared, 0 inconclusive, 0 missing"


def test_the_threshold_is_kept_with_each_delta() -> None:
    found = two(dataclasses.replace(STEADY, rule=Rule(0.5)), dyrelu_b=1.1)
    assert {delta.theta for delta in found.deltas} == {0.5}
    assert verdicts(found, "dyrelu_b") == {Verdict.EQUIVALENT}
