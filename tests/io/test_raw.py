"""RAW: a DNG written by the tests, whose scene is known, and two real files where they are present."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose

from realdeg.errors import UserError
from realdeg.io.header import Broken
from realdeg.io.orientation import turned
from realdeg.io.photo import read, read_size
from realdeg.io.raw import _opened as opened
from realdeg.io.raw_extents import check_extents


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture
def scene() -> np.ndarray:
    """(96, 144, 3) linear light: six flat patches of 48 px."""
    colours = [
        (0.5, 0.5, 0.5),
        (0.6, 0.2, 0.1),
        (0.1, 0.4, 0.2),
        (0.1, 0.15, 0.5),
        (0.02, 0.02, 0.02),
        (0.7, 0.6, 0.1),
    ]
    return np.kron(np.array(colours).reshape(2, 3, 3), np.ones((48, 48, 1)))


def test_patches_have_the_colours_of_the_scene(tmp_path, write_dng, scene):
    """No stretch, camera white balance, sRGB curve, 16 bits: the closed formula, to 1 % of the range."""
    photo = read(write_dng(tmp_path / "a.dng", scene))
    assert photo.pixels.shape == scene.shape
    assert photo.bit_depth == 16
    for y in (24, 72):
        for x in (24, 72, 120):
            middle = photo.as_float()[y - 12 : y + 12, x - 12 : x + 12].mean((0, 1))
            assert_allclose(middle, srgb(scene[y, x]), atol=0.01)


def test_brightness_does_not_depend_on_the_picture(tmp_path, write_dng, scene):
    """rawpy's default stretches each photo: half the light must be half the light."""
    dim = read(write_dng(tmp_path / "dim.dng", scene / 4)).as_float()
    assert_allclose(dim[24, 24], srgb(scene[24, 24] / 4), atol=0.01)


def test_the_cameras_white_balance_is_used(tmp_path, write_dng, scene):
    """A sensor half as sensitive to red, and a file that says so: white stays white."""
    photo = read(write_dng(tmp_path / "a.dng", scene, neutral=(0.5, 1, 0.8)))
    for y in (24, 72):
        for x in (24, 72, 120):
            assert_allclose(photo.as_float()[y, x], srgb(scene[y, x]), atol=0.01)


