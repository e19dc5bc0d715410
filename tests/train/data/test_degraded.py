"""Truth: LR of a crop made on the way is what `realdeg.degrade` makes of the same HR and plan on disk."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from realdeg.degrade.apply.image import apply
from realdeg.degrade.resolved import resolve
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from train.d2c.command import train_d2c
from train.d2c.settings import D2CSettings
from train.data.batches import Crops
from train.data.degraded import DegradedCrops


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
    with pytest.raises(UserError, match="draws from a kernel pool; give --kernel-pool"):
        train_d2c(settings, quiet=True)
