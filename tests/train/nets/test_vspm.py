"""VSpSR's module, prior and critic: counts, shapes and values of the paper and its released code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from realdeg.imaging.resample import resize
from train.losses.least_squares import critic_loss, generator_loss
from train.losses.sparse import expected_precision, sparse_divergence, standard_divergence
from train.nets.noise import correlated, normal
from train.nets.patch_critic import PatchCritic
from train.nets.vspm import Normal, VSpM


def count(net):
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def small(scale=2, **words):
    torch.manual_seed(0)
    return VSpM(scale, 8, **words)


@pytest.mark.parametrize(
    ("scale", "vectors", "basis", "coefficients", "counts"),
    [
        (4, 256, False, True, (4_417_910, 2_599_424, 1_814_400)),
        (4, 64, False, True, (281_174, 162_944, 114_144)),
        (4, 256, True, True, (7_302_518, 5_484_032, 1_814_400)),
        (4, 256, False, False, (3_630_454, 2_599_424, 1_026_944)),
        (8, 256, False, True, (4_680_310, 2_861_824, 1_814_400)),
        (8, 64, False, True, (297_622, 179_392, 114_144)),
    ],
)
def test_parameters_are_the_released_ones(scale, vectors, basis, coefficients, counts):
    net = VSpM(scale, vectors, stochastic_basis=basis, stochastic_coefficients=coefficients)
    assert (count(net), count(net.basis), count(net.coefficients)) == counts
    assert (count(net.mix), count(net.deterministic)) == (3_203, 883)


def test_other_counts():
    assert count(VSpM(4, 256, interpolation="none")) == 4_417_027
    assert count(PatchCritic()) == 301_377
    small, large = (VSpM(4, n) for n in (64, 256))
    assert count(small.basis) + count(small.coefficients) == 277_088
    assert count(large.basis) + count(large.coefficients) == 4_413_824


def test_shapes_at_x4():
    net = VSpM(4, 256)
    seen = []
    for layer in net.basis.encode:
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda m, i, o: seen.append(tuple(o.shape)))
    lr = torch.rand(1, 3, 48, 48)
    with torch.no_grad():
        basis, coefficients = net.variables(lr)
        image = net(lr)[0]
    assert seen[:4] == [(3, 64, 48, 48), (3, 128, 24, 24), (3, 256, 12, 12), (3, 512, 6, 6)]
    assert basis.mean.shape == (3, 256, 4, 4)
    assert basis.log_variance is None
    assert coefficients.mean.shape == coefficients.log_variance.shape == (3, 256, 48, 48)
    assert image.shape == (1, 3, 192, 192)
    critic = PatchCritic()
    assert critic.layers(image).shape == (1, 1, 46, 46)
    assert critic(image).shape == (1,)
    assert 0 < critic(image).item() < 1


def test_shapes_at_x8():
    net = VSpM(8, 64)
    with torch.no_grad():
        basis, _ = net.variables(torch.rand(1, 3, 32, 32))
        assert basis.mean.shape == (3, 64, 8, 8)
        assert net(torch.rand(1, 3, 32, 32))[0].shape == (1, 3, 256, 256)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("patches", ["apart", "overlap"])
def test_every_scale_and_any_size(scale, patches):
    net = small(scale, patches=patches)
    with torch.no_grad():
        assert net(torch.rand(2, 3, 17, 21))[0].shape == (2, 3, 17 * scale, 21 * scale)


def test_what_it_cannot_have():
    with pytest.raises(ValueError, match="not 5"):
        VSpM(5, 8)
    with pytest.raises(ValueError, match="multiple of 4"):
        VSpM(2, 10)
    with pytest.raises(ValueError, match="16 px"):
        small().variables(torch.rand(1, 3, 15, 40))


@pytest.mark.parametrize("basis", [False, True])
def test_equal_seeds_agree_and_others_do_not(basis):
    net = small(stochastic_basis=basis)
    lr = torch.rand(1, 3, 16, 18)
    with torch.no_grad():
        one, same, other = (net(lr, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_without_variance_there_is_one_image():
    net = small(stochastic_coefficients=False)
    lr = torch.rand(1, 3, 16, 18)
    with torch.no_grad():
        assert torch.equal(net(lr, seeded(1))[0], net(lr, seeded(2))[0])


def test_patches_are_the_basis_times_coefficients():
    """Written out: pixel (4y + p, 4x + q) of channel c is sum_k Z[c, k, p, q] w[c, k, y, x]."""
    net = small(4)
    generator = np.random.default_rng(0)
    basis, weights = generator.normal(size=(6, 8, 4, 4)), generator.normal(size=(6, 8, 3, 5))
    found = net.patchwork(torch.tensor(basis).float(), torch.tensor(weights).float()).numpy()
    expected = np.einsum("ckpq,ckyx->cypxq", basis, weights).reshape(2, 3, 12, 20)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_overlapping_windows_sum_to_one(scale):
    """Patches of one constant leave no trace of where they lie, at the border neither."""
    net = small(scale, patches="overlap")
    ones = torch.zeros(3, 8, 2 * scale, 2 * scale)
    ones[:, 0] = 1
    weights = torch.zeros(3, 8, 5, 4)
    weights[:, 0] = 2.5
    image = net.patchwork(ones, weights)
    assert image.shape == (1, 3, 5 * scale, 4 * scale)
    torch.testing.assert_close(image, torch.full_like(image, 2.5))


def test_overlapping_patches_lie_around_their_pixel():
    net = small(4, patches="overlap")
    weights = torch.zeros(3, 8, 5, 5)
    weights[:, 0, 2, 2] = 1
    image = net.patchwork(torch.ones(3, 8, 8, 8), weights)[0, 0]
    places = torch.arange(20) + 0.5
    centre = (image.sum(0) * places).sum() / image.sum()
    assert float(centre) == pytest.approx(10)  # LR pixel 2 is HR 8 to 12
    assert float(image[:, :6].abs().max()) == 0


def test_begins_at_the_bicubic_image():
    net = small(2, interpolation="bicubic", bicubic=True)
    torch.manual_seed(3)
    lr = F.interpolate(torch.rand(1, 3, 5, 6), (20, 24), mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        image = net(lr, seeded(0))[0]
    expected = torch.from_numpy(resize(lr[0].permute(1, 2, 0).numpy(), 2)).permute(2, 0, 1)
    assert (image[0] - expected)[:, 4:-4, 4:-4].abs().mean() < 0.1


@given(mean=st.floats(-3, 3), log_variance=st.floats(-4, 4), alpha=st.floats(0.1, 9), beta=st.floats(0.05, 5))
def test_expected_precision_is_the_posterior_gammas_mean(mean, log_variance, alpha, beta):
    """Gamma(alpha + 1/2, beta + E[w^2] / 2) has mean shape / rate."""
    second = mean**2 + np.exp(log_variance)
    found = float(expected_precision(torch.tensor(second, dtype=torch.float64), alpha, beta))
    assert found == pytest.approx((alpha + 0.5) / (beta + 0.5 * second), rel=1e-9)


def test_divergence_of_a_standard_normal():
    zeros = torch.zeros(2, 3, 4)
    assert float(sparse_divergence(Normal(zeros, zeros), 3.0, 0.5)) == pytest.approx(3.5)
    assert float(standard_divergence(Normal(zeros, zeros))) == pytest.approx(1.0)


def test_divergence_of_a_basis_is_least_at_its_prior():
    """Against torch's own KL(N(mu, sigma) || N(0, 1)): twice it, plus 1."""
    torch.manual_seed(0)
    mean, log_variance = torch.randn(50), torch.randn(50)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)), torch.distributions.Normal(0.0, 1.0)
    )
    found = standard_divergence(Normal(mean, log_variance))
    assert float(found) == pytest.approx(2 * float(theirs.mean()) + 1, rel=1e-5)


