"""Truth: photographs to which we added noise that is known pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.noise.folder import counts, extract_noise_pool
from realdeg.noise.settings import NoiseSettings
from realdeg.pools.found import job_folder
from realdeg.pools.level_function import KNOTS, NoiseLevelFunction, level_function
from realdeg.pools.noise_pool import NoisePool

DEFAULT = NoiseSettings()
MIX = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.5, 0.3, 0.81]])  # rows of length 1


def law(level):
    """Variance of the noise, 8-bit levels squared."""
    return 2.0 + 0.08 * level


def noisy(clean, seed):
    """Noise that grows with brightness, its channels correlated, a little smooth."""
    rng = np.random.default_rng(seed)
    white = ndimage.gaussian_filter(rng.normal(0, 1, clean.shape), (0.45, 0.45, 0))
    white = white / white.std() @ MIX.T
    return np.clip(np.rint(clean + white * np.sqrt(law(clean))), 0, 255).astype(np.uint8)


def reduced(path):
    """By 2, so that what noise the photograph has is small."""
    with Image.open(path) as picture:
        image = picture.convert("RGB")
        return np.asarray(image.reduce(2), np.float64)


@pytest.fixture(scope="module")
def made(tmp_path_factory, sample):
    """The folder of noisy photos, and the clean ones by file name.

    Three of four have a wall with shading in them; of each photograph the fourth shows texture alone.
    """
    folder = tmp_path_factory.mktemp("noisy")
    truth = {}
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:150, :140] / 150.0
    for path in sorted((sample / "clean").glob("*.png")):
        whole = reduced(path)[:150, :224]
        for number, image in enumerate((whole, whole[::-1], whole[:, ::-1], whole[::-1, ::-1])):
            clean = image.copy()
            if number < 3:
                slope = rng.uniform(-20, 20, (2, 3))
                clean[:, :140] = rng.uniform(30, 220, 3) + y[..., None] * slope[0] + x[..., None] * slope[1]
            name = f"{path.stem}_{number}.png"
            truth[name] = clean
            write_image(folder / name, noisy(clean, len(truth)))
    return folder, truth


@pytest.fixture(scope="module")
def pool(made, tmp_path_factory):
    out = tmp_path_factory.mktemp("pool") / "pool.npz"
    extract_noise_pool(made[0], out, DEFAULT)
    return NoisePool.read(out)


def flat(pool):
    return {name: facts for name, facts in pool.about["patches"].items() if facts["how"] == "flat"}


def test_flat_patches_hold_noise_and_not_what_the_photo_shows(made, pool):
    """The patch against the noise that was added at its place: nearly the same above the mended bands."""
    folder, truth = made
    assert len(flat(pool)) >= 8
    added, left = 0.0, 0.0
    for name, facts in flat(pool).items():
        at = np.s_[facts["y"] : facts["y"] + 64, facts["x"] : facts["x"] + 64]
        with Image.open(folder / facts["source"]) as picture:
            noise = np.asarray(picture, np.float64)[at] - truth[facts["source"]][at]
        patch = 255.0 * pool.residual(pool.names.index(name))
        both = [np.abs(np.fft.fft2(one, axes=(0, 1))) for one in (noise, patch, noise - patch)]
        high = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)) > 4 / 64
        assert np.square(both[2][high]).sum() < 0.25 * np.square(both[0][high]).sum()
        added += np.square(both[0][high]).sum()
        left += np.square(both[2][high]).sum()
    assert left < 0.08 * added


def test_the_level_function_is_that_of_the_noise(pool):
    told = pool.about["level_function"]
    known = np.array(told["counts"]) >= 3
    octaves = np.log2(np.array(told["variance"]) / law(np.array(told["knots"])))
    assert known.sum() >= 12
    assert np.abs(octaves[known]).mean() < 0.35
    assert np.abs(octaves[known]).max() < 1


def test_every_photo_gives_noise_as_strong_as_its_own(made, pool):
    patches = pool.about["patches"]
    assert {facts["source"] for facts in patches.values()} == set(made[1])
    for name, facts in patches.items():
        patch = 255.0 * pool.residual(pool.names.index(name)).astype(np.float64)
        expected = law(np.array(facts["level"]))
        assert np.abs(np.log2(patch.var((0, 1)) / expected)).max() < 1.6, name
        assert np.allclose(facts["sigma_8bit"], patch.std((0, 1)), atol=2e-3)
        assert np.abs(patch.mean((0, 1))).max() < 0.05


def test_channels_stay_correlated(pool):
    found = np.mean(
        [np.corrcoef(pool.residual(pool.names.index(name)).reshape(-1, 3).T) for name in flat(pool)], axis=0
    )
    assert np.allclose(found, MIX @ MIX.T, atol=0.12)


def test_what_a_photo_without_flat_places_gives_is_marked(pool):
    chosen = pool.about["chosen"]
    hows = [facts["how"] for facts in pool.about["patches"].values()]
    assert all(chosen[how] == hows.count(how) for how in ("flat", "rescaled", "made"))
    for facts in pool.about["patches"].values():
        if facts["how"] == "rescaled":
            source = pool.about["patches"][facts["patch"]]
            assert source["how"] == "flat"
            octaves = np.log2(np.array(facts["sigma_8bit"]) / source["sigma_8bit"])
            assert np.abs(octaves).max() <= 2.1  # a faint patch would become specks


def test_the_same_bytes_however_it_is_made(made, pool, tmp_path):
    one, two, cut = (tmp_path / f"{name}.npz" for name in ("one", "two", "cut"))
    extract_noise_pool(made[0], one, DEFAULT)
    extract_noise_pool(made[0], two, DEFAULT, running=Running(workers=2))
    extract_noise_pool(made[0], cut, DEFAULT, running=Running(limit=2))
    assert extract_noise_pool(made[0], cut, DEFAULT).resumed == 2
    assert one.read_bytes() == two.read_bytes() == cut.read_bytes()
    (job_folder(cut) / "patches" / Path(next(iter(made[1]))).with_suffix(".npz").name).write_bytes(b"x")
    extract_noise_pool(made[0], cut, DEFAULT)  # a damaged file is made again
    assert one.read_bytes() == cut.read_bytes()


def test_settings_are_heeded(made, tmp_path):
    few = tmp_path / "few.npz"
    extract_noise_pool(made[0], few, NoiseSettings(size=32, per_level=1))
    pool = NoisePool.read(few)
    assert all(patch.shape == (32, 32, 3) for patch in pool.patches)
    assert 1 <= len(flat(pool)) <= 8
    with pytest.raises(UserError, match="no patches of 40 px"):
        extract_noise_pool(made[0], tmp_path / "a.npz", NoiseSettings(size=40))
    with pytest.raises(UserError, match="not written as a folder"):
        extract_noise_pool(made[0], tmp_path / "a", DEFAULT)


def test_an_equal_photo_counts_once(made, tmp_path):
    name = next(iter(made[1]))
    for copy in ("a", "b"):
        (tmp_path / "in" / f"{copy}.png").parent.mkdir(exist_ok=True)
        (tmp_path / "in" / f"{copy}.png").write_bytes((made[0] / name).read_bytes())
    report = extract_noise_pool(tmp_path / "in", tmp_path / "pool.npz", DEFAULT)
    pool = NoisePool.read(tmp_path / "pool.npz")
    assert report.count("ok") == 2
    assert {facts["source"] for facts in pool.about["patches"].values()} == {"a.png"}


def test_grey_photos_give_grey_noise(sample, tmp_path):
    for number, path in enumerate(sorted((sample / "clean").glob("*.png"))[:3]):
        image = noisy(reduced(path), number)[..., :1]
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(tmp_path / "in" / f"{number}.png")
    extract_noise_pool(tmp_path / "in", tmp_path / "pool.npz", DEFAULT)
    pool = NoisePool.read(tmp_path / "pool.npz")
    for index in range(len(pool.names)):
        patch = pool.residual(index)
        assert np.allclose(patch, patch[..., :1], atol=2e-3)
        assert np.isfinite(patch).all()


def test_a_grey_photo_among_others_gives_grey_noise_far_stronger_than_theirs(made, tmp_path):
    """Nothing of the set is like it: its noise is made."""
    for name in made[1]:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes((made[0] / name).read_bytes())
    rng = np.random.default_rng(5)
    grey = 120 + rng.normal(0, 30, (160, 160))
    write_image(tmp_path / "in" / "grey.png", np.uint8(np.clip(grey, 0, 255))[..., None].repeat(3, 2))
    extract_noise_pool(tmp_path / "in", tmp_path / "pool.npz", DEFAULT)
    pool = NoisePool.read(tmp_path / "pool.npz")
    own = [name for name, facts in pool.about["patches"].items() if facts["source"] == "grey.png"]
    assert own == ["grey_made0", "grey_made1"]
    for name in own:
        patch = pool.residual(pool.names.index(name))
        assert np.allclose(patch, patch[..., :1], atol=2e-3)
        assert (255 * patch).std() > 12


def test_one_photo_of_nothing_but_texture(tmp_path):
    """Grass everywhere: no flat window to trust; made noise is weaker than the texture by far."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (256, 256)), 1.2)
    clean = 120 + 30 * (texture / texture.std())[..., None] * np.ones(3)
    write_image(tmp_path / "in" / "grass.png", noisy(clean, 1))
    write_image(tmp_path / "in" / "more.png", noisy(clean[::-1], 2))
    extract_noise_pool(tmp_path / "in", tmp_path / "pool.npz", DEFAULT)
    pool = NoisePool.read(tmp_path / "pool.npz")
    assert pool.names
    sigma = [float((255 * pool.residual(i)).std()) for i in range(len(pool.names))]
    assert max(sigma) < 12


