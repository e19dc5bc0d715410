"""Truth: FFmpeg's own decoder and BT.601/709 by their equations, and invariants (flat stays flat, order, bytes)."""

import builtins
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from realdeg.errors import EXIT_MISSING_RESOURCE, UserError
from realdeg.imaging import video
from realdeg.imaging.colour import luma
from realdeg.imaging.video import encode, last_frame, roundtrip

CODECS = ("h264", "hevc")


@pytest.fixture(scope="module")
def photo(golden):
    with np.load(golden / "jpeg.npz") as z:
        return z["hr_97x123"]


@pytest.fixture(scope="module")
def av():
    return pytest.importorskip("av", reason="needs the extra `video`")


def difference(a, b):
    return np.abs(a.astype(int) - b).max()


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b).mean())


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("codec", CODECS)
def test_flat_colours_come_back(av, codec, matrix):
    greys = [(g, g, g) for g in (0, 1, 16, 128, 235, 254, 255)]
    rng = np.random.default_rng(0)
    for colour in [*greys, (255, 0, 0), (0, 255, 0), (0, 0, 255), *rng.integers(0, 256, (12, 3))]:
        image = np.tile(np.array(colour, np.uint8), (33, 47, 1))
        assert difference(roundtrip(image, codec, 10, matrix=matrix), image) <= 2


@pytest.mark.parametrize(("matrix", "kr", "kb"), [("bt601", 0.299, 0.114), ("bt709", 0.2126, 0.0722)])
def test_the_stream_holds_limited_range_of_its_matrix(av, matrix, kr, kb):
    """ITU-R BT.601-7 and BT.709-6: Y = 16 + 219 E', C = 128 + 224 E'; and the stream says which."""
    image = np.tile(np.array((200, 40, 90), np.uint8), (32, 32, 1))
    decoder = av.CodecContext.create("h264", "r")
    packets = encode(image, "h264", 4, frames=1, matrix=matrix)
    (frame,) = [f for data in packets for f in decoder.decode(av.Packet(data))] + decoder.decode(None)
    assert (frame.color_range, frame.colorspace) == (1, {"bt601": 5, "bt709": 1}[matrix])
    planes = frame.to_ndarray().ravel()
    r, g, b = np.array((200, 40, 90)) / 255
    y = kr * r + (1 - kr - kb) * g + kb * b
    expected = (16 + 219 * y, 128 + 112 * (b - y) / (1 - kb), 128 + 112 * (r - y) / (1 - kr))
    for plane, value in zip((planes[:1024], planes[1024:1280], planes[1280:]), expected, strict=True):
        assert np.abs(plane - value).max() <= 1


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("frames", "pan"), [(1, (0, 0)), (2, (1, 0)), (3, (2, 1)), (5, (-3, 2)), (4, (200, 0))]
)
def test_the_last_frame_lies_on_the_picture(av, photo, codec, frames, pan):
    """In luma (4:2:0 blurs the rest) the result is nearer to the picture than to its shifts by one pixel."""
    out, expected = luma(roundtrip(photo, codec, 12, frames=frames, pan=pan)), luma(photo)
    inner = np.s_[4:-4, 4:-4]
    here = psnr(out[inner], expected[inner])
    assert here > 33
    for axis in (0, 1):
        for step in (-1, 1):
            assert here > psnr(out[inner], np.roll(expected, step, axis)[inner]) + 10


@pytest.mark.parametrize("codec", CODECS)
def test_the_last_frame_is_predicted(av, photo, codec):
    decoder = av.CodecContext.create(codec, "r")
    packets = encode(photo, codec, 25, frames=4)
    shown = [f for data in packets for f in decoder.decode(av.Packet(data))] + decoder.decode(None)
    assert len(packets) == len(shown) == 4
    assert int(shown[0].pict_type) == 1
    assert int(shown[-1].pict_type) in (2, 3)
    assert len(packets[-1]) < len(packets[0]) / 3


@pytest.mark.parametrize("codec", CODECS)
def test_quality_falls_with_crf(av, photo, codec):
    values = [psnr(photo, roundtrip(photo, codec, crf)) for crf in (0, 10, 18, 25, 32, 40, 51)]
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=15, deadline=None)
@given(h=st.integers(1, 70), w=st.integers(1, 70), dx=st.integers(-9, 9), dy=st.integers(-9, 9))
def test_any_size_comes_back(av, codec, h, w, dx, dy):
    y, x = np.mgrid[:h, :w]
    image = np.stack([x * 2 + 20, y * 2 + 20, x + y + 40], axis=-1).astype(np.uint8)
    before = image.copy()
    out = roundtrip(image, codec, 10, frames=2, pan=(dx, dy), preset="ultrafast")
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert_array_equal(image, before)
    assert difference(out, image) <= 16


