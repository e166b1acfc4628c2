"""Images in memory: CIFAR-10 from the standard archive, scikit-learn's digits, and whole-batch augmentation.

Nothing here imports Paddle.
"""

from dyrelu.data.augment import Augmentation, Draws, Flip, Padding, augment, draw
from dyrelu.data.dataset import Examples, ImageDataset, Normalisation, content_digest, stratified_split
from dyrelu.data.resized_crop import Boxes, ResizedCrop

__all__ = [
    "Augmentation",
    "Boxes",
    "Draws",
    "Examples",
    "Flip",
    "ImageDataset",
    "Normalisation",
    "Padding",
    "ResizedCrop",
    "augment",
    "content_digest",
    "draw",
    "stratified_split",
]
