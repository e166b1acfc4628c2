"""What stands against what, and what each side is asked before anything is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.ab import AbFolder, AbRequest, SideEntry, interpreter_sides, model_sides, same_sides
from bench.ab.abilities import Abilities, ask, own_abilities, unknown_cases
from bench.environment import collect
from bench.errors import BenchError, EnvironmentMismatch, UsageError
from bench.inject import Injection
from bench.place import HERE, Place
from bench.presets import Changes, load_preset
from bench.presets.schema import ModelsSpec
from bench.run_folder import RunRequest

pytestmark = pytest.mark.nopaddle

ROOT = Path(__file__).parents[2]
PRESET = load_preset("quick")
REQUEST = RunRequest(PRESET, 1, "s", "dyrelu-bench ab", "2026-01-01T00:00:00Z")


def stub(folder: Path, request: str = "class Request(msgspec.Struct): pass") -> Place:
    """A harness of another version, with a little of everything that is asked for."""
    bench = folder / "bench"
    bench.mkdir()
    files = {
        "__init__.py": "",
        "engines.py": "def names(): return ('eager',)",
        "messages.py": f"import msgspec\n{request}",
        "environment.py": "import msgspec\nclass E(msgspec.Struct): x: int = 1\ndef collect(): return E()",
        "subjects.py": "print('a library that talks')\ndef known_variants(): return {'relu': ()}",
    }
    for name, text in files.items():
        (bench / name).write_text(text)
    return Place(folder=folder, variables=(("PYTHONPATH", str(folder)),))


def test_this_version_knows_itself() -> None:
    here = Place(folder=ROOT, variables=(("PYTHONPATH", str(ROOT)),))
    found = ask("this", here, PRESET)
    own = own_abilities()
    assert (found.variants, found.engines) == (own.variants, own.engines)
    assert found.turns
    assert found.kernels
    assert found.decoded_environment() == collect()
    assert unknown_cases(PRESET, found) == frozenset()


def test_an_older_version_is_asked_in_words_that_it_knows(tmp_path: Path) -> None:
    found = ask("old", stub(tmp_path), PRESET)
    assert (found.variants, found.engines) == (("relu",), ("eager",))
    assert not found.turns
    assert not found.kernels
    assert found.decoded_environment() is None
    unknown = unknown_cases(PRESET, found)
    known = [case for case in PRESET.cases() if case.key not in unknown]
    assert {(case.variant, case.engine) for case in known} == {("relu", "eager")}
    assert len(known) == 4


def test_models_of_ones_own_are_known_by_nobody_and_refused_by_nobody() -> None:
    models = load_preset("quick")
    spec = msgspec.convert(
        {"kind": "models", "image": [3, 8], "models": [{"name": "n", "factory": "a:b"}]}, ModelsSpec
    )
    models = msgspec.structs.replace(models, subjects=(spec,), train=None)
    assert unknown_cases(models, Abilities((), ("eager", "inference"), True, True)) == frozenset()


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        (
            "class Request(msgspec.Struct, forbid_unknown_fields=True): pass",
            EnvironmentMismatch,
            "speak another protocol than this version",
        ),
        ("import nonsense", EnvironmentMismatch, "nonsense"),
        ("class Request(msgspec.Struct): needed: int", EnvironmentMismatch, "needed"),
    ],
)
def test_another_protocol_is_one_sentence(
    tmp_path: Path, request_: str, error: type[BenchError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        ask("old", stub(tmp_path, request_), PRESET)
    assert str(caught.value).startswith("old: its workers")
    assert "\n" not in str(caught.value)


def test_a_place_without_the_harness_is_told_from_one_with_another(tmp_path: Path) -> None:
    nothing = Place(folder=tmp_path, variables=(("PYTHONPATH", None),), isolated=True, python=_bare())
    with pytest.raises(UsageError, match="not installed there"):
        ask("bare", nothing, PRESET)
    with pytest.raises(UsageError, match="can't be started"):
        ask("bare", Place(str(tmp_path / "python")), PRESET)


def _bare() -> str:
    """An interpreter that has no packages: the one that this one's environment was made from."""
    base = getattr(sys, "_base_executable", sys.executable)
    has = subprocess.run([base, "-P", "-c", "import msgspec"], capture_output=True, check=False)
    if has.returncode == 0:
        pytest.skip("every interpreter here has msgspec")
    return base


