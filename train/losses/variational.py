"""How far a code's posterior is from its prior."""

from __future__ import annotations

from torch import Tensor


def normal_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)), summed over the code, for each item (RefVAE, Eq. 4).

    Args:
        mean, log_variance: (B, latent).

    Returns:
        (B,); 0 for mean 0 and variance 1, latent / 2 for mean 1 and variance 1.
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)
