"""Truth: the layers as torch.nn has them, KernelGAN's own post-processing (golden arrays), known blurs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from realdeg.imaging.blur import align_kernel, blur_subsample
from realdeg.imaging.kernels import centre_of_mass, gaussian
from realdeg.imaging.resample import resize
from realdeg.kernels import kernelgan as kg
from realdeg.seeds import stream

ONE = torch.empty(0, dtype=torch.float64)
pytestmark = pytest.mark.usefixtures("one_thread")


def rngs(*keys):
    return [stream(0, key, "test") for key in keys]


class Chain(nn.Module):
    """G as the paper draws it."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(i, o, s, stride=2 if n == 5 else 1, bias=False)
            for n, (o, i, s) in enumerate(kg.GENERATOR)
        )

    def load(self, weights, photo):
        for layer, weight in zip(self.layers, weights, strict=True):
            layer.weight = nn.Parameter(weight[photo].detach().clone())
        return self

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def plain_critic():
    """D as the paper draws it, without spectral normalisation."""
    parts = [nn.Conv2d(3, 64, 7)]
    for _ in range(5):
        parts += [nn.Conv2d(64, 64, 1), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*parts, nn.Conv2d(64, 1, 1), nn.Sigmoid())


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_the_papers():
    assert count(Chain()) == sum(w.numel() for w in kg.new_generator(rngs("a"), ONE)) == 150_656
    assert count(plain_critic()) == sum(w.numel() for w in kg.new_critic(rngs("a"), ONE).parameters) == 30_977


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_collapsed_generator_is_the_chain(dtype, near):
    weights = [w.detach() * 4 for w in kg.new_generator(rngs("a", "b"), torch.empty(0, dtype=dtype))]
    crops = torch.rand(2, 3, 64, 64, dtype=dtype, generator=torch.Generator().manual_seed(1))
    ours = kg.filtered(kg.windows(crops), kg.collapsed(weights))
    assert ours.shape == (2, 3, 26, 26)
    for photo in range(2):
        theirs = Chain().load(weights, photo)(crops[photo][:, None])[:, 0]
        scale = theirs.abs().max()
        torch.testing.assert_close(ours[photo] / scale, theirs / scale, rtol=0, atol=near)


def test_collapsed_generator_has_the_chains_gradients():
    weights = [(w.detach() * 10).requires_grad_() for w in kg.new_generator(rngs("a"), ONE)]
    crops = torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    target = torch.rand(3, 1, 26, 26, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    chain = Chain().load(weights, 0)
    F.mse_loss(chain(crops[0][:, None]), target).backward()
    F.mse_loss(kg.filtered(kg.windows(crops), kg.collapsed(weights))[0][:, None], target).backward()
    for ours, layer in zip(weights, chain.layers, strict=True):
        theirs = layer.weight.grad
        assert theirs.abs().max() > 1e-6
        torch.testing.assert_close(ours.grad[0], theirs, rtol=0, atol=1e-10)


def test_critic_is_torchs_and_keeps_photos_apart():
    """Conv, spectral norm and BatchNorm of torch.nn, one photo and one crop at a time."""
    ours = kg.new_critic(rngs("a", "b"), ONE)
    for _ in range(200):
        layers = ours.normalised()  # until power iteration stands still
    crops = torch.rand(2, 2, 3, 26, 26, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    judged = kg.critic(crops, *layers, *ours.rest())
    for photo in range(2):
        net = plain_critic().double()
        convs = [m for m in net if isinstance(m, nn.Conv2d)]
        with torch.no_grad():
            convs[0].weight.copy_(ours.first[photo].reshape(64, 3, 7, 7))
            for k in range(5):
                convs[k + 1].weight.copy_(ours.hidden[photo, k][:, :, None, None])
            convs[6].weight.copy_(ours.last[photo][:, :, None, None])
            for conv in convs:
                conv.bias.zero_()
                conv.weight /= torch.linalg.matrix_norm(conv.weight.flatten(1), 2)
        for n in range(2):
            theirs = copy.deepcopy(net).train()(crops[photo, n][None]).reshape(-1)
            torch.testing.assert_close(judged[photo, n], theirs, rtol=0, atol=1e-6)


def test_bicubic_reference_is_imresize():
    image = np.random.default_rng(0).random((64, 64))
    kernel = torch.from_numpy(kg.bicubic_kernel())[None]
    crop = torch.from_numpy(image).expand(1, 3, 64, 64)
    ours = kg.filtered(kg.windows(crop), kernel)[0, 0].numpy()
    np.testing.assert_allclose(
        ours, resize(image, 0.5)[3:29, 3:29], atol=1e-12
    )  # window 2i..2i+12: LR pixel i+3


def test_boundary_mask():
    mask = kg.boundary_mask()
    assert mask.shape == (13, 13)
    assert not mask[2:-2, 2:-2].any()
    assert (mask[:2] > 0).all()
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])