def test_photos_that_can_give_nothing_say_why(tmp_path):
    write_image(tmp_path / "in" / "black.png", np.zeros((128, 128, 3), np.uint8))
    write_image(tmp_path / "in" / "smooth.png", np.full((128, 128, 3), 90, np.uint8))
    write_image(tmp_path / "in" / "tiny.png", np.full((40, 128, 3), 90, np.uint8))
    report = extract_noise_pool(tmp_path / "in", tmp_path / "pool.npz", DEFAULT)
    reasons = {record.key: record.reason for record in report.records}
    assert "black or white nearly everywhere" in reasons["black"]
    assert "shows no noise anywhere" in reasons["smooth"]
    assert "is 128x40 px, 64 a side are needed" in reasons["tiny"]
    assert not (tmp_path / "pool.npz").exists()
    told = counts(report.records, None, DEFAULT)
    assert told["patches"] == 0
    assert told["clipped"] == told["without noise"] == told["places looked at"] / 2


def test_blocks_of_a_strong_jpeg_are_no_noise(made, tmp_path):
    """All windows of a photo may be refused for them, and the photo says so."""
    rng = np.random.default_rng(2)
    blocks = rng.integers(90, 130, (20, 24, 3)).repeat(8, 0).repeat(8, 1)
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "blocks.png", np.uint8(blocks) + rng.integers(0, 3, blocks.shape, np.uint8))
    report = extract_noise_pool(tmp_path / "in", tmp_path / "pool.npz", DEFAULT)
    assert "nothing but the blocks of a strong JPEG" in report.records[0].reason


def test_the_pool_tells_what_it_is_in_plain_numbers(pool):
    about = json.loads(json.dumps(pool.about))
    assert about["method"] == "flat"
    assert about["size"] == 64
    assert len(about["spectrum"]) == 12
    assert {"chosen", "gains", "level_function", "patches", "made_with"} <= set(about)


def test_a_level_function_goes_through_the_variances_that_it_is_given():
    rng = np.random.default_rng(4)
    level = rng.uniform(30, 200, (400, 3))
    values = law(level) * rng.lognormal(0, 0.1, level.shape)
    values[:20] *= 40  # texture
    found = level_function(level, values)
    inside = (KNOTS > 40) & (KNOTS < 190)
    assert np.abs(np.log2(found.variance / law(KNOTS)))[:, inside].max() < 0.2
    assert found.counts.sum() == 1200
    assert np.array_equal(found.variance[:, 0], found.variance[:, 1])  # drawn on from the nearest known
    line = NoiseLevelFunction(np.tile(law(KNOTS), (3, 1)), np.ones((3, len(KNOTS)), int))
    assert np.allclose(line(np.array([[50.0, 100.0, 150.0]])), law(np.array([[50.0, 100.0, 150.0]])))
