"""Random weights that both sides share, where their models are alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import quote

from bench.measuring import OpenSession
from bench.messages import FactsTask

__all__ = ["share_weights"]

_WEIGHTS = "weights.safetensors"
# Of a safetensors file: eight bytes of length, then so many of JSON.
_LENGTH_BYTES = 8
_METADATA = "__metadata__"


def share_weights(a: OpenSession, b: OpenSession) -> None:
    """Gives B's models A's random weights, wherever the two drew different ones for states of one form.

    Both draw from one seed, so that this happens only where the drawing itself was changed. Models whose
    states have another form keep their own weights, and B's report says so.
    """
    for subject in a.request.preset.subjects:
        for variant in subject.variants:
            place = Path(quote(subject.name, safe="")) / quote(variant, safe="")
            ours, theirs = (session.folder.exports / place / _WEIGHTS for session in (a, b))
            if not (ours.exists() and theirs.exists()) or ours.read_bytes() == theirs.read_bytes():
                continue
            if _form(ours) != _form(theirs):
                b.context.journal.note(
                    f"{variant}: its random weights are its own, since the state of side A's model has "
                    "another form."
                )
                continue
            shutil.copyfile(ours, theirs)
            _export_again(b, subject.name, variant, subject.image)


def _export_again(b: OpenSession, subject: str, variant: str, image: tuple[int, ...]) -> None:
    """Programs hold the weights with which they were exported."""
    engines = tuple(dict.fromkeys(case.engine for case in b.heading.cases if case.subject == subject))
    folder = b.folder.exports / quote(subject, safe="") / quote(variant, safe="")
    for engine in engines:
        shutil.rmtree(folder / engine, ignore_errors=True)
    for _ in b.context.events(FactsTask(subject, variant, (), tuple(image), engines)):
        pass


def _form(file: Path) -> object:
    """Names, types and shapes of the tensors of a safetensors file."""
    content = file.read_bytes()
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
    return {name: (each["dtype"], each["shape"]) for name, each in header.items() if name != _METADATA}
