"""What the harness measured of the notebook's networks, read from the folder's suite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.environment import Environment
from bench.errors import InputError
from bench.quality import case_result, ratio_to_reference
from bench.statistics import Estimate
from bench.storage import SUITE_FILE, load_suite

__all__ = ["Measured", "Row", "load_measured"]


@dataclass(frozen=True, slots=True)
class Row:
    """One network: images/s, and its ratio to the network with ReLU and the same stem, paired in blocks."""

    network: str
    throughput: Estimate
    ratio: Estimate
    macs: float
    inconclusive: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The session's rows, by network, its batch and blocks, and where it ran."""

    rows: dict[str, Row]
    batch: int
    blocks: int
    command: str
    environment: Environment

    def row(self, network: str) -> Row:
        """A network's row. Raises InputError where it wasn't measured."""
        if network not in self.rows:
            raise InputError(f"{SUITE_FILE}: has no {network}; measure with the folder's preset.toml")
        return self.rows[network]


def load_measured(folder: Path) -> Measured | None:
    """None where nothing was measured yet. Raises InputError for a damaged suite, or one of other things."""
    if not (folder / SUITE_FILE).exists():
        return None
    suite = load_suite(folder)
    session = suite.sessions[0]
    records = {record.case.variant: record for record in suite.records}
    if session.protocol.reference not in records:
        raise InputError(f"{folder / SUITE_FILE}: has no {session.protocol.reference}; measure again")
    reference = records[session.protocol.reference]
    rows = {}
    for name, record in records.items():
        result = case_result(record, session.protocol)
        macs = next((fact.value for fact in record.facts if fact.metric == "macs"), float("nan"))
        ratio = ratio_to_reference(record, reference, session.protocol)
        rows[name] = Row(name, result.throughput, ratio, float(macs), result.inconclusive)
    return Measured(
        rows,
        reference.case.batch,
        session.protocol.blocks,
        session.command,
        suite.environments[session.environment],
    )
