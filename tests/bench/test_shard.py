"""Shards hold every case once, and groups whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.case import Case, DType
from bench.errors import UsageError
from bench.presets import load_preset, preset_names
from bench.run_folder import RunFolder, RunRequest
from bench.shard import Shard, of_shard, parse_shard

pytestmark = pytest.mark.nopaddle

CASES = st.lists(
    st.builds(
        Case,
        subject=st.sampled_from(["net", "a/b"]),
        variant=st.sampled_from(["relu", "dyrelu_a", "x/y"]),
        batch=st.integers(1, 9),
        image=st.just((3, 8, 8)),
        dtype=st.just(DType.FLOAT32),
        engine=st.sampled_from(["eager", "inference"]),
    ),
    min_size=1,
    max_size=60,
    unique=True,
)


def every(count: int) -> list[Shard]:
    return [Shard(index, count) for index in range(1, count + 1)]


@given(CASES, st.data())
def test_every_case_is_in_one_shard_and_every_group_is_whole(cases: list[Case], data: st.DataObject) -> None:
    groups = {case.group for case in cases}
    count = data.draw(st.integers(1, len(groups)))
    parts = [of_shard(cases, shard) for shard in every(count)]
    assert sorted(case for part in parts for case in part) == sorted(cases)
    for part in parts:
        assert part
        assert list(part) == [case for case in cases if case in part]
        own = {case.group for case in part}
        assert [case for case in cases if case.group in own] == list(part)
    # As even as whole groups can be.
    sizes = [len({case.group for case in part}) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(CASES, st.integers(1, 40))
def test_more_shards_than_groups_are_refused_in_each_of_them(cases: list[Case], more: int) -> None:
    groups = len({case.group for case in cases})
    for index in (1, groups, groups + more):
        with pytest.raises(UsageError, match=f"take at most {groups} parts"):
            of_shard(cases, Shard(index, groups + more))


@pytest.mark.parametrize("name", preset_names())
def test_each_shard_of_a_preset_has_its_references(name: str) -> None:
    preset = load_preset(name)
    groups = {case.group for case in preset.cases()}
    count = min(3, len(groups))
    for shard in every(count):
        cases = of_shard(preset.cases(), shard)
        for group in {case.group for case in cases}:
            assert any(case.group == group and case.variant == preset.reference for case in cases)


@pytest.mark.parametrize("text", ["1/1", "2/3", "10/10", "9999/10000"])
def test_a_shard_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_shard(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/3", "1 / 3", "a/b", "1/99999", "١/٣", "1/3\n", "1.0/2"],
)
def test_anything_else_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="give the part and the number of parts, such as 1/3"):
        parse_shard(text)


def request(shard: Shard | None, session: str = "s") -> RunRequest:
    return RunRequest(load_preset("quick"), 2, session, "dyrelu-bench run", "2026-01-01T00:00:00Z", shard)


def test_a_resumed_run_is_of_the_same_shard(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.claimed(request(Shard(1, 3)), resume=False):
        pass
    with folder.claimed(request(Shard(1, 3)), resume=True) as standing:
        assert standing.shard == Shard(1, 3)
    for other in (Shard(2, 3), Shard(1, 2), None):
        with pytest.raises(UsageError, match="other settings"), folder.claimed(request(other), resume=True):
            pass


def test_a_folder_that_was_only_trained_in_may_become_a_shard(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.claimed(request(None, "trained"), resume=False):
        pass
    with folder.claimed(request(Shard(2, 3), "measured"), resume=True) as standing:
        # Copies of one folder become the shards: each needs an identity of its own.
        assert (standing.session, standing.shard) == ("measured", Shard(2, 3))
    with folder.claimed(request(Shard(2, 3), "later"), resume=True) as standing:
        assert standing.session == "measured"


def test_a_folder_with_measurements_stays_what_it_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.claimed(request(None), resume=False):
        folder.journal.touch()
    with (
        pytest.raises(UsageError, match="other settings"),
        folder.claimed(request(Shard(1, 3)), resume=True),
    ):
        pass


def test_a_request_of_an_older_version_is_of_the_whole_preset() -> None:
    content = msgspec.to_builtins(request(None))
    del content["shard"]
    assert msgspec.convert(content, RunRequest) == request(None)
