"""Real codec bytes: one picture through JPEG, WebP or AVIF and back.

JPEG and WebP run through OpenCV, AVIF through Pillow, the only one of the two that lets the caller choose
chroma subsampling and threads. One thread each: libavif writes other bytes with two threads than with one.
"""

from __future__ import annotations

import io
from typing import Literal, get_args

import cv2
import numpy as np
from PIL import Image, features

from realdeg.arraytypes import Pixels
from realdeg.errors import EXIT_MISSING_RESOURCE, UserError

Kind = Literal["jpeg", "webp", "avif"]
Subsampling = Literal["420", "422", "444"]

# libjpeg's JPEG_MAX_DIMENSION lies below the format's own 65535; WebP has 14 bits for a side; libavif writes
# larger pictures than its decoder takes back (AVIF_DEFAULT_IMAGE_DIMENSION_LIMIT and _SIZE_LIMIT).
LONGEST_SIDE = {"jpeg": 65500, "webp": 16383, "avif": 32768}
LARGEST_AREA = {"avif": 16384 * 16384}
JPEG_SAMPLING = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}
AVIF_SAMPLING = {"420": "4:2:0", "422": "4:2:2", "444": "4:4:4"}


def roundtrip(
    image: Pixels, kind: Kind, quality: int, *, subsampling: Subsampling = "420", speed: int = 8
) -> Pixels:
    """The picture as a codec gives it back; arguments and errors as in `encode`.

    Args:
        image: (H, W, 3) uint8 RGB, any size from 1 x 1.
        kind: codec.
        quality: 0..100, each codec's own scale.
        subsampling: of chroma.
        speed: effort of the AVIF encoder.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return decode(encode(image, kind, quality, subsampling=subsampling, speed=speed))


def encode(
    image: Pixels, kind: Kind, quality: int, *, subsampling: Subsampling = "420", speed: int = 8
) -> bytes:
    """Bytes of a picture, lossy; equal input gives equal bytes with one build of the libraries.

    Args:
        image: (H, W, 3) uint8 RGB, any size from 1 x 1 to what the format holds; at odd sizes the codec
            repeats the edge to fill its last blocks.
        kind: codec.
        quality: 0..100, each codec's own scale: 50 looks different in all three. WebP takes 0 as 1.
        subsampling: of chroma; lossy WebP knows 4:2:0 only.
        speed: effort of the AVIF encoder, 0 (slowest) to 10; the others ignore it.

    Raises:
        UserError: the picture is too large for the format, or this build lacks the codec.
        ValueError: other shapes and types, or settings out of range.
    """
    _check(image, kind, quality, subsampling, speed)
    if kind == "avif":
        stream = io.BytesIO()
        options = {"subsampling": AVIF_SAMPLING[subsampling], "speed": speed, "max_threads": 1}
        Image.fromarray(np.ascontiguousarray(image)).save(stream, "AVIF", quality=quality, **options)
        return stream.getvalue()
    if kind == "jpeg":
        suffix, parameters = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]
        parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, JPEG_SAMPLING[subsampling]]
    else:
        suffix, parameters = ".webp", [cv2.IMWRITE_WEBP_QUALITY, max(quality, 1)]
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
    if not done:
        raise UserError(kind, f"the codec refused a picture of {image.shape[1]} x {image.shape[0]} px")
    return bytes(data.tobytes())


def decode(data: bytes) -> Pixels:
    """Pixels of bytes that `encode` made.

    Args:
        data: a whole JPEG, WebP or AVIF stream; its first bytes say which. For files of other people use
            `realdeg.io.photo`, which finds truncated data and applies orientation and colour profile.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UserError: this build lacks the codec.
        ValueError: the bytes are none of the three or broken.
    """
    kind = _kind(data)
    _require(kind)
    if kind == "avif":
        from PIL import AvifImagePlugin  # absent from Pillow before 11.3

        try:
            # Not Image.open, which takes a picture of 180 megapixels for an attack.
            with AvifImagePlugin.AvifImageFile(io.BytesIO(data)) as picture:
                return np.array(picture.convert("RGB"))
        except (OSError, SyntaxError, ValueError, RuntimeError) as error:
            raise ValueError(f"broken AVIF data: {error}") from error
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError(f"broken {kind} data")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _kind(data: bytes) -> Kind:
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:12] == b"ftypavif":
        return "avif"
    raise ValueError("neither JPEG nor WebP nor AVIF data")


def _check(image: Pixels, kind: str, quality: int, subsampling: str, speed: int) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if kind not in get_args(Kind) or subsampling not in get_args(Subsampling):
        raise ValueError(f"no codec {kind!r} with subsampling {subsampling!r}")
    if kind == "webp" and subsampling != "420":
        raise ValueError(f"lossy WebP is always 4:2:0, not {subsampling!r}")
    if not 0 <= quality <= 100 or not 0 <= speed <= 10:
        raise ValueError(f"quality {quality} or speed {speed} out of 0..100 and 0..10")
    height, width = image.shape[:2]
    if max(height, width) > LONGEST_SIDE[kind] or height * width > LARGEST_AREA.get(kind, height * width):
        problem = f"a picture of {width} x {height} px is too large for this format"
        raise UserError(
            kind, problem, f"its sides end at {LONGEST_SIDE[kind]} px; cut the picture into tiles"
        )
    _require(kind)


def _require(kind: str) -> None:
    if kind == "avif":
        present = features.check("avif")
    else:
        present = cv2.haveImageWriter({"jpeg": ".jpg", "webp": ".webp"}[kind])
    if not present:
        library = "pillow" if kind == "avif" else "opencv-contrib-python"
        problem = f"the installed {library} was built without this codec"
        remedy = f"pip install --upgrade {library}"
        raise UserError(kind, problem, remedy, exit_code=EXIT_MISSING_RESOURCE)
