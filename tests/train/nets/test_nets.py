"""Truth: parameter counts of the released network, and the published structure written out by hand."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from train.d2c.build import build
from train.d2c.settings import D2CSettings
from train.nets.blocks import RCAB, ChannelAttention, EnlargingConv, ResidualGroup, initialise, upsampler
from train.nets.grouped import forward_grouped
from train.nets.hosts import HOSTS
from train.nets.rcan import rcan_host
from train.nets.tree import FusionNet, TreeNet


def count(make):
    with torch.device("meta"):
        return sum(p.numel() for p in make().parameters())


@pytest.mark.parametrize(
    ("scale", "parameters"), [(2, 5_132_620), (3, 5_871_180), (4, 5_723_468), (8, 6_314_316)]
)
def test_parameters_of_the_released_network(scale, parameters):
    assert count(lambda: TreeNet(rcan_host(scale))) == parameters
    assert count(lambda: FusionNet(4)) == 46_080


@pytest.mark.parametrize(
    ("scale", "tree", "fusion"),
    [(2, 23.577, 0.849), (3, 27.134, 1.911), (4, 34.831, 3.397), (8, 79.847, 13.590)],
)
def test_floating_point_operations_of_the_released_network(scale, tree, fusion):
    """Of an LR of 48x48, in units of 10^9; a multiplication with its addition counts two."""
    with torch.device("meta"):
        nets = TreeNet(rcan_host(scale)), FusionNet(4)
        lr = torch.rand(1, 3, 48, 48)
    for net, expected in zip(nets, (tree, fusion), strict=True):
        with FlopCounterMode(display=False) as counter:
            made = net(lr)
        lr = made
        assert counter.get_total_flops() / 1e9 == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("depth", "children", "deep"), [(2, 2, True), (3, 2, False), (1, 3, True)])
def test_grouped_leaves_give_the_same_images_and_gradients(depth, children, deep):
    generator = torch.Generator().manual_seed(0)
    tree = TreeNet(rcan_host(3, width=8, groups=1, blocks=1), depth, children, deep_residual=deep)
    initialise(tree, generator)
    lr = torch.rand(2, 3, 9, 7, generator=generator)
    plain, grouped = tree(lr), forward_grouped(tree, lr)
    torch.testing.assert_close(grouped, plain, rtol=1e-5, atol=1e-5)
    there = torch.rand(plain.shape, generator=generator)
    weights = list(tree.parameters())
    ours = torch.autograd.grad(grouped, weights, there)
    for mine, theirs in zip(ours, torch.autograd.grad(plain, weights, there), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(HOSTS))
def test_every_host_can_be_grouped(name):
    settings = D2CSettings(host=name, width=16, groups=1, blocks=2, growth=4, scale=2)
    tree = build(settings)[0]
    lr = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(forward_grouped(tree, lr), tree(lr), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["rcan", "edsr", "srresnet"])
def test_grouped_leaves_in_bf16_are_the_plain_ones_to_bf16(name):
    settings = D2CSettings(host=name, width=16, groups=1, blocks=2, scale=2)
    tree = build(settings)[0]
    lr = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    exact = tree(lr)
    with torch.autocast("cpu", torch.bfloat16):
        plain, grouped = tree(lr).float(), forward_grouped(tree, lr).float()
    assert (grouped - exact).abs().max() <= 2 * (plain - exact).abs().max() + 1e-3
    assert (grouped != exact).any()


def test_parameters_of_its_pieces():
    assert count(lambda: RCAB(64)) == 74_436
    assert count(lambda: ResidualGroup(64, 4)) == 334_672
    assert count(lambda: rcan_host(4).branch()) == 706_272
    assert count(lambda: upsampler(4, 64)) == 297_155
    assert count(lambda: rcan_host(4).stem()) == 1_792


def both(depth, children, **host):
    return count(lambda: TreeNet(rcan_host(4, **host), depth, children)) + count(
        lambda: FusionNet(children**depth, host.get("width", 64))
    )


def test_parameters_of_the_ablation_models():
    assert [both(2, c, blocks=1) for c in (1, 2, 3, 4)] == [931_283, 3_089_852, 6_514_363, 11_204_816]
    assert [both(depth, 2, blocks=1) for depth in (1, 2, 3, 4)] == [
        1_230_742,
        3_089_852,
        6_955_784,
        14_983_072,
    ]


@pytest.mark.parametrize(
    ("width", "groups", "blocks", "fusion", "millions"),
    [
        (64, 2, 4, 64, 5.77),
        (64, 2, 2, 64, 3.98),
        (64, 1, 3, 64, 3.32),
        (32, 2, 1, 32, 0.78),
        (16, 1, 2, 32, 0.193),
        (16, 1, 1, 16, 0.156),
    ],
)
def test_parameters_of_the_size_ladder(width, groups, blocks, fusion, millions):
    total = count(lambda: TreeNet(rcan_host(4, width, groups, blocks))) + count(lambda: FusionNet(4, fusion))
    assert total / 1e6 == pytest.approx(millions, abs=0.006 if millions > 1 else 0.002)


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return TreeNet(rcan_host(2, width=8, groups=1, blocks=1)).eval(), FusionNet(4, width=8).eval()


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_shapes(scale):
    tree = TreeNet(rcan_host(scale, width=8, groups=1, blocks=1), depth=2, children=3)
    pred = tree(torch.rand(2, 3, 7, 9))
    assert pred.shape == (2, 9, 3, 7 * scale, 9 * scale)
    fused, weights = FusionNet(9, width=8)(pred)
    assert fused.shape == (2, 3, 7 * scale, 9 * scale)
    assert weights.shape == (2, 9, 7 * scale, 9 * scale)


def test_a_leaf_is_what_the_paper_writes(tiny):
    """Leaf 2 (parent 1) of L = C = 2: r = conv_a(M(h1)) + h1; r = conv_b(r) + h0; U(r) + m."""
    tree, _ = tiny
    lr = torch.rand(1, 3, 6, 5)
    with torch.inference_mode():
        h0 = tree.stem(lr)
        h1 = tree.levels[0][1](h0)
        r = tree.joints[2][1](tree.levels[1][2](h1)) + h1
        r = tree.joints[2][0](r) + h0
        expected = tree.tails[2](r) + torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
        torch.testing.assert_close(tree(lr)[:, 2], expected)


@pytest.mark.parametrize("factor", [2, 3])
def test_enlarging_is_a_convolution_and_a_pixel_shuffle(factor):
    conv = EnlargingConv(5, 4, factor)
    x = torch.rand(2, 5, 7, 6, requires_grad=True)
    plain = F.pixel_shuffle(F.conv2d(x, conv.weight, conv.bias, padding=1), factor)
    torch.testing.assert_close(conv(x), plain, rtol=1e-6, atol=1e-6)
    there = torch.rand_like(plain)
    ours = torch.autograd.grad(conv(x), (x, conv.weight, conv.bias), there)
    for mine, theirs in zip(
        ours, torch.autograd.grad(plain, (x, conv.weight, conv.bias), there), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_channel_attention_is_its_formula():
    torch.manual_seed(1)
    attention, x = ChannelAttention(32), torch.randn(2, 32, 5, 4)
    a = x.mean((2, 3))
    hidden = F.relu(a @ attention.squeeze.weight[:, :, 0, 0].T + attention.squeeze.bias)
    gate = torch.sigmoid(hidden @ attention.excite.weight[:, :, 0, 0].T + attention.excite.bias)
    torch.testing.assert_close(attention(x), x * gate[:, :, None, None])


def test_without_deep_residual_only_the_shallow_feature_is_added():
    tree = TreeNet(rcan_host(2, width=8, groups=1, blocks=1), deep_residual=False)
    lr = torch.rand(1, 3, 5, 5)
    h0 = tree.stem(lr)
    leaf = tree.levels[1][3](tree.levels[0][1](h0))
    r = tree.joints[3][0](tree.joints[3][1](leaf)) + h0
    torch.testing.assert_close(tree.features(lr)[3], r)


def test_weights_are_a_convex_combination(tiny):
    _, fusion = tiny
    pred = torch.randn(2, 4, 3, 9, 8)
    with torch.inference_mode():
        fused, weights = fusion(pred)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 9, 8), atol=1e-6, rtol=0)
    assert (fused >= pred.min(1).values - 1e-6).all()
    assert (fused <= pred.max(1).values + 1e-6).all()


def test_the_mean_is_no_parameter_and_moves_with_the_network(tiny):
    tree, _ = tiny
    assert not any("mean" in name for name, _ in tree.named_parameters())
    assert tree.double().stem.mean.dtype == torch.float64
    tree.float()


def test_a_seed_gives_the_same_weights():
    nets = [TreeNet(rcan_host(2, width=8, groups=1, blocks=1)) for _ in range(3)]
    for net, seed in zip(nets, (5, 5, 6), strict=True):
        initialise(net, torch.Generator().manual_seed(seed))
    first, same, other = (net.levels[0][0][0].body[1].weight for net in nets)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    conv = nets[0].tails[0][0]
    assert conv.weight.detach().std() == pytest.approx((8 * 9) ** -0.5, rel=0.05)
    assert (conv.bias == 0).all()


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="at least one level"):
        TreeNet(rcan_host(2, width=8), depth=0)
    with pytest.raises(ValueError, match="no upsampler for x5"):
        upsampler(5, 8)
