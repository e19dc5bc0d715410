"""What commands say of what is implausible, and that they say nothing else where all is plausible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from realdeg.cli.main import cli
from realdeg.io.save import write_image


def realdeg(*words: object) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def clean(tmp_path: Path, photos) -> Path:
    for i, photo in enumerate(photos):
        write_image(tmp_path / "clean" / f"{i}.png", photo)
    return tmp_path / "clean"


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(4):
        patch = np.clip(rng.normal(128, 5, (64, 64, 3)), 0, 255).astype(np.uint8)
        write_image(tmp_path / "noise" / f"{i}.png", patch)
    return tmp_path / "noise"


def test_degrade_says_that_its_noise_is_pictures(clean, noise, tmp_path):
    words = ("--scale", 2, "-o", tmp_path / "out", "--dry-run")
    told = realdeg("degrade", clean, "--noise-pool", clean, *words)
    assert told.exit_code == 0
    assert f"{clean}: 3 of 3 patches look like pictures, not noise: " in told.stderr
    assert realdeg("degrade", clean, "--noise-pool", noise, *words).stderr == ""
    assert realdeg("degrade", clean, *words).stderr == ""


def test_pool_says_it(clean, noise):
    assert "look like pictures, not noise" in realdeg("pool", clean, "--kind", "noise").stderr
    assert realdeg("pool", noise, "--kind", "noise").stderr == ""


def test_split_says_that_little_is_left_to_train_on(clean, tmp_path):
    out = tmp_path / "pairs"
    assert realdeg("degrade", clean, "--scale", 2, "-o", out, "-q").exit_code == 0
    told = realdeg("split", out, "--test", 2)
    assert told.exit_code == 0
    assert told.stderr == "1 scene to train on and 2 to test on; ask for fewer with --test\n"
    assert realdeg("split", out, "--test", "10%").stderr == ""


def test_align_says_what_would_pair_photos(clean, tmp_path):
    for i, path in enumerate(sorted(clean.iterdir())):
        for side, size in (("lr", 1), ("hr", 2)):
            (tmp_path / side).mkdir(exist_ok=True)
            pixels = np.full((16 * size, 16 * size, 3), 40 * i, np.uint8)
            write_image(tmp_path / side / f"{path.stem}{side[0].upper() if i else ''}.png", pixels)
    words = ("--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "-o", tmp_path / "out", "--dry-run")
    told = realdeg("align", *words)
    assert told.exit_code == 0
    (line,) = [one for one in told.stderr.splitlines() if "would match with" in one]
    assert line.startswith(
        f"{tmp_path / 'lr'}: only 1 of 3 photos found a partner by name; 2 of 3 would match"
    )
    assert "--lr-suffix=L --hr-suffix=H" in line
    assert "would match" not in realdeg("align", *words, "--lr-suffix", "L", "--hr-suffix", "H").stderr
