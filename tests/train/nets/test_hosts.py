"""Truth: published parameter counts, and the blocks of each paper written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from realdeg.errors import UserError
from realdeg.options import resolve
from train.d2c.build import build
from train.d2c.command import train_d2c
from train.d2c.settings import PRESETS, D2CSettings
from train.evaluate.command import evaluate
from train.nets.edsr import ResidualBlock, edsr_host, srresnet_host
from train.nets.host import SinglePath
from train.nets.hosts import HOSTS
from train.nets.imdn import ContrastAttention, Distillation, imdn_host
from train.nets.rcan import rcan_host
from train.nets.rdn import DenseGroup, rdn_host
from train.nets.rrdb import RRDB, DenseBlock, rrdb_host
from train.nets.tree import FusionNet, TreeNet
from train.nets.vdsr import vdsr_host
from train.restore.checkpoint import open_run
from train.restore.models import load
from train.restore.tiling import upscale_tiled

SMALL = D2CSettings(width=8, groups=2, blocks=2, growth=4, fusion_width=8)


def count(make):
    with torch.device("meta"):
        return sum(p.numel() for p in make().parameters())


@pytest.mark.parametrize(
    ("host", "counts"),
    [
        (srresnet_host, {2: 1_369_859, 3: 1_554_499, 4: 1_517_571}),
        (edsr_host, {2: 40_729_603, 3: 43_680_003, 4: 43_089_923}),
        (lambda s: rcan_host(s, 64, 10, 20), {2: 15_444_643, 3: 15_629_283, 4: 15_592_355, 8: 15_740_067}),
        (rdn_host, {2: 22_123_395, 3: 22_308_035, 4: 22_271_107}),
        (lambda s: rdn_host(s, 64, 20, 6, 32), {4: 5_764_227}),
        (rrdb_host, {4: 16_697_987}),
        (vdsr_host, {2: 667_008, 3: 667_008, 4: 667_008}),
        (imdn_host, {4: 715_176}),
    ],
)
def test_parameters_as_published(host, counts):
    assert {scale: count(lambda: SinglePath(host(scale))) for scale in counts} == counts  # noqa: B023


def total(preset, scale=4):
    with torch.device("meta"):
        made = build(resolve(D2CSettings, PRESETS, preset=preset, flags={"scale": scale}))
    return sum(p.numel() for net in made if net is not None for p in net.parameters())


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch):
    """On the meta device there are none to draw."""

    def drawn(tensor, *args, **kwargs):
        return tensor if tensor.device.type == "meta" else original(tensor, *args, **kwargs)

    original = torch.Tensor.normal_
    monkeypatch.setattr(torch.Tensor, "normal_", drawn)


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "rcan"])
def test_a_tree_of_each_host_is_smaller_than_the_host(name):
    """The paper's Table 3: the structure has to pay, not the size."""
    assert total(f"d2c-{name}") < total(name)


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("paper", 5.77), ("d2c-3.98m", 3.98), ("d2c-3.32m", 3.32), ("small", 0.78), ("d2c-0.19m", 0.193),
     ("d2c-0.16m", 0.156)],
)  # fmt: skip
def test_the_size_ladder_by_name(preset, millions):
    assert total(preset) / 1e6 == pytest.approx(millions, abs=0.006 if millions > 1 else 0.002)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("name", HOSTS)
def test_shapes_and_tiles_of_every_host(name, scale):
    """Alone and as a tree; in tiles the same as whole."""
    torch.manual_seed(scale)
    host = HOSTS[name](scale, SMALL)
    lr = torch.rand(1, 3, 19, 26)
    for net, leaves in ((SinglePath(host), 1), (TreeNet(host, 2, 2), 4)):
        net.eval()
        with torch.inference_mode():
            pred = net(lr)
            assert pred.shape == (1, leaves, 3, 19 * scale, 26 * scale)
            tiled = upscale_tiled(net, None, lr, scale=scale, tile=10 * scale)
        torch.testing.assert_close(tiled[1:], pred[0], atol=1e-5, rtol=0)


def test_a_residual_block_scales_its_residual():
    block, x = ResidualBlock(8, 0.1), torch.randn(1, 8, 5, 6)
    first, _, second = block.body
    expected = x + 0.1 * F.conv2d(
        F.conv2d(x, first.weight, first.bias, padding=1).relu(), second.weight, second.bias, padding=1
    )
    torch.testing.assert_close(block(x), expected)


def test_an_edsr_is_head_body_skip_and_tail():
    net, lr = SinglePath(edsr_host(2, 8, 2)), torch.rand(1, 3, 6, 7)
    h = net.stem.conv(lr - torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1))
    expected = net.tails[0](h + net.body[2](net.body[1](net.body[0](h))))
    torch.testing.assert_close(
        net(lr)[:, 0], expected + torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    )


