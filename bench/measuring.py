"""A session of measuring from its folder: opened from a request and a journal, closed into a suite."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.assemble import Heading, assemble
from bench.case import Condition
from bench.environment import Environment, collect
from bench.inject import Injection
from bench.journal import Journal
from bench.kernel_stage import Settled, settle_kernels
from bench.launch import Launch, launch
from bench.plan import Context, Plan
from bench.presets.schema import DyReLUSpec, Preset, SubjectSpec
from bench.record import Protocol, Suite
from bench.run_folder import RunFolder, RunRequest
from bench.same_session import check_same_session
from bench.storage import save_suite
from bench.subjects import (
    MODELS_OWN,
    PLAIN,
    DataSource,
    given_weights,
    leave_test_images,
    subject_errors,
    variant_options,
)

__all__ = ["OpenSession", "Setting", "open_session", "protocol_of"]

# Share of the test images whose class has to be the reference's. Rounding in float32 moves a class only where
# two outputs are equal but for a millionth; none of digits' 540 images did on any engine.
_AGREEMENT = 0.999
# bfloat16 moves more: what is within a hundredth of the images is rounding, by the errors of the outputs.
_BFLOAT16_AGREEMENT = 0.99


@dataclass(frozen=True, slots=True)
class Setting:
    """What a session has of its own that is one side of an `ab`; the defaults are those of a plain run.

    `launch` starts its workers; `environment` is that of their interpreter, None is this one's. `pair` is
    what both sides share. `unknown` are keys of cases that it doesn't know: they are no rows of its suite.
    `settles` is false where a worker wouldn't know what to make of being asked for its kernels. `injection`
    slows it on purpose. `data` is where test images come from.
    """

    launch: Launch = launch
    environment: Environment | None = None
    pair: str = ""
    unknown: frozenset[str] = frozenset()
    settles: bool = True
    injection: Injection | None = None
    data: DataSource = field(default_factory=DataSource)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that is ready to be run, or to be gone on with."""

    folder: RunFolder
    request: RunRequest
    context: Context
    heading: Heading

    def close(self, done: int) -> Suite:
        """Writes `suite.json` from what the journal holds, after so many blocks."""
        suite = assemble(self.heading, self.context.journal.entries, self.warnings(done))
        save_suite(suite, self.folder.suite)
        self.folder.discard_exports()
        return suite

    def warnings(self, done: int) -> tuple[str, ...]:
        """What is to be said of this attempt, which did so many blocks."""
        return _cut_short(done, self.request.preset)


def open_session(
    folder: RunFolder, request: RunRequest, say: Callable[[str], None], setting: Setting | None = None
) -> OpenSession:
    """Reads the journal and settles what is to be run; `say` is told what somebody who waits should know.

    Raises EnvironmentMismatch and UsageError where the journal was begun under other circumstances.
    """
    setting = setting or Setting()
    plan = _plan(folder, request, setting)
    journal = Journal(folder.journal)
    asking = Context(plan, journal, setting.launch)
    settled = settle_kernels(asking, say) if setting.settles else _as_before(plan)
    plan = replace(plan, kernels=settled.kernels)
    heading = _heading(request, plan, setting)
    check_same_session(journal, heading.environment.fingerprint, plan)
    if settled.note:
        say(settled.note)
        journal.note(settled.note)
    if setting.injection is not None:
        journal.note(setting.injection.sentence)
    plan = replace(plan, test_images=_test_images(folder, request.preset, plan, setting.data, journal))
    return OpenSession(folder, request, Context(plan, journal, setting.launch), heading)


def _test_images(
    folder: RunFolder, preset: Preset, plan: Plan, data: DataSource, journal: Journal
) -> dict[str, str]:
    """The file of test images by the subject/variant that was trained for them; says why there is none."""
    subject = preset.subjects[0]
    names = [f"{subject.name}/{variant}" for variant in subject.variants]
    trained = [name for name in names if name in plan.weights]
    if preset.train is None or not trained:
        return {}
    file = folder.exports / "test-images.npz"
    try:
        leave_test_images(preset.train, data, file)
    except subject_errors() as error:
        journal.note(
            "No engine's accuracy is known, and engines were held to their reference on random inputs only, "
            f"since the test images are not at hand: {error}"
        )
        return {}
    return dict.fromkeys(trained, str(file.resolve()))


