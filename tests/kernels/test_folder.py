"""Truth: files that the tests write; the same job on one core, undisturbed."""

from __future__ import annotations

import hashlib
from functools import partial

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from realdeg.errors import UserError
from realdeg.imaging.blur import align_kernel, blur_subsample
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.kernels import from_photo
from realdeg.kernels.folder import estimate_pairs, estimate_photos
from realdeg.kernels.from_photo import unusable
from realdeg.kernels.settings import KernelSettings
from realdeg.pools.found import job_folder
from realdeg.pools.kernel_pool import KernelPool
from realdeg.records import PairRecord, write_manifest

FEW = KernelSettings(2, "kernelgan", iterations=60)


@pytest.fixture(scope="module")
def src(tmp_path_factory, sample):
    """A photo, a grey one, one of 16 bit, and four that tell nothing."""
    folder = tmp_path_factory.mktemp("photos")
    photo = read(sample / "clean" / "chelsea.png").pixels[60:200, 100:260]
    write_image(folder / "a.png", photo)
    write_image(folder / "sub" / "grey.png", np.repeat(photo[:, :, 1:2], 3, 2))
    write_image(folder / "deep.png", photo[::-1].astype(np.uint16) * 257)
    write_image(folder / "flat.png", np.full((140, 150, 3), 90, np.uint8))
    white = np.full((140, 150, 3), 255, np.uint8)
    white[:40, :40] = photo[:40, :40]
    write_image(folder / "white.png", white)
    write_image(folder / "tiny.png", photo[:120])
    (folder / "broken.png").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def made(src, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "pool.npz"
    return out, estimate_photos(src, out, FEW)


def test_pool_holds_kernels_and_their_origin(src, made):
    out, report = made
    pool = KernelPool.read(out, 2)
    assert pool.names == ("a", "deep", "sub/grey")
    assert {r.key: r.status for r in report.records} == {
        **dict.fromkeys(("a", "deep", "sub/grey"), "ok"),
        **dict.fromkeys(("flat", "tiny", "white"), "rejected"),
        "broken": "failed",
    }
    about = pool.about
    assert about["method"] == "kernelgan"
    assert (about["scale"], about["seed"], about["iterations"]) == (2, 0, 60)
    assert "correlation" in about["convention"]
    for name, kernel in zip(pool.names, pool.kernels, strict=True):
        figures = about["kernels"][name]
        assert kernel.sum() == pytest.approx(1)
        assert np.abs(align_kernel(kernel, 2).moved).max() < 0.05
        assert 0 <= figures["confidence"] <= 1
        assert 0 < figures["kept"] <= 1
        assert {"centre_x", "centre_y", "residual_8bit"} <= set(figures)
    sha = hashlib.sha256((src / "sub" / "grey.png").read_bytes()).hexdigest()
    assert about["kernels"]["sub/grey"]["source_sha256"] == sha
    reasons = {r.key: r.reason for r in report.records}
    assert "flat" in reasons["flat"]
    assert "128 px a side are needed" in reasons["tiny"]
    assert "black or white" in reasons["white"]
    assert all(str(src) in reason for key, reason in reasons.items() if reason)


def test_same_bytes_for_any_number_of_workers_and_threads(src, made, tmp_path):
    out, _ = made
    estimate_photos(src, tmp_path / "pool.npz", FEW, running=Running(workers=2))
    assert (tmp_path / "pool.npz").read_bytes() == out.read_bytes()


def test_goes_on_where_it_stopped(src, made, tmp_path, monkeypatch):
    out, _ = made
    pool = tmp_path / "pool.npz"
    estimate_photos(src, pool, FEW, running=Running(limit=1))
    first = job_folder(pool) / "kernels" / "a.npy"
    before = first.stat().st_mtime_ns
    report = estimate_photos(src, pool, FEW)
    assert report.resumed == 1
    assert first.stat().st_mtime_ns == before
    assert pool.read_bytes() == out.read_bytes()
    first.write_bytes(b"torn")
    assert (
        estimate_photos(src, pool, FEW).resumed == len(report.records) - 2
    )  # not the torn, not the broken one
    assert pool.read_bytes() == out.read_bytes()
    with pytest.raises(UserError, match="other settings"):
        estimate_photos(src, pool, KernelSettings(2, "kernelgan", iterations=61))


def test_kernelgans_folder(src, made, tmp_path):
    estimate_photos(
        src, tmp_path / "kg", KernelSettings(4, "kernelgan", iterations=60), running=Running(limit=1)
    )
    kernel = loadmat(tmp_path / "kg" / "a" / "a_kernel_x4.mat")["Kernel"]
    assert kernel.sum() == pytest.approx(1)
    assert len(KernelPool.read(tmp_path / "kg", 4).names) == 1


def test_without_convergence_there_is_no_kernel(src, tmp_path):
    report = estimate_photos(
        src, tmp_path / "p.npz", KernelSettings(2, "kernelgan", iterations=2), running=Running(limit=1)
    )
    assert "not converged in 2 iterations" in report.records[0].reason
    assert not (tmp_path / "p.npz").exists()


def test_threads_are_given_back(src, tmp_path):
    before = torch.get_num_threads()
    with from_photo.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("scale", "out", "words"), [(3, "p.npz", "x2 and x4"), (2, "p.png", "not written as .png")]
)
def test_refuses_before_it_reads(tmp_path, scale, out, words):
    with pytest.raises(UserError, match=words):
        estimate_photos(tmp_path / "src", tmp_path / out, KernelSettings(scale, "kernelgan"))


