"""`list`: what there is to choose from. Needs no Paddle."""

from __future__ import annotations

from bench import engines
from bench.presets import load_preset, preset_names
from bench.subjects import known_recipes, known_variants

__all__ = ["list_"]


def list_() -> int:
    """List presets, variants, engines and recipes."""
    print("presets")
    for name in preset_names():
        print(f"  {name:16} {load_preset(name).description}")
    print("variants (options)")
    for name, taken in known_variants().items():
        print(f"  {name:16} {', '.join(taken)}".rstrip())
    print("engines")
    for name in engines.names():
        engine = engines.engine(name)
        print(f"  {name:16} {engine.unavailable() or engine.title}")
    print("recipes")
    for name in known_recipes():
        print(f"  {name}")
    return 0
