"""Truth: OpenCV's bytes and decodes (tests/golden/jpeg.npz), Pillow's libjpeg and libwebp, and invariants."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image, features

from realdeg.errors import EXIT_MISSING_RESOURCE, UserError
from realdeg.imaging.codec import LONGEST_SIDE, decode, encode, roundtrip

KINDS = ("jpeg", "webp", "avif")
MODES = [(kind, s) for kind in KINDS for s in ("420", "422", "444") if kind != "webp" or s == "420"]
PILLOW_SUBSAMPLING = {"420": 2, "422": 1, "444": 0}

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


@pytest.fixture(scope="module")
def photos(golden):
    with np.load(golden / "jpeg.npz") as z:
        return dict(z)


def modes(*modes):
    return [pytest.param(*m, marks=needs_avif if m[0] == "avif" else ()) for m in modes]


def difference(a, b):
    return np.abs(a.astype(int) - b).max()


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b).mean())


@pytest.mark.parametrize("size", ["96x120", "97x123"])
@pytest.mark.parametrize("quality", [30, 75])
def test_jpeg_is_opencvs(photos, size, quality):
    """Another build of libjpeg-turbo may round otherwise: one level."""
    image = photos[f"hr_{size}"]
    stored = photos[f"cv2_jpg_q{quality}_420_{size}"].tobytes()
    assert difference(decode(stored), photos[f"cv2_dec_q{quality}_420_{size}"]) <= 1
    for s in ("420", "444"):
        ours = roundtrip(image, "jpeg", quality, subsampling=s)
        assert difference(ours, photos[f"cv2_dec_q{quality}_{s}_{size}"]) <= 1


@pytest.mark.parametrize("subsampling", ["420", "422", "444"])
@pytest.mark.parametrize("size", ["96x120", "97x123"])
def test_jpeg_is_pillows(photos, size, subsampling):
    image = photos[f"hr_{size}"]
    data = encode(image, "jpeg", 60, subsampling=subsampling)
    ours = decode(data)
    with Image.open(io.BytesIO(data)) as picture:
        assert difference(ours, np.array(picture)) <= 1
    stream = io.BytesIO()
    chroma = PILLOW_SUBSAMPLING[subsampling]
    Image.fromarray(image).save(stream, "JPEG", quality=60, subsampling=chroma)
    with Image.open(stream) as picture:
        assert difference(ours, np.array(picture)) <= 1


@pytest.mark.parametrize("kind", ["webp", *modes(("avif",))])
def test_the_other_library_sees_the_same_pixels(photos, kind):
    """Pillow decodes WebP, OpenCV (where built with it) AVIF."""
    data = encode(photos["hr_97x123"], kind, 60)
    if kind == "webp":
        with Image.open(io.BytesIO(data)) as picture:
            theirs = np.array(picture)
    elif not cv2.haveImageReader(".avif") and not cv2.haveImageWriter(".avif"):
        pytest.skip("this OpenCV has no AVIF")
    else:
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert difference(decode(data), theirs) <= 1


@pytest.mark.parametrize(("kind", "subsampling"), modes(*MODES))
def test_quality_is_monotone(photos, kind, subsampling):
    image = photos["hr_97x123"]
    made = [encode(image, kind, q, subsampling=subsampling) for q in (5, 20, 40, 60, 80, 95)]
    values = [psnr(image, decode(data)) for data in made]
    assert (np.diff(values) > 0).all()
    assert (np.diff([len(data) for data in made]) > 0).all()


@pytest.mark.parametrize(("kind", "subsampling"), modes(*MODES))
def test_a_flat_image_stays_flat(kind, subsampling):
    for quality in (50, 75, 100):
        for grey in (0, 1, 37, 128, 200, 255):
            for size in ((1, 1), (1, 6), (7, 1), (17, 33), (64, 64)):
                image = np.full((*size, 3), grey, np.uint8)
                assert difference(roundtrip(image, kind, quality, subsampling=subsampling), image) <= 2


@pytest.mark.parametrize(("kind", "subsampling"), modes(*MODES))
@settings(max_examples=25, deadline=None)
@given(h=st.integers(1, 50), w=st.integers(1, 50), quality=st.integers(0, 100), seed=st.integers(0, 99))
def test_any_size_comes_back(kind, subsampling, h, w, quality, seed):
    """Smooth content, so that what is lost at quality 100 is rounding, not detail."""
    y, x = np.mgrid[:h, :w] / 50
    image = np.stack([x * 200 + 20, y * 200 + 20, (x + y) * 100 + seed % 50], axis=-1).astype(np.uint8)
    before = image.copy()
    out = roundtrip(image, kind, quality, subsampling=subsampling, speed=10)
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert out.flags.writeable
    assert_array_equal(image, before)
    assert difference(roundtrip(image, kind, 100, subsampling=subsampling, speed=10), image) <= 14


@pytest.mark.parametrize(("kind", "subsampling"), modes(*MODES))
def test_equal_input_gives_equal_bytes(photos, kind, subsampling):
    image = np.tile(photos["hr_96x120"], (6, 5, 1))  # large enough for more than one tile or thread
    first = encode(image, kind, 50, subsampling=subsampling)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        assert encode(image, kind, 50, subsampling=subsampling) == first
    finally:
        cv2.setNumThreads(threads)
    assert encode(image[:, ::-1][:, ::-1], kind, 50, subsampling=subsampling) == first  # a view


def test_subsampling_and_speed_reach_the_encoder(photos):
    image = photos["hr_96x120"]
    for kind in KINDS[::2] if features.check("avif") else KINDS[:1]:
        sizes = [len(encode(image, kind, 80, subsampling=s)) for s in ("420", "422", "444")]
        assert sizes[0] < sizes[1] < sizes[2]
    if features.check("avif"):
        assert encode(image, "avif", 50, speed=6) != encode(image, "avif", 50, speed=9)


@pytest.mark.parametrize("kind", ["jpeg", "webp", *modes(("avif",))])
def test_the_longest_side(kind):
    limit = LONGEST_SIDE[kind]
    assert roundtrip(np.zeros((1, limit, 3), np.uint8), kind, 50, speed=10).shape == (1, limit, 3)
    with pytest.raises(UserError, match=f"{kind}: .* 2 x {limit + 1} px is too large"):
        encode(np.zeros((limit + 1, 2, 3), np.uint8), kind, 50)


def test_a_codec_that_is_not_there(monkeypatch, photos):
    data = encode(photos["hr_96x120"], "webp", 50)
    monkeypatch.setattr(cv2, "haveImageWriter", lambda suffix: suffix == ".jpg")
    monkeypatch.setattr(features, "check", lambda name: False)
    for kind in ("webp", "avif"):
        with pytest.raises(UserError, match="built without this codec; pip install") as caught:
            encode(photos["hr_96x120"], kind, 50)
        assert caught.value.exit_code == EXIT_MISSING_RESOURCE
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="webp: the installed opencv"):
        decode(data)
    assert roundtrip(photos["hr_96x120"], "jpeg", 50).shape == (96, 120, 3)


def test_wrong_arguments():
    image = np.zeros((4, 4, 3), np.uint8)
    for wrong in (image[..., 0], image.astype(np.float32), image[:0], np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            encode(wrong, "jpeg", 50)
    for arguments in (("png", 50, "420", 8), ("jpeg", 50, "411", 8), ("webp", 50, "444", 8)):
        with pytest.raises(ValueError, match=r"no codec|always 4:2:0"):
            encode(image, *arguments[:2], subsampling=arguments[2], speed=arguments[3])
    for quality, speed in ((-1, 8), (101, 8), (50, 11)):
        with pytest.raises(ValueError, match="out of"):
            encode(image, "jpeg", quality, speed=speed)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x1cftypavif"]
)
def test_broken_bytes(data):
    with pytest.raises(ValueError, match=r"neither|broken"):
        decode(data)
