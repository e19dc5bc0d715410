"""What a TIFF states of one picture, and whether pictures of that kind are read.

Numbers are those of TIFF 6.0 and its supplements; what is refused is refused here, with the kind's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from realdeg.io.header import ENDED, Broken, Unsupported
from realdeg.io.tiff_directory import STRIP_BYTES, STRIPS, TILE_BYTES, TILES, Directory

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
SAMPLES, ROWS_PER_STRIP, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT = 277, 278, 284, 317, 322, 323
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, FAX_OPTIONS, SUBSAMPLING, DEPTH = 332, 338, 339, 292, 530, 32997
PLAIN, LZW, JPEG, PACKBITS, WEBP = 1, 5, 7, 32773, 50001
BYTEWISE = {
    1: "none",
    5: "LZW",
    8: "Deflate",
    32946: "Deflate",
    32773: "PackBits",
    34925: "LZMA",
    50000: "ZSTD",
}
"""Compressions of bytes, whatever they mean: read at every depth."""
FAX = {2: "CCITT RLE", 3: "CCITT G3 fax", 4: "CCITT G4 fax", 32771: "CCITT RLE"}
PREDICTED = BYTEWISE.keys() - {PLAIN, PACKBITS}
OTHERS = {
    **{
        6: "JPEG of TIFF 6.0",
        9: "JBIG",
        10: "JBIG",
        32766: "NeXT",
        32809: "ThunderScan",
        32909: "PixarLog",
        34661: "JBIG",
    },
    **{33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34676: "SGI LogLuv"},
    **{34677: "SGI LogLuv 24", 34887: "LERC", 34892: "JPEG of DNG", 34934: "JPEG XR", 22610: "JPEG XR"},
    **{50002: "JPEG XL", 52546: "JPEG XL", 34926: "ZSTD, old number", 34927: "WebP, old number"},
}
"""Compressions that are not read. Damage in JPEG 2000 goes unseen by its decoder."""
WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
CHANNELS = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
COLOURS = {
    **{0: "grey, white is zero", 1: "grey", 2: "RGB", 3: "palette", 4: "transparency mask", 5: "CMYK"},
    **{6: "YCbCr", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "colour filter array of a RAW"},
    **{32844: "LogL", 32845: "LogLuv", 34892: "linear RAW", 51177: "depth map"},
}
FORMATS = {2: "signed", 3: "floating-point", 5: "complex whole", 6: "complex floating-point"}
DEPTHS = (1, 2, 4, 8, 10, 12, 14, 16)
MAX_CHANNELS = 8
MAX_SEGMENTS = 1 << 18
MIN_SURPLUS = 4096
"""Bytes behind the pixels of an uncompressed strip that are taken for padding."""
MIN_SEGMENT_BYTES = 64 << 20
"""A strip or tile may be larger than its picture, up to this."""


@dataclass(frozen=True)
class Picture:
    """One picture as its directory states it; only kinds that are read become one.

    Attributes:
        order: "<" or ">", of samples of 16 bits.
        height, width: px.
        bits: per sample.
        samples: channels, extra ones among them.
        compression, colour, predictor: TIFF's numbers.
        colour_stated: False where the colour model was inferred from the number of channels.
        planar: each channel has strips or tiles of its own.
        fax_options: of CCITT G3.
        reversed_bits: the first pixel lies in the lowest bit of a byte.
        extra_stated: False where an undeclared channel is taken for opacity, as libtiff does.
        extra: kinds of the extra channels: 1 opacity, multiplied into the colours; 2 opacity; else unknown.
        tiled: tiles, not strips.
        segment_hw: size of a whole strip or tile, px.
        colour_every_hw: rows and columns that share one sample of colour difference (YCbCr without JPEG).
    """

    order: str
    height: int
    width: int
    bits: int
    samples: int
    compression: int
    colour: int
    colour_stated: bool
    planar: bool
    predictor: int
    fax_options: int
    reversed_bits: bool
    extra_stated: bool
    extra: tuple[int, ...]
    tiled: bool
    segment_hw: tuple[int, int]
    colour_every_hw: tuple[int, int]

    @property
    def colours(self) -> int:
        """Channels that the colour model asks for."""
        return CHANNELS[self.colour]

    @property
    def has_alpha(self) -> bool:
        """Whether the first extra channel is opacity, of a colour model that can be laid on a background."""
        return self.extra[:1] in ((1,), (2,)) and self.colour != CMYK

    @property
    def channels_in_segment(self) -> int:
        """Channels that lie side by side in a strip or tile."""
        return 1 if self.planar else self.samples

    def bytes_of(self, rows: int) -> int:
        """Bytes of so many rows of a strip or tile, once decompressed."""
        width = self.segment_hw[1]
        if self.colour == YCBCR:
            down, across = self.colour_every_hw
            return -(-rows // down) * -(-width // across) * (down * across + 2)
        return rows * -(-width * self.channels_in_segment * self.bits // 8)


def picture_of(file: IO[bytes], directory: Directory) -> Picture:
    """Read and check what a directory states.

    Raises:
        Unsupported: of a kind that is not read.
        Broken: what it states cannot be.
    """
    if WIDTH not in directory.tags or HEIGHT not in directory.tags:
        raise Broken(ENDED)

    def number(tag: int, default: int) -> int:
        return directory.number(file, tag, default)

    height, width, samples = number(HEIGHT, 0), number(WIDTH, 0), number(SAMPLES, 1)
    compression, stated = number(COMPRESSION, 1), number(PHOTOMETRIC, -1)
    bits = set(directory.numbers(file, BITS, (1,)))
    formats = set(directory.numbers(file, SAMPLE_FORMAT, (1,)))
    if height < 1 or width < 1 or samples < 1:
        raise Broken("states a picture without pixels")
    tiled = TILES in directory.tags
    colour = _colour(stated, samples, compression)
    undeclared = EXTRA_SAMPLES not in directory.tags and samples == CHANNELS.get(colour, 0) + 1
    segment = (number(TILE_HEIGHT, 0), number(TILE_WIDTH, 0))
    picture = Picture(
        order=directory.order,
        height=height,
        width=width,
        bits=max(bits),
        samples=samples,
        compression=compression,
        colour=colour,
        colour_stated=stated >= 0,
        planar=number(PLANAR, 1) == 2 and samples > 1,
        predictor=number(PREDICTOR, 1),
        fax_options=number(FAX_OPTIONS, 0),
        reversed_bits=number(FILL_ORDER, 1) == 2,
        extra_stated=not undeclared,
        extra=(2,) if undeclared else directory.numbers(file, EXTRA_SAMPLES),
        tiled=tiled,
        segment_hw=segment if tiled else (min(number(ROWS_PER_STRIP, height), height), width),
        colour_every_hw=(
            _subsampling(directory.numbers(file, SUBSAMPLING, (2, 2))) if colour == YCBCR else (1, 1)
        ),
    )
    if reason := _unread(picture, bits, formats, number(INK_SET, 1), number(DEPTH, 1)):
        raise Unsupported(f"is a TIFF {reason}, which is not read")
    _check(picture)
    return picture


def _colour(stated: int, samples: int, compression: int) -> int:
    if stated >= 0:
        return stated
    if compression == JPEG and samples > 1:
        raise Unsupported("is a JPEG-compressed TIFF that does not state its colour model, which is not read")
    return RGB if samples >= 3 else GREY


def _subsampling(stated: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns), stored the other way round.

    Raises:
        Broken: not two of 1, 2 and 4.
    """
    if len(stated) != 2 or not {*stated} <= {1, 2, 4}:
        raise Broken(f"states a subsampling of {' x '.join(str(s) for s in stated[:2])}")
    return stated[1], stated[0]


