"""Crops: the same field in LR and HR, every position reachable, a pure function of the step."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.batches import Crops, dihedral, prefetch, to_device


def numbered(h: int, w: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """LR whose pixels hold their own coordinates, and HR that repeats each."""
    y, x = np.mgrid[:h, :w]
    lr = np.stack([y, x, np.zeros_like(x)], -1).astype(np.uint8)
    return lr, lr.repeat(scale, 0).repeat(scale, 1)


def crops(scale=2, patch=5, size=4, seed=0, sizes=((9, 7), (8, 12), (5, 5))):
    pairs = [numbered(h, w, scale) for h, w in sizes]
    keys = tuple(f"k{i}" for i in range(len(pairs)))
    return Crops(keys, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), scale, patch, size, seed)


@given(step=st.integers(0, 10**6), scale=st.sampled_from([2, 3, 4]), seed=st.integers(0, 99))
def test_hr_shows_the_field_of_lr(step, scale, seed):
    batch = crops(scale, seed=seed)(step)
    np.testing.assert_array_equal(batch.hr, batch.lr.repeat(scale, 1).repeat(scale, 2))


def test_a_step_does_not_depend_on_those_before():
    one, other = crops(), crops()
    for step in (7, 3, 12):
        first = one(step)
    again = other(12)
    np.testing.assert_array_equal(first.lr, again.lr)
    assert first.keys == again.keys
    assert not np.array_equal(other(13).lr, again.lr)


def test_every_start_is_drawn_including_the_last():
    source = crops(patch=5, size=8, sizes=((7, 6),))
    tops = {int(patch[..., 0].min()) for step in range(40) for patch in source(step).lr}
    lefts = {int(patch[..., 1].min()) for step in range(40) for patch in source(step).lr}
    assert (tops, lefts) == ({0, 1, 2}, {0, 1})


def test_an_image_of_exactly_the_patch_is_cut():
    assert crops(patch=5, sizes=((5, 5),))(0).lr.shape == (4, 5, 5, 3)


def test_an_epoch_takes_every_image_once():
    source = crops(size=3, sizes=((6, 6),) * 6)
    seen = [*source(4).keys, *source(5).keys]
    assert sorted(seen) == [f"k{i}" for i in range(6)]


@pytest.mark.parametrize("turns", [(m, u, t) for m in (0, 1) for u in (0, 1) for t in (0, 1)])
def test_turns_are_numpy_flips_and_transpose(turns):
    image = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    expected = image
    expected = expected[:, ::-1] if turns[0] else expected
    expected = expected[::-1] if turns[1] else expected
    expected = expected.transpose(1, 0, 2) if turns[2] else expected
    np.testing.assert_array_equal(dihedral(image, turns), expected)


def test_tensors_are_in_unit_range_and_colours_stay_in_order():
    import torch

    batch = crops()(0)
    lr, hr = to_device(batch, torch.device("cpu"))
    assert lr.shape == (4, 3, 5, 5)
    assert hr.shape == (4, 3, 10, 10)
    assert lr.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(lr.permute(0, 2, 3, 1).numpy() * 255, batch.lr, atol=1e-4)


def test_the_thread_hands_over_in_order_and_ends():
    before = threading.active_count()
    source = prefetch(lambda i: i, range(5, 50))
    assert [next(source) for _ in range(3)] == [5, 6, 7]
    source.close()
    assert threading.active_count() == before
    assert list(prefetch(lambda i: i, range(4))) == [0, 1, 2, 3]


def test_an_error_in_the_thread_is_raised_at_its_step():
    def fails(i):
        if i == 2:
            raise cv2.error("broken")
        return i

    source = prefetch(fails, range(9))
    assert [next(source), next(source)] == [0, 1]
    with pytest.raises(cv2.error, match="broken"):
        next(source)
