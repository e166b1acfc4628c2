"""`list`: what there is to choose from. Needs no Paddle."""

from __future__ import annotations

from bench import engines
from bench.presets import load_preset, preset_names

__all__ = ["list_"]


def list_() -> int:
    """List presets, variants, engines and recipes."""
    from dyrelu import activations
    from dyrelu.training import recipe_names

    print("presets")
    for name in preset_names():
        print(f"  {name:12} {load_preset(name).description}")
    print("variants (options)")
    for name in activations.names():
        print(f"  {name:12} {', '.join(activations.options(name))}".rstrip())
    print("engines")
    for name in engines.names():
        engine = engines.engine(name)
        print(f"  {name:12} {engine.unavailable() or engine.title}")
    print("recipes")
    for name in recipe_names():
        print(f"  {name}")
    return 0
