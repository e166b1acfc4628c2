"""`list`: what there is to choose from. Needs no Paddle."""

from __future__ import annotations

from bench import engines
from bench.cli.output import emit
from bench.export import missing_packages
from bench.presets import load_preset, preset_names
from bench.subjects import known_recipes, known_variants

__all__ = ["list_"]


def list_() -> int:
    """List presets, variants, engines and recipes, and what an engine lacks here."""
    emit("presets")
    for name in preset_names():
        emit(f"  {name:16} {load_preset(name).description}")
    emit("variants (options)")
    for name, taken in known_variants().items():
        emit(f"  {name:16} {', '.join(taken)}".rstrip())
    paddle = missing_packages(("paddle",), "cpu")
    emit(f"engines (none of them runs: {paddle})" if paddle else "engines")
    for name in engines.names():
        engine = engines.engine(name)
        lack = engine.unavailable()
        emit(f"  {name:16} {engine.title}{f' ({lack})' if lack else ''}")
    emit("recipes")
    for name in known_recipes():
        emit(f"  {name}")
    return 0
