"""What is sent to others: one file, and animations. Truth: Pillow, and Python's HTML parser."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageSequence

from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.imaging.kernels import gaussian
from realdeg.pools.kernel_pool import KernelPool
from realdeg.report.flicker import KINDS, write_animation
from realdeg.report.page import build_report
from realdeg.report.single import write_single

FRAMES = [np.random.default_rng(i).integers(0, 256, (24, 32, 3)).astype(np.uint8) for i in range(3)]


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.mark.parametrize("suffix", KINDS)
def test_animations_show_every_frame_for_its_time_for_ever(tmp_path, suffix):
    write_animation(tmp_path / f"a{suffix}", FRAMES, frame_ms=240)
    with Image.open(tmp_path / f"a{suffix}") as film:
        assert film.n_frames == 3
        assert film.info["loop"] == 0
        for frame, truth in zip(ImageSequence.Iterator(film), FRAMES, strict=True):
            seen = np.asarray(frame.convert("RGB")).astype(int)
            assert frame.info["duration"] == 240
            if suffix == ".gif":  # 256 colours
                assert np.abs(seen - truth).mean() < 20
            else:
                np.testing.assert_array_equal(seen, truth)
    first = (tmp_path / f"a{suffix}").read_bytes()
    write_animation(tmp_path / f"a{suffix}", FRAMES, frame_ms=240)
    assert (tmp_path / f"a{suffix}").read_bytes() == first


def test_apng_is_pillows_own(tmp_path):
    write_animation(tmp_path / "a.png", FRAMES, frame_ms=80)
    images = [Image.fromarray(frame) for frame in FRAMES]
    text = io.BytesIO()
    images[0].save(text, "PNG", save_all=True, append_images=images[1:], duration=80, loop=0)
    assert (tmp_path / "a.png").read_bytes() == text.getvalue()


def test_what_is_no_animation_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no kind of animation"):
        write_animation(tmp_path / "a.mp4", FRAMES)
    for wrong in (FRAMES[:1], [FRAMES[0], FRAMES[1][:-1]]):
        with pytest.raises(ValueError, match="two frames or more"):
            write_animation(tmp_path / "a.png", wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["apng", "webp", "gif"])
def test_report_animates_lr_and_hr(dataset, tmp_path, kind):
    result = run("report", dataset, "-o", tmp_path / "r", "--flicker", kind, "--limit", "2", "-q")
    assert result.exit_code == 0, result.output
    html = (tmp_path / "r/index.html").read_text(encoding="utf-8")
    films = re.findall(r'href="(pictures/[^"]+)">animation', html)
    assert len(films) == 2
    with Image.open(tmp_path / "r" / films[0]) as film:
        assert film.n_frames == 2
    run("report", dataset, "-o", tmp_path / "r", "--limit", "2", "-q")
    assert not (tmp_path / "r" / films[0]).exists()


def test_report_makes_one_file(dataset, tmp_path):
    out = tmp_path / "to you.html"
    result = run("report", dataset, "--single-file", "-o", out, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == {"report": str(out), "bytes": out.stat().st_size}
    assert [path.name for path in tmp_path.iterdir()] == ["to you.html"]
    html = out.read_text(encoding="utf-8")
    assert not re.search(r'\b(src|href|data-pixels|data-file)="(?!data:|#)', html)
    assert "pairs/" not in html
    for data in set(re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", html)):
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            image.load()
    assert len(re.findall(r'class="compare"', html)) == 4
    assert run("report", dataset, "--single-file", "-o", out, "-q").stdout == ""
    said = run("report", dataset, "--single-file", "-o", out).stdout
    assert f"{out}: {told['bytes'] / 1e6:.1f} MB in one file" in said


def test_a_pool_and_a_page_of_others_in_one_file(dataset, tmp_path):
    KernelPool(("a", "b"), (gaussian(9, 1.0), gaussian(9, 2.0)), {}).save(tmp_path / "k.npz")
    assert run("report", tmp_path / "k.npz", "--single-file", "-q").exit_code == 0
    assert "data:image/webp" in (tmp_path / "k.report.html").read_text()
    page = build_report(dataset, tmp_path / "page")
    assert run("report", page.parent, "--single-file", "-o", tmp_path / "p.html").exit_code == 0
    refused = run("report", page.parent).exception
    assert "is a page that was made already" in str(refused)


def test_a_file_too_large_or_of_another_name_is_refused(dataset, tmp_path):
    page = build_report(dataset, tmp_path / "page")
    with pytest.raises(UserError, match=r"would have 0 MB, 0 MB are the most; show fewer pairs"):
        write_single(page, tmp_path / "one.html", most=50_000)
    assert not (tmp_path / "one.html").exists()
    refused = run("report", dataset, "--single-file", "-o", tmp_path / "folder").exception
    assert "does not end in .html" in str(refused)
    (page.parent / "report.css").unlink()
    with pytest.raises(UserError, match=r"report\.css: cannot be read"):
        write_single(page, tmp_path / "one.html")


def test_report_shows_the_marked_alone_and_counts_them(dataset, tmp_path):
    (tmp_path / "marked.csv").write_text("key\na\nc\n")
    words = ("report", dataset, "-o", tmp_path / "r", "--only", tmp_path / "marked.csv")
    assert "would write a page of 2 pairs" in run(*words, "--dry-run").stdout
    result = run(*words)
    assert result.exit_code == 0
    assert "pairs drawn 2/2" in result.stderr
    html = (tmp_path / "r/index.html").read_text(encoding="utf-8")
    assert "2 of 2 inputs became LR/HR pairs" in html
    assert re.findall(r'<figure class="pair findable" data-key="([^"]+)"', html) == ["a", "c"]
