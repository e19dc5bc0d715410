"""Truth: a camera made here, with a kernel, gains, and noise that grows with brightness and goes together."""

from __future__ import annotations

import json

import numpy as np
import pytest

from realdeg.camera.camera import tone_step
from realdeg.camera.folder import calibrate
from realdeg.camera.law import by_level, noise_law, prevailing
from realdeg.camera.pair_noise import PairNoise
from realdeg.camera.settings import CalibrateSettings
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.recipe.recipe import read_recipe
from realdeg.degrade.resolved import with_camera
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.imaging.blur import align_kernel, blur_subsample_reference
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.level_function import KNOTS
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import PairRecord, read_manifest, write_manifest

SIGMA, OFFSET, SLOPE = 1.6, 2.0, 0.06
AXIS = np.exp(-0.5 * ((np.arange(12) - 5.5) / SIGMA) ** 2)
KERNEL = np.outer(AXIS, AXIS) / AXIS.sum() ** 2
SETTINGS = CalibrateSettings(2, size=12, camera="cam_*")


def scene(rng: np.random.Generator) -> np.ndarray:
    """Texture on the left, steps of flat grey on the right; (256, 320, 3) uint8."""
    hr = np.zeros((256, 320, 3))
    hr[:, :160] = np.clip(128 + 45 * rng.standard_normal((256, 160, 3)), 10, 245)
    hr[:, 160:] = np.repeat(rng.permutation([50, 90, 130, 190]), 64)[:, None, None]
    return hr.round().astype(np.uint8)


