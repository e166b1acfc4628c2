"""Everything that needs no clock, in the order of the defects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle

from bench.training_run import read_training_runs
from dyrelu.activations import build
from dyrelu.data import ImageDataset, cifar10
from dyrelu.models import resnet18, resnet_cifar
from dyrelu.training import initialise, load_weights
from tests.studies.notebook.count_defects import absent_module, parameters, stems, weight_decay
from tests.studies.notebook.crop_defect import small_crops
from tests.studies.notebook.figures import Computed, Figure
from tests.studies.notebook.layer_defects import (
    kept_graph,
    random_streams,
    shared_coefficients,
    spatial_softmax,
)
from tests.studies.notebook.metric_defects import batch_averages, best_of_epochs

__all__ = ["compute_all", "data_free", "on_images"]

_MAP_IMAGES, _CROP_IMAGES = 64, 256


def compute_all(data_file: Path | None, logs: Path, weights: Path | None) -> Computed:
    """Raises DyReLUError without the archive, InputError for logs that can't be read."""
    dataset = cifar10.load(data_file)
    figures = (*data_free(logs), *on_images(dataset, weights))
    return Computed(
        libraries={"paddle": paddle.version.full_version, "numpy": np.__version__},
        data=f"{dataset.name} (sha256 {dataset.digest[:12]})",
        logs=logs.resolve().parent.name,
        figures=tuple(sorted(figures, key=lambda figure: figure.defect)),
    )


def data_free(logs: Path) -> tuple[Figure, ...]:
    """What needs no images."""
    return (
        *shared_coefficients(),
        *stems(),
        *parameters(),
        *batch_averages(),
        *best_of_epochs(read_training_runs(logs)),
        *weight_decay(),
        *random_streams(),
        *kept_graph(),
        *absent_module(),
    )


def on_images(dataset: ImageDataset, weights: Path | None) -> tuple[Figure, ...]:
    """What real images are needed for. `weights` are those of a trained ResNet-8 with variant C."""
    some = dataset.normalisation(dataset.test.images[:_MAP_IMAGES])
    untrained = resnet18(act_layer=build("dyrelu_c"), num_classes=dataset.classes, stem="cifar")
    initialise(untrained, 0)
    found = [*spatial_softmax(untrained, some, "resnet18-untrained")]
    if weights is not None:
        trained = resnet_cifar(act_layer=build("dyrelu_c"), in_channels=dataset.image_shape[0])
        load_weights(trained, weights)
        found += spatial_softmax(trained, some, "resnet8-trained")
    images = dataset.train.images[:_CROP_IMAGES]
    return (*found, *small_crops(images, dataset.normalisation))