def constraints_over(mse, iterations):
    bound = kg.Constraints(1, ONE)
    weights = []
    for i in range(iterations):
        bound._follow(torch.full((1,), mse, dtype=torch.float64), i)
        weights.append(float(bound.weight))
    return weights


def test_the_bond_to_bicubic_is_loosened():
    weights = constraints_over(0.01, 801)
    assert weights[199] == 5
    assert [weights[i] for i in (200, 400, 600, 800)] == pytest.approx([5e-2, 5e-4, 5e-6, 5e-6])
    assert constraints_over(0.5, 801)[-1] == 5


def test_edge_map_and_crops():
    grey = np.zeros((140, 200))
    grey[:, 100:] = 0.8
    chances = kg.edge_map(grey)
    assert chances.sum() == pytest.approx(1)
    assert chances[:, 96:104].sum() == pytest.approx(1)
    assert kg.edge_map(np.full((64, 64), 0.3)).min() > 0
    places = np.stack(np.meshgrid(np.arange(200) / 200, np.arange(140) / 140, [0.0]), -1)[:, :, 0]
    source = kg.CropSource(places.astype(np.float32), "a", 0)
    again = kg.CropSource(places.astype(np.float32), "a", 0)
    other = kg.CropSource(places.astype(np.float32), "b", 0)
    for i in range(20):
        wide, real, noise = source.draw(i)
        assert (wide.shape, real.shape, noise.shape) == ((3, 64, 64), (3, 26, 26), (2, 3, 26, 26))
        for crop in (wide, real):
            x, y = (crop[0, 0, 0] + 1) / 2 * 200, (crop[1, 0, 0] + 1) / 2 * 140
            assert round(float(x)) % 2 == round(float(y)) % 2 == 0
        np.testing.assert_array_equal(again.draw(i)[0], wide)
    assert not np.array_equal(other.draw(3)[2], source.draw(3)[2])


def test_drawing_does_not_change_the_photo():
    """The published program added its noise to the photo itself."""
    photo = np.random.default_rng(0).random((128, 128, 3), dtype=np.float32)
    before = photo.copy()
    kg.estimate_kernels([photo], ["a"], iterations=3)
    np.testing.assert_array_equal(photo, before)


def test_postprocessing_is_kernelgans(golden):
    stored = np.load(golden / "kernels.npz")
    raw = stored["kgan_in_k2_13"]
    post = kg.centred(kg.pruned(raw), 2)
    np.testing.assert_allclose(post, stored["kgan_post_process_k_n40"], atol=1e-7)  # theirs: float32
    np.testing.assert_allclose(
        kg.analytic_x4(stored["kgan_post_process_k_n40"].astype(float)),
        stored["kgan_analytic_x4_of_post"],
        atol=1e-8,
    )
    np.testing.assert_allclose(kg.analytic_x4(raw), stored["kgan_analytic_x4_of_raw"], atol=1e-15)


@pytest.mark.parametrize("n", [13, 14, 21])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_centring_is_kernelgans(golden, n, scale):
    stored = np.load(golden / "kernels.npz")
    ours = kg.centred(stored[f"kgan_kernel_shift_in_n{n}"], scale)
    np.testing.assert_allclose(ours, stored[f"kgan_kernel_shift_n{n}_sf{scale}"], atol=1e-12)