def test_interpreters_see_nothing_of_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user may stand in a clone, whose packages would be taken for the installed ones of both sides."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/__init__.py").write_text("raise RuntimeError('the one in the way')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    place = Place(folder=tmp_path, variables=(("PYTHONPATH", None),), isolated=True)
    done = subprocess.run(
        place.command("-c", "import importlib.util as u, sys; print(u.find_spec('bench'))"),
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize("given", ["nowhere/python", "no-such-python"])
def test_an_interpreter_that_is_not_there(given: str) -> None:
    with (
        pytest.raises(UsageError, match=f"--python {given}: there is no such"),
        interpreter_sides((given, given), PRESET),
    ):
        pass


def test_two_models_stand_against_one_another_as_one_case() -> None:
    changes = Changes(image=(3, 8, 8), batches=(1, 4), engines=("eager",))
    with model_sides(("pkg.a:Net", "pkg.b:Other"), PRESET, changes) as (a, b):
        assert a.preset.cases() == b.preset.cases()
        assert [case.batch for case in a.preset.cases()] == [1, 4]
        factories = [side.preset.subjects[0].models[0].factory for side in (a, b)]  # type: ignore[union-attr]
        assert factories == ["pkg.a:Net", "pkg.b:Other"]
        assert (a.title, b.title) == ("pkg.a:Net", "pkg.b:Other")
        assert a.place is HERE


@pytest.mark.parametrize(
    ("models", "changes", "said"),
    [
        (("a:b",), Changes(image=(3, 8, 8)), "1 given; ab takes two"),
        (("a:b", "a:c", "a:d"), Changes(image=(3, 8, 8)), "3 given"),
        (("a:b", "a:c"), Changes(), "--input"),
        (("a:b", "a:c"), Changes(image=(3, 8, 8), weights=("w",)), "--weights: 1 given"),
    ],
)
def test_models_that_make_no_pair(models: tuple[str, ...], changes: Changes, said: str) -> None:
    with pytest.raises(UsageError, match=said), model_sides(models, PRESET, changes):
        pass


def test_one_thing_twice_is_one_thing() -> None:
    with same_sides(PRESET) as (a, b):
        assert a.preset == b.preset
        assert a.injection is b.injection is None
    with same_sides(PRESET, Injection(0.05)) as (a, b):
        assert a.injection is None
        assert b.injection == Injection(0.05)
        assert "slowed by 5%" in b.title


def common(content: str = "x") -> AbRequest:
    sides = SideEntry("main", "1234", "1234"), SideEntry(".", "5678", content)
    return AbRequest("pair", 0, sides, ("AB",), True, "dyrelu-bench ab main .", "2026-01-01T00:00:00Z")


def test_a_folder_is_gone_on_with_only_by_the_same_two_sides(tmp_path: Path) -> None:
    folder = AbFolder(tmp_path / "out")
    with pytest.raises(UsageError, match="holds no ab to go on with"):
        folder.check(resume=True)
    with folder.claimed(common(), (REQUEST, REQUEST), resume=False) as (standing, _):
        assert standing == common()
    with pytest.raises(UsageError, match="holds an ab already"):
        folder.check(resume=False)
    later = msgspec.structs.replace(common(), pair="another", started="2026-01-02T00:00:00Z")
    with folder.claimed(later, (REQUEST, REQUEST), resume=True) as (standing, requests):
        assert standing.pair == "pair"
        assert requests == (REQUEST, REQUEST)
    with (
        pytest.raises(UsageError, match="is something else now"),
        folder.claimed(common("y"), (REQUEST, REQUEST), resume=True),
    ):
        pass
    other = msgspec.structs.replace(REQUEST, threads=2)
    with (
        pytest.raises(UsageError, match="other settings"),
        folder.claimed(common(), (other, other), resume=True),
    ):
        pass


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no ab"):
        AbFolder(tmp_path).check(resume=False)
    with pytest.raises(UsageError, match="is not empty"):
        AbFolder(tmp_path / "notes.txt").check(resume=False)


def test_variables_can_be_given_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAKEN", "1")
    place = Place(variables=(("TAKEN", None), ("GIVEN", "2")))
    found = place.environment({"OMP_NUM_THREADS": "7"})
    assert "TAKEN" not in found
    assert found["GIVEN"] == "2"
    assert found["OMP_NUM_THREADS"] == "7"
    assert os.environ["TAKEN"] == "1"
