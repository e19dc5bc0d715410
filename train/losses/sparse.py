"""The sparse prior of VSpSR (NTIRE 2021, Eq. 1 and 5): coefficients are normal, their precisions Gamma.

Integrated over the precision, a coefficient is Student-t: much mass at 0, and heavy tails.
"""

from __future__ import annotations

from torch import Tensor

from train.nets.vspm import Normal


def expected_precision(second_moment: Tensor, alpha: float, beta: float) -> Tensor:
    """E[rho] under the mean-field posterior Gamma(alpha + 1/2, beta + (mu^2 + sigma^2) / 2).

    Args:
        second_moment: mu^2 + sigma^2 of the coefficients.
        alpha: shape of the prior, above 0.
        beta: rate of the prior, above 0.
    """
    return (alpha + 0.5) / (beta + 0.5 * second_moment)


def sparse_divergence(coefficients: Normal, alpha: float, beta: float) -> Tensor:
    """KL divergence of q(w) q(rho) from the prior, for w, up to a constant, times 2 (released code).

    The mean over all coefficients of E[rho] (mu^2 + sigma^2) - log sigma^2, with E[rho] held constant: it
    is the closed-form update of the other factor, not a path for gradients.

    Args:
        coefficients: means and logarithms of variances.
        alpha, beta: of the prior.

    Returns:
        Scalar; 3.5 for mu = 0, sigma = 1, alpha = 3, beta = 0.5.

    Raises:
        ValueError: coefficients without variance have no divergence.
    """
    mean, log_variance = _parts(coefficients)
    second = mean.square() + log_variance.exp()
    return (expected_precision(second.detach(), alpha, beta) * second - log_variance).mean()


def standard_divergence(basis: Normal) -> Tensor:
    """The same of a stochastic basis from N(0, 1): the mean of mu^2 + sigma^2 - log sigma^2.

    Raises:
        ValueError: the basis has no variance.
    """
    mean, log_variance = _parts(basis)
    return (mean.square() + log_variance.exp() - log_variance).mean()


def _parts(variable: Normal) -> tuple[Tensor, Tensor]:
    if variable.log_variance is None:
        raise ValueError("a variable without variance has no divergence from its prior")
    return variable.mean.float(), variable.log_variance.float()