def test_pruned_keeps_forty_at_most():
    kernel = np.random.default_rng(0).normal(0.006, 0.01, (13, 13))
    kernel = kg.pruned(kernel)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() == 0
    assert 40 <= (kernel > 0).sum() < 80


def test_x4_is_x2_twice():
    """Down twice by k equals once by the whole k4, in the middle; sums are 1."""
    k = kg.pruned(np.outer(gaussian(13, 1.4)[6], gaussian(13, 2.1)[6]))
    whole = kg.analytic_x4(k, cropped=False)
    assert whole.shape == (37, 37)
    assert kg.analytic_x4(k).shape == (25, 25)
    assert whole.sum() == pytest.approx(1, abs=1e-12)
    assert kg.analytic_x4(k).sum() == pytest.approx(1, abs=1e-12)
    image = torch.rand(1, 1, 120, 120, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    two, four = (torch.from_numpy(kernel)[None, None] for kernel in (k, whole))
    twice = F.conv2d(F.conv2d(image, two, stride=2), two, stride=2)
    once = F.conv2d(image, four, stride=4)
    torch.testing.assert_close(twice[..., : once.shape[-2], : once.shape[-1]], once, rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def blurred(photos_of_three):
    truth = align_kernel(gaussian(15, 2.0, 1.1, 0.7), 2)
    hr = photos_of_three[0]
    return hr, truth, blur_subsample(hr, truth, 2)


@pytest.fixture(scope="module")
def photos_of_three(sample):
    from realdeg.io.photo import read

    return [read(sample / "clean" / f"{name}.png").pixels[:380, :400] for name in ("coffee", "chelsea")]


def test_a_short_run_beats_bicubic(blurred):
    """Re-degrading HR by what LR alone tells; bicubic is what one would take without it."""
    hr, _, lr = blurred
    first, last = (kg.estimate_kernels([lr], ["a"], iterations=n)[0] for n in (5, 250))
    assert last.bicubic < first.bicubic / 10
    assert last.kernel.sum() == pytest.approx(1, abs=0.15)
    kernel = kg.centred(kg.pruned(last.kernel), 2)
    assert np.add(centre_of_mass(kernel), 0) == pytest.approx([8.5, 8.5], abs=0.05) or kernel.shape != (
        17,
        17,
    )

    def error(k):
        return np.square(blur_subsample(hr, align_kernel(k, 2), 2) - lr).mean()

    assert error(kernel) < error(kg.bicubic_kernel()) / 4


def test_neighbours_do_not_matter(photos_of_three):
    """Bytes on a processor, where photos go one by one; in one group, to what rounding has become."""
    photos = [photo[:180, :200].astype(np.float32) / 255 for photo in (*photos_of_three, *photos_of_three)]
    keys = ["a", "b", "c", "d"]
    alone = kg.estimate_kernels(photos[:1], keys[:1], iterations=12)[0].kernel
    np.testing.assert_array_equal(kg.estimate_kernels(photos, keys, iterations=12)[0].kernel, alone)
    exact = kg.estimate_kernels(photos[:1], keys[:1], iterations=12, dtype=torch.float64)[0].kernel
    grouped = kg.estimate_kernels(photos, keys, iterations=12, dtype=torch.float64, group=4)
    np.testing.assert_allclose(grouped[0].kernel, exact, atol=1e-10)
    others = kg.estimate_kernels(
        photos[:1] + photos[1:3][::-1], ["a", "x", "y"], iterations=12, dtype=torch.float64, group=4
    )
    np.testing.assert_array_equal(others[0].kernel, grouped[0].kernel)  # the last group is filled up
    assert np.abs(grouped[0].kernel - grouped[2].kernel).max() > 1e-6  # same photo, other key: other draws


def test_small_photos_are_refused():
    with pytest.raises(ValueError, match="128 px"):
        kg.estimate_kernels([np.zeros((127, 300, 3), np.float32)], ["a"])
