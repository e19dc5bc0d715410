"""Truth: photos reduced by kernels that the test draws itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.errors import UserError
from realdeg.imaging.blur import align_kernel, blur_subsample
from realdeg.imaging.kernels import centre_of_mass, in_middle
from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.kernels import training_folder, zoo
from realdeg.kernels.estimator import SHIPPED, Estimator, shipped
from realdeg.kernels.estimator_settings import TrainSettings
from realdeg.kernels.folder import estimate_photos
from realdeg.kernels.settings import KernelSettings
from realdeg.kernels.statistics import MIN_SIDE, grey_of, statistics
from realdeg.kernels.training_folder import broken_photos, train_kernels
from realdeg.pools.kernel_pool import KernelPool
from realdeg.seeds import stream


def psnr(wrong):
    return -10 * np.log10(np.square(wrong).mean())


def reduced(photo, kernel, scale):
    height, width = (n // scale * scale for n in photo.shape[:2])
    lr = blur_subsample(photo[:height, :width], align_kernel(kernel, scale), scale)
    return np.clip(np.rint(255 * lr), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(sample):
    return [read(path).pixels for path in sorted((sample / "clean").glob("*.png"))]


@given(st.sampled_from([2, 3, 4, 8]), st.sampled_from(list(zoo.FAMILIES)), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_kernel_of_the_zoo_rests_in_the_middle(scale, family, seed):
    kernel = zoo.draw(np.random.default_rng(seed), scale, family)
    side = zoo.grid(scale)
    assert kernel.shape == (side, side)
    assert (side + scale) % 2 == 0  # so that LR pixels sit in its middle
    assert kernel.sum() == pytest.approx(1)
    assert np.abs(np.subtract(centre_of_mass(kernel), (side - 1) / 2)).max() < 5e-3
    again = zoo.draw(np.random.default_rng(seed), scale, family)
    assert np.array_equal(kernel, again)


def test_kernels_of_div2krk_are_gaussians_of_their_variances():
    """Variances uniform in [0.6, 5] px, cut off at 11 px; weights deviate by 1 +- 0.25."""
    rng = np.random.default_rng(0)
    traces = []
    for _ in range(300):
        kernel = zoo.draw(rng, 2, "div2krk")
        axis = np.arange(len(kernel)) - (len(kernel) - 1) / 2
        traces.append(((axis[:, None] ** 2 + axis**2) * kernel).sum())
    assert np.mean(traces) == pytest.approx(2 * 2.8, rel=0.06)


@pytest.mark.parametrize("scale", [4, 8])
def test_reducing_again_is_reducing_by_the_kernel_of_again(photos, scale):
    kernel = zoo.draw(np.random.default_rng(1), 2, "gaussian")[3:-3, 3:-3]
    kernel = kernel / kernel.sum()
    photo = photos[0][:256, :256].astype(np.float32) / 255
    steps = photo
    for _ in range(int(np.log2(scale))):
        steps = blur_subsample(steps, align_kernel(kernel, 2), 2)
    once = blur_subsample(photo, align_kernel(zoo.again(kernel, scale), scale), scale)
    edge = 12
    assert np.abs(steps - once)[edge:-edge, edge:-edge].max() < 1e-4


def test_statistics_do_not_depend_on_exposure(photos):
    """Ratios: half the contrast changes none of the spectra, as far as noise of rounding does not show."""
    grey = grey_of(photos[0])
    full, half = statistics(grey), statistics(grey / 2 + 40)
    assert full.shape == half.shape
    assert np.abs(full - half)[: 3 * 144].max() < 0.1


def test_statistics_of_small_photos_are_refused():
    with pytest.raises(ValueError, match="at least 64"):
        statistics(np.zeros((MIN_SIDE - 1, 300), np.float32))


@pytest.mark.parametrize("scale", SHIPPED)
def test_the_estimator_beats_fixed_kernels(photos, scale):
    """On photos it has not seen: closer to the truth than the best one Gaussian for all of them."""
    net = shipped(scale)
    side = zoo.grid(scale)
    axis = np.arange(side) - (side - 1) / 2
    true, mine = [], []
    for number, photo in enumerate(photos):
        if min(photo.shape[:2]) < MIN_SIDE * scale:
            photo = np.concatenate([photo, photo[::-1]])
            photo = np.concatenate([photo, photo[:, ::-1]], axis=1)
        for draw in range(3):
            kernel = zoo.draw(stream(draw, str(number), "test"), scale, "div2krk")
            found = net(statistics(grey_of(reduced(photo, kernel, scale))))
            assert found.kernel.sum() == pytest.approx(1)
            assert 0 < found.confidence < 1
            true.append(kernel)
            mine.append(psnr(found.kernel - kernel))
    fixed = []
    for variance in np.linspace(0.15, 0.9, 16) * scale**2:
        line = np.exp(-axis * axis / (2 * variance))
        gaussian = np.outer(line, line) / line.sum() ** 2
        fixed.append(np.mean([psnr(gaussian - kernel) for kernel in true]))
    assert np.mean(mine) > max(fixed) + 1.5


@pytest.fixture(scope="module")
def src(tmp_path_factory, photos):
    folder = tmp_path_factory.mktemp("photos")
    lr = reduced(photos[0], zoo.draw(np.random.default_rng(0), 2, "gaussian"), 2)
    write_image(folder / "a.png", lr)
    write_image(folder / "again.png", lr)
    write_image(folder / "deep.png", lr[::-1].astype(np.uint16) * 257)
    write_image(folder / "grey.png", np.repeat(lr[..., 1:2], 3, 2))
    write_image(folder / "flat.png", np.full((140, 150, 3), 90, np.uint8))
    write_image(folder / "tiny.png", lr[:60])
    enlarged = np.clip(resize(lr.astype(np.float64), 4), 0, 255)[:400, :400]
    write_image(folder / "enlarged.png", np.rint(enlarged).astype(np.uint8))
    (folder / "broken.png").write_bytes(b"x")
    return folder


def test_the_job_says_what_it_made_and_why_not(src, tmp_path):
    out = tmp_path / "pool.npz"
    report = estimate_photos(src, out, KernelSettings(2))
    reasons = {record.key: record.reason for record in report.records if not record.ok}
    assert "flat" in reasons["flat"]
    assert "64 px a side are needed" in reasons["tiny"]
    problem = reasons["enlarged"].removeprefix(f"{src / 'enlarged.png'}: ")
    assert "confidence" in problem or "photos are that were enlarged" in problem
    assert "broken.png" in reasons["broken"]
    pool = KernelPool.read(out, 2)
    assert pool.names == ("a", "deep", "grey")
    about = pool.about
    assert about["kernels"]["a"]["same_as"] == ["again"]
    assert about["weights"] == shipped(2).digest
    assert about["method"] == "amortised"
    for figures in about["kernels"].values():
        assert 0.9 <= figures["confidence"] < 1
        assert figures["expected_db"] > 30
        assert figures["width_px"] > 0
    two = tmp_path / "two.npz"
    estimate_photos(src, two, KernelSettings(2), running=Running(workers=2))
    assert two.read_bytes() == out.read_bytes()


def test_a_kernel_for_each_part_of_the_field(photos, tmp_path):
    folder = tmp_path / "photos"
    sharp, soft = (in_middle(g, 16) for g in (np.eye(1), np.ones((5, 5))))
    photo = np.concatenate([photos[0], photos[0][:, ::-1]], axis=1)
    half = photo.shape[1] // 4 * 2
    lr = np.concatenate([reduced(photo[:, :half], sharp, 2), reduced(photo[:, half:], soft, 2)], axis=1)
    write_image(folder / "a.png", lr)
    estimate_photos(folder, tmp_path / "p.npz", KernelSettings(2, grid=(1, 2), min_confidence=0))
    pool = KernelPool.read(tmp_path / "p.npz", 2)
    assert pool.names == ("a/r0c0", "a/r0c1")
    widths = [pool.about["kernels"][name]["width_px"] for name in pool.names]
    assert widths[1] > 1.3 * widths[0]


def test_weights_are_read_as_they_were_written(photos, tmp_path):
    net = shipped(2)
    net.save(tmp_path / "w.npz")
    seen = statistics(grey_of(photos[0]))
    again = Estimator.read(tmp_path / "w.npz")
    assert again.digest == net.digest
    assert np.array_equal(again(seen).kernel, net(seen).kernel)
    with pytest.raises(UserError, match="x2, not x4"):
        estimate_photos(tmp_path, tmp_path / "p.npz", KernelSettings(4, weights=tmp_path / "w.npz"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None])
def test_what_is_no_weights_is_refused(tmp_path, content):
    path = tmp_path / "w.npz"
    if content is None:
        np.savez(path, a=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as weights"):
        Estimator.read(path)
    with pytest.raises(UserError, match="No such file"):
        Estimator.read(tmp_path / "none.npz")


def test_training_leaves_out_what_cannot_be_read(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(training_folder, "FEWEST", 500)  # two chunks, for the time it takes
    folder = tmp_path / "photos"
    write_image(folder / "a.png", read(sample / "clean" / "chelsea.png").pixels)
    whole = (folder / "a.png").read_bytes()
    (folder / "torn.png").write_bytes(whole[: len(whole) // 3])
    report = train_kernels(folder, tmp_path / "w.npz", 2, TrainSettings(examples=500, epochs=1))
    assert report.count("ok") == 2
    assert [line.split(": ")[0] for line in broken_photos(report.records)] == [str(folder / "torn.png")]
    assert Estimator.read(tmp_path / "w.npz").about["photos"] == 1


def test_training_goes_on_where_it_stopped_and_learns(sample, tmp_path):
    """A thousand examples tell kernels apart: better than their mean, which training begins with."""
    out = tmp_path / "w.npz"
    few = TrainSettings(examples=1000, epochs=10)
    with pytest.raises(UserError, match="examples"):
        train_kernels(sample / "clean", out, 2, TrainSettings(examples=10))
    with pytest.raises(UserError, match="gave 750 examples, 1000 are needed"):
        train_kernels(sample / "clean", out, 2, few, running=Running(limit=3))
    told = []
    report = train_kernels(sample / "clean", out, 2, few, say=lambda _, db: told.append(db))
    assert report.resumed == 3
    assert told[-1] > told[0] + 2
    assert Estimator.read(out).scale == 2
    first = out.read_bytes()
    train_kernels(sample / "clean", out, 2, few)
    assert out.read_bytes() == first
