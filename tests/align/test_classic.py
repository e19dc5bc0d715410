"""The paper's own registration runs, and is what it is said to be: usable, and worse than ours."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from realdeg.align.classic import two_passes
from realdeg.align.folder import align_folders
from realdeg.align.homography import Homography
from realdeg.align.pair import Registration, register
from realdeg.align.settings import AlignSettings
from realdeg.io.save import write_image
from realdeg.records import read_manifest


@pytest.mark.parametrize("name", ["coffee.png", "tmshre_riaphotographs_srgb8.png"])
@pytest.mark.parametrize("scale", [2, 4])
def test_the_papers_recipe_is_usable_and_worse_than_ours(photograph, scene, name, scale):
    """With a lens of half a percent; stronger ones bend more than a homography can follow."""
    photos = photograph(scene(name), scale, lr={"distortion": 0.005, "noise_8bit": 2.0})
    ours, found = (
        register(photos.lr, photos.hr, AlignSettings(scale=scale, method=recipe))
        for recipe in ("realdeg", "d2crealsr")
    )
    assert isinstance(found, Registration)
    assert not found.hr_from_lr.lens.terms
    error = photos.p95(found.hr_from_lr, found.field)
    assert 0.01 < error < 0.7
    assert error > 1.5 * photos.p95(ours.hr_from_lr, ours.field)
    # What it is off by is stated, though its own matches would not tell.
    assert error / 3 < found.error < 3 * error


def test_it_is_exact_where_sift_is(photograph, scene):
    """No lens, no noise: the homography comes out to a tenth of a pixel from a start that is 1 px off."""
    photos = photograph(scene(), 2, lr={"noise_8bit": 0, "gamma": 1.0}, hr={"noise_8bit": 0})
    lr, hr = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (photos.lr, photos.hr))
    truth = photos.scene_from_hr.inverse() @ photos.scene_from_lr
    found = two_passes(lr, hr, truth @ Homography.translation(1.0, -0.7))
    middle = np.stack(np.meshgrid([90.0, 180, 280], [60.0, 120, 190]), -1)
    assert np.median(np.hypot(*np.moveaxis(found(middle) - truth(middle), -1, 0))) < 0.15 * 2


def test_the_rough_map_is_kept_where_nothing_matches():
    wall, start = np.full((200, 300), 99, np.uint8), Homography.zoom(2)
    assert_array_equal(two_passes(wall, np.full((400, 600), 99, np.uint8), start).matrix, start.matrix)
    assert_array_equal(two_passes(wall[:20], wall[:40], start).matrix, start.matrix)


def test_a_dataset_of_the_papers_recipe(photograph, scene, tmp_path):
    photos = photograph(scene(), 2)
    write_image(tmp_path / "lr" / "a.png", photos.lr)
    write_image(tmp_path / "hr" / "a.png", photos.hr)
    settings = AlignSettings(scale=2, method="d2crealsr", max_error=1.0)
    report = align_folders(tmp_path / "lr", tmp_path / "hr", Path(tmp_path / "out"), settings)
    assert report.count("ok") == 1
    [record] = read_manifest(tmp_path / "out")
    assert 0.01 < float(record.detail["error_lr_px"]) < 0.6
