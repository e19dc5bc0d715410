"""Truth: LR of a crop made on the way is what `realdeg.degrade` makes of the same HR and plan on disk."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from realdeg.degrade.apply.image import apply
from realdeg.degrade.apply.prepare import prepare_hr
from realdeg.degrade.resolved import resolve
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.data.batches import Crops
from train.data.degraded import DegradedCrops, source_patch


def crops(scale=2, patch=16, size=3):
    rng = np.random.default_rng(0)
    hr = tuple(rng.integers(0, 256, (64, 80, 3)).astype(np.uint8) for _ in range(4))
    lr = tuple(np.zeros((32, 40, 3), np.uint8) for _ in range(4))
    return Crops(tuple("abcd"), lr, hr, scale, patch, size, seed=5)


@pytest.mark.parametrize("recipe", ["samsung", "bsrgan", "realesrgan", "bicubic"])
def test_lr_of_a_crop_is_its_hr_under_the_plan(recipe):
    source = DegradedCrops(crops(), resolve(DegradeSettings(2, recipe=recipe)))
    batch, plans = source(7), source.plans(7)
    assert batch.lr.shape == (3, 16, 16, 3)
    assert batch.lr.dtype == np.uint8
    for lr, hr, plan in zip(batch.lr, batch.hr, plans, strict=True):
        np.testing.assert_array_equal(lr, apply(plan, hr))
    again = DegradedCrops(crops(), resolve(DegradeSettings(2, recipe=recipe)))(7)
    np.testing.assert_array_equal(again.lr, batch.lr)
    assert (source(8).lr != batch.lr).any()


def test_a_step_on_the_device_shares_its_structure():
    source = DegradedCrops(crops(), resolve(DegradeSettings(2, recipe="samsung")), grouped=True)
    plans = source.plans(3)
    assert len({tuple(step.op for step in plan.steps) for plan in plans}) == 1
    assert len({str(plan) for plan in plans}) == 3
    batch = source(3)
    assert (batch.lr == 0).all()  # the dataset's own, left alone
    hr = torch.from_numpy(batch.hr).permute(0, 3, 1, 2).float() / 255
    lr = (source.on_device(3, hr).permute(0, 2, 3, 1) * 255).round().numpy()
    for made, picture, plan in zip(lr, batch.hr, plans, strict=True):
        assert np.abs(made - apply(plan, picture)).mean() < 0.05


@pytest.mark.parametrize("cleanup", [2, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_clean_up_makes_crops_of_the_reduced_image(cleanup, grouped):
    """HR crops are parts of the reduced image, where both lie on one grid of pixels: at x2 they begin at even ones.

    To a level: MATLAB rounds after each axis, and a crop that is turned has the other one first.
    """
    found = crops(patch=6)
    found = replace(found, hr=tuple(80 + image // 3 for image in found.hr))  # so that nothing is clipped
    made_with = resolve(DegradeSettings(2, recipe="samsung", cleanup=cleanup))
    source = DegradedCrops(found, made_with, grouped=grouped)
    wide = source_patch(6, 2, cleanup)
    assert wide == cleanup * (6 + 2)
    on_grid = 0
    for step in range(4):
        batch, cut = source(step), replace(found, patch=wide)(step)
        assert batch.lr.shape == (3, 6, 6, 3)
        assert batch.hr.shape == (3, 12, 12, 3)
        for lr, hr, whole, plan in zip(batch.lr, batch.hr, cut.hr, source.plans(step), strict=True):
            np.testing.assert_array_equal(hr, prepare_hr(whole, 2, cleanup)[2:-2, 2:-2])
            if not grouped:
                np.testing.assert_array_equal(lr, apply(plan, hr))
            reduced = [prepare_hr(image, 2, cleanup) for image in found.hr]
            turned = [
                np.rot90(image, k)[:, ::flip] for image in reduced for k in range(4) for flip in (1, -1)
            ]
            on_grid += any(holds(image, hr) for image in turned)
    assert on_grid == 12 or cleanup == 3


def holds(image, part):
    """Whether an image has a part, within a level."""
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(np.int16), part.shape)
    return bool((np.abs(windows[:, :, 0] - part) <= 1).all((-3, -2, -1)).any())


def test_training_on_images_too_small_for_the_clean_up_is_one_line(make_dataset, tiny, tmp_path):
    recipe = tmp_path / "clean.toml"
    recipe.write_text('[hr]\ncleanup = 4\n[[steps]]\nop = "resize"')
    data = make_dataset(scale=2, lr_hw=(24, 28))
    settings = D2CSettings(**{**tiny, "data": data, "out": tmp_path / "run", "recipe": str(recipe)})
    with pytest.raises(UserError, match="needs before the clean-up; use a smaller --patch, or a recipe"):
        train_d2c(settings, quiet=True)


def test_training_applies_the_clean_up(make_dataset, tiny, tmp_path):
    (tmp_path / "two.toml").write_text('[hr]\ncleanup = 2\n[[steps]]\nop = "resize"')
    (tmp_path / "one.toml").write_text('[[steps]]\nop = "resize"')
    data, losses = make_dataset(scale=2, lr_hw=(48, 56)), []
    for name in ("one", "two"):
        more = {"data": data, "out": tmp_path / name, "recipe": str(tmp_path / f"{name}.toml"), "steps": 2}
        run = train_d2c(D2CSettings(**{**tiny, **more}), quiet=True)
        with (run / "metrics.csv").open() as file:
            losses.append([row["L2_D"] for row in csv.DictReader(file)])
    assert losses[0] != losses[1]


def test_the_jpeg_model_takes_the_codecs_place():
    made_with = resolve(DegradeSettings(2, recipe="realesrgan"))
    real, model = (DegradedCrops(crops(), made_with, jpeg_model=flag) for flag in (False, True))
    codecs = [step.format for plan in model.plans(0) for step in plan.steps if step.op == "codec"]
    assert set(codecs) == {"jpeg_differentiable"}
    away = np.abs(real(0).lr.astype(int) - model(0).lr).mean()
    assert 0 < away < 12


def test_training_with_a_recipe_resumes_to_the_bit(make_dataset, tiny, tmp_path):
    data = make_dataset(scale=2, lr_hw=(24, 28))
    more = {"recipe": "realesrgan", "data": data}
    whole = train_d2c(D2CSettings(**{**tiny, **more, "out": tmp_path / "whole"}), quiet=True)
    half = {**tiny, **more, "out": tmp_path / "half"}
    train_d2c(D2CSettings(**{**half, "steps": 3}), quiet=True)
    resumed = train_d2c(D2CSettings(**half), quiet=True)

    def losses(run):
        with (run / "metrics.csv").open() as file:
            return [row["L2_D"] for row in csv.DictReader(file)]

    assert losses(whole)[-1] == losses(resumed)[-1]
    plain = train_d2c(D2CSettings(**{**tiny, "data": data, "out": tmp_path / "plain"}), quiet=True)
    assert losses(plain)[-1] != losses(whole)[-1]
    with pytest.raises(UserError, match="recipe"):
        train_d2c(D2CSettings(**{**half, "recipe": "bsrgan"}), quiet=True)


def test_a_recipe_without_its_pool_is_one_line(make_dataset, tiny, tmp_path):
    settings = D2CSettings(**{**tiny, "data": make_dataset(), "out": tmp_path / "run", "recipe": "realsr"})
    with pytest.raises(UserError, match="draws from a kernel pool; give `kernel_pool`"):
        train_d2c(settings, quiet=True)
