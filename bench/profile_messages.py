"""What the runner and its workers say to each other of a profile, beside `bench.messages`."""

from __future__ import annotations

import msgspec

from bench.case import Case
from bench.ceilings import Ceilings
from bench.profile_record import LayerFacts, Mode, OperatorFacts, Part, TimelineEvent
from bench.record import Window

__all__ = ["CeilingsFound", "CeilingsTask", "LayersCounted", "LayersTask", "Profiled", "ProfiledOnce"]


class CeilingsTask(msgspec.Struct, frozen=True, tag="ceilings"):
    """Find the machine's ceilings, or those that are kept under this fingerprint, unless they are to be
    measured anew.
    """

    fingerprint: str
    anew: bool = False


class LayersTask(msgspec.Struct, frozen=True, tag="layers"):
    """Count what each layer of these cases does, from their traced operators."""

    cases: tuple[Case, ...]


class CeilingsFound(msgspec.Struct, frozen=True, tag="ceilings found"):
    """The machine's ceilings; `note` is what a reader must know of them."""

    ceilings: Ceilings
    note: str = ""


class LayersCounted(msgspec.Struct, frozen=True, tag="layers counted"):
    """What the layers and the operators of a case do; `reason` is why that could not be counted, if so."""

    case: str
    layers: tuple[LayerFacts, ...] = ()
    operators: dict[str, OperatorFacts] = {}
    reason: str = ""


class Profiled(msgspec.Struct, frozen=True, tag="profiled"):
    """One burst of a case in one mode, with the means of the columns by these names."""

    case: str
    mode: Mode
    window: Window
    names: tuple[str, ...] = ()
    columns: tuple[float, ...] = ()


class ProfiledOnce(msgspec.Struct, frozen=True, tag="profiled once"):
    """What a case shows once a block: why modes are missing, what its parts are, one step by time."""

    case: str
    missing: dict[Mode, str]
    parts: tuple[Part, ...]
    timeline: tuple[TimelineEvent, ...]
