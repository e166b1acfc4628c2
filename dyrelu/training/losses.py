"""Cross-entropy with label smoothing for training, and its plain form in NumPy for reports."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import paddle
import paddle.nn.functional as F

from dyrelu.data.dataset import Labels

__all__ = ["mean_cross_entropy", "smoothed_cross_entropy"]


def smoothed_cross_entropy(logits: paddle.Tensor, labels: paddle.Tensor, smoothing: float) -> paddle.Tensor:
    """Mean over the batch of the cross-entropy against (1 - s) * onehot + s / K (Szegedy et al. 2016,
    arXiv 1512.00567, section 7).

    Args:
        logits: (N, K) float.
        labels: (N,) int64 in 0..K-1.
        smoothing: s, from 0 to below 1.

    Returns:
        A scalar, in nats.
    """
    classes = logits.shape[1]
    target = F.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    # Not F.log_softmax: on the CPU, Paddle's clips logarithms of probabilities at -64. The largest logit
    # is taken off first: a small loss would else be the rounded difference of two large numbers.
    shifted = logits - logits.max(axis=1, keepdim=True).detach()
    log_probability = shifted - paddle.logsumexp(shifted, axis=1, keepdim=True)
    loss: paddle.Tensor = -(log_probability * target).sum(axis=1).mean()
    return loss


def mean_cross_entropy(logits: npt.NDArray[np.float32], labels: Labels) -> float:
    """Mean over all N images (not over batches) of -log softmax(logits)[label] in nats, without smoothing."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probability[np.arange(len(labels)), labels].mean())
