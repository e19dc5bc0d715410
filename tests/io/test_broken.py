"""Files that are not what they claim to be: one line each, never a crash, never a wrong picture."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.photo import Photo, read, read_size


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    """One small file of each kind that has its own code path."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if kind == "jpeg":
        image.save(buffer, "JPEG", quality=92)
    elif kind == "progressive":
        image.save(buffer, "JPEG", quality=92, progressive=True)
    elif kind == "png":
        image.save(buffer, "PNG")
    elif kind == "png16":
        return cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes()
    elif kind == "palette":
        image.quantize(50).save(buffer, "PNG")
    elif kind == "webp":
        image.save(buffer, "WEBP", lossless=True)
    elif kind == "webp_lossy":
        image.save(buffer, "WEBP", quality=80, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    elif kind == "tiff":
        tifffile.imwrite(buffer, pixels, photometric="rgb")
    elif kind == "tiff16_deflate":
        tifffile.imwrite(buffer, pixels.astype(np.uint16) * 257, photometric="rgb", compression="zlib")
    elif kind == "tiff_lzw":
        image.save(buffer, "TIFF", compression="tiff_lzw")
    elif kind == "tiff16_lzw":
        return cv2.imencode(".tif", pixels.astype(np.uint16) * 257)[1].tobytes()
    elif kind == "bmp":
        image.save(buffer, "BMP")
    return buffer.getvalue()


KINDS = (
    *("jpeg", "progressive", "png", "png16", "palette", "webp", "webp_lossy"),
    *("tiff", "tiff16_deflate", "tiff_lzw", "tiff16_lzw", "bmp"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_seen(tmp_path, picture, kind):
    """100 % of 100 cuts, the first and the last byte among them. OpenCV alone sees none in a JPEG."""
    data = encoded(picture, kind)
    path = tmp_path / "cut.bin"
    path.write_bytes(data)
    assert read(path).size_hw == picture.shape[:2]
    for length in np.unique(np.linspace(1, len(data) - 1, 100).astype(int)):
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match=r"cut\.bin: .+; .+"):
            read(path)


def test_a_jpeg_whose_end_alone_is_missing(tmp_path, picture):
    (tmp_path / "a.jpg").write_bytes(encoded(picture, "jpeg")[:-2])
    with pytest.raises(UserError, match=r"a\.jpg: is cut short \(its end marker is missing\); copy it"):
        read(tmp_path / "a.jpg")


def test_a_thumbnails_end_marker_is_not_the_photos(tmp_path, picture):
    thumbnail = encoded(picture[:8, :8], "jpeg")
    data = encoded(picture, "jpeg")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = data[:2] + segment + data[2:]
    (tmp_path / "a.jpg").write_bytes(whole)
    assert read(tmp_path / "a.jpg").size_hw == picture.shape[:2]
    (tmp_path / "a.jpg").write_bytes(whole[:-50])
    with pytest.raises(UserError, match="is cut short"):
        read(tmp_path / "a.jpg")


def test_stray_bytes_between_segments_are_no_reason_to_talk(tmp_path, picture, capfd):
    data = encoded(picture, "jpeg")
    at = data.index(b"\xff\xdb")
    (tmp_path / "a.jpg").write_bytes(data[:at] + b"stray" + data[at:])
    (tmp_path / "b.jpg").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.jpg").pixels, read(tmp_path / "b.jpg").pixels)
    assert capfd.readouterr() == ("", "")


def test_a_png_with_one_wrong_bit_in_its_pixels(tmp_path, picture):
    data = bytearray(encoded(picture, "png"))
    data[data.index(b"IDAT") + 400] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        read(tmp_path / "a.png")


def mutate(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(changed))
        kind = rng.randrange(5)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif kind == 2:
            del changed[at : at + rng.randint(1, 30)]
        elif kind == 3:
            changed[at:at] = rng.randbytes(rng.randint(1, 30))
        else:  # headers are where the interesting damage is
            changed[rng.randrange(min(64, len(changed)))] = rng.randrange(256)
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def verdict(path: Path) -> tuple[str, object]:
    try:
        photo = read(path, max_pixels=1_000_000)
    except UserError as error:
        return str(error), None
    assert isinstance(photo, Photo)
    assert photo.pixels.dtype in (np.uint8, np.uint16)
    assert photo.pixels.shape == (*photo.size_hw, 3)
    return "", photo.pixels.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_give_the_same_verdict_twice(tmp_path, picture, kind):
    """300 files here. 10,200 made by the same function were read once: no crash, no two verdicts."""
    rng = random.Random(kind)
    data = encoded(picture[:16, :20], kind)
    path = tmp_path / "mutant"
    for _ in range(25):
        path.write_bytes(mutate(data, rng))
        start = time.perf_counter()
        first = verdict(path)
        assert time.perf_counter() - start < 2
        assert verdict(path) == first
        assert "\n" not in first[0]


# What people do.


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.png: does not exist; "):
        read(tmp_path / "nothing.png")


def test_a_folder(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match=r"folder\.png: is a folder, not a photo; "):
        read(tmp_path / "folder.png")


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UserError, match="is a link to nothing"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp", ".dng", ".nef", ".kdc"])
@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"", "is empty"), (b"shopping list: milk, eggs, bread and a torch\n" * 40, "is not a")],
)
def test_empty_and_text(tmp_path, suffix, data, problem):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    for function in (read, read_size):
        with pytest.raises(UserError, match=rf"a\{suffix}: {problem}.*; "):
            function(path)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"GIF89a" + bytes(20), "GIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(9), "JPEG 2000"),
    ],
)
def test_other_formats_are_named(tmp_path, data, name):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UserError, match=f"is a {name} file, which is not read; convert it"):
        read(tmp_path / "a.jpg")