def _unread(picture: Picture, bits: set[int], formats: set[int], ink_set: int, depth: int) -> str:
    """What it is that is not read, or nothing."""
    compression, colour = picture.compression, picture.colour
    many = f"{'/'.join(str(b) for b in sorted(bits))}-bit"
    if compression in OTHERS or compression not in (*BYTEWISE, *FAX, JPEG, WEBP):
        return f"with compression {compression} ({OTHERS.get(compression, 'of an unknown kind')})"
    if len(formats) > 1 or not formats <= {1, 4}:  # 4: "undefined", which writers use for plain numbers
        kinds = "/".join(FORMATS.get(f, f"format {f}") for f in sorted(formats - {1, 4})) or "mixed"
        return f"of {many} {kinds} samples"
    if colour not in CHANNELS:
        return f"of colour model {colour} ({COLOURS.get(colour, 'of an unknown kind')})"
    if len(bits) > 1 or picture.bits not in DEPTHS:
        return f"of {many} samples"
    if depth > 1:
        return f"with {depth} pictures in depth"
    if picture.samples > MAX_CHANNELS:
        return f"with {picture.samples} channels"
    if colour == CMYK and ink_set != 1:
        return "of inks other than CMYK"
    return _unread_together(picture)


def _unread_together(picture: Picture) -> str:
    """Pairs of what would be read alone."""
    compression, colour, bits, samples = (
        picture.compression,
        picture.colour,
        picture.bits,
        picture.samples,
    )
    name = {**BYTEWISE, **FAX, JPEG: "JPEG", WEBP: "WebP"}[compression]
    shape = f"of {samples} x {bits}-bit {COLOURS[colour]}{' in planes' if picture.planar else ''}"
    if (colour in (CMYK, YCBCR) and bits != 8) or (colour == PALETTE and bits > 8):
        return f"of {bits}-bit {COLOURS[colour]}"
    if colour == YCBCR and (picture.planar or samples > 3):
        return shape
    if compression == WEBP and (bits != 8 or colour != RGB or samples > 4 or picture.planar):
        return f"{shape} in WebP"
    if compression == JPEG and (
        bits != 8 or colour == PALETTE or picture.channels_in_segment not in (1, picture.colours)
    ):
        return f"{shape} in JPEG"
    if compression in FAX and (bits, samples) != (1, 1):
        return f"{shape} in {name}"
    if picture.predictor not in (1, 2):
        return f"with predictor {picture.predictor}"
    if picture.predictor == 2 and compression in BYTEWISE:
        if compression not in PREDICTED:  # libtiff then ignores the predictor, others undo it
            return f"with a predictor without compression ({name})"
        if bits not in (8, 16) or colour == YCBCR:
            return f"{shape} with a predictor"
    return ""


