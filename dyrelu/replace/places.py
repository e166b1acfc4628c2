"""Where a network registers its activation layers."""

from __future__ import annotations

from dataclasses import dataclass

from paddle import nn

__all__ = ["LayerTypes", "Place", "Tree", "survey"]

LayerTypes = tuple[type[nn.Layer], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A name under which `parent` registers `layer`. A layer that is registered twice has two places."""

    path: str
    parent: nn.Layer
    name: str
    layer: nn.Layer

    def put(self, layer: nn.Layer) -> None:
        """Registers another layer there; the order of the parent's layers stays."""
        self.parent.add_sublayer(self.name, layer)


@dataclass(frozen=True, slots=True)
class Tree:
    """A network: `paths` holds its layers but for activations and their insides, "" being the root."""

    paths: dict[nn.Layer, str]
    places: tuple[Place, ...]


def survey(network: nn.Layer, types: LayerTypes) -> Tree:
    """Finds the places of all layers of the given types. The network itself has no place, whatever it is."""
    paths: dict[nn.Layer, str] = {}
    places: list[Place] = []

    def visit(layer: nn.Layer, path: str) -> None:
        if layer in paths:
            return
        paths[layer] = path
        # Not `named_children`, which leaves out the second name of a layer.
        for name, child in layer._sub_layers.items():
            child_path = f"{path}.{name}" if path else name
            if isinstance(child, types):
                places.append(Place(child_path, layer, name, child))
            elif child is not None:
                visit(child, child_path)

    visit(network, "")
    return Tree(paths, tuple(places))
