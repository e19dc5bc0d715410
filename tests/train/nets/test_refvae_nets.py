"""RefVAE's networks and losses: counts, shapes and values of the paper and its released code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from realdeg.errors import Unfit
from realdeg.imaging.resample import resize
from realdeg.imaging.square import fitted
from train.data.batches import Batch
from train.data.references import IMAGE, PRIOR, SELF, WithReferences
from train.losses.patchgan import fooling_loss, matching_loss, soft_labels, telling_loss
from train.losses.style import statistics, style_distance, total_variation
from train.losses.variational import normal_divergence
from train.nets.bicubic import BicubicReduction
from train.nets.patchgan import PatchGAN
from train.nets.refvae import Features, RefVAENet, padded
from train.nets.trunks import IMAGENET_MEAN, IMAGENET_STD, seeded


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.fixture(scope="module")
def paper():
    return RefVAENet()


def test_parameters_are_the_released_ones(paper):
    parts = (paper.encode, paper.code, paper.decode, paper.head, paper.statistics, paper.draw)
    assert [count(part) for part in parts] == [70_016, 8_389_120, 4_210_688, 4_752_896, 14_946_816, 1_554_627]
    assert count(paper) == 33_924_163
    features = Features()
    assert count(features) == 3_505_728
    assert not any(p.requires_grad for p in features.parameters())
    assert count(PatchGAN()) == 691_777


@pytest.mark.parametrize(("scale", "eighth", "side"), [(8, 32, 256), (4, 16, 128)])
def test_shapes_of_a_32_px_lr(scale, eighth, side):
    with torch.device("meta"):
        net, features = RefVAENet(), Features()
        of_lr = features(padded(torch.empty(1, 3, 32 * scale, 32 * scale)))[-1]
        of_reference = features(torch.empty(1, 3, 256, 256))[-1]
        mean, log_variance = net.of_reference(of_reference)
        image = net(of_lr, mean)
    assert of_lr.shape == (1, 512, eighth, eighth)
    assert of_reference.shape == (1, 512, 32, 32)
    assert mean.shape == log_variance.shape == (1, 256)
    assert net.decode(mean).shape == (1, 16_384)
    assert image.shape == (1, 3, side, side)


@pytest.mark.parametrize(
    ("side", "judgements", "seen"), [(256, 1344, 5_160_960), (128, 336, 1_290_240), (288, 1701, None)]
)
def test_shapes_of_the_discriminator(side, judgements, seen):
    with torch.device("meta"):
        said, features = PatchGAN()(torch.empty(1, 3, side, side))
    assert said.shape == (1, judgements)
    assert seen is None or sum(f.numel() for f in features) == seen


@pytest.mark.parametrize(("scale", "total"), [(4, 133.5), (8, 438.7)])
def test_operations_are_the_released_ones(scale, total):
    """Billions of multiplications and additions, of a 64 px LR with a reference of 256 px."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        net, features = RefVAENet(), Features()
        mean, _ = net.of_reference(features(torch.empty(1, 3, 256, 256))[-1])
        net(features(torch.empty(1, 3, 64 * scale, 64 * scale))[-1], mean)
    assert counter.get_total_flops() / 1e9 == pytest.approx(total, rel=0.01)


