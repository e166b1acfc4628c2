"""What stands against what: revisions, installed environments, models, or one thing against itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.ab.abilities import Abilities, ask, own_abilities
from bench.ab.revisions import Checkout, checked_out, find_project
from bench.environment import Environment
from bench.errors import UsageError
from bench.inject import Injection
from bench.place import HERE, Place
from bench.presets import Changes, Preset, with_changes
from bench.presets.schema import ModelsSpec

__all__ = ["Pair", "Side", "interpreter_sides", "model_sides", "revision_sides", "same_sides"]

# One case stands against one case, so both factories' models have one name.
_MODEL = "model"
# What tells one environment from another at a glance; its suite has the rest.
_TOLD = ("dyrelu-bench", "paddlepaddle", "paddlepaddle-gpu", "numpy")


@dataclass(frozen=True, slots=True)
class Side:
    """One side. `label` is what the user called it, `identity` what it is: a full commit and whether that is
    all, an interpreter's packages, a factory. `content` must be the same when the session is resumed.
    """

    label: str
    identity: str
    preset: Preset
    content: str = ""
    place: Place = HERE
    abilities: Abilities = field(default_factory=own_abilities)
    environment: Environment | None = None
    injection: Injection | None = None

    @property
    def title(self) -> str:
        """The label, and what it is where that says more."""
        return self.label if self.label == self.identity else f"{self.label} ({self.identity})"


Pair = tuple[Side, Side]


@contextlib.contextmanager
def revision_sides(
    revisions: tuple[str, str], preset: Preset, start: Path, leave_out: Path | None = None
) -> Iterator[Pair]:
    """Two git revisions, "." being the tree around `start` as it stands. Gone from the disk afterwards."""
    with checked_out(find_project(start), revisions, leave_out) as (a, b):
        yield _revision(revisions[0], a, preset), _revision(revisions[1], b, preset)


def _revision(label: str, checkout: Checkout, preset: Preset) -> Side:
    given = os.environ.get("PYTHONPATH")
    search = os.pathsep.join([str(checkout.folder), *([given] if given else [])])
    place = Place(folder=checkout.folder, variables=(("PYTHONPATH", search), ("PYTHONSAFEPATH", None)))
    content = f"{checkout.commit} {checkout.changes}".rstrip()
    abilities = ask(f"{label} ({checkout.commit[:12]})", place, preset)
    return Side(label, checkout.identity, preset, content, place, abilities)


@contextlib.contextmanager
def interpreter_sides(interpreters: tuple[str, str], preset: Preset) -> Iterator[Pair]:
    """Two Python interpreters, in each of which dyrelu-bench is installed.

    Their workers stand in an empty folder: what lies in the user's would be imported by both.
    """
    with tempfile.TemporaryDirectory(prefix="dyrelu-ab-") as empty:
        a, b = (_interpreter(path, preset, Path(empty)) for path in interpreters)
        yield a, b


def _interpreter(given: str, preset: Preset, folder: Path) -> Side:
    found = shutil.which(given)
    if found is None:
        raise UsageError(
            f"--python {given}: there is no such interpreter; give two, such as envs/new/bin/python"
        )
    # Not resolved: a virtual environment's interpreter is a link, and its place says which packages it has.
    path = Path(os.path.abspath(found))
    place = Place(str(path), folder, (("PYTHONPATH", None),), isolated=True)
    label = path.parent.parent.name if path.parent.name == "bin" else path.name
    abilities = ask(f"--python {given}", place, preset)
    environment = abilities.decoded_environment()
    if environment is None:
        raise UsageError(
            f"--python {given}: its dyrelu-bench describes its environment in other words; upgrade it"
        )
    installed = dict(environment.packages)
    packages = ", ".join(f"{name} {installed[name]}" for name in _TOLD if name in installed)
    identity = f"Python {environment.python}, {packages}"
    return Side(label, identity, preset, environment.fingerprint, place, abilities, environment)


@contextlib.contextmanager
def model_sides(models: Sequence[str], preset: Preset, changes: Changes) -> Iterator[Pair]:
    """Two factories, package.module:callable, where the user stands. Both sides' case has one name."""
    if len(models) != 2:
        raise UsageError(f"--model: {len(models)} given; ab takes two, the old one and the new one")
    weights = changes.weights or ("", "")
    if len(weights) != 2:
        raise UsageError(f"--weights: {len(weights)} given; give one for each --model, or none")
    a, b = (
        _model(factory, preset, msgspec.structs.replace(changes, models=(factory,), weights=(file,)))
        for factory, file in zip(models, weights, strict=True)
    )
    yield a, b


def _model(factory: str, preset: Preset, changes: Changes) -> Side:
    changed = with_changes(preset, changes)
    spec = changed.subjects[0]
    assert isinstance(spec, ModelsSpec)
    entry = msgspec.structs.replace(spec.models[0], name=_MODEL)
    named = msgspec.structs.replace(spec, models=(entry,))
    return Side(factory, factory, msgspec.structs.replace(changed, subjects=(named,)), factory)


@contextlib.contextmanager
def same_sides(preset: Preset, injection: Injection | None = None) -> Iterator[Pair]:
    """One thing twice; `injection` slows the second on purpose."""
    slowed = "this" if injection is None else f"this, slowed by {100 * injection.share:.3g}%"
    yield (
        Side("A", "this", preset),
        Side("B", slowed, preset, content=slowed, injection=injection),
    )
