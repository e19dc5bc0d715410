"""Truth: analytic Gaussians, noise of known variance, spectrum and correlation; the page parsed as HTML."""

from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner

from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.report.domain import DomainFigures, domain_section
from realdeg.report.folder import Folder
from realdeg.report.kernel_pool import kernel_page
from realdeg.report.noise_pool import noise_page
from realdeg.report.pool_kind import is_pool, read_pool
from realdeg.report.pool_report import build_pool_report

STRANGE = "b <script>alert(1)</script>"
FWHM = 2 * np.sqrt(2 * np.log(2))


def kernels(count):
    rng = np.random.default_rng(0)
    made = [
        gaussian(21, sigma, 1.3 * sigma, angle)
        for sigma, angle in rng.uniform((1, 0), (2.5, 3), (count - 1, 2))
    ]
    names = [f"k{i}" for i in range(count - 1)] + [STRANGE]
    figures = {name: {"confidence": i / count, "source": "x.png"} for i, name in enumerate(names)}
    about = {"method": "by hand", "kernels": figures}
    return KernelPool(tuple(names), (*made, gaussian(15, 3, 1.5, np.pi / 2)), about)


def noises(count=6, side=96):
    """Variance 4 + 0.1 level; red and green correlated by 0.6; in 16 bits, so the level is known."""
    rng = np.random.default_rng(1)
    patches = []
    for level in np.linspace(30, 200, count):
        white = rng.standard_normal((side, side, 3))
        white[..., 1] = 0.6 * white[..., 0] + 0.8 * white[..., 1]
        patches.append(np.rint(257 * (level + np.sqrt(4 + 0.1 * level) * white)).clip(0, 65535).astype("u2"))
    knots = [0, 128, 255]
    about = {"level_function": {"knots": knots, "variance": [[4 + 0.1 * k for k in knots]] * 3}}
    return NoisePool(tuple(f"n{i}" for i in range(count)), tuple(patches), about)


def test_the_sheet_says_what_each_kernel_is(tmp_path):
    pool = kernels(5)
    page = kernel_page(pool, Folder(tmp_path))
    assert not page.sheet
    last = next(cell for cell in page.cells if cell.name == STRANGE)
    assert last.lines == ["7.06 x 3.53 px, 90°", "15x15", "confidence 0.8"]
    by_name = dict(page.rows)
    assert float(by_name[STRANGE][1].value) == pytest.approx(FWHM * 3, rel=0.01)
    picture = read(tmp_path / last.file).pixels
    assert picture.shape == (192, 192, 3)
    assert picture.sum(2).argmax() // 192 == pytest.approx(96, abs=7)  # the peak is the brightest


def test_thousands_of_kernels_stand_on_one_sheet(tmp_path):
    pool = kernels(300)
    page = kernel_page(pool, Folder(tmp_path))
    assert len(page.cells) == 96
    assert page.on_sheet == len(page.rows) == 300
    assert max(read(tmp_path / page.sheet).pixels.shape) < 16383
    widths = [float(re.match(r"[\d.]+", cell.lines[0])[0]) for cell in page.cells]
    assert widths[0] < widths[-1]


def test_noise_is_measured(tmp_path):
    page = noise_page(noises(), Folder(tmp_path))
    table = np.array([[float(text) for text in row] for _, row in page.correlation])
    np.testing.assert_allclose(table, [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]], atol=0.02)
    said = [one.svg for one in page.figures]
    assert len(said) == 3  # spectrum, autocorrelation, variance against level
    points = re.findall(r'<circle class="dot s0" cx="([\d.]+)" cy="([\d.]+)"', said[1])
    assert len(points) == 13
    heights = [float(y) for _, y in points]
    assert min(heights) == heights[0]
    assert np.ptp(heights[1:]) < 0.05 * (max(heights) - min(heights))  # white: nothing from 1 px on
    assert said[2].count("<polyline") == 3
    assert said[2].count("<circle") >= 17
    assert page.cells[0].lines[1] == "level 30 / 30 / 30"
    sigma = [float(text) for text in page.cells[0].lines[0].removeprefix("sigma ").split(" / ")]
    np.testing.assert_allclose(sigma, np.sqrt(4 + 3), rtol=0.03)