def test_features_are_vgg_with_reflection_written_out():
    net = Features(("1_2", "4_1"))
    stored = seeded(net.trunk, 3)
    net.trunk.take(stored)
    torch.manual_seed(0)
    x = torch.rand(1, 3, 24, 32)
    y = (x - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
    kept = {}
    for index in (0, 2, 5, 7, 10, 12, 14, 16, 19):
        if index in (5, 10, 19):
            y = F.max_pool2d(y, 2)
        weight, bias = stored[f"features.{index}.weight"], stored[f"features.{index}.bias"]
        y = F.conv2d(F.pad(y, (1, 1, 1, 1), mode="reflect"), weight, bias).relu()
        kept[index] = y
    for mine, theirs in zip(net(x), (kept[2], kept[19]), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_without_shift_and_scale_the_fused_features_are_the_codes(paper):
    z, zeros = torch.randn(1, 256), torch.zeros(1, 512, 4, 5)
    with torch.no_grad():
        torch.testing.assert_close(paper.fused(z, zeros, zeros), paper.of_code(z, (4, 5)))
        ones = torch.ones_like(zeros)
        torch.testing.assert_close(paper.fused(z, ones, ones), 2 * paper.of_code(z, (4, 5)) + 1)


@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_padding_goes_to_multiples_of_8(height, width):
    image = torch.rand(1, 3, height, width)
    large = padded(image)
    assert all(side % 8 == 0 and side >= 16 for side in large.shape[-2:])
    assert torch.equal(large[..., :height, :width], image)


def test_group_norm_does_not_care_for_other_references():
    torch.manual_seed(0)
    net = RefVAENet(16, 8, "group")
    features = torch.randn(3, 512, 6, 6)
    alone, together = net.of_reference(features[:1])[0], net.of_reference(features)[0][:1]
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)
    assert any(isinstance(m, nn.BatchNorm2d) for m in RefVAENet(16, 8).modules())


def test_divergence_of_codes():
    zeros, ones = torch.zeros(2, 256), torch.ones(2, 256)
    assert normal_divergence(zeros, zeros).tolist() == [0, 0]
    assert normal_divergence(ones, zeros).tolist() == [128, 128]


@given(mean=st.floats(-3, 3), log_variance=st.floats(-5, 3))
def test_divergence_is_torchs(mean, log_variance):
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, float(np.exp(0.5 * log_variance))),
        torch.distributions.Normal(0.0, 1.0),
    )
    found = normal_divergence(torch.full((1, 3), mean), torch.full((1, 3), log_variance))
    assert float(found) == pytest.approx(3 * float(theirs), rel=1e-3, abs=1e-5)


def test_style_is_mean_and_variance_of_channels():
    torch.manual_seed(0)
    one, other = torch.randn(2, 4, 5, 6), torch.randn(2, 4, 5, 6)
    a, b = one.numpy(), other.numpy()
    expected = np.abs(a.mean((2, 3)) - b.mean((2, 3))).mean(1) + np.abs(a.var((2, 3)) - b.var((2, 3))).mean(1)
    found = style_distance(statistics([one]), statistics([other]))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert style_distance(statistics([one]), statistics([one])).tolist() == [0, 0]
    turned = one.flip(-1).transpose(-1, -2)  # style does not know where
    np.testing.assert_allclose(style_distance(statistics([one]), statistics([turned])).numpy(), 0, atol=1e-6)


def test_total_variation():
    ramp = torch.arange(5.0).repeat(4, 1)[None, None]
    assert float(total_variation(ramp)) == pytest.approx(1)
    assert float(total_variation(torch.ones(1, 3, 4, 4))) == 0


def test_adversarial_losses():
    assert float(fooling_loss(torch.tensor([[1.0, 0.5]]))) == pytest.approx(0.25)
    true, made = torch.tensor([[0.5, 1.5]]), torch.tensor([[0.2, 0.4]])
    assert float(telling_loss(true, made)) == pytest.approx(0.5 * (0.5 + 0.3))
    assert float(telling_loss(true, made, (0.7, 0.3))) == pytest.approx(0.5 * (0.5 + 0.1))
    mine = [torch.zeros(1, 2, requires_grad=True)]
    theirs = [torch.ones(1, 2, requires_grad=True)]
    matching_loss(mine, theirs).backward()
    assert theirs[0].grad is None
    assert mine[0].grad.tolist() == [[-0.5, -0.5]]


