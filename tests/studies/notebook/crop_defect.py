"""Defect 7: crops as small as 0.08 of the image, and what they do to features that are pooled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import paddle
from paddle import Tensor, nn

from dyrelu.activations import build
from dyrelu.data.augment import Augmentation, Flip, Padding, augment, draw
from dyrelu.data.dataset import Images, Normalisation
from dyrelu.data.resized_crop import ResizedCrop, draw_boxes
from dyrelu.models import resnet_cifar
from dyrelu.training import initialise
from tests.studies.notebook.figures import Figure

__all__ = ["small_crops"]

_SIDE, _PAD = 32, 4
_DRAWS = 100_000
_VIEWS = 8
_CROPS: Mapping[str, Augmentation] = {
    "resized": Augmentation(pad=0, padding=Padding.ZERO, flip=Flip.NONE, resized_crop=ResizedCrop()),
    "padded": Augmentation(pad=_PAD, padding=Padding.REFLECT, flip=Flip.NONE),
}


def small_crops(images: Images, normalisation: Normalisation) -> Iterator[Figure]:
    """How much of an image each crop shows, and how much of pooled features' variance is the crop's.

    The features are those of an untrained ResNet-8 of width 16, `_VIEWS` views of each image, all channels'
    variances added; no image is mirrored, since that would add the same to both.
    """
    for name, areas in _areas().items():
        yield Figure(7, f"area.{name}.mean", float(areas.mean()), "share of the image seen")
        yield Figure(7, f"area.{name}.p10", float(np.quantile(areas, 0.1)), "share seen, lowest tenth below")
        yield Figure(7, f"area.{name}.below_half", float((areas < 0.5).mean()), "of crops see less than half")
    network = _network(normalisation(images), images.shape[1])
    for name, augmentation in _CROPS.items():
        for stage, share in _crop_share(network, images, normalisation, augmentation).items():
            yield Figure(7, f"variance.{name}.{stage}", share, "of pooled features' variance is the crop's")


def _areas() -> dict[str, npt.NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    boxes = draw_boxes(ResizedCrop(), _DRAWS, (_SIDE, _SIDE), rng)
    # A crop of the padded image that is shifted by d shows 32 - |d| of 32 lines; padding repeats the rest.
    shifts = np.abs(rng.integers(-_PAD, _PAD + 1, size=(2, _DRAWS)))
    seen = (_SIDE - shifts[0]) * (_SIDE - shifts[1])
    return {"resized": boxes.heights * boxes.widths / _SIDE**2, "padded": seen / _SIDE**2}


def _network(inputs: npt.NDArray[np.float32], channels: int) -> nn.Layer:
    """Untrained, with batch norms set to the statistics of these images."""
    network = resnet_cifar(act_layer=build("relu"), in_channels=channels)
    initialise(network, 0)
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            layer._momentum = 0.0  # the running statistics become the batch's own
    network.train()
    with paddle.no_grad():
        network(paddle.to_tensor(inputs))
    network.eval()
    return network


def _crop_share(
    network: nn.Layer, images: Images, normalisation: Normalisation, augmentation: Augmentation
) -> dict[str, float]:
    rng = np.random.default_rng(1)
    views = []
    for _ in range(_VIEWS):
        draws = draw(augmentation, len(images), images.shape[2:], rng)
        views.append(_pooled(network, normalisation(augment(images, augmentation, draws))))
    shares = {}
    for stage in views[0]:
        features = np.stack([view[stage] for view in views])  # (views, images, channels)
        within = features.var(axis=0, ddof=1).mean(axis=0).sum()
        whole = features.reshape(-1, features.shape[-1]).var(axis=0, ddof=1).sum()
        shares[stage] = float(within / whole)
    return shares


def _pooled(network: nn.Layer, inputs: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float64]]:
    """Channel means of the input and after each stage, (N, C)."""
    found = {"input": inputs.mean(axis=(2, 3), dtype=np.float64)}

    def watch(stage: str, layer: nn.Layer) -> object:
        def hook(_layer: nn.Layer, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found[stage] = output.numpy().mean(axis=(2, 3), dtype=np.float64)

        # Paddle's types say that a hook returns a tensor; one that returns nothing changes nothing.
        return layer.register_forward_post_hook(hook)  # type: ignore[arg-type]

    hooks = [watch(name, layer) for name, layer in network.named_children() if name.startswith("layer")]
    with paddle.no_grad():
        network(paddle.to_tensor(inputs))
    for hook in hooks:
        hook.remove()  # type: ignore[attr-defined]  # Paddle gives the handle no public type
    return found
