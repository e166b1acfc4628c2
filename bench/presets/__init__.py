"""Presets: what is trained and measured, and how, as readable TOML files."""

from bench.presets.load import load_preset, preset_names, with_changes
from bench.presets.schema import (
    Changes,
    DyReLUSpec,
    Measurement,
    ModelEntry,
    ModelsSpec,
    Options,
    Preset,
    SubjectSpec,
    Training,
)

__all__ = [
    "Changes",
    "DyReLUSpec",
    "Measurement",
    "ModelEntry",
    "ModelsSpec",
    "Options",
    "Preset",
    "SubjectSpec",
    "Training",
    "load_preset",
    "preset_names",
    "with_changes",
]
