"""Bytes are bounded before a pixel is decoded, by what the header says and by what the file can hold."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import programs
import pytest
from PIL import Image

from realdeg.errors import UserError
from realdeg.io import limits
from realdeg.io.photo import read


def empty_png(path: Path, width: int, height: int, colour: int, depth: int) -> Path:
    """Zeros under Deflate, as small as it gets; real to the last row."""
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(9)
    row = bytes(1 + width * samples * depth // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (header, b"IDAT" + body, b"IEND")
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    )
    return path


@pytest.fixture(scope="module")
def hollow(tmp_path_factory) -> Path:
    """300 kB that decode to 300 MB, below the limit of pixels."""
    return empty_png(tmp_path_factory.mktemp("hollow") / "hollow.png", 7000, 7140, 2, 16)


def test_more_bytes_than_any_photo_of_this_file_size(hollow):
    assert hollow.stat().st_size < 400_000
    with pytest.raises(
        UserError, match=r"hollow\.png: is 0\.3 MB that decode to 300 MB, which no photo does; "
    ):
        read(hollow)


def test_a_limit_that_was_asked_for_is_believed(hollow, monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "60000000")
    assert read(hollow).size_hw == (7140, 7000)
    monkeypatch.setenv(limits.VARIABLE, "40000000")
    with pytest.raises(UserError, match=r"has 7000 x 7140 = 50 million pixels, more than 40; .*`max_pixels`"):
        read(hollow)
    monkeypatch.setenv(limits.VARIABLE, "many")
    with pytest.raises(UserError, match="REALDEG_MAX_PIXELS: is 'many', not a number of pixels; unset it"):
        read(hollow)


def test_a_wide_sample_counts_its_bytes(tmp_path):
    """60 million pixels of 4 x 16 bits are more than the same of 3 x 16."""
    path = empty_png(tmp_path / "a.png", 100, 100, 6, 16)
    with pytest.raises(UserError, match=r"has 100 x 100 pixels of 4 x 16 bits = 0 MiB, more than 0"):
        read(path, max_pixels=10_000)
    with pytest.raises(UserError, match=r"a\.png: is transparent everywhere; flatten it, or take it out"):
        read(path, max_pixels=14_000)


def test_the_flag_reaches_every_reader(tmp_path):
    """A worker process, too, and only as long as the command runs."""
    (tmp_path / "hr").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(
        tmp_path / "hr" / "a.png"
    )
    command = ["realdeg", "degrade", tmp_path / "hr", "-q", "--scale", 2]
    for workers in ("1", "2"):
        out = tmp_path / f"out{workers}"
        few = programs.run(*command, "-o", out, "-j", workers, "--max-pixels", 4000)
        assert few.returncode == 1
        assert (
            "a.png: has 64 x 64 = 0.0041 million pixels, more than 0.004; make it smaller, cut it"
            in few.stderr
        )
    done = programs.run(*command, "-o", out, "-j", 2, "--max-pixels", 4096)
    assert (done.returncode, done.stderr) == (0, "")
