"""Defects of the layers: A's axes (1), C's softmax (2), random numbers and a graph that stays (9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import paddle
from paddle import Tensor, nn

from dyrelu.activations import build
from dyrelu.activations.dyrelu_c import DyReLUC
from dyrelu.data.dataset import FloatImages
from dyrelu.models import resnet18
from dyrelu.training import initialise
from tests.studies.notebook.figures import Figure
from tests.studies.notebook.layers import ChannelWise, K, Spatial, misaligned, shared, spatial_map

__all__ = ["kept_graph", "random_streams", "shared_coefficients", "spatial_softmax"]

# Channels of ResNet-18's 17 activations, and how many there are of each.
SITES = {64: 5, 128: 4, 256: 4, 512: 4}
BATCHES = (1, 16, 64, 128, 256)
_EQUAL = 64

Weights = dict[str, npt.NDArray[np.float32]]
_STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")


def shared_coefficients() -> Iterator[Figure]:
    """At which sites A's broadcast runs at all, and whose coefficients a channel then gets."""
    for batch in BATCHES:
        passed = sum(count for channels, count in SITES.items() if _runs((batch, channels, 2, 2)))
        yield Figure(1, f"sites_that_run.batch{batch}", passed, "of 17 sites")
    for shape in ((_EQUAL, _EQUAL, 2, 2), (_EQUAL, _EQUAL, 3)):
        axes = f"{len(shape) - 2}d"
        x, slopes, intercepts = _drawn(shape)
        wrong = misaligned(x, slopes, intercepts)
        image = x if len(shape) == 4 else x.unsqueeze(2)
        meant = shared(image, slopes, intercepts).reshape(list(shape))
        # Coefficients of sample c on channel c of every sample.
        swapped = shared(image.transpose([1, 0, 2, 3]), slopes, intercepts).transpose([1, 0, 2, 3])
        yield Figure(1, f"from_meant.{axes}", _apart(wrong, meant), "largest difference")
        yield Figure(
            1, f"from_swapped.{axes}", _apart(wrong, swapped.reshape(list(shape))), "largest difference"
        )


def _runs(shape: tuple[int, ...]) -> bool:
    try:
        return list(misaligned(*_drawn(shape)).shape) == list(shape)
    except ValueError:
        return False


def _drawn(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal(size, dtype=np.float32) for size in (shape, (shape[0], K), (shape[0], K))]
    return paddle.to_tensor(drawn[0]), paddle.to_tensor(drawn[1]), paddle.to_tensor(drawn[2])


def _apart(one: Tensor, other: Tensor) -> float:
    return float(np.abs(one.numpy() - other.numpy()).max())


def spatial_softmax(network: nn.Layer, images: FloatImages, label: str) -> Iterator[Figure]:
    """The share of positions at which pi is clipped to 1, and its mean, stage by stage, for both softmaxes.

    `network` has layers of variant C. It runs with the statistics of this batch, so that an untrained one has
    features of a trained one's size; both softmaxes see the same features.
    """
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    # Paddle's types say that a hook returns a tensor; one that returns nothing changes nothing.
    hooks = [
        layer.register_forward_post_hook(_watch(found.setdefault(_stage(name), [])))  # type: ignore[arg-type]
        for name, layer in network.named_sublayers()
        if isinstance(layer, DyReLUC)
    ]
    network.train()
    with paddle.no_grad():
        network(paddle.to_tensor(images))
    for hook in hooks:
        hook.remove()
    for stage, rows in found.items():
        means = np.mean(rows, axis=0)
        for name, value in zip(("rows", "all"), means.reshape(2, 2), strict=True):
            yield Figure(2, f"clipped.{label}.{name}.{stage}", float(value[0]), "share of positions")
            yield Figure(2, f"mean.{label}.{name}.{stage}", float(value[1]), "mean of pi")


def _stage(name: str) -> str:
    first = name.partition(".")[0]
    return first if first in _STAGES else "stem"


def _watch(
    rows: list[tuple[float, float, float, float]],
) -> Callable[[DyReLUC, tuple[Tensor, ...], Tensor], None]:
    def hook(layer: DyReLUC, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        z = layer.spatial_conv(inputs[0])
        maps = [spatial_map(z, rows_only=rows_only).numpy() for rows_only in (True, False)]
        by_row, by_all = (((pi == 1).mean(), pi.mean()) for pi in maps)
        rows.append((float(by_row[0]), float(by_row[1]), float(by_all[0]), float(by_all[1])))

    return hook


def random_streams() -> Iterator[Figure]:
    """What one global seed leaves in common between variants, and what streams by name do."""
    variants: dict[str, Callable[[int], nn.Layer]] = {"relu": build("relu"), "notebook_b": ChannelWise}
    trunks = {}
    for name, act_layer in variants.items():
        paddle.seed(42)
        trunks[name] = _trunk(resnet18(act_layer=act_layer, num_classes=10, stem="cifar"))
    yield Figure(9, "trunk_tensors", len(trunks["relu"]), "convolutions and the head")
    yield Figure(
        9, "equal.one_seed", _equal(trunks["relu"], trunks["notebook_b"]), "of them, one global seed"
    )
    ours = []
    for variant in ("relu", "dyrelu_b"):
        network = resnet18(act_layer=build(variant), num_classes=10, stem="cifar")
        initialise(network, 42)
        ours.append(_trunk(network))
    yield Figure(9, "equal.streams", _equal(*ours), "of them, streams by name")
    following = []
    for wasteful in (True, False):
        paddle.seed(42)
        layer = ChannelWise(64, wasteful=wasteful)
        following.append(np.concatenate([layer.fc2.weight.numpy().ravel()[:4], paddle.rand([4]).numpy()]))
    unchanged = int((following[0] == following[1]).sum())
    yield Figure(9, "equal.after_discarding", unchanged, "of 8 numbers drawn after the discarded Linear")


def _trunk(network: nn.Layer) -> Weights:
    """The weights that every variant has and that are drawn at random."""
    return {
        name: parameter.numpy()
        for name, parameter in network.named_parameters()
        if "act" not in name and len(parameter.shape) > 1
    }


def _equal(one: Weights, other: Weights) -> int:
    return sum(np.array_equal(value, other[name]) for name, value in one.items())


def kept_graph() -> Iterator[Figure]:
    """What a map kept on the layer holds on to after the step that made it."""
    layer, x = Spatial(64), paddle.rand([8, 64, 32, 32])
    result = layer(x)
    del result
    wants = not layer.kept.stop_gradient
    yield Figure(9, "kept.has_graph", float(wants), "1: the kept map can still be differentiated")
    layer.kept.sum().backward()
    reached = layer.conv.weight.grad is not None
    yield Figure(
        9, "kept.reaches_weights", float(reached), "1: a gradient reaches the convolution through it"
    )
    yield Figure(9, "kept.bytes", _held_by_map(), "bytes still allocated after input and result are gone")


def _held_by_map() -> float:
    """Tensor memory after a forward pass whose input and result are dropped, less that before."""
    from paddle.base import core

    layer = Spatial(64)
    before = core.host_memory_stat_current_value("Allocated", 0)
    x = paddle.rand([8, 64, 32, 32])
    result = layer(x)
    del x, result
    return float(core.host_memory_stat_current_value("Allocated", 0) - before)
