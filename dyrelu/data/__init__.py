"""Images in memory: CIFAR-10 from the standard archive, scikit-learn's digits, and whole-batch augmentation.

Nothing here imports Paddle.
"""

from dyrelu.data.augment import Augmentation, Draws, Flip, Padding, augment, draw
from dyrelu.data.dataset import Examples, ImageDataset, Normalisation, content_digest, stratified_split

__all__ = [
    "Augmentation",
    "Draws",
    "Examples",
    "Flip",
    "ImageDataset",
    "Normalisation",
    "Padding",
    "augment",
    "content_digest",
    "draw",
    "stratified_split",
]
