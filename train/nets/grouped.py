"""Another way to run a tree: all branches of a level at once, as grouped convolutions.

The same parameters give the same images to rounding. Fewer and larger kernels suit a device that waits for
launches; on a CPU it is slower, which `benchmarks/train_step.py` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from train.nets.host import SinglePath
from train.nets.tree import TreeNet


def forward_grouped(tree: TreeNet | SinglePath, lr: Tensor) -> Tensor:
    """What `tree(lr)` gives, gradients included.

    Args:
        tree: any; a single path has nothing to group.
        lr: (B, 3, h, w).

    Returns:
        (B, P, 3, s h, s w).
    """
    if isinstance(tree, SinglePath):
        return tree(lr)
    levels = [tree.stem(lr)[None]]  # (branches, B, n, h, w) each
    for branches in tree.levels:
        assert isinstance(branches, nn.ModuleList)
        levels.append(_together(list(branches), _of_parents(levels[-1], len(branches))))
    leaves = len(tree.tails)
    result = levels[-1]
    for level in reversed(range(tree.depth)):
        result = _together([tree.joint(leaf, level) for leaf in range(leaves)], result)
        if level == 0 or tree.deep_residual:
            result = result + _of_parents(levels[level], leaves)
    images = _together(list(tree.tails), result) + tree.base(lr)
    return images.transpose(0, 1)


def _of_parents(features: Tensor, children: int) -> Tensor:
    """Features of the ancestor of each of so many branches, in their order."""
    return features.repeat_interleave(children // len(features), dim=0)


def _together(modules: Sequence[nn.Module], inputs: Tensor) -> Tensor:
    """Modules of one structure, each on its own input; their outputs stacked."""
    names = [name for name, _ in modules[0].named_parameters()]
    own = [dict(module.named_parameters()) for module in modules]
    stacked = {name: torch.stack([one[name] for one in own]) for name in names}

    def one(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(modules[0], parameters, (x,))

    device = inputs.device.type
    if not torch.is_autocast_enabled(device):
        return _mapped(one, stacked, inputs)
    # vmap's rule for convolutions leaves the bias as it is, so the casting is done here.
    low = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        return _mapped(one, {name: t.to(low) for name, t in stacked.items()}, inputs.to(low))


def _mapped(
    function: Callable[[dict[str, Tensor], Tensor], Tensor], stacked: dict[str, Tensor], inputs: Tensor
) -> Tensor:
    return vmap(function)(stacked, inputs)
