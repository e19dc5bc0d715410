"""The networks of D2C-SR (Li et al., ECCV 2022): a tree grown over any host network, and its fusion."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.nets.blocks import conv3
from train.nets.host import Host


class TreeNet(nn.Module):
    """Divergence network of D2C-SR: a tree of branches grown from any single-path network.

    Level l holds children**l branches; the parent of branch i is branch i // children. Each leaf walks
    back to the root, adding one 3x3 conv per level to its ancestor's features, and predicts an image.

    Args:
        host: the network to grow, e.g. `rcan_host(scale=4)`.
        depth: levels L (paper: 2).
        children: branches C per node (paper: 2). Leaves P = C**L.
        deep_residual: False keeps only the addition of the shallow feature (the paper's ablation).
    Shape:
        lr (B, 3, h, w), RGB in [0, 1], float -> (B, P, 3, s*h, s*w), not clamped.

    Raises:
        ValueError: depth or children below 1.
    Source:
        Li et al., D2C-SR, ECCV 2022, Sec. 3. `rcan_host(scale=4)`: 5,723,468 parameters, as released.
    """

    def __init__(self, host: Host, depth: int = 2, children: int = 2, *, deep_residual: bool = True) -> None:
        super().__init__()
        if depth < 1 or children < 1:
            raise ValueError(f"a tree has at least one level and one branch, not {depth} and {children}")
        self.depth, self.arity, self.deep_residual = depth, children, deep_residual
        leaves = children**depth
        self.stem = host.stem()
        self.levels = nn.ModuleList(
            nn.ModuleList(host.branch() for _ in range(children**level)) for level in range(1, depth + 1)
        )
        self.joints = nn.ModuleList(
            nn.ModuleList(conv3(host.width, host.width) for _ in range(depth)) for _ in range(leaves)
        )
        self.tails = nn.ModuleList(host.tail() for _ in range(leaves))
        self.base = host.base()

    def forward(self, lr: Tensor) -> Tensor:
        """Predictions of all leaves."""
        return self.render(self.features(lr), lr)

    def features(self, lr: Tensor) -> list[Tensor]:
        """What each leaf knows at LR's resolution: P tensors (B, n, h, w). Sees the whole image."""
        levels = [[self.stem(lr)]]
        for branches in self.levels:
            assert isinstance(branches, nn.ModuleList)
            levels.append([branch(levels[-1][i // self.arity]) for i, branch in enumerate(branches)])
        return [self._walk_back(i, levels) for i in range(len(self.tails))]

    def render(self, features: list[Tensor], lr: Tensor) -> Tensor:
        """Images from the leaves' features: (B, P, 3, s*h, s*w). Local: tiles with a halo give the same."""
        base = self.base(lr)
        return torch.stack([tail(f) + base for tail, f in zip(self.tails, features, strict=True)], dim=1)

    def joint(self, leaf: int, level: int) -> nn.Module:
        """The convolution with which a leaf comes back to a level."""
        joints = self.joints[leaf]
        assert isinstance(joints, nn.ModuleList)
        return joints[level]

    def _walk_back(self, leaf: int, levels: list[list[Tensor]]) -> Tensor:
        result = levels[-1][leaf]
        for level in reversed(range(self.depth)):
            result = self.joint(leaf, level)(result)
            if level == 0 or self.deep_residual:
                result = result + levels[level][leaf // self.arity ** (self.depth - level)]
        return result


class FusionNet(nn.Module):
    """Convergence network of D2C-SR: weighs the predictions at each pixel (Eq. 8).

    Args:
        leaves: number of predictions P.
        width: channels (paper: 64).
        output_relu: the released code's ReLU before the softmax, which lets no prediction be pushed below
            a share; only for reproducing it.
    Shape:
        (B, P, 3, H, W) -> fused (B, 3, H, W), weights (B, P, H, W) >= 0 with sum 1 over P.
    """

    def __init__(self, leaves: int, width: int = 64, *, output_relu: bool = False) -> None:
        super().__init__()
        self.output_relu = output_relu
        self.body = nn.Sequential(
            conv3(3 * leaves, width, bias=False),
            nn.ReLU(inplace=True),
            conv3(width, width, bias=False),
            nn.ReLU(inplace=True),
            conv3(width, leaves, bias=False),
        )

    def forward(self, pred: Tensor) -> tuple[Tensor, Tensor]:
        """Fused image and weights; the softmax is taken in float32."""
        logits = self.body(pred.flatten(1, 2)).float()
        weights = (logits.relu() if self.output_relu else logits).softmax(dim=1)
        return (pred * weights[:, :, None]).sum(1), weights