@pytest.mark.parametrize("codec", CODECS)
def test_equal_input_gives_equal_bytes(av, photo, codec):
    """Also in a process that may use one processor only."""
    image = np.ascontiguousarray(np.tile(photo, (3, 3, 1)))
    packets = encode(image, codec, 25, frames=4)
    assert encode(image[:, ::-1][:, ::-1], codec, 25, frames=4) == packets
    code = (
        "import sys, os, hashlib, numpy as np\n"
        "if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from realdeg.imaging.video import encode\n"
        f"image = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape({image.shape})\n"
        f"sys.stdout.buffer.write(b''.join(encode(image, {codec!r}, 25, frames=4)))"
    )
    alone = subprocess.run(
        [sys.executable, "-c", code], input=image.tobytes(), capture_output=True, check=True
    )
    assert alone.stdout == b"".join(packets)
    assert alone.stderr == b""  # the encoders keep quiet


@pytest.mark.parametrize("codec", CODECS)
def test_bytes_do_not_depend_on_the_processor(av, photo, codec, monkeypatch):
    """The encoder's plain C code against its fastest vector code (both decide alike, settings see to that)."""
    name = {"h264": "x264-params", "hevc": "x265-params"}[codec]
    fast = encode(photo, codec, 25, frames=5, pan=(3, 1))
    slow_settings = {name: video.REPRODUCIBLE[codec][name] + ":asm=0"}
    monkeypatch.setitem(video.REPRODUCIBLE, codec, slow_settings)
    assert encode(photo, codec, 25, frames=5, pan=(3, 1)) == fast


def test_the_pan_mirrors_the_edges():
    """numpy's "reflect" repeats no edge either."""
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    padded = np.pad(image, ((9, 9), (9, 9), (0, 0)), mode="reflect")
    for dx, dy in ((0, 0), (2, -1), (-7, 9), (9, 3)):
        assert_array_equal(video._panned(image, dx, dy), padded[9 + dy : 13 + dy, 9 + dx : 14 + dx])
    assert_array_equal(video._panned(image[:1, :1], 3, -2), image[:1, :1])


def test_without_pyav(monkeypatch, photo):
    real = builtins.__import__

    def blocked(name, *args, **kwargs):
        if name == "av" or name.startswith("av."):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(UserError, match=r"hevc: needs the extra: pip install 'realdeg\[video\]'") as caught:
        roundtrip(photo, "hevc", 20)
    assert caught.value.exit_code == EXIT_MISSING_RESOURCE
    with pytest.raises(UserError, match="needs the extra"):
        last_frame([b""], "h264")


def test_without_the_encoder(av, monkeypatch, photo):
    monkeypatch.setitem(video.ENCODER, "hevc", "libx999")
    with pytest.raises(UserError, match="hevc: the installed PyAV was built without libx999") as caught:
        roundtrip(photo, "hevc", 20)
    assert caught.value.exit_code == EXIT_MISSING_RESOURCE


def test_a_picture_too_large(av):
    with pytest.raises(UserError, match="h264: libx264 refused a picture of 16 x 20000 px"):
        roundtrip(np.zeros((20000, 3, 3), np.uint8), "h264", 30, preset="ultrafast")


def test_wrong_arguments(av):
    image = np.zeros((4, 4, 3), np.uint8)
    for wrong in (image[..., 0], image.astype(np.float32), image[:0]):
        with pytest.raises(ValueError, match="expected"):
            encode(wrong, "h264", 20)
    for more in ({"codec": "vp9"}, {"preset": "placebo"}, {"matrix": "bt2020"}, {"crf": 52}, {"frames": 0}):
        with pytest.raises(ValueError, match=r"no codec|out of"):
            encode(image, **{"codec": "h264", "crf": 20, **more})
    with pytest.raises(ValueError, match="no frame"):
        last_frame([], "h264")


def test_importing_the_module_does_not_load_pyav():
    code = "import sys, realdeg.imaging.video; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
