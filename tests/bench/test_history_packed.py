"""What an index keeps of a suite for comparisons, and what comes out of it again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.case import Case, Condition, DType
from bench.compare import CompareOptions, Observed, compare, compare_observed, observe
from bench.compare.observed import Blocks, FactLabel, Facts, SeenSession, Taken
from bench.history import observed_suites
from bench.history.kept import Damaged
from bench.history.packed import PACKED_TYPES, Unpacking, packed
from bench.record import Bound, Failure, FailureKind
from bench.storage import load_suite, save_suite
from bench.units import Unit
from tests.bench.sessions import Run, run_suite

pytestmark = pytest.mark.nopaddle

PUBLISHED = sorted((Path(__file__).parents[2] / "reports/published").glob("*/suite.json"))
NUMBERS = st.lists(st.integers(0, 10**6), unique=True, max_size=5).map(sorted).map(tuple)
TIMES = st.floats(allow_nan=False)
BURSTS = st.dictionaries(st.integers(0, 50), st.lists(st.none() | TIMES, max_size=4).map(tuple), max_size=3)
FAILURES = st.builds(
    Failure, kind=st.sampled_from(FailureKind), message=st.text(max_size=5), block=st.integers(0, 50)
)
LABELS = st.builds(
    FactLabel,
    metric=st.text(max_size=5),
    unit=st.sampled_from(Unit),
    bound=st.sampled_from(Bound),
    note=st.text(max_size=3),
)
AMOUNTS = st.integers(0, 10**18) | st.floats(0, 1e18)
CASES = st.builds(
    Case,
    subject=st.sampled_from("ab"),
    variant=st.sampled_from("cd"),
    batch=st.integers(1, 3),
    image=st.just((3, 8, 8)),
    dtype=st.just(DType.FLOAT32),
    engine=st.just("eager"),
)
CONDITIONS = st.builds(Condition, threads=st.integers(1, 4))


@st.composite
def blocks(draw: st.DrawFn) -> Blocks:
    numbers = draw(NUMBERS)
    return Blocks(numbers, tuple(draw(TIMES) for _ in numbers))


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    labels = tuple(draw(st.lists(LABELS, max_size=3)))
    return Facts(labels, tuple(draw(AMOUNTS) for _ in labels))


TAKEN = st.builds(
    Taken,
    case=CASES,
    condition=CONDITIONS,
    blocks=blocks(),
    unusable=NUMBERS,
    timed=st.booleans(),
    failure=st.none() | FAILURES,
    facts=facts(),
    bursts=BURSTS,
    losses=st.lists(FAILURES, max_size=2).map(tuple),
)
SESSIONS = st.builds(
    SeenSession,
    id=st.text(max_size=5),
    pair=st.text(max_size=5),
    started=st.text(max_size=5),
    reference=st.text(max_size=5),
    fingerprint=st.text(max_size=5),
    environment=st.none(),
    planned=st.lists(CASES, max_size=3).map(tuple),
    calibration=blocks(),
    cases=st.lists(TAKEN, max_size=3).map(tuple),
)
OBSERVED = st.builds(Observed, name=st.text(max_size=5), sessions=st.lists(SESSIONS, max_size=2).map(tuple))


def kept(observed: Observed) -> bytes:
    return msgspec.msgpack.encode(packed(observed))


@given(st.lists(OBSERVED, max_size=3))
def test_what_goes_in_comes_out(every: list[Observed]) -> None:
    """Also where others went in before, whose cases and blocks are remembered."""
    unpacking = Unpacking()
    found = [unpacking.unpack(kept(one)) for one in every]
    assert found == every
    # A number is of one kind still, which equality alone doesn't tell.
    assert msgspec.json.encode(found) == msgspec.json.encode(every)


@pytest.mark.parametrize(
    "change",
    [
        {"times": b""},
        {"times": bytes(8 * 5 + 3)},
        {"facts": (1,)},
        {"rest": ((99, None, {}, ()),)},
        {"numbers": msgspec.msgpack.encode(((), ()))},
    ],
    ids=lambda change: str(*change),
)
def test_parts_that_do_not_fit_together_are_damage(change: dict[str, object]) -> None:
    """An index that says so is made anew."""
    name, sessions = msgspec.msgpack.decode(kept(observe(run_suite(Run("one")), "one")))
    names = [field.name for field in msgspec.structs.fields(PACKED_TYPES[0])]
    assert names == ["name", "sessions"]
    columns = ("id", "pair", "started", "cases", "numbers", "times", "facts", "rest")
    spoilt = [change.get(column, value) for column, value in zip(columns, sessions[0], strict=True)]
    with pytest.raises(Damaged):
        Unpacking().unpack(msgspec.msgpack.encode((name, [spoilt])))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_published_suite_comes_out_as_it_went_in(path: Path) -> None:
    observed = observe(load_suite(path), "")
    assert Unpacking().unpack(kept(observed)) == observed


def test_what_sessions_have_in_common_is_in_memory_once() -> None:
    """What holds the memory that thousands of suites take: the rest is numbers."""
    unpacking = Unpacking()
    first, second = (
        unpacking.unpack(kept(observe(run_suite(Run(name)), name))).sessions[0] for name in ("one", "two")
    )
    assert first.id != second.id
    assert first.planned is second.planned
    for own, other in zip(first.cases, second.cases, strict=True):
        assert own.blocks.times != other.blocks.times
        assert own.case is other.case
        assert own.condition is other.condition
        assert own.blocks.numbers is other.blocks.numbers
        assert own.facts.labels is other.facts.labels


def test_a_folder_is_compared_as_its_suites_are(tmp_path: Path) -> None:
    suites = [run_suite(Run(f"session{number}", drift=number)) for number in range(4)]
    new = run_suite(Run("new one", {"dyrelu_b": 1.3}, drift=9))
    for number, suite in enumerate(suites):
        save_suite(suite, tmp_path / f"{number}.json")
    options = CompareOptions()
    expected = compare(suites, [new], options)
    assert expected.regressions
    for _ in ("cold", "warm"):
        read, _ = observed_suites(tmp_path)
        side = [msgspec.structs.replace(one, name="base") for one in read]
        assert compare_observed(side, [observe(new, "new")], options) == expected
