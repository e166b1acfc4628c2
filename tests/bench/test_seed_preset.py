"""The seed preset: targets of each variant's own, the notes of its recipe, and a start on the real archive."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.pipeline import Trained
from bench.presets import Changes, DyReLUSpec, load_preset, with_changes
from bench.report.comparison import common_target, comparison
from bench.report.sections import training_section
from bench.report.sentences import summary
from bench.report.table import load_report
from bench.subjects import DataSource, TrainingRequest, load_dataset, open_subject, train, training_notes
from bench.training_run import read_training_run
from dyrelu.data import cifar10
from dyrelu.training import Progress, Ranks
from dyrelu.training.distributed import Alone

REFERENCE = {"relu": 0.9213, "dyrelu_a": 0.8759, "dyrelu_b": 0.9101, "dyrelu_c": 0.9245}
QUICK = (Path(__file__).parents[2] / "bench/presets/quick.toml").read_text()