def test_spectrum_of_white_noise_is_its_variance(tmp_path):
    rng = np.random.default_rng(2)
    patches = tuple(rng.normal(0, 3 / 255, (64, 64, 3)).astype(np.float32) for _ in range(20))
    from realdeg.report.noise_pool import _second_order

    spectrum, lags, _ = _second_order(NoisePool(tuple(map(str, range(20))), patches))
    np.testing.assert_allclose(spectrum[:, 1:], 9, rtol=0.15)
    np.testing.assert_allclose(lags[1:, 1:], 0, atol=0.02)


@pytest.mark.parametrize("patch", [np.zeros((8, 8, 3), np.float32), np.full((40, 40, 3), 9, np.uint8)])
def test_tiny_and_flat_patches_have_a_page(tmp_path, patch):
    page = noise_page(NoisePool(("one",), (patch,)), Folder(tmp_path))
    assert page.cells


@pytest.mark.parametrize("level", ["high", [1, 2], float("nan"), None, {"a": 1}])
def test_a_header_with_nonsense_is_ignored(tmp_path, level):
    pool = noises(2)
    broken = NoisePool(
        pool.names, pool.patches, {"patches": {"n0": {"level": level}, "n1": 3}, "level_function": [1]}
    )
    assert noise_page(broken, Folder(tmp_path)).cells[0].lines[1] == "level 30 / 30 / 30"


def test_pages_are_the_same_each_time_and_say_nothing_unescaped(tmp_path):
    for number, (pool, name) in enumerate(((kernels(4), "k.npz"), (noises(), "n.npz"))):
        pool.save(tmp_path / name)
        one = build_pool_report(tmp_path / name, tmp_path / f"a{number}", title="T & t")
        other = build_pool_report(tmp_path / name, tmp_path / f"b{number}", title="T & t")
        assert one.read_bytes() == other.read_bytes()
        html = one.read_text(encoding="utf-8")
        assert "<script>alert" not in html
        assert "T &amp; t" in html
        for file in re.findall(r'src="(pictures/[^"]+)"', html):
            assert (one.parent / file).is_file()
        assert "http" not in html


def test_kinds_are_told_apart(tmp_path):
    kernels(3).save(tmp_path / "k.npz")
    noises(2).save(tmp_path / "n.npz")
    kernels(3).save(tmp_path / "gan", 2)
    write_image(tmp_path / "pictures" / "p.png", noises(1).patches[0])
    np.save(tmp_path / "stack.npy", np.zeros((2, 40, 40, 3), np.float32))
    np.save(tmp_path / "kernel.npy", gaussian(9, 2))
    for name, kind in (
        ("k.npz", KernelPool),
        ("n.npz", NoisePool),
        ("gan", KernelPool),
        ("pictures", NoisePool),
        ("stack.npy", NoisePool),
        ("kernel.npy", KernelPool),
    ):
        assert is_pool(tmp_path / name), name
        assert isinstance(read_pool(tmp_path / name), kind), name
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "manifest.csv").write_text("key,status\n")
    assert not is_pool(tmp_path / "set")


def test_the_command(tmp_path):
    kernels(3).save(tmp_path / "k.npz")
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "k.npz")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "k.report" / "index.html").is_file()
    bad = CliRunner().invoke(cli, ["report", str(tmp_path / "k.npz"), "--real", str(tmp_path)])
    assert isinstance(bad.exception, UserError)
    assert "is a pool" in str(bad.exception)
    (tmp_path / "torn.npz").write_bytes((tmp_path / "k.npz").read_bytes()[:300])
    torn = CliRunner().invoke(cli, ["report", str(tmp_path / "torn.npz")])
    assert "torn.npz: cannot be read as a pool" in str(torn.exception)


def test_the_section_on_domain_distance():
    curve = {"this set": [(0.1, 1.0), (0.5, -9.0)], "real photos": [(0.1, 1.0), (0.5, float("nan"))]}
    parts = {"spectrum": 1.0, "noise": 2.0, "gradients": 3.0, "patches": 40.0}
    figures = DomainFigures(
        4.2,
        parts,
        dict.fromkeys(parts, 0.25),
        0.001,
        5,
        7,
        "photos",
        curve,
        curve,
        [("r", 0.5, -0.25)],
        doubts=["rough distances: 7 photos"],
    )
    found = domain_section(figures)
    assert list(found.doubts) == ["rough distances: 7 photos"]
    assert found.kind == "bad"
    assert "4.20 from 7 photos of photos" in found.verdict
    assert [row[:3] for row in found.rows][3] == ("patches", "40.00", "25.0%")
    assert found.gradients == [("r", "+0.50", "-0.25", "+0.75")]
    assert len(found.figures) == 2
