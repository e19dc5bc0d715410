"""One picture through a video codec, as the last frame of a short clip that pans to it.

The clip shows the picture moved by whole pixels, its edges mirrored, and comes to rest on it, so that the
codec predicts the last frame from its neighbours as in a film (a P or B frame). 4:2:0, 8 bits, limited range,
one thread, all in memory. Bytes depend neither on the number of cores nor on the kind of processor.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np

from realdeg.arraytypes import Pixels
from realdeg.errors import EXIT_MISSING_RESOURCE, UserError
from realdeg.imaging.border import mirrored

Codec = Literal["h264", "hevc"]
Matrix = Literal["bt601", "bt709"]
Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]

ENCODER = {"h264": "libx264", "hevc": "libx265"}
# x264's macroblock tree rounds differently on each kind of processor unless it is told not to. x265's
# (cutree) does so too on long clips, and in 4.2 its AVX code writes past a buffer when a picture is narrower
# than 64 px: heap corruption, found with Valgrind.
# `info` would write the processor's name into the stream.
REPRODUCIBLE = {
    "h264": {"x264-params": "cpu-independent=1"},
    "hevc": {"x265-params": "cutree=0:pools=1:frame-threads=1:wpp=0:info=0:log-level=none"},
}
SMALLEST_SIDE = {"h264": 16, "hevc": 64}  # below a coding block x265 reads what nobody wrote, now and then
LIMITED, FULL = 1, 2  # AVColorRange: luma 16..235 in the stream, RGB 0..255
COLORSPACE = {"bt709": 1, "bt601": 5}  # AVColorSpace, ITU-T H.273 matrix coefficients


def roundtrip(
    image: Pixels,
    codec: Codec,
    crf: float,
    *,
    frames: int = 3,
    pan: tuple[int, int] = (2, 1),
    preset: Preset = "medium",
    matrix: Matrix = "bt709",
) -> Pixels:
    """The picture as a video player shows it; arguments and errors as in `encode`.

    Args:
        image: (H, W, 3) uint8 RGB, any size from 1 x 1.
        codec: codec.
        crf: constant rate factor, 0..51.
        frames: length of the clip.
        pan: (x, y) motion, px per frame.
        preset: effort of the encoder.
        matrix: RGB to Y'CbCr.

    Returns:
        (H, W, 3) uint8 RGB, pixel on pixel with `image`.
    """
    packets = encode(image, codec, crf, frames=frames, pan=pan, preset=preset, matrix=matrix)
    height, width = image.shape[:2]
    return np.ascontiguousarray(last_frame(packets, codec, matrix=matrix)[:height, :width])


def encode(
    image: Pixels,
    codec: Codec,
    crf: float,
    *,
    frames: int = 3,
    pan: tuple[int, int] = (2, 1),
    preset: Preset = "medium",
    matrix: Matrix = "bt709",
) -> list[bytes]:
    """Packets of the clip that ends on a picture.

    Args:
        image: (H, W, 3) uint8 RGB, any size from 1 x 1. Sides are made even, and at least 16 px, by repeating
            the edge at the right and the bottom.
        codec: codec.
        crf: constant rate factor, 0..51; for H.264 18 is hardly visible, 23 the default, 35 poor. HEVC is
            coded without its tree of coding units: crf 32 here is about 28, the default, elsewhere.
        frames: length of the clip; 1 = an intra frame alone.
        pan: (x, y) by how much the content moves to the left and up from one frame to the next, px. Odd
            steps fall between the chroma samples, (0, 0) lets the codec skip most blocks.
        preset: effort of the encoder.
        matrix: RGB to Y'CbCr: BT.709 as in HD video, BT.601 as in older and smaller video.

    Returns:
        One packet a frame, in coding order, Annex B.

    Raises:
        UserError: PyAV is missing or has no such encoder, or the encoder refuses the picture's size.
        ValueError: other shapes and types, or settings out of range.
    """
    _check(image, codec, crf, frames, preset, matrix)
    av = _pyav(codec)
    try:
        encoder: Any = av.CodecContext.create(ENCODER[codec], "w")
    except ValueError as error:  # av.codec.codec.UnknownCodecError
        problem = f"the installed PyAV was built without {ENCODER[codec]}"
        remedy = "pip install --upgrade --only-binary av av"
        raise UserError(codec, problem, remedy, exit_code=EXIT_MISSING_RESOURCE) from error
    height, width = (max(SMALLEST_SIDE[codec], side + side % 2) for side in image.shape[:2])
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.thread_count = 25, 1
    encoder.colorspace, encoder.color_range = COLORSPACE[matrix], LIMITED
    encoder.options = {"crf": str(crf), "preset": preset, **REPRODUCIBLE[codec]}
    packets = []
    try:
        for number in range(frames):
            rest = frames - 1 - number  # frames until the clip stands on the picture
            content = _panned(image, rest * pan[0], rest * pan[1])
            content = cv2.copyMakeBorder(
                content, 0, height - content.shape[0], 0, width - content.shape[1], cv2.BORDER_REPLICATE
            )
            frame = _converted(av.VideoFrame.from_ndarray(content, format="rgb24"), "yuv420p", matrix)
            frame.pts = number
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
    except av.FFmpegError as error:
        raise UserError(
            codec, f"{ENCODER[codec]} refused a picture of {width} x {height} px: {error}"
        ) from error
    return [bytes(packet) for packet in packets]


def last_frame(packets: list[bytes], codec: Codec, *, matrix: Matrix = "bt709") -> Pixels:
    """The last frame, in order of display, of a clip that `encode` made.

    Args:
        packets: of one clip, in coding order.
        codec: codec.
        matrix: RGB to Y'CbCr, as given to `encode`.

    Returns:
        (h, w, 3) uint8 RGB with the encoder's padding still at the right and the bottom.

    Raises:
        UserError: PyAV is missing.
        ValueError: the packets hold no frame.
    """
    av = _pyav(codec)
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    shown = [frame for data in packets for frame in decoder.decode(av.Packet(data))]
    shown += decoder.decode(None)
    if not shown:
        raise ValueError("the packets hold no frame")
    return _converted(shown[-1], "rgb24", matrix).to_ndarray()


def _panned(image: Pixels, dx: int, dy: int) -> Pixels:
    """Pixel (x, y) shows pixel (x + dx, y + dy) of the image, mirrored at its edges (edge not repeated)."""
    height, width = image.shape[:2]
    rows = mirrored(np.arange(height) + dy, height, "reflect")
    columns = mirrored(np.arange(width) + dx, width, "reflect")
    return np.ascontiguousarray(image[rows[:, None], columns])


def _converted(frame: Any, pixel_format: str, matrix: Matrix) -> Any:
    """Between full-range RGB and limited-range Y'CbCr 4:2:0 (chroma sited left), by FFmpeg's scaler."""
    from av.video.reformatter import Interpolation, VideoReformatter

    to_rgb = pixel_format == "rgb24"
    exact = Interpolation.ACCURATE_RND | Interpolation.BITEXACT  # the same on every processor
    all_chroma = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
    return VideoReformatter().reformat(
        frame,
        format=pixel_format,
        src_colorspace=COLORSPACE[matrix],
        dst_colorspace=COLORSPACE[matrix],
        src_color_range=LIMITED if to_rgb else FULL,
        dst_color_range=FULL if to_rgb else LIMITED,
        interpolation=int(Interpolation.BICUBIC | all_chroma | exact),
    )


def _pyav(codec: str) -> Any:
    try:
        import av
    except ImportError:
        problem = "needs the extra: pip install 'realdeg[video]'"
        raise UserError(codec, problem, exit_code=EXIT_MISSING_RESOURCE) from None
    return av


def _check(image: Pixels, codec: str, crf: float, frames: int, preset: str, matrix: str) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if codec not in get_args(Codec) or preset not in get_args(Preset) or matrix not in get_args(Matrix):
        raise ValueError(f"no codec {codec!r} with preset {preset!r} and matrix {matrix!r}")
    if not 0 <= crf <= 51 or frames < 1:
        raise ValueError(f"crf {crf} out of 0..51, or {frames} frames")