def test_a_vdsr_adds_twenty_convolutions_of_the_enlarged_image():
    net, lr = SinglePath(vdsr_host(3, 8)), torch.rand(1, 3, 6, 7)
    large = F.interpolate(lr, scale_factor=3, mode="bicubic", antialias=True)
    convs = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convs) == 20
    x = large
    for conv in [net.stem.conv, *[m for m in net.body if isinstance(m, torch.nn.Conv2d)]]:
        x = F.conv2d(x, conv.weight, padding=1).relu()
    torch.testing.assert_close(net(lr)[:, 0], large + F.conv2d(x, net.tails[0].weight, padding=1))


def test_dense_blocks_of_esrgan():
    block, x = DenseBlock(6, 3), torch.randn(1, 6, 5, 5)

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    c1 = leaky(block.convs[0](x))
    c2 = leaky(block.convs[1](torch.cat((x, c1), 1)))
    c3 = leaky(block.convs[2](torch.cat((x, c1, c2), 1)))
    c4 = leaky(block.convs[3](torch.cat((x, c1, c2, c3), 1)))
    expected = x + 0.2 * block.convs[4](torch.cat((x, c1, c2, c3, c4), 1))
    torch.testing.assert_close(block(x), expected)
    whole = RRDB(6, 3)
    a, b, c = whole.body
    torch.testing.assert_close(whole(x), x + 0.2 * c(b(a(x))))


def test_dense_groups_of_rdn():
    group, x = DenseGroup(6, 2, 3), torch.randn(1, 6, 5, 5)
    one = torch.cat((x, group.convs[0](x).relu()), 1)
    two = torch.cat((one, group.convs[1](one).relu()), 1)
    torch.testing.assert_close(group(x), x + group.fuse(two))


def test_distillation_of_imdn():
    block, x = Distillation(8), torch.randn(1, 8, 5, 5)

    def leaky(x):
        return torch.where(x > 0, x, 0.05 * x)

    a = leaky(block.convs[0](x))
    b = leaky(block.convs[1](a[:, 2:]))
    c = leaky(block.convs[2](b[:, 2:]))
    kept = torch.cat((a[:, :2], b[:, :2], c[:, :2], block.convs[3](c[:, 2:])), 1)
    torch.testing.assert_close(block(x), x + block.fuse(block.attention(kept)))
    attention = ContrastAttention(16)
    y = torch.randn(2, 16, 4, 6)
    flat = y.flatten(2)
    told = torch.from_numpy(flat.numpy().mean(2) + np.std(flat.numpy(), 2))[..., None, None]
    gate = attention.excite(attention.squeeze(told).relu()).sigmoid()
    torch.testing.assert_close(attention(y), y * gate, atol=1e-5, rtol=1e-5)
    flat_image = torch.ones(1, 16, 4, 4, requires_grad=True)
    attention(flat_image).sum().backward()
    assert torch.isfinite(flat_image.grad).all()


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        Distillation(10)
    for wrong in ({"host": "imdn", "width": 10, "scale": 2}, {"host": "edsr", "scale": 5}):
        with pytest.raises(UserError, match=r"--host .*(multiple of 4|no upsampler for x5)"):
            build(D2CSettings(**wrong))


@pytest.mark.parametrize(("host", "depth"), [("imdn", 0), ("vdsr", 1), ("rrdb", 0), ("rdn", 1), ("edsr", 2)])
def test_each_learns_is_kept_and_measured(host, depth, make_dataset, tiny, tmp_path):
    data = make_dataset()
    chosen = {**tiny, "data": data, "host": host, "depth": depth, "growth": 4, "alpha_schedule": "constant"}
    run = train_d2c(D2CSettings(**chosen, out=tmp_path / "run"), quiet=True, say=lambda text: None)
    model = load(run, say=lambda text: None)
    assert (model.fusion is None) == (depth == 0)
    table = evaluate(run, data)
    assert np.isfinite(table.means["psnr_y"])
    more = {**chosen, "steps": 8, "out": tmp_path / "run"}
    train_d2c(D2CSettings(**more), quiet=True, say=lambda text: None)
    whole = train_d2c(D2CSettings(**{**more, "out": tmp_path / "whole"}), quiet=True, say=lambda text: None)
    from safetensors.torch import load_file

    one, two = (load_file(open_run(path).weights) for path in (run, whole))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_tree_of_one_leaf_has_a_convergence_network_of_weight_one():
    fused, weights = FusionNet(1, 8)(torch.rand(1, 1, 3, 8, 8))
    assert torch.equal(weights, torch.ones_like(weights))
    assert fused.shape == (1, 3, 8, 8)
