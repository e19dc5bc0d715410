"""Truth: Eq. 2-6 of the paper in plain NumPy loops, closed forms, finite differences."""

import itertools

import numpy as np
import pytest
import torch

from train.losses.divergence import (
    MEAN,
    active_triplets,
    alpha_schedule,
    common_depth,
    diagnosis,
    divergence_loss,
    ideal_fusion,
    margins_for,
    pairwise_rms_8bit,
    standardised_luma,
)

MARGINS = torch.tensor([5e-5, 2e-5], dtype=torch.float64)


def images(leaves=4, side=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, leaves, 3, side, side)
    pred = torch.rand(shape, generator=generator, dtype=torch.float64)
    return pred, torch.rand(2, 3, side, side, generator=generator, dtype=torch.float64)


def by_hand(pred, hr, margins, children, theta):
    """Eq. 2-6, one loop a sum."""

    def standard(image):
        luma = (65.481 * image[0] + 128.553 * image[1] + 24.966 * image[2]) / 255
        return (luma - luma.mean()) / luma.std()

    def parents(leaf):
        line = [leaf]
        while len(line) <= len(margins):
            line.append(line[-1] // children)
        return line[::-1]  # root first

    total, count = 0.0, 0
    for image, truth in zip(pred.numpy(), hr.numpy(), strict=True):
        res = [np.abs(standard(leaf) - standard(truth)) for leaf in image]
        for i, j in itertools.permutations(range(len(res)), 2):
            level = sum(a == b for a, b in zip(parents(i), parents(j), strict=True))
            trip = (res[i] ** 2).mean() - ((res[i] - res[j]) ** 2).mean() + float(margins[level - 1])
            total += theta ** (level - 1) * max(trip, 0.0)
            count += 1
    return total / count


@pytest.mark.parametrize(("depth", "children"), [(2, 2), (1, 3), (3, 2), (2, 3)])
def test_it_is_the_equations(depth, children):
    pred, hr = images(children**depth)
    margins = margins_for(depth, far=0.3, near=0.1).double()
    loss = divergence_loss(pred, hr, margins, children=children, theta=0.7)
    assert float(loss) == pytest.approx(by_hand(pred, hr, margins, children, 0.7), rel=1e-9)


def test_the_released_form_is_over_the_batch_and_of_the_mean_channel():
    """Luma a plain mean, its mean and deviation over the whole batch, one distance for the batch."""
    pred, hr = images()

    def standard(image):  # (B, 3, H, W)
        grey = image.mean(1)
        return (grey - grey.mean()) / grey.std(unbiased=False)

    res = [(standard(pred[:, i]) - standard(hr)).abs() for i in range(4)]
    total = 0.0
    for i, j in itertools.permutations(range(4), 2):
        beta, margin = (0.8, 0.1) if i // 2 == j // 2 else (1.0, 0.3)
        apart = (res[i] ** 2).mean() - ((res[i] - res[j]) ** 2).mean() + margin
        total += beta * float(apart.clamp(min=0)) / 12
    margins = margins_for(2, far=0.3, near=0.1).double()
    released = divergence_loss(pred, hr, margins, luma=MEAN, per="batch")
    assert float(released) == pytest.approx(total, rel=1e-7)  # margins are float32
    assert float(divergence_loss(pred, hr, margins)) != pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize(("depth", "children"), [(2, 2), (3, 2), (2, 3), (1, 4)])
def test_depth_of_common_ancestors(depth, children):
    leaves = children**depth
    table = common_depth(leaves, children)
    for i, j in itertools.permutations(range(leaves), 2):
        assert table[i, j] == 1 + sum(i // children**k == j // children**k for k in range(1, depth))


def test_perfect_predictions_give_the_published_margins():
    _, hr = images()
    pred = hr[:, None].expand(-1, 4, -1, -1, -1)
    assert float(divergence_loss(pred, hr, MARGINS)) == pytest.approx(
        (8 * 5e-5 + 4 * 0.8 * 2e-5) / 12, rel=1e-6
    )
    assert float(divergence_loss(pred, hr, MARGINS)) == pytest.approx(3.866667e-5, rel=1e-6)


def test_equal_predictions_make_every_triplet_active():
    pred, hr = images()
    equal = pred[:, :1].expand(-1, 4, -1, -1, -1)
    assert active_triplets(equal, hr, MARGINS) == 12
    far = torch.stack([hr + k * torch.randn_like(hr) for k in (0.001, 5.0, 0.001, 5.0)], 1)
    assert active_triplets(far, hr, MARGINS) < 12


def test_brightness_and_contrast_do_not_matter():
    pred, hr = images()
    assert float(divergence_loss(0.5 * pred + 0.2, 0.5 * hr + 0.2, MARGINS)) == pytest.approx(
        float(divergence_loss(pred, hr, MARGINS)), rel=1e-9
    )


def test_siblings_may_swap():
    pred, hr = images()
    swapped = pred[:, [1, 0, 2, 3]]
    cousins = pred[:, [2, 1, 0, 3]]
    loss = float(divergence_loss(pred, hr, 100 * MARGINS))
    assert float(divergence_loss(swapped, hr, 100 * MARGINS)) == pytest.approx(loss, rel=1e-12)
    assert float(divergence_loss(cousins, hr, 100 * MARGINS)) != pytest.approx(loss, rel=1e-6)


def test_an_image_does_not_depend_on_its_batch():
    pred, hr = images()
    alone = [float(divergence_loss(pred[i : i + 1], hr[i : i + 1], MARGINS)) for i in range(2)]
    assert float(divergence_loss(pred, hr, MARGINS)) == pytest.approx(np.mean(alone), rel=1e-12)


def test_the_gradient_is_there_and_right():
    pred, hr = images(side=5)
    pred.requires_grad_()
    margins = torch.tensor([0.5, 0.4], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: divergence_loss(p, hr, margins), (pred,), atol=1e-6)
    (gradient,) = torch.autograd.grad(divergence_loss(pred, hr, margins), pred)
    assert gradient.abs().max() > 1e-4


def test_a_flat_image_gives_no_nan():
    _, hr = images()
    pred = torch.full((2, 4, 3, 6, 6), 0.5, dtype=torch.float64, requires_grad=True)
    loss = divergence_loss(pred, hr, MARGINS)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(pred.grad).all()
    assert standardised_luma(pred.detach()).abs().max() < 1e-8


def test_a_single_branch_has_nobody_to_differ_from():
    pred, hr = images(1)
    assert float(divergence_loss(pred, hr, MARGINS[:1], children=1)) == 0


def test_wrong_trees_are_refused():
    pred, hr = images(3)
    with pytest.raises(ValueError, match="do not form 2 levels"):
        divergence_loss(pred, hr, MARGINS)


def test_margins_fall_geometrically():
    assert margins_for(2).tolist() == pytest.approx([5e-5, 2e-5])
    three = margins_for(3)
    assert float(three[1] / three[0]) == pytest.approx(float(three[2] / three[1]))


def test_the_released_schedule():
    """Spec of the release: on in [1000, 1200), [2000, 2200), ...: 3,800 of 20,000 epochs."""
    on = [e for e in range(20_000) if alpha_schedule(e) > 0]
    assert len(on) == 3800
    assert on[0] == 1000
    assert on[199:202] == [1199, 2000, 2001]
    assert alpha_schedule(1000) == 2e-5
    assert alpha_schedule(2000) == 1e-5


def test_diagnostics():
    hr = torch.zeros(1, 3, 4, 4)
    pred = torch.stack([hr + 0.1, hr - 0.3, hr + 0.02, hr + 0.2], 1)
    torch.testing.assert_close(ideal_fusion(pred, hr), hr + 0.02)
    values = [0.1, -0.3, 0.02, 0.2]
    expected = 255 * np.mean([abs(a - b) for a, b in itertools.combinations(values, 2)])
    assert pairwise_rms_8bit(pred) == pytest.approx(expected, rel=1e-5)
    found = diagnosis(pred, hr, MARGINS)
    within = [abs(0.1 + 0.3), abs(0.02 - 0.2)]
    across = [abs(a - b) for a in values[:2] for b in values[2:]]
    assert float(found["branch_rms_within_8bit"]) == pytest.approx(255 * np.mean(within), rel=1e-5)
    assert float(found["branch_rms_across_8bit"]) == pytest.approx(255 * np.mean(across), rel=1e-5)
    assert "branch_rms_within_8bit" not in diagnosis(pred, hr, MARGINS[:1], children=4)
