"""The picture of a check. Truth: the model's own images and weights, whole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from realdeg.imaging.resample import resize
from realdeg.report.evaluation import heat
from train.d2c.build import build
from train.d2c.settings import D2CSettings
from train.evaluate.check import Checker
from train.machine import choose
from train.restore.model import D2CSR

SCALE, GAP = 2, 4


def model(**words):
    settings = D2CSettings(
        **{
            "scale": SCALE,
            "width": 8,
            "groups": 1,
            "blocks": 1,
            "fusion_width": 8,
            "base": "bicubic",
            **words,
        }
    )
    torch.manual_seed(0)
    tree, fusion = build(settings)
    if fusion is not None:
        fusion.requires_grad_(False)
        for p in fusion.parameters():
            p.mul_(3)  # untrained ones weigh all branches alike
    return D2CSR(tree, fusion, SCALE, choose("cpu", "fp32"))


def pair(lr_hw, seed=0):
    hr = np.random.default_rng(seed).integers(0, 256, (SCALE * lr_hw[0], SCALE * lr_hw[1], 3), np.uint8)
    return cv2.resize(hr, lr_hw[::-1], interpolation=cv2.INTER_AREA), hr


def tiles(sheet, side_hw):
    """Rows of pictures, after a look at the white between them."""
    (h, w), rows = side_hw, []
    for top in range(0, sheet.shape[0], h + GAP):
        rows.append([sheet[top : top + h, x : x + w] for x in range(0, sheet.shape[1], w + GAP)])
        assert (sheet[top + h : top + h + GAP] == 255).all()
    for x in range(w, sheet.shape[1], w + GAP):
        assert (sheet[:, x : x + GAP] == 255).all()
    return rows


def levels(image):
    """(3, H, W) in about [0, 1] -> (H, W, 3) of 8-bit levels."""
    return 255 * image.clamp(0, 1).permute(1, 2, 0).numpy()


def test_the_picture_shows_a_pair_its_branches_and_their_weights():
    (lr, hr), net = pair((110, 121)), model()
    picture = Checker(net, [lr], [hr]).picture()
    side = 192  # of a crop; the image is larger
    assert picture.dtype == np.uint8
    assert picture.shape == (3 * (side + GAP) - GAP, 9 * (side + GAP) - GAP, 3)
    above, *below = tiles(picture, (side, side))
    spots = cv2.matchTemplate(hr, above[8], cv2.TM_SQDIFF)
    _, _, (left, top), _ = cv2.minMaxLoc(spots)
    there = np.s_[top : top + side, left : left + side]
    np.testing.assert_array_equal(above[8], hr[there])
    np.testing.assert_array_equal(above[0], lr.repeat(SCALE, 0).repeat(SCALE, 1)[there])
    np.testing.assert_array_equal(above[1], resize(lr, SCALE)[there])
    images = net.predict(lr)
    for i in range(4):
        assert np.abs(above[2 + i] - levels(images[1 + i])[there]).max() < 0.51
    np.testing.assert_array_equal(above[6], net(lr)[there])
    errors = [np.square(above[k].astype(float) - hr[there]).mean() for k in range(2, 8)]
    assert errors[5] < min(errors[:5]), "no weights do better than the ideal ones"
    for row, parent in zip(below, net.weigh(images[1:]).numpy().reshape(2, 2, *hr.shape[:2]), strict=True):
        for map_, weights in zip(row[:2], parent, strict=True):
            assert np.median(np.abs(map_.astype(int) - heat(weights)[there])) == 0
            assert np.abs(map_.astype(int) - heat(weights)[there]).max() <= 12  # a level of a weight
        assert (np.stack(row[2:]) == 255).all()


def test_the_picture_of_a_lone_host_has_no_branches_and_no_weights():
    (lr, hr), net = pair((9, 13)), model(depth=0)
    (row,) = tiles(Checker(net, [lr], [hr]).picture(), (18, 26))
    for found, expected in zip(row, (lr.repeat(2, 0).repeat(2, 1), resize(lr, 2), net(lr), hr), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("which", [0, 1])
def test_the_picture_is_of_the_first_pair_and_of_the_networks_as_they_are(which):
    pairs, net = [pair((9, 13), seed) for seed in (0, 1)][:: 1 - 2 * which], model()
    checker = Checker(net, [lr for lr, _ in pairs], [hr for _, hr in pairs])
    before = tiles(checker.picture(), (18, 26))[0]
    np.testing.assert_array_equal(before[8], pairs[0][1])
    with torch.no_grad():
        for p in net.tree.parameters():
            p.mul_(0.5)
    after = tiles(checker.picture(), (18, 26))[0]
    np.testing.assert_array_equal(after[8], before[8])
    assert (after[2] != before[2]).any()
