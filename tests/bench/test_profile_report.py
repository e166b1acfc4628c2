"""The files of a profile: complete, safe with foreign names, and the same bytes each time."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path

import msgspec
import pytest

from bench.errors import EnvironmentMismatch, InputError
from bench.profile_record import Mode, Profile
from bench.profile_storage import PROFILE_FILE, load_profile, save_profile
from bench.report.profiling import compare_markdown, summary_lines, write_profile
from tests.bench.profiles import build_profile, condition, failed_case
from tests.bench.suites import HOSTILE_NAMES

pytestmark = pytest.mark.nopaddle


def written(profile: Profile, folder: Path) -> dict[str, str]:
    save_profile(profile, folder / PROFILE_FILE)
    return {path.name: path.read_text() for path in write_profile(folder) if path.suffix != ".png"}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_profile_becomes_all_its_files_byte_for_byte(tmp_path: Path) -> None:
    profile = build_profile()
    first = written(profile, tmp_path)
    assert load_profile(tmp_path) == profile
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert len(pictures) == 6
    assert written(profile, tmp_path) == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()} == pictures
    assert set(first) >= {
        *("profile.md", "profile_layers.csv", "profile_operators.csv", "profile_parts.csv"),
        "profile_trace.json",
    }


def test_the_page_says_what_is_accounted_for_and_what_is_not_explained(tmp_path: Path) -> None:
    page = written(build_profile(), tmp_path)["profile.md"]
    assert "95.00%" in page
    assert "100 GFLOP/s" in page
    assert "10.0 GB/s" in page
    unexplained = next(line for line in page.splitlines() if line.startswith("| **Unexplained**"))
    assert "11.43%" in unexplained
    for name in ("pooling", "elementwise", "framework overhead", "layout changes", "Conv2D", "conv2d"):
        assert name in page


def test_the_tables_for_programs_hold_raw_numbers(tmp_path: Path) -> None:
    files = written(build_profile(), tmp_path)
    conv = next(row for row in rows(files["profile_layers.csv"]) if row["layer"] == "block.conv#0")
    assert float(conv["time_ms"]) == pytest.approx(6.18)
    assert (conv["flops"], conv["moved_bytes"], conv["counts"]) == ("120000000", "6000000", "exact")
    parts = {row["part"]: row for row in rows(files["profile_parts.csv"])}
    assert float(parts["difference"]["percent_of_difference"]) == pytest.approx(100.0)
    total = sum(float(row["percent_of_difference"]) for name, row in parts.items() if name != "difference")
    assert total == pytest.approx(100.0, abs=1e-6)
    operators = {
        row["operator"]: row for row in rows(files["profile_operators.csv"]) if row["variant"] == "relu"
    }
    assert operators["conv2d"]["calls"] == "1"


def test_the_trace_nests_kernels_in_operators_in_layers(tmp_path: Path) -> None:
    events = json.loads(written(build_profile(), tmp_path)["profile_trace.json"])["traceEvents"]
    named = [event for event in events if event["ph"] == "M"]
    assert [event["args"]["name"] for event in named] == [
        "net relu, eager, batch 4",
        "net dyrelu_b, eager, batch 4",
    ]
    own = [event for event in events if event["ph"] == "X" and event["pid"] == 1]
    assert [event["cat"] for event in own] == ["layer", "layer", "operator", "kernel"]
    for outer, inner in itertools.pairwise(own):
        assert outer["ts"] <= inner["ts"]
        assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 1e-6


def test_foreign_names_stay_text(tmp_path: Path) -> None:
    profile = build_profile(*HOSTILE_NAMES[:2])
    broken = msgspec.structs.replace(
        profile.cases[1].layers[1], path="<img src=x onerror=alert(1)>", kind="=cmd()|x", unknown=("`a`|b",)
    )
    case = msgspec.structs.replace(profile.cases[1], layers=(*profile.cases[1].layers, broken))
    files = written(msgspec.structs.replace(profile, cases=(profile.cases[0], case)), tmp_path)
    assert "<img" not in files["profile.md"].replace("\\<img", "")
    for name in ("profile_layers.csv", "profile_operators.csv", "profile_parts.csv"):
        for row in rows(files[name]):
            assert not any(cell.startswith(("=", "@")) for cell in row.values())
    json.loads(files["profile_trace.json"])
    assert all("\x1b" not in line for line in summary_lines(profile))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    profile = build_profile()
    lame = msgspec.structs.replace(
        profile.cases[1],
        parts=(),
        missing={Mode.PARTS: "the model has no activation whose parts are known"},
        blocks=tuple(block for block in profile.cases[1].blocks if block.mode is not Mode.PARTS),
    )
    page = written(msgspec.structs.replace(profile, cases=(profile.cases[0], lame)), tmp_path)["profile.md"]
    assert "the model has no activation whose parts are known" in page
    assert "its operators in place" in page


def test_a_case_without_a_time_is_a_row_with_the_reason(tmp_path: Path) -> None:
    profile = build_profile()
    broken = msgspec.structs.replace(profile, cases=(profile.cases[0], failed_case(profile.cases[1])))
    page = written(broken, tmp_path)["profile.md"]
    assert "it broke" in page
    assert "## What a variant costs more" not in page
    assert summary_lines(broken)[-1] == "1 failed, 1 profiled, 0 inconclusive"
    # A plot of an earlier report is gone with what it showed.
    assert not (tmp_path / "plots" / "profile_parts.png").exists()


def test_nothing_at_all_is_a_page_too(tmp_path: Path) -> None:
    profile = build_profile()
    empty = msgspec.structs.replace(
        profile, cases=tuple(map(failed_case, profile.cases)), ceilings=None, warnings=("no luck",)
    )
    assert "no luck" in written(empty, tmp_path)["profile.md"]


def test_a_file_that_is_no_profile_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        load_profile(tmp_path)
    (tmp_path / PROFILE_FILE).write_text('{"schema_version": 1, "cas')
    with pytest.raises(InputError, match="not a valid profile"):
        load_profile(tmp_path)
    (tmp_path / PROFILE_FILE).write_text('{"schema_version": 99}')
    with pytest.raises(InputError, match="newer than this version"):
        load_profile(tmp_path)


def test_two_profiles_side_by_side() -> None:
    before = build_profile()
    after = msgspec.structs.replace(before, started="2026-01-02T00:00:00Z")
    slower = msgspec.structs.replace(
        after.cases[1],
        blocks=tuple(
            msgspec.structs.replace(
                block,
                bursts=tuple(
                    msgspec.structs.replace(burst, columns=tuple(2 * value for value in burst.columns))
                    for burst in block.bursts
                ),
            )
            for block in after.cases[1].blocks
        ),
    )
    after = msgspec.structs.replace(after, cases=(after.cases[0], slower))
    text = compare_markdown(before, after)
    assert "not paired" in text
    conv = [line for line in text.splitlines() if line.startswith("| Conv2D")]
    assert "+0.000 ms" in conv[0]
    assert "+6.180 ms" in conv[1]


def test_of_other_machines_and_threads_only_shares_are_compared() -> None:
    before = build_profile()
    machine = msgspec.structs.replace(before.environment, cpu="Another CPU")
    text = compare_markdown(before, msgspec.structs.replace(before, environment=machine))
    assert "only shares" in text
    assert " ms" not in text
    cases = tuple(
        msgspec.structs.replace(case, condition=condition(threads=4, kernel="fused")) for case in before.cases
    )
    text = compare_markdown(before, msgspec.structs.replace(before, cases=cases))
    assert "threads 2 in the first, 4 in the second" in text
    assert "kernel plain in the first, fused in the second" in text
    assert "points" in text


def test_profiles_without_a_common_case_are_refused() -> None:
    with pytest.raises(EnvironmentMismatch, match="no case in common"):
        compare_markdown(build_profile(), build_profile("one", "two"))