def test_unusable_says_why():
    rng = np.random.default_rng(0)
    assert unusable(rng.random((128, 128, 3), dtype=np.float32), 128) is None
    assert "300x127 px, 128 px a side" in str(unusable(rng.random((127, 300, 3), dtype=np.float32), 128))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, sample):
    folder = tmp_path_factory.mktemp("pairs")
    hr = read(sample / "clean" / "coffee.png").pixels[:384, :600]
    records = []
    for key, sigma, error in (("soft", 2.0, "0.02"), ("sharp", 1.0, ""), ("off", 1.0, "0.9")):
        lr = (
            np.rint(blur_subsample(hr, align_kernel(gaussian(13, sigma), 2), 2) * 255)
            .clip(0, 255)
            .astype(np.uint8)
        )
        write_image(folder / "LR" / f"{key}.png", lr)
        write_image(folder / "HR" / f"{key}.png", hr)
        detail = {"error_lr_px": error}
        records.append(
            PairRecord(key, "ok", lr=f"LR/{key}.png", hr=f"HR/{key}.png", scale=2, scene=key, detail=detail)
        )
    write_manifest(folder, records)
    return folder


def test_kernels_of_pairs(dataset, tmp_path):
    report = estimate_pairs(dataset, tmp_path / "p.npz", KernelSettings(2))
    pool = KernelPool.read(tmp_path / "p.npz", 2)
    assert pool.names == ("soft", "sharp")
    assert "0.900 LR px is above 0.2" in report.records[2].reason
    figures = pool.about["kernels"]["soft"]
    assert figures["width_x"] == pytest.approx(2, abs=0.05)
    assert figures["weight_sd"] > 0
    manifest = (job_folder(tmp_path / "p.npz") / "manifest.csv").read_text()
    assert "confidence" in manifest.splitlines()[0]


def test_kernels_of_a_grid(dataset, tmp_path):
    estimate_pairs(
        dataset, tmp_path / "p.npz", KernelSettings(2, size=9, grid=(1, 2)), running=Running(limit=1)
    )
    pool = KernelPool.read(tmp_path / "p.npz", 2)
    assert pool.names == ("soft/r0c0", "soft/r0c1")
    assert pool.kernels[0].shape == (10, 10)
    assert pool.about["kernels"]["soft/r0c1"]["width_x"] > 1.5


def test_pairs_of_another_scale(dataset, tmp_path):
    with pytest.raises(UserError, match=r"no pair of x4 \(x2\)"):
        estimate_pairs(dataset, tmp_path / "p.npz", KernelSettings(4))


def test_the_pool_degrades(made, sample, tmp_path):
    from realdeg.degrade.folder import degrade_folder
    from realdeg.degrade.settings import DegradeSettings

    report = degrade_folder(
        sample / "clean", tmp_path / "out", DegradeSettings(2, kernel_pool=made[0]), running=Running(limit=1)
    )
    assert report.count("ok") == 1


def test_work_can_be_sent_to_workers():
    import pickle

    pickle.dumps(partial(from_photo.learn_photo, job="x", settings=FEW))
