"""What a side's harness knows: asked of its own interpreter before anything is measured, without Paddle."""

from __future__ import annotations

import subprocess

import msgspec

from bench import engines
from bench.case import Case
from bench.environment import Environment
from bench.errors import EnvironmentMismatch, UsageError
from bench.launch import encoded
from bench.measuring import protocol_of
from bench.messages import BlockTask, GroupTask, Request
from bench.place import Place
from bench.presets.schema import DyReLUSpec, Preset
from bench.subjects import known_variants

__all__ = ["Abilities", "ask", "own_abilities", "unknown_cases"]

_ANSWER_S = 60.0
# Runs in the side's own interpreter, on what is there: it may be older than this file, or newer. A file is
# looked for and no module, since the finder of an editable installation would find it in the tree of today.
_QUESTION = """
import json, pathlib, sys
import msgspec
import bench
from bench import engines, messages
from bench.environment import collect
from bench.subjects import known_variants
msgspec.json.decode(sys.stdin.buffer.read(), type=messages.Request)
print()
print(json.dumps({
    "variants": list(known_variants()),
    "engines": list(engines.names()),
    "turns": (pathlib.Path(bench.__file__).parent / "turns.py").exists(),
    "cores": (pathlib.Path(bench.__file__).parent / "cores.py").exists(),
    "kernels": hasattr(messages, "KernelTask"),
    "environment": msgspec.to_builtins(collect()),
}))
"""


class Abilities(msgspec.Struct, frozen=True):
    """Variants and engines by name; `turns` is whether its workers can take turns, `kernels` whether they can
    be asked what their activations run on, `cores` whether they can tell who else works on a core of theirs.
    """

    variants: tuple[str, ...]
    engines: tuple[str, ...]
    turns: bool
    kernels: bool
    environment: msgspec.Raw = msgspec.Raw(b"null")
    cores: bool = False

    def decoded_environment(self) -> Environment | None:
        """The interpreter's environment; None where this version can't read its description."""
        try:
            return msgspec.json.decode(self.environment, type=Environment)
        except msgspec.ValidationError:
            return None


def own_abilities() -> Abilities:
    """Those of this process, for sides that run in it."""
    return Abilities(tuple(known_variants()), engines.names(), turns=True, kernels=True, cores=True)


def ask(label: str, place: Place, preset: Preset) -> Abilities:
    """Asks a side. `label` is what the user called it.

    Raises EnvironmentMismatch where it can't read what workers are asked, UsageError where there is nothing
    that could be asked.
    """
    try:
        done = subprocess.run(
            place.command("-c", _QUESTION),
            input=encoded(_sample(preset)),
            capture_output=True,
            cwd=place.folder,
            env=place.environment(),
            timeout=_ANSWER_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{label}: doesn't say what it can measure within {_ANSWER_S:g} s") from error
    except OSError as error:
        raise UsageError(
            f"{label}: can't be started ({error.strerror}); give a Python interpreter"
        ) from error
    if done.returncode != 0:
        raise _refusal(label, done.stderr.decode(errors="replace"))
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Abilities)


def _refusal(label: str, said: str) -> UsageError | EnvironmentMismatch:
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no reason given")
    if "ModuleNotFoundError" in last and ("'bench'" in last or "'msgspec'" in last):
        return UsageError(f"{label}: dyrelu-bench is not installed there ({last}); install it there")
    return EnvironmentMismatch(
        f"{label}: its workers speak another protocol than this version ({last}); measure both with "
        "`dyrelu-bench run` of their own and `compare` the two"
    )


def _sample(preset: Preset) -> Request:
    """A request with everything in it that a worker of this preset has to read."""
    cases = preset.cases()
    task = BlockTask(0, True, (GroupTask(cases[0].group, 0, cases),))
    return Request(preset.subjects, protocol_of(preset), 1, 0, "", {}, task)


def unknown_cases(preset: Preset, abilities: Abilities) -> frozenset[str]:
    """Keys of the cases that a side can't run because it doesn't know the variant or the engine."""
    own = {spec.name for spec in preset.subjects if isinstance(spec, DyReLUSpec)}

    def known(case: Case) -> bool:
        variant = case.subject not in own or case.variant in abilities.variants
        return variant and case.engine in abilities.engines

    return frozenset(case.key for case in preset.cases() if not known(case))