@pytest.fixture
def write_dng_with_preview():
    """DNG as cameras write it: a rendered preview first, the sensor's samples in a sub-directory."""

    def write(path: Path, sensor: np.ndarray) -> Path:
        preview = np.full((sensor.shape[0] // 2, sensor.shape[1] // 2, 3), (250, 20, 20), np.uint8)
        versions = [(50706, "B", 4, (1, 4, 0, 0), True), (50708, "s", 0, "Maker Model 1", True)]
        colours = [
            (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
            (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        ]
        mosaic = [
            (33421, "H", 2, (2, 2), True),
            (33422, "B", 4, (0, 1, 1, 2), True),
            (50717, "H", 1, 16000, True),
        ]
        with tifffile.TiffWriter(path) as file:
            file.write(
                preview,
                photometric="rgb",
                subfiletype=1,
                subifds=1,
                extratags=versions + colours,
                metadata=None,
            )
            file.write(sensor, photometric=32803, subfiletype=0, extratags=mosaic, metadata=None)
        return path

    return write


def test_a_raw_is_never_its_preview(tmp_path, write_dng_with_preview):
    """Other readers return the preview; here the sensor counts, and where it was pruned the file is refused."""
    ramp = np.tile(np.linspace(1000, 12000, 128).astype(np.uint16), (96, 1))
    photo = read(write_dng_with_preview(tmp_path / "a.dng", ramp))
    assert photo.size_hw == read_size(photo.path) == (96, 128)
    middle = photo.as_float()[20:-20, 20:-20]
    assert_allclose(middle.mean(axis=(0, 1)), middle.mean(), rtol=0.2)  # no trace of the preview's red
    with pytest.raises(UserError, match="all pixels are equal"):
        read(write_dng_with_preview(tmp_path / "b.dng", np.zeros_like(ramp)))


def test_the_demosaicked_grid_is_not_shifted(tmp_path, write_dng):
    """A ramp in x and in y: half-size development would displace red and blue by a quarter pixel."""
    y, x = np.mgrid[:100, :100] / 100
    for axis, ramp in enumerate((y, x)):
        path = write_dng(tmp_path / f"{axis}.dng", np.repeat(0.1 + 0.6 * ramp[..., None], 3, axis=2))
        found = read(path).as_float()[10:-10, 10:-10]
        linear = np.where(found <= 0.04045, found / 12.92, ((found + 0.055) / 1.055) ** 2.4)
        shift = ((linear - 0.1) / 0.6 - ramp[10:-10, 10:-10, None]) * 100
        assert np.abs(shift.mean((0, 1))).max() < 0.05


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation(tmp_path, write_dng, scene, orientation):
    path = write_dng(tmp_path / "a.dng", scene, orientation=orientation)
    photo = read(path)
    upright = np.rot90(scene, {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    assert photo.orientation == orientation
    assert photo.size_hw == read_size(path) == upright.shape[:2]
    assert_allclose(photo.as_float()[20, 20], srgb(upright[20, 20]), atol=0.02)


def test_facts_of_the_camera(tmp_path, write_dng, scene):
    photo = read(write_dng(tmp_path / "a.DNG", scene))
    assert (photo.focal_length_mm, photo.focal_35mm_mm, photo.digital_zoom) == (23, 35, 1.5)
    assert (photo.iso, photo.camera) == (200, "Maker Model 1")


def test_the_same_file_gives_the_same_pixels(tmp_path, write_dng, scene):
    path = write_dng(tmp_path / "a.dng", scene)
    np.testing.assert_array_equal(read(path).pixels, read(path).pixels)


def test_every_truncation_is_seen(tmp_path, write_dng, scene):
    """LibRaw fills what is missing with zeros and says nothing."""
    size = write_dng(tmp_path / "a.dng", scene).stat().st_size
    for length in np.unique(np.linspace(1, size - 1, 100).astype(int)):
        path = write_dng(tmp_path / "a.dng", scene, cut=length)
        with pytest.raises(UserError, match=r"a\.dng: .+; .+"):
            read(path)


def test_pruned_files_decode_to_a_constant_and_are_refused(tmp_path, write_dng, scene):
    path = write_dng(tmp_path / "a.dng", np.zeros_like(scene))
    with pytest.raises(UserError, match=r"holds no picture \(all pixels are equal\)"):
        read(path)
    half = scene + np.random.default_rng(1).normal(0, 0.01, scene.shape).clip(-0.02)
    half[48:] = 0
    with pytest.raises(UserError, match="its last 48 rows are blank"):
        read(write_dng(tmp_path / "b.dng", half.clip(0, 1)))


def test_another_file_named_as_raw(tmp_path, picture):
    import cv2

    for suffix in (".cr2", ".arw", ".NEF"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        with pytest.raises(UserError, match="is not a RAW file that LibRaw knows"):
            read(path)


# Orientation and scale, blank edges: odd files, and more of each kind.


def dng(path: Path, sensor: np.ndarray, *more: tuple) -> Path:
    """An RGGB DNG by tifffile; `more` as its extra tags."""
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),
        (50708, "s", 0, "Maker Model 1", True),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True),
        (50717, "H", 1, 16000, True),
        (50778, "H", 1, 21, True),
    ]
    tifffile.imwrite(path, sensor, photometric=32803, extratags=[*tags, *more], metadata=None)
    return path


@pytest.fixture(scope="module")
def sensor() -> np.ndarray:
    """(96, 144) uint16 without a flat place."""
    y, x = np.mgrid[:96, :144]
    noise = np.random.default_rng(3).integers(0, 300, (96, 144))
    return (2000 + 40 * x + 20 * y + noise).astype(np.uint16)


def test_a_mirrored_dng(odd):
    path = odd / "mirrored_orientation5.dng"
    photo = read(path)
    assert photo.size_hw == read_size(path) == (240, 160)
    assert photo.orientation == 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations(tmp_path, sensor, orientation):
    """The upright development, turned here: what LibRaw does and what is stated are the same."""
    upright = read(dng(tmp_path / "a.dng", sensor)).pixels.astype(int)
    path = dng(tmp_path / "b.dng", sensor, (274, "H", 1, orientation, True))
    photo = read(path)
    assert photo.orientation == orientation
    assert photo.size_hw == read_size(path)
    assert np.abs(photo.pixels - turned(upright, orientation)).max() < 3


@pytest.mark.parametrize(
    ("scale", "size_hw"), [((2, 1), (96, 288)), ((1, 2), (192, 144)), ((1, 1.5), (144, 144))]
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_pixels_that_are_not_square(tmp_path, sensor, scale, size_hw, orientation):
    """DefaultScale: LibRaw stretches, and the size read beforehand is that of the result."""
    values = tuple(int(part) for number in scale for part in (number * 2, 2))
    more = [(50718, "2I", 2, values, True), (274, "H", 1, orientation, True)]
    path = dng(tmp_path / "a.dng", sensor, *more)
    assert read_size(path) == read(path).size_hw == (size_hw if orientation == 1 else size_hw[::-1])


def test_a_black_bar_on_the_right(odd):
    with pytest.raises(UserError, match=r"is cut short \(its last 24 columns are blank\); copy it"):
        read(odd / "black_bar_right.dng")


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("is damaged (its first 12 columns are blank)", np.s_[:, :12]),
        ("is damaged (its first 20 rows are blank)", np.s_[:20]),
        ("is cut short (its last 9 rows are blank)", np.s_[-9:]),
        ("is cut short (its last 70 columns are blank)", np.s_[:, -70:]),
    ],
)
def test_blank_edges(tmp_path, sensor, words, where):
    blank = sensor.copy()
    blank[where] = 0
    with pytest.raises(UserError) as caught:
        read(dng(tmp_path / "a.dng", blank))
    assert f"a.dng: {words}; copy it" in str(caught.value)


def test_a_bright_edge_and_a_narrow_dark_one_are_pictures(tmp_path, sensor):
    """A blown-out sky; the mask at the edge of some sensors."""
    bright, narrow = sensor.copy(), sensor.copy()
    bright[:30] = bright.max()
    narrow[:, -4:] = 0
    for edge in (bright, narrow):
        assert read(dng(tmp_path / "a.dng", edge)).size_hw == (96, 144)


# Damage that only LibRaw sees, and that it only prints.


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"/a/b.nef: data corrupted at 1378\n", "is damaged inside: data corrupted at 1378"),
        (b"b: c.crw: Unexpected end of file\n", "is damaged inside: Unexpected end of file"),
        (b"Corrupt JPEG data: 3 extraneous bytes\n", "is damaged inside: Corrupt JPEG data: 3"),
    ],
)
def test_what_libraw_prints_refuses_the_file(tmp_path, sensor, capfd, line, words):
    """The lines are LibRaw's own, of pruned NEF, CRW, PhaseOne and RAF files; it then goes on."""
    with pytest.raises(Broken, match=f"^{words}"), opened(dng(tmp_path / "a.dng", sensor)):
        os.write(2, line)
    assert capfd.readouterr() == ("", "")


