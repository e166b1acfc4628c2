"""Who works when: both sides alike, one at a time, group by group."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ab.order import alternate, begins, take_turns
from bench.block_stage import Turn

pytestmark = pytest.mark.nopaddle

GROUPS = ("g0", "g1", "g2")
PLACE = {group: number for number, group in enumerate(GROUPS)}


@dataclass
class Log:
    """What was done in which order: (side, group, burst), burst -1 for preparing and warming up."""

    done: list[tuple[int, str, int]] = field(default_factory=list)

    def of(self, side: int, group: str) -> list[int]:
        return [burst for who, where, burst in self.done if (who, where) == (side, group)]


def worker(log: Log, side: int, plan: dict[str, tuple[int, int]]) -> Generator[Turn, None, None]:
    """A worker with so many warm-ups and bursts a group."""
    for group, (warm, bursts) in plan.items():
        for _ in range(warm):
            yield Turn(group, 0)
            log.done.append((side, group, -1))
        for burst in range(bursts):
            yield Turn(group, burst)
            log.done.append((side, group, burst))


def test_who_begins_follows_from_the_seed_and_is_fair() -> None:
    order = [begins(3, block) for block in range(40)]
    assert order == [begins(3, block) for block in range(40)]
    assert sum(order) == 20
    assert {tuple(order[i : i + 2]) for i in range(0, 40, 2)} == {(0, 1), (1, 0)}
    assert order != [begins(4, block) for block in range(40)]


@given(st.lists(st.integers(0, 5), max_size=3))
def test_generators_alternate_until_all_have_ended(lengths: list[int]) -> None:
    seen: list[int] = []

    def steps(name: int, length: int) -> Generator[None, None, None]:
        for _ in range(length):
            seen.append(name)
            yield

    alternate([steps(name, length) for name, length in enumerate(lengths)])
    assert [seen.count(name) for name in range(len(lengths))] == lengths
    rounds = [[name for name, length in enumerate(lengths) if length > turn] for turn in range(5)]
    assert seen == [name for names in rounds for name in names]


counts = st.tuples(st.integers(1, 5), st.integers(0, 8))
plans = st.dictionaries(st.sampled_from(GROUPS), counts).map(lambda plan: dict(sorted(plan.items())))


@given(plans, plans, st.integers(0, 1))
def test_bursts_of_one_number_stand_side_by_side(
    ours: dict[str, tuple[int, int]], theirs: dict[str, tuple[int, int]], first: int
) -> None:
    log = Log()
    take_turns([worker(log, 0, ours), worker(log, 1, theirs)], first, PLACE)
    for side, plan in enumerate((ours, theirs)):
        for group, (warm, bursts) in plan.items():
            assert log.of(side, group) == [-1] * warm + list(range(bursts))
    # Both are through with a group before either begins the next.
    groups = [group for _, group, _ in log.done]
    assert groups == sorted(groups)
    # While both have bursts of a group to give, neither runs ahead.
    for group in ours.keys() & theirs.keys():
        taken = [0, 0]
        common = min(ours[group][1], theirs[group][1])
        for side, where, burst in log.done:
            if where == group and burst >= 0:
                taken[side] += 1
                assert abs(min(taken[0], common) - min(taken[1], common)) <= 1


def test_turns_come_first_second_second_first() -> None:
    log = Log()
    plan = {"g0": (1, 4)}
    take_turns([worker(log, 0, plan), worker(log, 1, plan)], 1, PLACE)
    assert [side for side, _, burst in log.done if burst >= 0] == [1, 0, 0, 1, 1, 0, 0, 1]


def test_a_worker_that_dies_leaves_the_other_to_go_on() -> None:
    log = Log()

    def broken() -> Generator[Turn, None, None]:
        yield Turn("g0", 0)

    take_turns([broken(), worker(log, 1, {"g0": (2, 3), "g1": (1, 1)})], 0, PLACE)
    assert log.of(1, "g0") == [-1, -1, 0, 1, 2]
    assert log.of(1, "g1") == [-1, 0]
