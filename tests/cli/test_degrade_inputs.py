"""`realdeg degrade` on every bad or odd input that people have: one folder, each preset, one line an image.

Truth: what Pillow, NumPy and the writer of each file say is in it.
"""

from __future__ import annotations

import csv
import json
import os
import struct
import subprocess
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import programs
import pytest
from PIL import Image

from realdeg.degrade.recipe.presets import PRESETS
from realdeg.imaging.kernels import gaussian
from realdeg.io.save import write_image

SCALE = 4


def run(*args: object, ok: int = 0) -> subprocess.CompletedProcess[str]:
    done = programs.run("realdeg", *args)
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr + done.stdout, done.stderr
    assert done.returncode == ok, done.stderr
    return done


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.split("\n") if line]


def manifest(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pixels(path: Path) -> np.ndarray:
    """(H, W, 3) RGB as stored, 8 or 16 bit."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]


def noise(seed: int, height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max + 1
    return np.random.default_rng(seed).integers(0, top, (height, width, 3)).astype(dtype)


SMOOTH = cv2.GaussianBlur(noise(0, 64, 80), (0, 0), 4)
SMOOTH = cv2.normalize(SMOOTH, None, 0, 255, cv2.NORM_MINMAX)
ALPHA = np.tile(np.arange(80, dtype=np.uint8) * 3, (64, 1))
GREY = np.ascontiguousarray(SMOOTH[..., 1])


@dataclass(frozen=True)
class Good:
    """What becomes of an image: size and depth of HR, and what reading notes of it."""

    height: int = 64
    width: int = 80
    depth: int = 8
    notes: str = ""

    @property
    def grey(self) -> bool:
        return "grey" in self.notes


GOOD = {
    "plain.png": Good(),
    "photo.jpg": Good(),
    "photo2.webp": Good(),
    "odd.png": Good(64, 80),  # of 67x83
    "odd.jpg.tif": Good(60, 76),  # of 61x79
    "deep.png": Good(depth=16),
    "deep tif.tif": Good(depth=16),
    "turned.jpg": Good(80, 64),
    "upside.jpg": Good(),
    "palette.png": Good(notes="palette expanded"),
    "cmyk.jpg": Good(notes="CMYK converted"),
    "rgba.png": Good(notes="alpha flattened on white"),
    "opaque.png": Good(),
    "grey.png": Good(notes="grey expanded to RGB"),
    "grey16.png": Good(depth=16, notes="grey expanded to RGB"),
    "grey.jpeg.jpg": Good(notes="grey expanded to RGB"),
    "grey alpha.png": Good(notes="grey expanded to RGB; alpha flattened on white"),
    "bits.png": Good(notes="1-bit samples expanded to 8 bit; grey expanded to RGB"),
    "a jpeg.png": Good(),
    "small.png": Good(12, 8),
    "one block.png": Good(4, 4),
    "wide.png": Good(4, 80),
}
BAD = {
    "cut.png": "is cut short or damaged; copy it",
    "cut.jpg.jpg": "is cut short (its end marker is missing); copy it",
    "text.png": "is not an image",
    "empty.png": "is empty",
    "dot.png": "is 1x1 px, too small for x4; use larger images",
    "line.png": "is 80x3 px, too small for x4",
    "a gif.png": "is a GIF file, which is not read; convert it",
    "bomb.png": "has 100000 x 100000 = 10000 million pixels",
    "twin.png": "has the same name as twin.jpg, so both would be twin.png; rename one",
    "twin.jpg": "has the same name as twin.png, so both would be twin.png; rename one",
    "Case.png": "has the same name as case.png, so both would be Case.png",
    "case.png": "has the same name as Case.png, so both would be case.png",
}
SMALLER_THAN_A_KERNEL = ("one block.png", "small.png", "wide.png")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """All of them in one folder, with what is none of our business: a fifo, an array, a link to nowhere."""
    root = tmp_path_factory.mktemp("inputs") / "hr"
    for name, image in {
        "plain.png": SMOOTH,
        "photo.jpg": SMOOTH,
        "photo2.webp": SMOOTH,
        "odd.png": noise(1, 67, 83),
        "odd.jpg.tif": noise(2, 61, 79),
        "deep.png": noise(3, 64, 80, np.uint16),
        "deep tif.tif": noise(4, 64, 80, np.uint16),
        "small.png": noise(5, 13, 9),
        "one block.png": noise(6, 4, 4),
        "wide.png": noise(7, 4, 80),
        "dot.png": noise(8, 1, 1),
        "line.png": noise(9, 3, 80),
        **dict.fromkeys(("twin.png", "twin.jpg", "Case.png", "case.png", "disguise.jpg"), SMOOTH),
    }.items():
        write_image(root / name, image)
    (root / "disguise.jpg").rename(root / "a jpeg.png")
    for name, orientation in (("turned.jpg", 6), ("upside.jpg", 3)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(SMOOTH).save(root / name, quality=98, subsampling=0, exif=exif)
    Image.fromarray(SMOOTH).quantize(32).save(root / "palette.png")
    Image.fromarray(SMOOTH).convert("CMYK").save(root / "cmyk.jpg", quality=98)
    Image.fromarray(np.dstack([SMOOTH, ALPHA])).save(root / "rgba.png")
    Image.fromarray(np.dstack([SMOOTH, np.full_like(ALPHA, 255)])).save(root / "opaque.png")
    cv2.imwrite(str(root / "grey.png"), GREY)
    cv2.imwrite(str(root / "grey16.png"), GREY * np.uint16(257) + np.arange(80, dtype=np.uint16))
    Image.fromarray(GREY).save(root / "grey.jpeg.jpg")
    Image.fromarray(np.dstack([GREY, ALPHA]), "LA").save(root / "grey alpha.png")
    Image.fromarray(GREY).convert("1").save(root / "bits.png")
    for name in ("plain.png", "photo.jpg"):
        whole = (root / name).read_bytes()
        cut = "cut.png" if name.endswith("png") else "cut.jpg.jpg"
        (root / cut).write_bytes(whole[: len(whole) // 2])
    (root / "text.png").write_text("this is no picture")
    (root / "empty.png").touch()
    Image.fromarray(SMOOTH).save(root / "gif.gif")
    (root / "gif.gif").rename(root / "a gif.png")
    (root / "bomb.png").write_bytes(bomb(100_000))
    np.save(root / "array.npy", SMOOTH)
    (root / "nowhere.png").symlink_to("nothing.png")
    (root / "folder.png").mkdir()
    os.mkfifo(root / "fifo.png")
    return root


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has many pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    chunks = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture(scope="module")
def pools(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pools")
    np.savez(root / "kernels.npz", a=gaussian(13, 1.5), b=gaussian(15, 2.5, 1.2, 0.4))
    for i in range(3):
        write_image(root / "noise" / f"{i}.png", noise(i, 30, 30) // 8 + 100)
    return {"kernel": root / "kernels.npz", "noise": root / "noise"}


@pytest.fixture(scope="module", params=PRESETS)
def preset(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def done(inputs, pools, preset, tmp_path_factory):
    """What a preset makes of the folder: the process, and the output folder."""
    out = tmp_path_factory.mktemp("out") / preset
    before = state(inputs)
    kinds = {"realsr": ("kernel", "noise"), "bicubic_noise": ("noise",)}.get(preset, ())
    args = [part for kind in kinds for part in (f"--{kind}-pool", pools[kind])]
    result = run(
        "degrade", inputs, "--scale", SCALE, "--recipe", preset, "-o", out, "-q", "-j", 1, *args, ok=1
    )
    assert state(inputs) == before  # linked to, yes; changed, no
    return result, out


def by_file(out: Path) -> dict[str, dict[str, str]]:
    """Rows of the manifest by the file they are about; those of failed images name it in their reason."""
    return {Path(row["source_hr"] or row["reason"].split(": ")[0]).name: row for row in manifest(out)}


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def expected(preset: str) -> tuple[dict[str, Good], dict[str, str]]:
    if preset != "realsr":
        return GOOD, BAD
    too_small = dict.fromkeys(SMALLER_THAN_A_KERNEL, "larger than the image of")
    return {name: good for name, good in GOOD.items() if name not in too_small}, BAD | too_small


def test_each_bad_image_is_one_line_and_none_is_lost(done, preset, inputs):
    result, out = done
    good, bad = expected(preset)
    rows = by_file(out)
    assert set(rows) == set(good) | set(bad)
    assert len(manifest(out)) == len(rows)
    told = lines(result)
    assert len(told) == len(bad)
    for name, words in bad.items():
        assert rows[name]["status"] == "failed"
        assert rows[name]["lr"] == rows[name]["hr"] == ""
        assert rows[name]["reason"].startswith(f"{inputs}/{name}: ")
        assert words in rows[name]["reason"]
        assert rows[name]["reason"] in told
    assert f"{len(good)} pairs" in result.stdout
    assert f"failed{len(bad):>8}" in result.stdout
    made = {path.name for part in ("LR", "HR") for path in (out / part).iterdir()}
    assert made == {f"{Path(name).with_suffix('')}.png" for name in good}


def test_each_pair_has_the_size_and_depth_of_its_image(done, preset):
    _, out = done
    good, _ = expected(preset)
    rows = by_file(out)
    for name, image in good.items():
        hr, lr = pixels(out / rows[name]["hr"]), pixels(out / rows[name]["lr"])
        assert hr.shape == (image.height, image.width, 3), name
        assert lr.shape == (image.height // SCALE, image.width // SCALE, 3), name
        assert hr.dtype == lr.dtype == f"uint{image.depth}", name
        assert rows[name].get("source_notes", "") == image.notes, name
        assert json.loads(rows[name]["plan"])


def test_grey_stays_grey(done, preset):
    """Also through colour noise, pools of coloured noise and JPEG."""
    _, out = done
    rows = by_file(out)
    for name in (name for name, image in GOOD.items() if image.grey):
        for part in ("hr", "lr"):
            image = pixels(out / rows[name][part])
            assert (image == image[..., :1]).all(), (name, part)
    assert any(np.ptp(pixels(path), axis=2).any() for path in (out / "LR").iterdir())


def test_hr_is_the_image_upright_and_uncoded_where_it_can_be(done, inputs, preset):
    _, out = done
    linked = {path.name for path in inputs.iterdir() if path.is_file() and is_linked(path, out)}
    assert linked == {"plain.png", "deep.png", *(SMALLER_THAN_A_KERNEL[::2] if preset != "realsr" else ())}
    upright = np.asarray(Image.open(out / "HR" / "turned.png")).astype(int)
    assert np.abs(upright - np.rot90(SMOOTH, -1)).mean() < 2
    assert np.abs(pixels(out / "HR" / "upside.png").astype(int) - SMOOTH[::-1, ::-1]).mean() < 2
    np.testing.assert_array_equal(pixels(out / "HR" / "odd.png"), noise(1, 67, 83)[:64, :80])
    np.testing.assert_array_equal(pixels(out / "HR" / "opaque.png"), SMOOTH)
    np.testing.assert_array_equal(pixels(out / "HR" / "grey.png"), np.dstack([GREY] * 3))
    share = ALPHA[..., None] / 255
    flat = SMOOTH * share + 255 * (1 - share)
    assert np.abs(pixels(out / "HR" / "rgba.png") - flat).max() <= 0.5 + 1e-4
    if preset == "bicubic":
        for name in ("turned", "upside", "rgba", "grey", "palette", "cmyk"):
            hr, lr = (pixels(out / part / f"{name}.png").astype(np.float64) for part in ("HR", "LR"))
            small = cv2.resize(hr, lr.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert np.corrcoef(small.ravel(), lr.ravel())[0, 1] > 0.97, name


def is_linked(path: Path, out: Path) -> bool:
    target = out / "HR" / path.name
    return target.exists() and path.samefile(target)


def test_replay_and_report_take_what_was_made(done, preset):
    _, out = done
    good, _ = expected(preset)
    assert f"equal to the byte: {len(good)} of {len(good)}" in run("replay", out, "-q", "-j", 1).stdout
    if preset in ("bicubic", "realsr"):
        run("report", out, "--limit", 3, "-q")
        assert "bomb" in (out / "report" / "index.html").read_text(encoding="utf-8")


def test_transparent_images_are_laid_on_black_or_refused(inputs, tmp_path):
    for name in ("rgba.png", "opaque.png", "plain.png"):
        (tmp_path / "hr").mkdir(exist_ok=True)
        (tmp_path / "hr" / name).write_bytes((inputs / name).read_bytes())
    args = ("degrade", tmp_path / "hr", "--scale", SCALE, "-q", "-j", 1)
    (line,) = lines(run(*args, "-o", tmp_path / "out", "--alpha", "refuse", ok=1))
    assert line.startswith(f"{tmp_path}/hr/rgba.png: has transparent pixels; flatten it")
    assert [row["status"] for row in manifest(tmp_path / "out")] == ["ok", "ok", "failed"]
    run(*args, "-o", tmp_path / "black", "--alpha", "black")
    flat = SMOOTH * (ALPHA[..., None] / 255)
    assert np.abs(pixels(tmp_path / "black" / "HR" / "rgba.png") - flat).max() <= 0.5 + 1e-4
    assert manifest(tmp_path / "black")[-1]["source_notes"] == "alpha flattened on black"


def test_without_one_good_image_the_job_ends_all_the_same(tmp_path):
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "text.png").write_text("no picture")
    args = ("degrade", tmp_path / "hr", "--scale", SCALE, "-o", tmp_path / "out", "-q")
    assert len(lines(run(*args, ok=1))) == 1
    run(*args, "--exit-zero")
    run("report", tmp_path / "out", "-q")
    (tmp_path / "hr" / "text.png").unlink()
    (line,) = lines(run(*args, ok=1))
    assert line.startswith(f"error: {tmp_path}/hr: holds no images; formats read: ")


# Names.

NAMES = (
    "caf\u00e9",
    unicodedata.normalize("NFD", "nai\u0308ve"),
    "a,b",
    'a "quoted" one',
    "it's",
    "new\nline",
    " spaces  inside and around ",
    "\U0001f600",
    "\u65e5\u672c\u8a9e/\u5199\u771f",
    "x" * 200,
    "\u65e5" * 80,
    "100%",
    "a#b?c&d=<e>",
    "tab\there",
    "back\\slash",
    "semi;colon",
    "-dash",
    "=1+1",
    "1.2.3",
    "dots...",
    "line\u2028separator",
    "\u202eright to left",
    "None",
    "deep/er/than/most",
)


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("names") / "a folder, named \u00fc"
    for i, name in enumerate(NAMES):
        write_image(root / f"{name}.png", noise(i, 32, 36))
    return root


def test_odd_names_survive_everything(odd_names, tmp_path):
    args = ("degrade", odd_names, "--scale", SCALE, "--recipe", "realesrgan", "--seed", 5, "-q", "-j", 1)
    run(*args, "-o", tmp_path / "out")
    keys = {unicodedata.normalize("NFC", name) for name in NAMES}
    assert {row["key"] for row in manifest(tmp_path / "out")} == keys
    for row in manifest(tmp_path / "out"):
        assert row["status"] == "ok"
        assert (tmp_path / "out" / row["lr"]).is_file()
        assert (tmp_path / "out" / row["hr"]).read_bytes() == Path(row["source_hr"]).read_bytes()
    with (tmp_path / "out" / "metadata.csv").open(encoding="utf-8", newline="") as file:
        assert {row["key"] for row in csv.DictReader(file)} == keys
    again = run(*args, "-o", tmp_path / "out")
    assert f"{len(NAMES)} pairs ({len(NAMES)} from an earlier run)" in again.stdout
    replayed = run("replay", tmp_path / "out", "-o", tmp_path / "again", "-q", "-j", 1)
    assert f"equal to the byte: {len(NAMES)} of {len(NAMES)}" in replayed.stdout
    for row in manifest(tmp_path / "out"):
        assert (tmp_path / "again" / row["lr"]).read_bytes() == (tmp_path / "out" / row["lr"]).read_bytes()
    run("report", tmp_path / "out", "-q")
    assert len(list((tmp_path / "out" / "report" / "pairs").iterdir())) == len(NAMES)


def test_odd_names_of_bad_files_stay_one_line(tmp_path):
    """A name that is not UTF-8, two spellings of one name, and one that the draw's number makes too long."""
    hr = tmp_path / "hr"
    for name in ("caf\u00e9", "cafe\u0301", "y" * 247, "good"):
        write_image(hr / f"{name}.png", noise(0, 17, 17))
    (hr / os.fsdecode(b"latin \xe9.png")).write_bytes((hr / "good.png").read_bytes())
    args = ("degrade", hr, "--scale", SCALE, "-o", tmp_path / "out", "--draws", 2, "-q")
    told = lines(run(*args, ok=1))
    assert len(told) == 5
    for name, words in (
        (r"latin \xe9.png", "has a name that is not UTF-8; rename it"),
        ("caf\u00e9.png", "has the same name as cafe\u0301.png, so both would be caf\u00e9.png; rename one"),
        ("cafe\u0301.png", "has the same name as caf\u00e9.png, so both would be caf\u00e9.png; rename one"),
    ):
        assert f"{hr}/{name}: {words}" in told
    assert sum("y_draw" in line and "cannot be written (File name too long)" in line for line in told) == 2
    rows = manifest(tmp_path / "out")
    assert [row["key"] for row in rows if row["status"] == "ok"] == ["good_draw0", "good_draw1"]
    assert r"latin \xe9.png" in {row["key"] for row in rows}
    run("report", tmp_path / "out", "-q")


def test_a_name_that_is_too_long_for_a_link(tmp_path):
    write_image(tmp_path / "hr" / f"{'y' * 247}.png", noise(0, 16, 16))
    args = ("degrade", tmp_path / "hr", "--scale", SCALE, "-o", tmp_path / "out", "--draws", 2, "-q")
    told = lines(run(*args, ok=1))
    assert all("cannot be written (File name too long)" in line for line in told)


@pytest.fixture
def broken_lines(tmp_path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What is said, and the reasons in the manifest, of bad files with line breaks in their names."""
    write_image(tmp_path / "hr" / "two\nlines.png", noise(0, 17, 17))
    write_image(tmp_path / "hr" / "two\nlines.jpg", noise(0, 17, 17))
    (tmp_path / "hr" / "a\nb.png").touch()
    done = run("degrade", tmp_path / "hr", "--scale", SCALE, "-o", tmp_path / "out", "-q", ok=1)
    return done, [row["reason"] for row in manifest(tmp_path / "out")]


def test_reasons_are_one_line_whatever_the_name(broken_lines):
    _, reasons = broken_lines
    assert len(reasons) == 3
    assert all("\n" not in reason for reason in reasons)
    assert (
        sum("/two lines." in reason and "has the same name as two lines." in reason for reason in reasons)
        == 2
    )


def test_the_terminal_has_one_line_whatever_the_name(broken_lines):
    done, reasons = broken_lines
    assert len(lines(done)) == len(reasons)
    assert all(any(reason in line for line in lines(done)) for reason in reasons)


def test_a_carriage_return_in_a_name(tmp_path):
    write_image(tmp_path / "hr" / "carriage\rreturn.png", noise(0, 16, 16))
    run("degrade", tmp_path / "hr", "--scale", SCALE, "-o", tmp_path / "out", "-q", "-j", 1)
    (row,) = manifest(tmp_path / "out")
    assert row["key"] == "carriage\rreturn"
    run("replay", tmp_path / "out", "-q", "-j", 1)


# Several folders, several draws.


def test_several_folders(odd_names, tmp_path):
    for folder in ("one", "e\u0301te\u0301"):
        for i in range(2):
            write_image(tmp_path / folder / "sub" / f"{i}.png", noise(i, 32, 32))
    folders = tmp_path / "one", tmp_path / "e\u0301te\u0301"
    args = ("--scale", SCALE, "--recipe", "bsrgan", "-q", "-j", 1)
    run("degrade", *folders, "-o", tmp_path / "out", *args)
    run("degrade", *folders[::-1], "-o", tmp_path / "back", *args)
    rows = manifest(tmp_path / "out")
    assert [row["key"] for row in rows] == [
        f"{name}/sub/{i}" for name in ("one", "\u00e9t\u00e9") for i in (0, 1)
    ]
    assert len({row["plan"] for row in rows}) == 4  # though the pictures are the same
    for row in rows:
        assert (tmp_path / "back" / row["lr"]).read_bytes() == (tmp_path / "out" / row["lr"]).read_bytes()
    run("degrade", "--config", tmp_path / "out" / "run.yaml", "-o", tmp_path / "again", "-q", "-j", 1)
    assert (tmp_path / "again" / "LR/one/sub/1.png").read_bytes() == (
        tmp_path / "out/LR/one/sub/1.png"
    ).read_bytes()
    for first, second, what in (
        (tmp_path / "one", tmp_path / "two" / "one", "has the same name as another of the folders"),
        (tmp_path / "one", tmp_path / "one", "has the same name as another of the folders"),
        (tmp_path / "one", tmp_path / "none", "does not exist"),
    ):
        (tmp_path / "two" / "one").mkdir(parents=True, exist_ok=True)
        code = 1 if "exist" in what else 2
        (line,) = lines(run("degrade", first, second, "-o", tmp_path / "no", *args, ok=code))
        assert line.startswith(f"error: {second}: {what}")
        assert not (tmp_path / "no").exists()


def test_out_may_not_lie_in_an_input_nor_an_input_in_its_outputs(tmp_path):
    write_image(tmp_path / "a" / "HR" / "0.png", noise(0, 16, 16))
    write_image(tmp_path / "b" / "0.png", noise(0, 16, 16))
    (tmp_path / "link").symlink_to(tmp_path / "b")
    for out, code, words in (
        (tmp_path / "b", 2, "or lies in it, so a second run would read what this one writes"),
        (tmp_path / "b" / "deep" / "er", 2, "or lies in it"),
        (tmp_path / "link" / "out", 2, "or lies in it"),
        (tmp_path / "a", 2, "where outputs would replace it"),
    ):
        args = ("degrade", tmp_path / "b", tmp_path / "a" / "HR", "--scale", SCALE, "-o", out, "-q")
        (line,) = lines(run(*args, ok=code))
        assert words in line
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["0.png", "0.png"]


def test_draws_of_an_image_share_its_scene(tmp_path):
    for i in range(6):
        write_image(tmp_path / "hr" / f"{i}.png", noise(i, 32, 36))
    out, args = tmp_path / "out", ("--scale", SCALE, "--recipe", "realesrgan", "-q", "-j", 1)
    run("degrade", tmp_path / "hr", "-o", out, "--draws", 3, *args)
    rows = manifest(out)
    assert [row["key"] for row in rows] == [f"{i}_draw{draw}" for i in range(6) for draw in range(3)]
    assert [row["scene"] for row in rows] == [f"{i}" for i in range(6) for _ in range(3)]
    assert len({(out / row["lr"]).read_bytes() for row in rows}) == 18
    assert all((out / row["hr"]).samefile(row["source_hr"]) for row in rows)
    run("degrade", tmp_path / "hr", "-o", tmp_path / "more", "--draws", 5, *args)
    for row in rows:  # more draws leave the first ones as they are
        assert (tmp_path / "more" / row["lr"]).read_bytes() == (out / row["lr"]).read_bytes()
    run("split", out, "--test", 2, "-q")
    splits = {row["scene"]: set() for row in rows}
    for row in manifest(out):
        splits[row["scene"]].add(row["split"])
    assert sorted(map(sorted, splits.values())) == [["test"]] * 2 + [["train"]] * 4
    assert "18 of 18" in run("replay", out, "-q", "-j", 1).stdout
