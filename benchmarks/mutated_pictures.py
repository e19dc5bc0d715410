"""Pictures damaged behind their header: what is refused, and whether garbage is ever kept in silence.

    python benchmarks/mutated_pictures.py [--count 4000] [--seed 0] [--kind JPEG] [--out mutated]

One picture of 320 x 240 is written in each kind below and damaged as disks, cables and recovery tools
do, never in its first tenth (headers are tested elsewhere). What `realdeg.io.photo.read` keeps is held
against the whole picture: below 30 dB it is garbage, and garbage is a fault wherever another decoder in its
strict mode gave a sign (`outsiders.complaints`, or a reader of `outsiders.py` fails). Writes OUT.md and
OUT.jsonl; every mutant follows from its seed, `--keep FOLDER` receives those at fault. Exit code 1 if any.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from asking import Worker, serve

HERE = Path(__file__).resolve()
SCENE = HERE.parents[1] / "data/sample/clean/coffee.png"
SIZE_WH = (320, 240)
GARBAGE_DB = 30.0
ENDS = {"JPEG": 2, "PNG": 12}
"""Bytes of the marker that closes a file, where there is one."""


def sources() -> dict[str, tuple[str, bytes]]:
    """File name suffix and bytes by kind."""
    import imagecodecs
    import pillow_heif
    from PIL import Image

    rgb = Image.open(SCENE).convert("RGB").resize(SIZE_WH, Image.Resampling.LANCZOS)
    pixels = np.asarray(rgb)
    noise = np.random.default_rng(7).integers(0, 257, pixels.shape)
    deep = (pixels.astype(np.uint32) * 256 + noise).clip(0, 65535).astype(np.uint16)

    def by_pillow(image: Any = rgb, **how: Any) -> bytes:
        file = io.BytesIO()
        image.save(file, **how)
        return file.getvalue()

    def by_heif(**how: Any) -> bytes:
        file = io.BytesIO()
        pillow_heif.from_pillow(rgb).save(file, **how)
        return file.getvalue()

    made: dict[str, tuple[str, bytes]] = {
        "JPEG baseline 4:2:0": (".jpg", by_pillow(format="JPEG", quality=90)),
        "JPEG baseline 4:4:4": (".jpg", by_pillow(format="JPEG", quality=90, subsampling=0)),
        "JPEG optimised 4:2:2": (".jpg", by_pillow(format="JPEG", quality=75, subsampling=1, optimize=True)),
        "JPEG progressive": (".jpg", by_pillow(format="JPEG", quality=90, progressive=True)),
        "JPEG with restarts": (".jpg", by_pillow(format="JPEG", quality=90, restart_marker_rows=1)),
        "JPEG grey": (".jpg", by_pillow(rgb.convert("L"), format="JPEG", quality=90)),
        "PNG 8 bit": (".png", by_pillow(format="PNG")),
        "PNG 16 bit": (".png", imagecodecs.png_encode(deep)),
        "PNG palette": (".png", by_pillow(rgb.quantize(64), format="PNG")),
        "WebP lossy": (".webp", by_pillow(format="WEBP", quality=90)),
        "WebP lossless": (".webp", by_pillow(format="WEBP", lossless=True)),
        "HEIC": (".heic", by_heif(quality=90)),
        "AVIF 8 bit": (".avif", by_pillow(format="AVIF", quality=90)),
        "AVIF 10 bit": (".avif", imagecodecs.avif_encode(deep >> 6, level=90, bitspersample=10)),
        "BMP": (".bmp", by_pillow(format="BMP")),
        "DNG": (".dng", _dng(pixels)),
    }
    for name, image, how in (
        ("TIFF plain", pixels, {}),
        ("TIFF LZW", pixels, {"compression": "lzw", "predictor": True}),
        ("TIFF LZW 16 bit", deep, {"compression": "lzw", "predictor": True}),
        ("TIFF Deflate", pixels, {"compression": "zlib"}),
        ("TIFF Deflate 16 bit", deep, {"compression": "zlib", "predictor": True}),
        ("TIFF PackBits", pixels, {"compression": "packbits"}),
        ("TIFF JPEG", pixels, {"compression": "jpeg", "compressionargs": {"level": 90}}),
    ):
        made[name] = (".tif", _tiff(image, rowsperstrip=16, **how))
    return made


def _tiff(pixels: Any, **how: Any) -> bytes:
    """Header, directory and then the pixels, so that the first tenth holds what is not damaged."""
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="rgb", **how)
    return file.getvalue()


def _dng(pixels: Any) -> bytes:
    """RGGB samples of 16 bits, black 0, camera space sRGB: the least that LibRaw takes for a DNG."""
    import tifffile

    linear = (pixels / 255.0) ** 2.2
    channel = np.tile([[0, 1], [1, 2]], (pixels.shape[0] // 2, pixels.shape[1] // 2))
    sensor = np.take_along_axis(linear, channel[..., None], axis=2)[..., 0]
    matrix = (32405, 10000, -15371, 10000, -4985, 10000, -9693, 10000, 18760, 10000, 416, 10000)
    matrix += (556, 10000, -2040, 10000, 10572, 10000)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.rint(sensor * 16000).astype(np.uint16),
        photometric=32803,
        rowsperstrip=16,
        extratags=[
            (33421, "H", 2, (2, 2), True),
            (33422, "B", 4, (0, 1, 1, 2), True),
            (50706, "B", 4, (1, 4, 0, 0), True),
            (50708, "s", 0, "Maker Model 1", True),
            (50714, "H", 1, 0, True),
            (50717, "H", 1, 16000, True),
            (50721, "2i", 9, matrix, True),
            (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        ],
    )
    return file.getvalue()


Damage = Callable[[bytearray, int, str, np.random.Generator], bytes]


def some_bytes(data: bytearray, start: int, kind: str, rng: np.random.Generator) -> bytes:
    for _ in range(rng.integers(1, 9)):
        data[rng.integers(start, len(data))] = rng.integers(256)
    return bytes(data)


def erased(data: bytearray, start: int, kind: str, rng: np.random.Generator) -> bytes:
    length = int(rng.integers(16, max(17, (len(data) - start) // 4)))
    at = int(rng.integers(start, len(data) - length))
    data[at : at + length] = bytes([int(rng.choice([0, 255]))]) * length
    return bytes(data)


def moved(data: bytearray, start: int, kind: str, rng: np.random.Generator) -> bytes:
    """A block stands where another was."""
    length = int(rng.integers(16, max(17, (len(data) - start) // 4)))
    source, target = (int(at) for at in rng.integers(start, len(data) - length, 2))
    data[target : target + length] = data[source : source + length]
    return bytes(data)


def cut(data: bytearray, start: int, kind: str, rng: np.random.Generator) -> bytes:
    """The tail is lost; its end marker is put back, or the length filled up with zeros."""
    tail = next((size for name, size in ENDS.items() if kind.startswith(name)), 0)
    at = int(rng.integers(start, len(data) - tail))
    end = bytes(data[len(data) - tail :])
    return bytes(data[:at]) + end if tail else bytes(data[:at]) + bytes(len(data) - at)


def stray(data: bytearray, start: int, kind: str, rng: np.random.Generator) -> bytes:
    """Two bytes like a marker, written over others or slipped in between."""
    at = int(rng.integers(start, len(data) - 4))
    data[at : at + 2 * int(rng.integers(2))] = bytes([255, int(rng.integers(1, 255))])
    return bytes(data)


DAMAGES: tuple[Damage, ...] = (some_bytes, erased, moved, cut, stray)


def mutant(data: bytes, kind: str, seed: int, number: int) -> tuple[str, bytes]:
    """What was done, and the damaged file."""
    rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
    damage = DAMAGES[number % len(DAMAGES)]
    return damage.__name__, damage(bytearray(data), len(data) // 10, kind, rng)


def read_and_compare(path: str, whole: str) -> dict[str, Any]:
    """PSNR against the undamaged picture in `whole`, or the refusal; without a picture there, makes it."""
    from realdeg.errors import UserError
    from realdeg.io.photo import read

    try:
        photo = read(Path(path))
    except UserError as error:
        return {"status": "refused", "text": str(error).replace(path, "FILE")}
    except Exception as error:
        return {"status": "traceback", "text": f"{type(error).__name__}: {error}"}
    if not Path(whole).exists():
        np.save(whole, photo.pixels)
    truth = np.load(whole)
    if truth.shape != photo.pixels.shape or truth.dtype != photo.pixels.dtype:
        return {"status": "kept", "psnr": 0.0, "notes": [*photo.notes, f"shape {photo.pixels.shape}"]}
    error = (photo.pixels.astype(np.float64) - truth) / np.iinfo(truth.dtype).max
    square = float(np.square(error).mean())
    return {
        "status": "kept",
        "psnr": round(-10 * np.log10(square), 2) if square else 99.0,
        "notes": list(photo.notes),
    }


def signs(path: str) -> dict[str, Any]:
    """What other decoders say against a file."""
    import outsiders

    file = Path(path)
    with file.open("rb") as opened:
        kind = outsiders.kind_of(opened.read(32), file.suffix)
    said = outsiders.complaints(file, kind)
    for reader in outsiders.READERS[kind]:
        try:
            warned = outsiders.read_by(reader, kind, file)[1]
            if warned:
                said[reader] = warned[0]
        except Exception as error:
            said[reader] = f"{type(error).__name__}: {error}"[:200]
    return {"status": "ok", "signs": said}


def run(given: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    command = [str(HERE), "--checkout", str(given.checkout), "--role"]
    here, there = Worker([*command, "realdeg"], 20), Worker([*command, "signs"], 30)
    kinds = {kind: made for kind, made in sources().items() if not given.kind or kind.startswith(given.kind)}
    for index, (kind, (suffix, data)) in enumerate(kinds.items()):
        whole = scratch / f"{index}.npy"
        (scratch / f"whole{suffix}").write_bytes(data)
        answer = here.ask(path=str(scratch / f"whole{suffix}"), whole=str(whole))
        if answer["status"] != "kept":
            raise SystemExit(f"{kind}: the whole picture is not read: {answer}")
    lines = []
    for number in range(given.count):
        kind = list(kinds)[number % len(kinds)]
        suffix, data = kinds[kind]
        damage, bad = mutant(data, kind, given.seed, number // len(kinds))
        path = scratch / f"mutant{suffix}"
        path.write_bytes(bad)
        line: dict[str, Any] = {"kind": kind, "damage": damage, "number": number, "same": bad == data}
        line.update(here.ask(path=str(path), whole=str(scratch / f"{list(kinds).index(kind)}.npy")))
        if line["status"] == "kept" and line["psnr"] < GARBAGE_DB:
            line["signs"] = there.ask(path=str(path)).get("signs", {})
            if given.keep and line["signs"]:
                given.keep.mkdir(parents=True, exist_ok=True)
                (
                    given.keep / f"{number:05d}_{damage}_{kind.replace(' ', '_').replace(':', '')}{suffix}"
                ).write_bytes(bad)
        lines.append(line)
    here.close()
    there.close()
    return lines


def column(line: dict[str, Any]) -> str:
    """Where a mutant is counted."""
    if line["status"] != "kept":
        return "refused" if line["status"] == "refused" else "crash, hang, traceback"
    if line["psnr"] >= GARBAGE_DB:
        return "kept, 30 dB or more"
    return "kept below, a sign was there" if line["signs"] else "kept below, nobody complains"


COLUMNS = (
    *("refused", "kept, 30 dB or more", "kept below, nobody complains", "kept below, a sign was there"),
    "crash, hang, traceback",
)


def tables(lines: list[dict[str, Any]]) -> str:
    out = []
    for by in ("kind", "damage"):
        out += [
            f"| {by} | mutants | " + " | ".join(COLUMNS) + " | printed |",
            "|---" * (len(COLUMNS) + 3) + "|",
        ]
        for name in (*dict.fromkeys(line[by] for line in lines), "all"):
            some = [line for line in lines if name in ("all", line[by])]
            count = Counter(column(line) for line in some)
            said = sum(bool(line["said"]) for line in some)
            cells = " | ".join(str(count[key]) for key in COLUMNS)
            out.append(f"| {name} | {len(some)} | {cells} | {said} |")
        out.append("")
    for line in lines:
        if column(line) in COLUMNS[3:] or line["said"]:
            out.append(f"- {line}")
    return "\n".join(out) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="only kinds that begin like this")
    parser.add_argument("--out", type=Path, default=Path("mutated"))
    parser.add_argument("--keep", type=Path, help="receives mutants that are kept although a sign was there")
    parser.add_argument("--checkout", type=Path, default=HERE.parents[1], help="whose realdeg reads")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        sys.path.insert(0, str(given.checkout))
        serve(read_and_compare if given.role == "realdeg" else signs)
        return
    began = time.perf_counter()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        lines = run(given, Path(scratch))
    given.out.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = tables(lines)
    given.out.with_suffix(".md").write_text(text)
    print(text.split("\n- ")[0])
    print(f"{len(lines)} mutants in {time.perf_counter() - began:.0f} s")
    raise SystemExit(1 if any(column(line) in COLUMNS[3:] for line in lines) else 0)


if __name__ == "__main__":
    main()
