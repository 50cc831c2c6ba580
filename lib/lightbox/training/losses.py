"""Losses, image by image: cross-entropy, weighted, focal; softmax and sigmoid.

Each gives one value per image, so that sums are over images and two losses can be
told apart from their averaging. Weights multiply and are not divided out again:
with weights of mean one over the training images the scale stays that of
cross-entropy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Focal:
    """The focal loss; with gamma 0, (weighted) cross-entropy.

    `FL = -alpha_t (1 - p_t)^gamma log p_t`, where p_t is the probability of the
    true class from the *unweighted* log-softmax (`exp(-weighted_ce)` is a known
    wrong form) and alpha_t the true class's weight.

    With logits (N, K), K > 1, classes compete by softmax and alpha is a vector of
    K. With logits (N, 1) the output is the positive class's by sigmoid, and alpha
    is (1 - a, a), a belonging to the positive class.

    Args:
        gamma: At least 0; how far easy images are turned down.
        alpha: (K,) or (2,), the classes' weights, or None for all ones.

    Source: Lin et al., arXiv 1708.02002, equation 5.
    """

    gamma: float = 0.0
    alpha: Tensor | None = None

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss (N,) in nats of logits (N, K) or (N, 1) and labels (N,)."""
        log_p = log_probabilities(logits)
        log_pt = log_p.gather(1, labels[:, None]).squeeze(1)
        loss = -log_pt
        if self.gamma:
            # 1 - p_t without cancellation, and with a finite gradient, near p_t = 1.
            rest = -torch.expm1(log_pt)
            tiny = torch.finfo(rest.dtype).tiny
            loss = rest.clamp_min(tiny).pow(self.gamma) * loss
        if self.alpha is not None:
            loss = self.alpha.to(loss).gather(0, labels) * loss
        return loss


def log_probabilities(logits: Tensor) -> Tensor:
    """Turn logits into float32 log-probabilities of all classes.

    Logits (N, 1) are of a sigmoid whose output is the second class's: (N, 2) come back.
    """
    logits = logits.float()
    if logits.shape[1] == 1:
        return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=1)
    return F.log_softmax(logits, dim=1)


def balanced_weights(counts: Tensor) -> Tensor:
    """Weigh classes of `counts` (K,) images: N / (K n_k), scikit-learn's `balanced`.

    The mean over the images is one; all counts must be above 0.
    """
    return counts.sum() / (len(counts) * counts.float())


def make(name: str, *, gamma: float, counts: Tensor) -> Loss:
    """Build a loss by name.

    Args:
        counts: (K,), images of each class in train, for the weighted forms.
    """
    if name == "cross_entropy":
        return Focal()
    if name == "weighted_cross_entropy":
        return Focal(alpha=balanced_weights(counts))
    return Focal(gamma=gamma, alpha=balanced_weights(counts))