def test_soft_labels_fill_their_ranges():
    torch.manual_seed(0)
    labels = np.array([soft_labels() for _ in range(2000)])
    np.testing.assert_allclose(labels.min(0), [0.7, 0], atol=0.01)
    np.testing.assert_allclose(labels.max(0), [1.2, 0.3], atol=0.01)
    np.testing.assert_allclose(labels.mean(0), [0.95, 0.15], atol=0.02)
    assert abs(np.corrcoef(labels.T)[0, 1]) < 0.1


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_reduction_is_matlabs(scale):
    torch.manual_seed(scale)
    image = torch.rand(1, 3, 6 * scale, 5 * scale, requires_grad=True)
    small = BicubicReduction(scale)(image)
    expected = resize(image.detach()[0].permute(1, 2, 0).numpy(), 1 / scale)
    np.testing.assert_allclose(small.detach()[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    small.sum().backward()
    assert float(image.grad.sum()) == pytest.approx(3 * 30, rel=1e-4)


@pytest.mark.parametrize("size_hw", [(40, 90), (90, 40), (300, 300), (7, 5), (1000, 130)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_reference_keeps_its_aspect(size_hw, dtype):
    """A circle stays one: its width and height after fitting are equal."""
    height, width = size_hw
    y, x = np.mgrid[:height, :width]
    radius = min(size_hw) / 3
    inside = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) < radius
    picture = (inside[..., None] * np.ones(3) * np.iinfo(dtype).max).astype(dtype)
    square = fitted(picture, 64)
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.uint8
    bright = square[..., 0] > 127
    high, wide = bright.any(1).sum(), bright.any(0).sum()
    assert abs(int(high) - int(wide)) <= max(2, 64 // min(size_hw))
    assert high == pytest.approx(64 * 2 / 3, abs=max(3, 64 // min(size_hw)))


def test_one_pixel_is_no_reference():
    with pytest.raises(Unfit, match="5x1 px"):
        fitted(np.zeros((1, 5, 3), np.uint8))


def crops(step):
    return Batch(tuple("abcd"), np.zeros((4, 6, 6, 3), np.uint8), np.zeros((4, 12, 12, 3), np.uint8))


def test_references_are_a_function_of_seed_step_and_place():
    pictures = [np.random.default_rng(i).integers(0, 255, (50, 90, 3), np.uint8) for i in range(5)]

    def made(seed, step, places=range(4)):
        source = WithReferences(crops, pictures, side=32, itself=0.3, prior=0.3, seed=seed, places=places)
        return source(step)

    one, same, other = made(1, 7), made(1, 7), made(1, 8)
    assert np.array_equal(one.references, same.references)
    assert np.array_equal(one.kinds, same.kinds)
    assert not np.array_equal(one.references, other.references)
    second = WithReferences(crops, pictures, side=32, itself=0.3, prior=0.3, seed=1, places=range(2, 4))
    half = Batch(("c", "d"), np.zeros((2, 6, 6, 3), np.uint8), np.zeros((2, 12, 12, 3), np.uint8))
    second.crops = lambda step: half
    assert np.array_equal(second(7).references, one.references[2:])
    kinds = np.concatenate([made(3, step).kinds for step in range(500)])
    shares = [(kinds == kind).mean() for kind in (IMAGE, SELF, PRIOR)]
    assert shares == pytest.approx([0.4, 0.3, 0.3], abs=0.04)
    assert not one.references[one.kinds != IMAGE].any()


class Counted(list):
    """Pictures that know how often they were read."""

    reads = 0

    def __getitem__(self, i):
        self.reads += 1
        return super().__getitem__(i)


@pytest.mark.parametrize(("kept", "at_most"), [(10 * 64 * 70 * 3, 10), (0, 1)])
def test_memory_of_references_is_bounded_and_changes_none(kept, at_most):
    pictures = Counted(np.random.default_rng(i).integers(0, 255, (64, 70, 3), np.uint8) for i in range(20))
    words = {"side": 32, "itself": 0.0, "prior": 0.0, "seed": 0, "places": range(4)}
    free, bound = (
        WithReferences(crops, pictures, **words),
        WithReferences(crops, pictures, **words, kept=kept),
    )
    for step in range(20):
        assert np.array_equal(free(step).references, bound(step).references)
        assert len(bound._known) <= at_most
    assert len(free._known) == 20


def test_a_reference_is_read_once():
    pictures = Counted([np.zeros((64, 70, 3), np.uint8)] * 3)
    source = WithReferences(crops, pictures, side=32, itself=0, prior=0, seed=0, places=range(4))
    for step in range(10):
        source(step)
    assert pictures.reads == 3
