"""What was found is found again for the same question, and for no other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from bench.history import answers as answers_module
from bench.history.answers import ANSWERS_TABLE, Answers
from bench.history.change_points import FEWEST_SESSIONS, Search, Values

pytestmark = pytest.mark.nopaddle

LOGS = np.arange(FEWEST_SESSIONS, dtype=np.float64)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(ANSWERS_TABLE)
        yield connection


def counting() -> tuple[Search, list[tuple[int, int, float]]]:
    """Finds another change each time, so that an old answer is told from a new one."""
    asked: list[tuple[int, int, float]] = []

    def search(logs: Values, family: int, noise: float, /) -> tuple[int, ...]:
        asked.append((len(logs), family, noise))
        return (len(asked), 7)

    return search, asked


def test_each_part_of_a_question_counts(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, asked = counting()
    remembered = Answers(connection).remembering(search)
    questions = [(LOGS, 1, 0.0), (LOGS, 2, 0.0), (LOGS, 1, 0.5), (LOGS + 1, 1, 0.0), (LOGS[::-1], 1, 0.0)]
    first = [remembered(*question) for question in questions]
    assert first == [(number, 7) for number in range(1, 6)]
    assert [remembered(*question) for question in questions] == first
    assert len(asked) == 5
    # Another library may find other changes.
    monkeypatch.setattr(answers_module.importlib.metadata, "version", lambda name: f"{name} of tomorrow")
    assert Answers(connection).remembering(search)(*questions[0]) == (6, 7)


def test_what_is_too_short_to_be_searched_takes_no_place(connection: sqlite3.Connection) -> None:
    search, asked = counting()
    remembered = Answers(connection).remembering(search)
    for _ in range(2):
        remembered(LOGS[:-1], 1, 0.0)
    assert len(asked) == 2
    assert connection.execute("SELECT count(*) FROM answers").fetchone() == (0,)


@pytest.mark.parametrize("questions", [3, 50])
def test_a_history_of_any_size_is_remembered_and_old_ones_are_forgotten(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, questions: int
) -> None:
    monkeypatch.setattr(answers_module, "_FEWEST_ANSWERS", 10)
    search, asked = counting()
    for day in range(20):
        # Each day another state of the folder, which is read twice.
        for _ in range(2):
            answers = Answers(connection)
            remembered = answers.remembering(search)
            for number in range(questions):
                remembered(LOGS + day, number, 0.0)
            answers.save()
        assert len(asked) == (day + 1) * questions
    (kept,) = connection.execute("SELECT count(*) FROM answers").fetchone()
    assert kept == max(10, 4 * questions)