def test_what_others_print_meanwhile_is_no_complaint(tmp_path, sensor):
    with opened(dng(tmp_path / "a.dng", sensor)):
        os.write(2, b"12 of 40 photos\n")


def write_coded(path: Path, body: bytes, compression: int) -> Path:
    """A DNG of 144 x 96 whose one strip is `body`."""
    page = [
        *((254, 4, 1, 0), (256, 4, 1, 144), (257, 4, 1, 96), (258, 3, 1, 16), (259, 3, 1, compression)),
        *((262, 3, 1, 32803), (277, 3, 1, 1), (278, 4, 1, 96), (33421, 3, 2, 2 | 2 << 16)),
        *((33422, 1, 4, 0x02010100), (50706, 1, 4, 0x0701), (50717, 4, 1, 16000)),
    ]
    at = 8 + 2 + 12 * (len(page) + 2) + 4
    entries = sorted([*page, (273, 4, 1, at), (279, 4, 1, len(body))])
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    path.write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table + bytes(4) + body)
    return path


def test_a_lossless_jpeg_that_ends_too_early(tmp_path, sensor):
    coded = bytes(imagecodecs.ljpeg_encode(sensor, bitspersample=16))
    assert read(write_coded(tmp_path / "a.dng", coded, 7)).size_hw == (96, 144)
    path = write_coded(tmp_path / "a.dng", coded[: len(coded) // 2], 7)
    with pytest.raises(UserError, match=r"a\.dng: (cannot be developed|is damaged inside)"):
        read(path)


@pytest.mark.parametrize(("compression", "name"), [(52546, "JPEG XL"), (34887, "LERC")])
def test_a_dng_of_another_coding_is_named(tmp_path, compression, name):
    """Phones write JPEG XL into DNG; LibRaw says no more than that it does not know the file."""
    path = write_coded(tmp_path / "a.dng", bytes(4000), compression)
    for function in (read, read_size):
        with pytest.raises(
            UserError, match=rf"with compression {compression} \({name}\), which is not read; conv"
        ):
            function(path)


# RAW that is no plain TIFF: the smallest containers that state where their samples lie.


def tags(order: str, at: int, *entries: tuple[int, int]) -> bytes:
    """A directory of single numbers, four bytes each."""
    body = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(entries))
    return struct.pack(f"{order}H", len(entries)) + body + bytes(4)


def box(name: bytes, *body: bytes) -> bytes:
    inside = b"".join(body)
    return struct.pack(">I4s", 8 + len(inside), name) + inside


def rw2() -> bytes:
    """Width, height, where the samples begin, and their bytes."""
    head = struct.pack("<4sI", b"IIU\0", 8)
    return head + tags("<", 8, (2, 64), (3, 50), (280, 100), (279, 4000)).ljust(92, b"\0") + bytes(4000)


def rw2_without_bytes() -> bytes:
    """Older: the number of pixels must do."""
    head = struct.pack("<4sI", b"IIU\0", 8)
    return head + tags("<", 8, (2, 128), (3, 100), (280, 100)).ljust(92, b"\0") + bytes(128 * 100 // 4)


def orf() -> bytes:
    head = struct.pack("<4sI", b"IIRO", 8)
    return head + tags("<", 8, (256, 64), (257, 50), (273, 100), (279, 4800)).ljust(92, b"\0") + bytes(4800)


def raf() -> bytes:
    places = struct.pack(">6I", 120, 80, 200, 100, 300, 5000)
    return b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + places + bytes(12) + bytes(5180)


def cr3() -> bytes:
    sizes = box(b"stsz", bytes(4), struct.pack(">III", 0, 1, 4000))
    places = box(b"co64", bytes(4), struct.pack(">IQ", 1, 500))
    film = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", sizes, places)))))
    head = box(b"ftyp", b"crx \0\0\0\1crx isom")
    return (head + film).ljust(484, b"\0") + struct.pack(">I4sQ", 1, b"mdat", 4016) + bytes(4000)


def cr3_whose_last_box_has_no_end() -> bytes:
    """Size 0, to the end of the file: then only the tables of samples say where that must be."""
    whole = cr3()
    return whole[:484] + struct.pack(">I4s", 0, b"mdat") + bytes(8) + whole[500:]


def x3f() -> bytes:
    sections = b"FOVb".ljust(100, b"\0") + b"SECi" + bytes(3996)
    directory = struct.pack("<4sII", b"SECd", 0x20000, 1) + struct.pack("<II4s", 100, 4000, b"IMA2")
    return sections + directory + struct.pack("<I", len(sections))


def mrw() -> bytes:
    block = b"27200001" + struct.pack(">HHHHBBB", 50, 64, 48, 62, 12, 12, 0x59) + bytes(9)
    head = struct.pack(">4sI", b"\0PRD", len(block)) + block
    return struct.pack(">4sI", b"\0MRM", len(head)) + head + bytes(50 * 64 * 12 // 8)


def crw() -> bytes:
    heap = bytes(4000)
    directory = (
        struct.pack("<H", 2) + struct.pack("<HII", 0x2005, 4000, 0) + struct.pack("<HII", 0x5010, 9, 9)
    )
    head = struct.pack("<2sI8s", b"II", 26, b"HEAPCCDR").ljust(26, b"\0")
    return head + heap + directory + struct.pack("<I", len(heap))


CONTAINERS = {
    "rw2": rw2,
    "old.rw2": rw2_without_bytes,
    "orf": orf,
    "raf": raf,
    "cr3": cr3,
    "open.cr3": cr3_whose_last_box_has_no_end,
    "x3f": x3f,
    "mrw": mrw,
    "crw": crw,
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_containers_of_makers_state_how_long_they_are(tmp_path, name):
    """Whole, they pass this check and LibRaw is asked; each of 60 cuts is refused before that."""
    whole, path = CONTAINERS[name](), tmp_path / f"a.{name.rpartition('.')[2]}"
    check_extents(io.BytesIO(whole))
    path.write_bytes(whole)
    with pytest.raises(
        UserError, match=r"is not a RAW file that LibRaw knows|cannot be developed|is damaged"
    ):
        read(path)
    for length in np.unique(np.linspace(20, len(whole) - 1, 60).astype(int)):
        with pytest.raises(Broken, match="is cut short"):
            check_extents(io.BytesIO(whole[:length]))


def test_other_containers_are_left_to_libraw():
    for start in (b"", b"IIII", b"Kodak raw without any mark", b"\0\0\0\x18ftypheic"):
        check_extents(io.BytesIO(start.ljust(40, b"\0")))


def test_a_dng_whose_strips_are_too_short(tmp_path, sensor):
    """Strips inside the file that hold fewer bytes than the pixels take: LibRaw reads what follows them."""
    path = dng(tmp_path / "a.dng", sensor)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[279].overwrite(1000)
    with pytest.raises(UserError, match=r"is cut short \(its strips hold 1000 of 27648 bytes\)"):
        read(path)


def test_few_bytes_for_many_pixels(tmp_path, sensor):
    """12 kB of an RW2 of 10 megapixels were developed to garbage once; here a directory without lengths."""
    path = dng(tmp_path / "a.dng", sensor)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[256].overwrite(40_000)
        file.pages[0].tags[257].overwrite(40_000)
        file.pages[0].tags[259].overwrite(7)
    with pytest.raises(UserError, match=r"a\.dng: "):
        read_size(path)


# Real files.


def test_a_kodak_raw_is_not_its_thumbnail(shared_data):
    """Other readers return the embedded 96 x 64 preview without a word."""
    path = shared_data("raw") / "RAW_KODAK_DC50.KDC"
    photo = read(path)
    assert photo.size_hw == read_size(path) == (512, 768)
    assert photo.focal_length_mm == 37


def test_a_real_dng(shared_data):
    path = shared_data("raw") / "colorchart.dng"
    photo = read(path)
    assert photo.size_hw == read_size(path) == (1156, 1734)
    assert photo.bit_depth == 16
    assert photo.camera == "Canon EOS Kiss X4"
    assert 0.1 < photo.as_float().mean() < 0.6


@pytest.mark.parametrize("name", ["colorchart.dng", "RAW_KODAK_DC50.KDC"])
def test_real_raws_cut_short(tmp_path, shared_data, name):
    data = (shared_data("raw") / name).read_bytes()
    for share in (0.001, 0.02, 0.3, 0.7, 0.95):
        path = tmp_path / name
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UserError, match=f"{name}: "):
            read(path)