def _check(picture: Picture) -> None:
    """Raises Broken where the parts of what is stated contradict each other."""
    extra = picture.samples - picture.colours
    if extra < len(picture.extra):
        more = f" and {len(picture.extra)} more" if picture.extra else ""
        raise Broken(f"states {picture.samples} channels for {COLOURS[picture.colour]}{more}")
    h, w = picture.segment_hw
    if h < 1 or w < 1:
        raise Broken(f"states a {'tile' if picture.tiled else 'strip'} without pixels")
    whole = picture.height * picture.width
    if h * w * picture.samples * picture.bits // 8 > max(
        MIN_SEGMENT_BYTES, 2 * whole * picture.samples * picture.bits // 8
    ):
        raise Broken(f"states tiles of {w} x {h} for {picture.width} x {picture.height} pixels")


def segments(file: IO[bytes], directory: Directory, picture: Picture) -> list[tuple[int, int]]:
    """Offset and bytes of each strip or tile, in TIFF's order: planes, then rows, then columns.

    Raises:
        Broken: some are missing, or there are more or fewer than the picture's size asks for.
    """
    h, w = picture.segment_hw
    planes = picture.samples if picture.planar else 1
    needed = planes * -(-picture.height // h) * -(-picture.width // w)
    name = "tiles" if picture.tiled else "strips"
    if needed > MAX_SEGMENTS:
        raise Unsupported(f"is a TIFF cut into {needed} {name}, which is not read")
    offsets = directory.numbers(file, TILES if picture.tiled else STRIPS)
    counts = directory.numbers(file, TILE_BYTES if picture.tiled else STRIP_BYTES)
    if not counts and len(offsets) == needed == 1 and picture.compression == PLAIN:
        counts = (picture.bytes_of(picture.height),)
    if len(offsets) != needed or len(counts) != needed:
        found = len(offsets) if len(offsets) != needed else len(counts)
        raise Broken(f"is damaged: it has {found} {name} where its size asks for {needed}")
    missing = sum(not offset or not count for offset, count in zip(offsets, counts, strict=True))
    if missing:
        raise Broken(f"is damaged: {missing} of its {needed} {name} are missing")
    whole = picture.bytes_of(h)
    if picture.compression == PLAIN and max(counts) > whole + max(whole // 8, MIN_SURPLUS):
        raise Broken(f"is damaged: {max(counts)} bytes for {whole} bytes of pixels")
    return list(zip(offsets, counts, strict=True))
