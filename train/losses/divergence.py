"""The divergence loss of D2C-SR (Li et al., ECCV 2022, Eq. 2-6), its schedule, its diagnostics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # BT.601; the offset falls out of Eq. 2
MEAN = (1 / 3, 1 / 3, 1 / 3)


def divergence_loss(
    pred: Tensor,
    hr: Tensor,
    margins: Tensor,
    *,
    children: int = 2,
    theta: float = 0.8,
    luma: Sequence[float] = LUMA,
    per: str = "image",
) -> Tensor:
    """Triplet divergence T_D between the leaves of a tree (D2C-SR, ECCV 2022, Eq. 2-6).

    The gradient is kept; in the released code the term is a constant.

    Args:
        pred: (B, P, 3, H, W) predictions, RGB in [0, 1], leaves in tree order.
        hr: (B, 3, H, W) target.
        margins: (L,) by depth of the closest common ancestor, root first; P = children**L.
        children: branches C of a node.
        theta: discount of near relatives, Eq. 6.
        luma: weights of red, green and blue; the released code takes the plain mean (`MEAN`).
        per: "image": Eq. 2 to 4 for each image by itself; "batch": over all pixels of the batch, as the
            released code, where the loss of an image depends on its batch mates.

    Returns:
        Scalar >= 0. Perfect predictions give the mean of beta * margin, not 0.

    Raises:
        ValueError: P leaves do not form L levels.
    """
    if per == "batch":
        pred = pred.permute(1, 2, 0, 3, 4).flatten(2, 3)[None]
        hr = hr.transpose(0, 1).flatten(1, 2)[None]
    return _triplets(pred, hr, margins, children, theta, luma).mean()


def active_triplets(pred: Tensor, hr: Tensor, margins: Tensor, *, children: int = 2) -> float:
    """Ordered pairs of leaves whose triplet is above zero, mean over the batch; at most P (P - 1)."""
    return float((_triplets(pred, hr, margins, children, 1.0) > 0).float().sum(1).mean())


def _triplets(
    pred: Tensor,
    hr: Tensor,
    margins: Tensor,
    children: int,
    theta: float,
    luma: Sequence[float] = LUMA,
) -> Tensor:
    """(B, P (P - 1)) weighted triplets of Eq. 4 and 6, ordered pairs."""
    n = pred.shape[1]
    if n != children ** len(margins):
        raise ValueError(f"{n} predictions do not form {len(margins)} levels of {children} branches")
    if n == 1:
        return pred.new_zeros(len(pred), 1)  # a single branch has nobody to differ from
    depth = common_depth(n, children).to(pred.device)  # (P, P), 1 = only the root shared
    beta = theta ** (depth - 1).to(pred.dtype)  # Eq. 6
    res = (
        standardised_luma(pred, luma) - standardised_luma(hr, luma)[:, None]
    ).abs()  # Eq. 2, 3: (B, P, H, W)
    flat = res.flatten(2)
    # |a - b|^2 = |a|^2 + |b|^2 - 2 ab: no image for each pair of leaves.
    products = flat @ flat.mT / flat.shape[-1]  # (B, P, P)
    squares = products.diagonal(dim1=1, dim2=2)
    to_zero = squares[:, :, None]  # d(res_i, 0)
    to_other = to_zero + squares[:, None] - 2 * products  # d(res_i, res_j)
    other = ~torch.eye(n, dtype=torch.bool, device=pred.device)
    # On the diagonal the depth exceeds the tree; those entries are left out.
    margin = margins.to(pred)[(depth - 1).clamp(max=len(margins) - 1)]
    return (beta * (to_zero - to_other + margin).relu())[:, other]  # Eq. 4


def common_depth(leaves: int, children: int) -> Tensor:
    """(P, P) int64: level, from 1, at which the closest common ancestor of leaves i and j sits."""
    index = torch.arange(leaves)
    depth = torch.ones(leaves, leaves, dtype=torch.int64)
    while children > 1 and index.max() > 0:
        index = index // children
        depth += (index[:, None] == index[None]) & (index.max() > 0)
    return depth


def standardised_luma(image: Tensor, weights: Sequence[float] = LUMA) -> Tensor:
    """G(I) = (Y(I) - mean) / standard deviation, for each image by itself (Eq. 2).

    Args:
        image: (..., 3, H, W) RGB in [0, 1].
        weights: of red, green and blue.

    Returns:
        (..., H, W); 0 where the luma is constant.
    """
    red, green, blue = image.unbind(-3)
    luma = weights[0] * red + weights[1] * green + weights[2] * blue
    centred = luma - luma.mean((-2, -1), keepdim=True)
    variance = centred.square().mean((-2, -1), keepdim=True)
    # clamp before the root: its gradient at 0 is infinite.
    return centred / variance.clamp(min=1e-12).sqrt()


def margins_for(depth: int, *, far: float = 5e-5, near: float = 2e-5) -> Tensor:
    """(L,) margins by depth of the closest common ancestor, falling geometrically from far to near.

    The released code has L = 2: `far` for different parents, `near` for one. Deeper trees are our choice.
    """
    if depth == 1:
        return torch.tensor([far])
    return torch.tensor([far * (near / far) ** (level / (depth - 1)) for level in range(depth)])


def alpha_schedule(epoch: int, *, alpha: float = 2e-5) -> float:
    """Weight of the divergence loss in the released code: on for 200 epochs of 1000, halved each 2000.

    The first pulse is epochs 1000-1199; the code's start at epoch 200 never acts.
    """
    return alpha * 0.5 ** (epoch // 2000) if epoch > 200 and epoch % 1000 < 200 else 0.0


def pairwise_rms_8bit(pred: Tensor, among: Tensor | None = None) -> float:
    """Root mean square difference between two predictions, mean over pairs, in 8-bit levels.

    Args:
        pred: (B, P, 3, H, W) in [0, 1].
        among: (P, P) bool, symmetric: which pairs; None: all.

    Returns:
        0 where there is no pair.
    """
    n = pred.shape[1]
    rms = [
        (pred[:, i] - pred[:, j]).square().mean().sqrt()
        for i in range(n)
        for j in range(i)
        if among is None or among[i, j]
    ]
    return 255 * float(torch.stack(rms).mean()) if rms else 0.0


def diagnosis(pred: Tensor, hr: Tensor, margins: Tensor, *, children: int = 2) -> dict[str, Tensor]:
    """How the branches stand to each other and to the truth.

    Args:
        pred: (B, P, 3, H, W) without history.
        hr: (B, 3, H, W).
        margins, children: as of `divergence_loss`.

    Returns:
        `branch_rms_8bit`, `active_triplets` (of P (P - 1)), `psnr_ideal` (dB, RGB, over the whole batch);
        where the tree has several levels also `branch_rms_within_8bit` of the leaves of one level-1 branch,
        and `branch_rms_across_8bit` of those of different ones.
    """
    error = (ideal_fusion(pred, hr) - hr).square().mean()
    found = {
        "branch_rms_8bit": pairwise_rms_8bit(pred),
        "active_triplets": active_triplets(pred, hr, margins, children=children),
        "psnr_ideal": float(-10 * error.clamp(min=1e-10).log10()),
    }
    if children > 1 and len(margins) > 1:
        strangers = common_depth(pred.shape[1], children) == 1
        found["branch_rms_within_8bit"] = pairwise_rms_8bit(pred, ~strangers)
        found["branch_rms_across_8bit"] = pairwise_rms_8bit(pred, strangers)
    return {name: torch.tensor(value) for name, value in found.items()}


def ideal_fusion(pred: Tensor, hr: Tensor) -> Tensor:
    """At each pixel the prediction that is nearest to the truth: what no fusion by choice can beat.

    Args:
        pred: (B, P, 3, H, W).
        hr: (B, 3, H, W).

    Returns:
        (B, 3, H, W).
    """
    best = (pred - hr[:, None]).square().sum(2, keepdim=True).argmin(1, keepdim=True)
    return pred.gather(1, best.expand(-1, 1, 3, -1, -1))[:, 0]
