"""Functions of the library and commands give the same: of the same photos, to the byte and the digit."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import realdeg
from realdeg.align.folder import align_folders
from realdeg.align.settings import AlignSettings
from realdeg.camera.folder import calibrate
from realdeg.camera.settings import CalibrateSettings
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.settings import DegradeSettings
from realdeg.imaging.resample import resize
from realdeg.io.save import write_image
from realdeg.kernels.folder import estimate_photos
from realdeg.kernels.settings import KernelSettings
from realdeg.records import PairRecord, write_manifest


@pytest.fixture(scope="module")
def views(sample):
    """A photo and a reduced view of more of the scene: LR pixel i lies at HR position 2 i + 0.5 - offset."""
    scene = realdeg.read(sample / "clean" / "coffee.png").pixels[:400, :600]
    return resize(scene, 0.5), np.ascontiguousarray(scene[40:360, 50:550])


@pytest.fixture(scope="module")
def registered(views):
    return realdeg.register(*views, 2)


def test_registering_finds_the_view_and_makes_the_pair(views, registered):
    wide, found = views[0], registered
    assert found
    x, y = np.meshgrid(np.linspace(40, 250, 8), np.linspace(35, 165, 8))
    lr = np.stack([x, y], -1)
    away = np.abs(found.warp(lr) - (2 * lr + 0.5 - [50, 40])) / 2
    assert away.max() < 0.05
    assert found.error < 0.05
    assert found.residual < 0.1
    assert found.scale == 2
    assert found.zoom == pytest.approx(2, rel=1e-3)
    assert np.abs(found.warp.inverse(found.hr_from_lr(lr)) - lr).max() < 1e-5
    small, large = found.pair()
    assert_array_equal(small, wide[found.crop.slices])
    assert realdeg.psnr(resize(large, 0.5), small, shave=4) > 35
    assert found.valid().all()
    assert found.valid().shape == small.shape[:2]


def test_registering_is_what_align_does(views, tmp_path):
    wide, tele = views
    write_image(tmp_path / "lr" / "a.png", wide)
    write_image(tmp_path / "hr" / "a.png", tele)
    align_folders(tmp_path / "lr", tmp_path / "hr", tmp_path / "out", AlignSettings(2))
    pair = realdeg.open_dataset(tmp_path / "out")["a"]
    found = realdeg.register(tmp_path / "lr" / "a.png", str(tmp_path / "hr" / "a.png"), 2)
    assert_array_equal(found.pair()[0], pair.lr)
    assert_array_equal(found.pair()[1], pair.hr)
    assert found.error == pytest.approx(float(pair.record.detail["error_lr_px"]), abs=1e-4)


def test_floats_stay_floats_and_say_the_same(views, registered):
    (wide, tele), whole = views, registered
    exact = realdeg.register(wide / 255.0, (tele / 255).astype("f4"), 2)
    assert exact.crop == whole.crop
    assert exact.error == pytest.approx(whole.error, rel=0.2)
    small, large = exact.pair()
    assert small.dtype == large.dtype == np.float32
    assert_array_equal((small * 255).round(), whole.pair()[0])
    assert np.abs(large * 255 - whole.pair()[1]).mean() < 0.3  # it was not rounded


def test_a_refusal_is_falsy_and_speaks_of_arguments(views):
    wide, tele = views
    found = realdeg.register(wide, tele, 8)
    assert not found
    assert isinstance(found, realdeg.Rejection)
    assert "so x8 would enlarge HR" in str(found)
    assert "max_enlargement" in found.reason
    assert "--" not in found.reason
    blank = realdeg.register(np.zeros((80, 80)), np.zeros((160, 160)), 2)
    assert "too little texture" in blank.reason


def test_degrading_is_what_degrade_does(sample, tmp_path):
    degrade_folder(sample / "clean", tmp_path, DegradeSettings(4, recipe="realesrgan", seed=5))
    recipe = realdeg.Recipe.load("realesrgan")
    for pair in realdeg.open_dataset(tmp_path):
        made = recipe(pair.record.source_hr, seed=5, key=pair.key, scale=4)
        assert_array_equal(made.lr, pair.lr)
        assert_array_equal(made.hr, pair.hr)
        assert json.loads(made.plan.to_json()) == json.loads(pair.record.detail["plan"])
        assert_array_equal(realdeg.replay(pair.hr, pair.record.detail["plan"]), pair.lr)


def test_grey_images_get_grey_noise(photos):
    grey = photos[0][..., 0]
    recipe = realdeg.Recipe.load("realesrgan")
    for given in (grey, grey[..., None]):
        lr = recipe(given, seed=1, scale=2).lr
        assert (lr == lr[..., :1]).all()
    colour = recipe(np.repeat(grey[..., None], 3, 2), seed=2, scale=2, grey=False).lr
    assert not (colour == colour[..., :1]).all()


def test_floats_are_degraded_with_16_bits(photos):
    recipe = realdeg.Recipe.load("bicubic")
    exact = recipe(photos[0] / 255, seed=0, scale=2)
    assert exact.lr.dtype == exact.hr.dtype == np.float32
    assert np.abs(exact.lr * 255 - recipe(photos[0], seed=0, scale=2).lr).max() < 1.1
    assert_array_equal(realdeg.replay(exact.hr, exact.plan), exact.lr)


def test_a_kernel_is_what_kernels_finds(sample, tmp_path):
    estimate_photos(sample / "captures", tmp_path / "pool.npz", KernelSettings(4, min_confidence=0.5))
    pool = realdeg.KernelPool.load(str(tmp_path / "pool.npz"), 4)
    for photo in (sample / "captures").iterdir():
        found = realdeg.estimate_kernel(photo, 4, min_confidence=0.5)
        assert_array_equal(found.kernel, pool.kernels[pool.names.index(photo.stem)])
    refused = realdeg.estimate_kernel(photo, 4, min_confidence=0.9999)
    assert not refused
    assert refused.reason.startswith("the image tells too little of its blur")
    assert "min_confidence" in refused.reason


def test_a_kernel_of_a_pair_is_the_one_it_was_made_with(photos):
    axis = np.exp(-0.5 * ((np.arange(12) - 5.5) / 1.5) ** 2)
    kernel = np.outer(axis, axis) / axis.sum() ** 2
    hr = np.random.default_rng(0).integers(20, 230, (160, 200, 3), np.uint8)
    pool = realdeg.KernelPool.from_arrays([kernel])
    recipe = realdeg.Recipe.load("realsr").without("inject").cleaned_up(1)
    lr = recipe(hr, seed=0, scale=2, kernels=pool).lr
    found = realdeg.estimate_kernel(lr, 2, hr=hr, size=12)
    assert np.abs(found.kernel - kernel).max() < 2e-3
    assert found.figures["explained"] > 0.99


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """Pairs of a camera: texture and flat steps, blurred, with noise."""
    folder, rng, rows = tmp_path_factory.mktemp("camera"), np.random.default_rng(3), []
    for key in ("a", "b", "c"):
        hr = np.zeros((192, 256, 3))
        hr[:, :128] = np.clip(128 + 45 * rng.standard_normal((192, 128, 3)), 10, 245)
        hr[:, 128:] = np.repeat(rng.permutation([50, 110, 190]), 64)[:, None, None]
        clean = resize(hr / 255, 0.5) * 255
        lr = np.clip(clean + 2 * rng.standard_normal(clean.shape), 0, 255)
        for name, image in (("HR", hr), ("LR", lr)):
            write_image(folder / name / f"{key}.png", image.round().astype(np.uint8))
        rows.append(PairRecord(key, "ok", lr=f"LR/{key}.png", hr=f"HR/{key}.png", scale=2))
    write_manifest(folder, rows)
    return folder


def test_a_camera_of_a_folder_and_of_arrays_is_what_calibrate_writes(taken, tmp_path):
    calibrate(taken, tmp_path / "cam", CalibrateSettings(2, size=12))
    written = realdeg.Camera.load(tmp_path / "cam", 2)
    of_folder = realdeg.calibrate(str(taken), name="cam", size=12)
    dataset = realdeg.open_dataset(taken)
    of_arrays = realdeg.calibrate([(pair.lr, pair.hr) for pair in dataset], 2, name="cam", size=12)
    of_pairs = realdeg.calibrate(iter(dataset), name="cam", size=12)
    for camera in (of_folder, of_arrays, of_pairs):
        assert json.loads(json.dumps(camera.figures)) == written.figures
        assert camera.kernels.digest == written.kernels.digest
        assert camera.noise.digest == written.noise.digest
        assert camera.recipe_text == written.recipe_text
    assert of_pairs.kernels.names == written.kernels.names == ("a", "b", "c")
    made, again = (camera(dataset["a"].hr, seed=0, key="x") for camera in (of_pairs, written))
    assert_array_equal(made.lr, again.lr)
    of_pairs.save(tmp_path / "again")
    assert (tmp_path / "again/kernels.npz").read_bytes() == (tmp_path / "cam/kernels.npz").read_bytes() or (
        of_pairs.kernels.about != written.kernels.about  # which files they came from
    )


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("camera.toml", None, "is no camera's folder: it has no camera.toml"),
        ("camera.toml", b"\xff\xfe", "is not text in UTF-8"),
        ("camera.toml", b"steps = 3", "a list of operations is meant"),
        ("camera.json", b"{", "is damaged or missing"),
        ("camera.json", None, "is damaged or missing"),
        ("kernels.npz", None, "does not exist"),
        ("noise.npz", b"PK", "cannot be read as a pool"),
    ],
)
def test_a_cameras_folder_that_is_damaged_is_said(taken, tmp_path, file, content, said):
    pair = realdeg.open_dataset(taken)[0]
    realdeg.calibrate([(pair.lr, pair.hr)], size=12).save(tmp_path)
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)
    with pytest.raises(realdeg.UserError) as caught:
        realdeg.Camera.load(tmp_path, 2)
    assert said in str(caught.value)


def test_what_tells_nothing_of_a_camera_is_refused_with_its_reason(taken):
    flat = np.full((128, 128, 3), 99, np.uint8)
    assert "flat" in realdeg.calibrate([(flat[:64, :64], flat)]).reason
    pair = realdeg.open_dataset(taken)[0]
    camera = realdeg.calibrate([(pair.lr, pair.hr), (flat[:64, :64], flat)], size=12)
    assert list(camera.refused) == ["pair_1"]
    assert camera.figures["refused_pairs"] == 1


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "holds no pair"),
        (7, "give a folder, a dataset, or a list of"),
        ([np.zeros((4, 4))], "pair 0: is of type ndarray"),
        ([(np.zeros((8, 8)), np.zeros((16, 17)))], "hr: is 17x16 px, not 2 times the 8x8 px of lr"),
    ],
)
def test_what_is_no_pair_is_said(pairs, said):
    with pytest.raises(realdeg.BadInput) as caught:
        realdeg.calibrate(pairs)
    assert said in str(caught.value)


def test_a_model_keeps_the_type_of_its_image(photos):
    import train

    model = train.load(device="cpu")
    lr = photos[0][:24, :32]
    whole, exact = model(lr), model(lr / 255)
    assert whole.dtype == np.uint8
    assert whole.shape == (96, 128, 3)
    assert exact.dtype == np.float32
    assert np.abs(exact * 255 - whole).max() <= 0.501
    assert model(lr.astype(np.uint16) * 257).dtype == np.uint16
    assert_array_equal(model(lr[::-1, ::-1][::-1, ::-1]), whole)
    with pytest.raises(realdeg.BadInput, match="channels come last"):
        model(lr.transpose(2, 0, 1))


def test_a_model_that_is_not_there_is_said(tmp_path):
    import train

    with pytest.raises(realdeg.UserError, match="there is no such run"):
        train.load(str(tmp_path / "run"))
    with pytest.raises(realdeg.UserError, match="there is no such checkpoint"):
        train.load(tmp_path / "a.safetensors")
    with pytest.raises(realdeg.UserError, match="did you mean 'device'"):
        train.load(devise="cpu")
    with pytest.raises(realdeg.BadInput, match="is no path"):
        train.load(7)


def test_opencv_works_as_in_jobs_and_is_left_as_it_was(photos):
    """In a process where IPP is on: without it the same pixels come out on every processor."""
    code = """
import cv2, numpy as np, realdeg, realdeg.torch, torch
before = cv2.ipp.useIPP()
seen = []
class Spy(realdeg.Recipe):
    def draw(self, *a, **k):
        seen.append(cv2.ipp.useIPP())
        return super().draw(*a, **k)
from dataclasses import fields
plain = realdeg.Recipe.load("bicubic")
recipe = Spy(**{f.name: getattr(plain, f.name) for f in fields(plain)})
recipe(np.zeros((16, 16, 3), np.uint8), seed=0)
print(before, seen, cv2.ipp.useIPP())
"""
    env = {name: value for name, value in os.environ.items() if name != "OPENCV_IPP"}
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    before, seen, after = made.stdout.split()
    assert seen == "[False]"
    assert before == after