def test_no_gradient_passes_through_the_expected_precision():
    """With E[rho] constant, d/dmu is 2 E[rho] mu and d/dlog s^2 is E[rho] s^2 - 1, over the count."""
    torch.manual_seed(1)
    mean, log_variance = torch.randn(40, requires_grad=True), torch.randn(40, requires_grad=True)
    sparse_divergence(Normal(mean, log_variance), 3.0, 0.5).backward()
    variance = log_variance.detach().exp()
    rho = 3.5 / (0.5 + 0.5 * (mean.detach() ** 2 + variance))
    torch.testing.assert_close(mean.grad, 2 * rho * mean.detach() / 40)
    torch.testing.assert_close(log_variance.grad, (rho * variance - 1) / 40)


def test_what_has_no_variance_has_no_divergence():
    for divergence in (lambda v: sparse_divergence(v, 3.0, 0.5), standard_divergence):
        with pytest.raises(ValueError, match="without variance"):
            divergence(Normal(torch.zeros(3), None))


def test_least_squares():
    real, fake = torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.4])
    assert float(generator_loss(fake)) == pytest.approx((1 + 0.36) / 2)
    assert float(critic_loss(real, fake)) == pytest.approx(0.5 * (0.25 / 2 + 0.16 / 2))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_correlated_noise_keeps_its_variance_everywhere(sigma):
    white = normal((4000, 1, 7, 9), seeded(0), torch.zeros(1))
    alike = correlated(white, sigma)
    assert alike.shape == white.shape
    variance = alike.var(0, correction=0)
    assert float(variance.min()) > 0.88
    assert float(variance.max()) < 1.12
    middle = alike[:, 0, 3]
    taps = np.exp(-0.5 * (np.arange(-9, 10) / sigma) ** 2)
    expected = (taps[1:] * taps[:-1]).sum() / (taps**2).sum()
    assert float((middle[:, 4] * middle[:, 5]).mean()) == pytest.approx(expected, abs=0.08)


def test_noise_without_correlation_is_left_alone():
    white = torch.randn(2, 3, 4, 5)
    assert correlated(white, 0.0) is white
