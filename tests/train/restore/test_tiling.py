"""Truth: the same networks on the whole image."""

import pytest
import torch

from train.nets.bicubic import BicubicBase
from train.nets.blocks import ChannelAttention
from train.nets.rcan import rcan_host
from train.nets.tree import FusionNet, TreeNet
from train.restore.tiling import upscale_tiled


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("base", ["mean", "bicubic"])
def test_tiles_equal_the_whole(scale, base):
    torch.manual_seed(scale)
    tree = TreeNet(rcan_host(scale, width=8, groups=1, blocks=1)).eval()
    fusion = FusionNet(4, width=8).eval()
    if base == "bicubic":
        tree.base = BicubicBase(scale)
    lr = torch.rand(1, 3, 33, 47)
    with torch.inference_mode():
        pred = tree(lr)
        fused = fusion(pred)[0]
        for tile in (16 * scale, 10 * scale + 1, 1000):
            out = upscale_tiled(tree, fusion, lr, scale=scale, tile=tile)
            torch.testing.assert_close(out[1:], pred[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(out[0], fused[0], atol=1e-5, rtol=0)
        alone = upscale_tiled(tree, fusion, lr, scale=scale, tile=16 * scale, branches=False)
        torch.testing.assert_close(alone, fused, atol=1e-5, rtol=0)
        mean = upscale_tiled(tree, None, lr, scale=scale, tile=16 * scale)[0]
        torch.testing.assert_close(mean, pred[0].mean(0), atol=1e-5, rtol=0)


def test_plain_tiles_would_not_be_equal():
    """Channel attention sees the whole image: this is what the two steps are for."""
    torch.manual_seed(0)
    tree = TreeNet(rcan_host(2, width=8, groups=1, blocks=2)).eval()
    for block in tree.modules():
        if isinstance(block, ChannelAttention):
            block.excite.weight.data.mul_(20)  # as trained ones do, it answers to the mean
    lr = torch.cat([torch.zeros(1, 3, 32, 32), torch.rand(1, 3, 32, 32)], -1)
    with torch.inference_mode():
        assert (tree(lr[..., :48])[..., :32] - tree(lr)[..., :32]).abs().max() > 1e-4


def test_a_tile_has_a_pixel():
    with pytest.raises(ValueError, match="at least 1"):
        upscale_tiled(TreeNet(rcan_host(2, 8, 1, 1)), None, torch.rand(1, 3, 8, 8), scale=2, tile=0)