def noise(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
    """Variance OFFSET + SLOPE level; neighbours along x correlate by 1/2."""
    white = rng.standard_normal((clean.shape[0], clean.shape[1] + 1, 3))
    return (white[:, 1:] + white[:, :-1]) / np.sqrt(2) * np.sqrt(OFFSET + SLOPE * clean)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(5)
    records = []
    for key in (*(f"cam_{n}" for n in range(8)), "cam_off", "cam_flat", "other_0"):
        hr = np.full((256, 320, 3), 120, np.uint8) if key == "cam_flat" else scene(rng)
        clean = blur_subsample_reference(hr, align_kernel(KERNEL, 2), 2)
        lr = np.clip(clean + noise(rng, clean), 0, 255).round().astype(np.uint8)
        write_image(folder / "LR" / f"{key}.png", lr)
        write_image(folder / "HR" / f"{key}.png", hr)
        detail = {"error_lr_px": 0.7 if key == "cam_off" else 0.01}
        paths = {"lr": f"LR/{key}.png", "hr": f"HR/{key}.png"}
        records.append(PairRecord(key, "ok", scale=2, scene=key, detail=detail, **paths))
    write_manifest(folder, records)
    return folder


@pytest.fixture(scope="module")
def camera(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "cam"
    return out, calibrate(dataset, out, SETTINGS)


def test_finds_the_camera_within_its_errors(camera):
    out, report = camera
    reasons = {r.key: r.reason for r in report.records if not r.ok}
    assert set(reasons) == {"cam_off", "cam_flat"}
    assert "0.700 LR px is above 0.2" in reasons["cam_off"]
    figures = json.loads((out / "camera.json").read_text())
    assert (figures["pairs"], figures["refused_pairs"]) == (8, 2)
    assert figures["kernels"]["width_x"]["mean"] == pytest.approx(SIGMA, abs=0.06)
    assert figures["kernels"]["gain_g"]["mean"] == pytest.approx(1, abs=0.01)
    found = figures["noise"]
    for c in range(3):  # rounding adds 1/12 to the variance
        assert found["offset_error"][c] < 3
        assert abs(found["offset"][c] - OFFSET - 1 / 12) < 4 * found["offset_error"][c]
        assert found["slope"][c] == pytest.approx(SLOPE, rel=0.25)
        assert abs(found["slope"][c] - SLOPE) < 4 * found["slope_error"][c]
    assert found["neighbours"] == pytest.approx([0.5, 0.0], abs=0.05)
    assert found["channels"] == pytest.approx([0, 0, 0], abs=0.05)
    # The sum of two neighbours along x passes 1 + cos w of each frequency: means over the bands' rings.
    turn = np.arange(16) * np.pi / 16
    passed, radius = (
        1 + np.cos(turn)[None, :] + 0 * turn[:, None],
        np.hypot(turn[:, None], turn) / (2 * np.pi),
    )
    passed = passed / passed[radius > 0].mean()
    for band in found["spectrum"]:
        ring = (radius >= band["from"] - 1e-9) & (radius < band["to"]) & (radius > 0)
        if band["from"] > 0.05:  # a plane was taken out
            away = np.abs(np.array(band["power"]) - passed[ring].mean())
            assert (away < 3.5 * np.array(band["error"]) + 0.03).all(), band
            assert max(band["error"]) < 0.3
    for entry in figures["residual_tone"]:
        for channel in "rgb":
            assert entry[channel] is None or abs(entry[channel]["mean"]) < 1.5


def test_the_recipe_imitates_the_camera(camera, tmp_path):
    out, _ = camera
    greys = np.repeat([60, 130, 185], 4)
    for i, grey in enumerate(greys):
        write_image(tmp_path / "hr" / f"{i:02d}.png", np.full((128, 128, 3), grey, np.uint8))
    made = degrade_folder(tmp_path / "hr", tmp_path / "lr", DegradeSettings(2, recipe=str(out)))
    assert made.count("ok") == 12
    variance = np.array([np.var(read(tmp_path / "lr" / r.lr).pixels, (0, 1)).mean() for r in made.records])
    for grey in (60, 130, 185):
        expected = OFFSET + SLOPE * grey + 2 / 12  # rounded twice
        assert variance[greys == grey].mean() == pytest.approx(expected, rel=0.2)
    told = NoisePool.read(out / "noise.npz").about["level_function"]
    inside = (np.array(told["knots"]) > 50) & (np.array(told["knots"]) < 190)
    found, expected = np.array(told["variance"])[:, inside], OFFSET + SLOPE * np.array(told["knots"])[inside]
    assert np.abs(found / expected - 1).max() < 0.25
    mean = np.mean(KernelPool.read(out / "kernels.npz", 2).kernels, 0)
    assert np.abs(mean - KERNEL).max() < 0.01
    toml = DegradeSettings(2, recipe=str(out / "camera.toml"))
    again = degrade_folder(tmp_path / "hr", tmp_path / "again", toml, running=Running(limit=1))
    first = made.records[0].lr
    assert (tmp_path / "again" / again.records[0].lr).read_bytes() == (tmp_path / "lr" / first).read_bytes()


def test_same_bytes_for_any_workers_and_after_a_stop(dataset, camera, tmp_path):
    out, _ = camera
    other = tmp_path / "cam"
    calibrate(dataset, other, SETTINGS, running=Running(limit=2))
    report = calibrate(dataset, other, SETTINGS, running=Running(workers=2))
    assert report.resumed == 2
    for name in ("kernels.npz", "noise.npz", "camera.toml", "camera.json"):
        assert (other / name).read_bytes() == (out / name).read_bytes()
    (other / "measured" / "noise" / "cam_0.npz").write_bytes(b"torn")
    assert calibrate(dataset, other, SETTINGS).resumed == len(report.records) - 1
    assert (other / "noise.npz").read_bytes() == (out / "noise.npz").read_bytes()


def test_one_pair_has_no_error_between_pairs(dataset, tmp_path):
    calibrate(dataset, tmp_path / "one", CalibrateSettings(2, size=12, camera="other_*"))
    figures = json.loads((tmp_path / "one" / "camera.json").read_text())
    assert figures["kernels"]["width_x"]["error"] is None
    assert figures["noise"]["slope_error"] == [None] * 3


def test_nothing_but_unusable_pairs_writes_no_camera(dataset, tmp_path):
    report = calibrate(dataset, tmp_path / "c", CalibrateSettings(2, size=12, camera="cam_off"))
    assert report.count("rejected") == 1
    assert not (tmp_path / "c" / "camera.toml").exists()


@pytest.mark.parametrize(("scale", "only", "words"), [(4, "*", r"no pair of x4 \(x2\)"), (2, "x*", "cam_0")])
def test_refuses_what_has_no_such_pairs(dataset, tmp_path, scale, only, words):
    with pytest.raises(UserError, match=words):
        calibrate(dataset, tmp_path / "c", CalibrateSettings(scale, only))


def test_a_broken_file_costs_one_pair(dataset, tmp_path):
    records = [r for r in read_manifest(dataset) if r.key in ("cam_0", "cam_1")]
    for record in records:
        for path in (record.lr, record.hr):
            (tmp_path / "d" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "d" / path).write_bytes((dataset / path).read_bytes())
    write_manifest(tmp_path / "d", records)
    (tmp_path / "d" / "LR" / "cam_0.png").write_bytes(b"x")
    report = calibrate(tmp_path / "d", tmp_path / "c", SETTINGS)
    assert {r.key: r.status for r in report.records} == {"cam_0": "failed", "cam_1": "ok"}


def test_a_folder_that_is_no_cameras_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no camera\.toml"):
        with_camera(DegradeSettings(4, recipe=str(tmp_path)))


def test_what_goes_with_slopes_is_no_noise():
    """Windows whose variance rises with the slope of the picture: the law is that of flat ones."""
    rng = np.random.default_rng(0)
    noises = []
    for _ in range(6):
        level, slope = rng.uniform(30, 220, (60, 3)), rng.uniform(0, 1.5, 60)
        variance = (OFFSET + SLOPE * level + 6 * slope[:, None]) * rng.chisquare(250, (60, 3)) / 250
        patches = rng.normal(0, 1, (60, 16, 16, 3)) * np.sqrt(variance[:, None, None]) / 255
        noises.append(PairNoise(patches, level, slope, level, slope, variance, np.zeros((8, 3))))
    law = noise_law(noises)
    assert law["offset"] == pytest.approx([OFFSET] * 3, abs=4 * max(law["offset_error"]))
    assert law["slope"] == pytest.approx([SLOPE] * 3, rel=0.15)
    assert law["content"] == pytest.approx([6] * 3, rel=0.15)
    curve = by_level(noises, law)
    inside = (KNOTS > 40) & (KNOTS < 210)
    assert np.abs(curve.variance[:, inside] / (OFFSET + SLOPE * KNOTS[inside]) - 1).max() < 0.2
    kept = prevailing(noises[0], law)
    assert 0 < kept.sum() < 60
    assert noises[0].slopes[kept].mean() < noises[0].slopes[~kept].mean()


def test_a_tone_curve_is_found_and_imitated(tmp_path):
    """LR through a curve that no gain and offset makes good: LR of the recipe goes through it, too."""
    rng, records = np.random.default_rng(7), []

    def curve(levels):
        return levels + 6 * np.cos(2 * np.pi * levels / 255)

    for key in range(6):
        ramp = np.linspace(5, 250, 320)[None, :, None] + np.zeros((256, 1, 3))
        hr = np.clip(
            rng.permutation(ramp, axis=1 if key % 2 else 0) + 6 * rng.standard_normal(ramp.shape), 0, 255
        )
        hr = np.repeat(np.repeat(hr[::4, ::4], 4, 0), 4, 1).round().astype(np.uint8)
        lr = curve(blur_subsample_reference(hr, align_kernel(KERNEL, 2), 2)) + rng.standard_normal(
            (128, 160, 3)
        )
        write_image(tmp_path / "d" / "LR" / f"{key}.png", np.clip(lr, 0, 255).round().astype(np.uint8))
        write_image(tmp_path / "d" / "HR" / f"{key}.png", hr)
        paths = {"lr": f"LR/{key}.png", "hr": f"HR/{key}.png"}
        records.append(PairRecord(str(key), "ok", scale=2, detail={"error_lr_px": 0.01}, **paths))
    write_manifest(tmp_path / "d", records)
    calibrate(tmp_path / "d", tmp_path / "cam", CalibrateSettings(2, size=12))
    step = next(op for op in read_recipe(tmp_path / "cam" / "camera.toml").ops if op.op == "tone")
    levels = np.array(step.levels)
    truth = curve(levels) - levels
    line = np.polynomial.Polynomial.fit(levels, truth, 1)  # what gain and offset take
    for name in ("red", "green", "blue"):
        assert np.corrcoef(getattr(step, name), truth - line(levels))[0, 1] > 0.9
        assert np.abs(np.array(getattr(step, name)) - truth + line(levels)).max() < 2.5
    toned, plain = (
        DegradeSettings(2, recipe=str(tmp_path / "cam")),
        DegradeSettings(2, tmp_path / "cam/kernels.npz"),
    )
    away = []
    for number, settings in enumerate((toned, plain)):
        made = degrade_folder(tmp_path / "d" / "HR", tmp_path / f"m{number}", settings).records[0]
        image = read(tmp_path / f"m{number}" / made.lr).pixels.astype(float)
        real = read(tmp_path / "d" / records[0].lr).pixels.astype(float)
        fit = np.polyfit(image.ravel(), real.ravel(), 1)
        away.append(np.std(np.polyval(fit, image) - real))
    assert away[0] < 0.75 * away[1]


def test_tone_that_pairs_do_not_agree_on_is_none():
    known = {"mean": 4.0, "error": 1.0}
    ranges = [{"from": 32 * i, "to": 32 * i + 32, "r": known, "g": None, "b": None} for i in range(8)]
    assert "red = [3.76," in tone_step(ranges)
    for unsure in ({"mean": 4.0, "error": None}, {"mean": 0.0, "error": 0.5}):
        assert tone_step([{**one, "r": unsure} for one in ranges]) == ""
