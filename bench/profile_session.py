"""The session of a profile, in a run folder: what is finished is on disk, and can be gone on with."""

from __future__ import annotations

from bench.clock import WallClock
from bench.errors import ExitStatus
from bench.measuring import open_session
from bench.pipeline import MeasuringListener
from bench.profile_assemble import assemble_profile
from bench.profile_record import Mode, Profile
from bench.profile_stage import run_profile
from bench.profile_storage import PROFILE_FILE, save_profile
from bench.record import FailureKind
from bench.run_folder import RunFolder, RunRequest

__all__ = ["make_profile", "profile_status"]


def make_profile(
    folder: RunFolder, request: RunRequest, listener: MeasuringListener, fresh_ceilings: bool
) -> Profile:
    """Profiles what the preset names, going on behind what the journal holds, and writes `profile.json`.

    `fresh_ceilings` measures the machine's ceilings anew, whatever is kept of them.
    """
    session = open_session(folder, request, listener.line)
    context, heading = session.context, session.heading
    fingerprint = heading.environment.fingerprint
    done = run_profile(context, fingerprint, fresh_ceilings, WallClock(), listener)
    profile = assemble_profile(heading, context.journal.entries, session.warnings(done))
    save_profile(profile, folder.path / PROFILE_FILE)
    folder.discard_exports()
    return profile


def profile_status(profile: Profile) -> ExitStatus:
    """A case without a time fails the profile, unless it only ran out of memory."""
    for case in profile.cases:
        timed = any(block.mode is Mode.PLAIN for block in case.blocks)
        kinds = {failure.kind for failure in case.failures}
        if not timed and kinds != {FailureKind.OUT_OF_MEMORY}:
            return ExitStatus.CASE_FAILED
    return ExitStatus.DONE