def test_floating_point_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4, 3), np.float32), photometric="rgb")
    with pytest.raises(
        UserError, match="is a TIFF of 32-bit floating-point samples, which is not read; convert it"
    ):
        read(tmp_path / "a.tif")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(UserError, match="Permission denied"):
        read(tmp_path / "a.png")


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(UserError, match="not a regular file"):
        read(tmp_path / "a.png")


# Bombs.


@pytest.fixture(scope="module")
def bomb(tmp_path_factory, png) -> Path:
    """A real PNG of 16000 x 16000 px: 256 MB of zeros in 250 kB."""
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(bytes(16001)) for _ in range(16000)) + packer.flush()
    data = png(np.zeros((1, 1, 1), np.uint8), 0, 8)
    at = data.index(b"IDAT") - 4
    header = b"IHDR" + struct.pack(">IIBBBBB", 16000, 16000, 8, 0, 0, 0, 0)
    path = tmp_path_factory.mktemp("bomb") / "bomb.png"
    chunks = (header, b"IDAT" + body, b"IEND")
    path.write_bytes(
        data[:8]
        + b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    )
    assert at > 8
    return path


def test_a_bomb_is_refused_from_its_header(bomb):
    """In its own process: time and peak memory of the refusal, imports included in memory."""
    program = """if 1:
        import sys, time
        from pathlib import Path
        import cv2
        from realdeg.errors import UserError
        from realdeg.io.photo import read
        start = time.perf_counter()
        try:
            read(Path(sys.argv[1]))
        except UserError as error:
            print(error)
        print(time.perf_counter() - start)
        status = Path("/proc/self/status")  # Linux; elsewhere the peak is not measured
        lines = status.read_text().splitlines() if status.exists() else ["VmHWM: 0 kB"]
        print(max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)
    """
    out = subprocess.run(
        [sys.executable, "-c", program, str(bomb)], capture_output=True, text=True, check=True
    )
    message, seconds, megabytes = out.stdout.splitlines()
    assert "bomb.png: has 16000 x 16000 = 256 million pixels, more than 179; make it smaller" in message
    assert float(seconds) < 0.2
    assert float(megabytes) < 200
    assert out.stderr == ""


def test_the_limit_is_the_callers(tmp_path, picture, bomb):
    Image.fromarray(picture).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="more than"):
        read(tmp_path / "a.png", max_pixels=1000)
    assert read(tmp_path / "a.png", max_pixels=31 * 46).size_hw == (31, 46)
    assert read_size(bomb) == (16000, 16000)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (2**31 - 1, 2**31 - 1)])
def test_absurd_sizes(tmp_path, png, height, width):
    data = bytearray(png(np.zeros((5, 5, 3), np.uint8), 2, 8))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png: "):
        read(tmp_path / "a.png")


def test_an_icc_bomb_is_not_inflated(tmp_path, picture, png):
    profile = b"name\0\0" + zlib.compress(bytes(200 << 20), 1)
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, iCCP=profile))
    assert "embedded colour profile is damaged" in read(tmp_path / "a.png").notes[0]