def _as_before(plan: Plan) -> Settled:
    """What revisions ran on that can't be asked: the variable's word, and plain without one."""
    own = [spec for spec in plan.subjects if isinstance(spec, DyReLUSpec)]
    word = os.environ.get("DYRELU_KERNEL") or PLAIN
    return Settled({f"{spec.name}/{variant}": word for spec in own for variant in spec.variants})


def _plan(folder: RunFolder, request: RunRequest, setting: Setting) -> Plan:
    preset = request.preset
    return Plan(
        subjects=preset.subjects,
        cases=request.cases(),
        protocol=protocol_of(preset),
        threads=request.threads,
        memory_limit=preset.measure.memory_limit,
        folder=str(folder.exports),
        weights=_weights(folder, preset),
        max_time_s=preset.measure.max_time * 60,
        withheld=setting.unknown,
        injection=setting.injection,
    )


def _cut_short(done: int, preset: Preset) -> tuple[str, ...]:
    measure = preset.measure
    if done == measure.blocks:
        return ()
    return (
        f"Stopped after {done} of {measure.blocks} blocks, since the time limit of {measure.max_time:g} "
        "minutes was over: raise --max-time for narrower intervals.",
    )


def protocol_of(preset: Preset) -> Protocol:
    """How a preset is measured."""
    measure = preset.measure
    return Protocol(
        reference=preset.reference,
        seed=measure.seed,
        blocks=measure.blocks,
        rounds=measure.rounds,
        max_rounds=2 * measure.rounds,
        burst_ms=measure.burst_ms,
        min_iterations=measure.min_iterations,
        case_seconds=measure.case_seconds,
        relative_interval=measure.relative_interval,
        timeout_s=measure.timeout_s,
        min_agreement=_AGREEMENT if preset.train is not None else 0.0,
        bfloat16_agreement=_BFLOAT16_AGREEMENT if preset.train and measure.bfloat16_engines else 0.0,
        retains_memory=True,
    )


def _weights(folder: RunFolder, preset: Preset) -> dict[str, str]:
    """Files by subject/variant: the first seed's trained weights, and those that the preset names."""
    found: dict[str, Path] = {}
    for subject in preset.subjects:
        for variant in subject.variants:
            path = given_weights(subject, variant)
            if path is None and preset.train is not None and subject is preset.subjects[0]:
                path = folder.weights_of(variant, preset.train.seeds[0])
            if path is not None:
                found[f"{subject.name}/{variant}"] = path
    return {name: str(path.resolve()) for name, path in found.items()}


def _condition(request: RunRequest, subject: SubjectSpec, variant: str, plan: Plan) -> Condition:
    given = given_weights(subject, variant)
    if given is not None:
        source = f"file {given.name}"
    elif f"{subject.name}/{variant}" in plan.weights and request.preset.train is not None:
        source = f"trained, seed {request.preset.train.seeds[0]}"
    else:
        source = "random" if isinstance(subject, DyReLUSpec) else "the factory's own"
    return Condition(
        threads=request.threads,
        kernel=plan.kernels.get(f"{subject.name}/{variant}", MODELS_OWN),
        weights=source,
        options=variant_options(subject, variant),
    )


def _heading(request: RunRequest, plan: Plan, setting: Setting) -> Heading:
    preset = request.preset
    conditions = {
        (subject.name, variant): _condition(request, subject, variant, plan)
        for subject in preset.subjects
        for variant in subject.variants
    }
    return Heading(
        session=request.session,
        preset=preset.name,
        command=request.command,
        started=request.started,
        environment=setting.environment or collect(),
        protocol=plan.protocol,
        cases=tuple(case for case in request.cases() if case.key not in setting.unknown),
        conditions=conditions,
        target=preset.train.target if preset.train else None,
        target_source=preset.train.target_source if preset.train else "",
        ratio_targets=preset.targets,
        pair=setting.pair,
        shard=request.shard,
        whole_plan=preset.cases() if request.shard else (),
        requires_engines=preset.measure.require_engines,
        slowed_on_purpose=setting.injection is not None,
    )
