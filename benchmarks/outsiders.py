"""Photos as other libraries read them, brought to the statement that `realdeg.io.photo.read` makes.

Each function takes a path and gives (H, W, 3) uint8 or uint16: upright, alpha on white, an embedded profile
converted to sRGB by Pillow's ImageCms at 8 bits (it has no 16-bit RGB). Written against the libraries'
documentation alone: nothing of realdeg is asked. What a library cannot read raises its own exception.
"""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
MOST_PIXELS = 300_000_000
HARMLESS = (
    "nknown field|not sorted|looping|incorrect count|Wrong data type|Old-style|Cannot display|ExtraSamples"
)
"""Warnings of libtiff about tags."""
NOT_READ = (
    r"not (configured|supported|implemented|a known file format)|[Uu]nsupported|^Value|labq|not 1 bands"
    r"|whole number of bytes|[Uu]nknown.*tag|custom tag"
    r"|^[^:]*: unable to write to memory( tiffload: load error)?$"
)
"""What libvips says of kinds that it does not read, and libtiff of tags: no complaint about the picture."""


def kind_of(start: bytes, suffix: str) -> str:
    """Container by its first 32 bytes; RAW by its suffix, as everybody does."""
    if suffix.lower() in RAW:
        return "RAW"
    if start[:2] == b"\xff\xd8":
        return "JPEG"
    if start[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[4:8] == b"ftyp":
        return "AVIF" if b"avi" in start[8:32] else "HEIF"
    if start[:2] == b"BM":
        return "BMP"
    return "other"


RAW = {
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"),
    *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
}


def by_pillow(path: Path) -> Array:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # an error from twice that on
    with Image.open(path) as image:
        image.load()
        return _of_pillow(ImageOps.exif_transpose(image))


def by_pillow_heif(path: Path) -> Array:
    import pillow_heif

    return _of_pillow(pillow_heif.open_heif(path, convert_hdr_to_8bit=True).to_pillow())


def by_imagecodecs(path: Path) -> Array:
    """Pixels by imagecodecs; palette, transparency, profile and orientation as Pillow's header has them."""
    import imagecodecs
    from PIL import Image

    data = path.read_bytes()
    image = Image.open(io.BytesIO(data))
    decode = {
        "JPEG": imagecodecs.jpeg8_decode,
        "PNG": imagecodecs.png_decode,
        "APNG": imagecodecs.png_decode,
        "WEBP": imagecodecs.webp_decode,
        "AVIF": imagecodecs.avif_decode,
        "BMP": imagecodecs.bmp_decode,
    }[image.format or ""]
    pixels = decode(data)
    while pixels.ndim > 3:  # the first of an animation
        pixels = pixels[0]
    if image.format == "AVIF" and image.getexif().get(274, 1) != 1:
        raise ValueError("where AVIF's orientation stands is not asked here")
    if image.format == "AVIF" and pixels.dtype != np.uint8:
        raise ValueError("how many of its 16 bits are used is not told")
    return _finish(pixels, image.info.get("icc_profile"), image.getexif().get(274, 1))


def by_tifffile(path: Path) -> Array:
    """The first page by tifffile with imagecodecs; colours as the TIFF 6.0 specification has them."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        pixels = page.asarray()
        tags = {tag.code: tag.value for tag in page.tags.values()}
        colour, bits, extra = int(page.photometric), page.bitspersample, tuple(page.extrasamples)
        planes = page.planarconfig == 2 and pixels.ndim == 3
        table = page.colormap
    if pixels.dtype.kind not in "uib" or pixels.dtype.kind == "i" or pixels.ndim > 3 or bits > 16:
        raise ValueError("is no picture of 16 bits or fewer")
    if planes:
        pixels = np.moveaxis(pixels, 0, 2)
    if colour == 3:
        pixels = np.moveaxis(np.asarray(table)[:, pixels.astype(int)], 0, -1).astype(np.uint16)
        pixels = (pixels >> 8).astype(np.uint8) if table.max() > 255 else pixels.astype(np.uint8)
    else:
        top = 2**bits - 1
        wide = bits > 8
        pixels = pixels.astype(np.float64) * ((65535 if wide else 255) / top)
        pixels = np.rint(pixels).astype(np.uint16 if wide else np.uint8)
    if colour == 0:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    own = {0: 1, 1: 1, 2: 3, 3: 3, 5: 4, 6: 3}.get(colour)
    if own is None:
        raise ValueError(f"colour model {colour}")
    alpha = bool(extra) and int(extra[0]) in (1, 2)
    if alpha and int(extra[0]) == 1:
        pixels = _divided(pixels, own)
    turn = tags.get(274, 1)
    return _finish(pixels[..., : own + alpha], tags.get(34675), int(turn), cmyk=colour == 5)


def by_vips(path: Path, fail_on: str = "error") -> Array:
    """libvips; `fail_on` "warning" is its strict mode."""
    import pyvips

    image = pyvips.Image.new_from_file(str(path), fail_on=fail_on)
    if image.format not in ("uchar", "ushort") or image.interpretation in ("scrgb", "multiband", "fourier"):
        raise ValueError(f"{image.format} {image.interpretation}")
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width} x {image.height}")
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
    image = image.autorot()
    wide = image.format == "ushort"
    if image.interpretation not in ("srgb", "rgb16"):
        image = image.colourspace("rgb16" if wide else "srgb")
    if image.hasalpha():
        image = image.flatten(background=65535 if wide else 255)
    image = image.cast("ushort" if wide else "uchar")
    pixels = np.asarray(image.numpy())
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def by_rawpy(path: Path) -> Array:
    import rawpy

    with rawpy.imread(str(path)) as raw:
        return raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_bps=16,
            gamma=(2.4, 12.92),
            output_color=rawpy.ColorSpace.sRGB,
            demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
        )


READERS: dict[str, dict[str, Callable[[Path], Array]]] = {
    "JPEG": {"Pillow": by_pillow, "imagecodecs": by_imagecodecs, "libvips": by_vips},
    "PNG": {"Pillow": by_pillow, "imagecodecs": by_imagecodecs, "libvips": by_vips},
    "WebP": {"Pillow": by_pillow, "imagecodecs": by_imagecodecs, "libvips": by_vips},
    "BMP": {"Pillow": by_pillow, "imagecodecs": by_imagecodecs},
    "TIFF": {"Pillow": by_pillow, "tifffile": by_tifffile, "libvips": by_vips},
    "HEIF": {"pillow_heif": by_pillow_heif},
    "AVIF": {"Pillow": by_pillow, "imagecodecs": by_imagecodecs, "libvips": by_vips},
    "RAW": {"rawpy": by_rawpy},
    "other": {"Pillow": by_pillow, "libvips": by_vips},
}
"""By container, who is asked."""


def complaints(path: Path, kind: str) -> dict[str, str]:
    """What decoders in their strict modes say of a file, by decoder; empty where it is whole."""
    said: dict[str, str] = {}
    if kind == "JPEG":
        import simplejpeg

        data = path.read_bytes()
        try:
            space = simplejpeg.decode_jpeg_header(data)[2]
            simplejpeg.decode_jpeg(data, "CMYK" if space in ("CMYK", "YCCK") else "RGB", strict=True)
        except Exception as error:
            if "subsampling level" not in str(error):
                said["libjpeg"] = _words(error)
    if kind in ("JPEG", "PNG", "TIFF", "WebP", "AVIF"):
        try:
            by_vips(path, "warning")
        except Exception as error:
            words = _words(error)
            if not re.search(NOT_READ, words):
                said["libvips"] = words
    if kind == "PNG":
        import imagecodecs

        try:
            imagecodecs.png_decode(path.read_bytes())
        except Exception as error:
            said["libpng"] = _words(error)
    if kind == "TIFF":
        import subprocess

        done = subprocess.run(["tiffinfo", "-D", str(path)], capture_output=True, check=False)
        text = " ".join(done.stderr.decode(errors="replace").split())
        lines = re.split(r"(?=\b(?:_?TIFF|Fax|LZW|JPEG|Zip|PackBits)\w*: )", text)
        if any(line.strip() and not re.search(HARMLESS, line) for line in lines):
            said["libtiff"] = text[:300]
    return said


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _of_pillow(image: Any) -> Array:
    icc = image.info.get("icc_profile")
    mode = image.mode
    if mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("32-bit samples")
        return _finish(values.astype(np.uint16)[:, :, None], icc, 1)
    if mode == "F":
        raise ValueError("floating samples")
    if mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGBA" if mode in ("La", "RGBa") else "RGB")
    pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return _finish(pixels, icc, 1, cmyk=image.mode == "CMYK")


def _finish(pixels: Array, icc: bytes | None, orientation: int, *, cmyk: bool = False) -> Array:
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    opacity = None
    if pixels.shape[2] in (2, 5) or (pixels.shape[2] == 4 and not cmyk):
        pixels, opacity = pixels[..., :-1], pixels[..., -1:].astype(np.float64) / np.iinfo(pixels.dtype).max
    colours = _to_srgb(pixels, icc, cmyk)
    if opacity is not None:
        top = np.iinfo(colours.dtype).max
        colours = np.rint(colours * opacity + top * (1 - opacity)).astype(colours.dtype)
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    return _turned(colours, orientation)


def _to_srgb(pixels: Array, icc: bytes | None, cmyk: bool) -> Array:
    from PIL import Image, ImageCms

    model = {1: "L", 3: "RGB", 4: "CMYK" if cmyk else "RGBA"}[pixels.shape[2]]
    if icc:
        eight = pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257).astype(np.uint8)
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if model == "RGB" and re.match(r"sRGB|c2\b", ImageCms.getProfileDescription(profile)):
                return pixels
            image = Image.fromarray(np.squeeze(eight, 2) if model == "L" else eight, model)
            made = ImageCms.profileToProfile(
                image,
                profile,
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
            )
            return np.asarray(made)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # does not fit the pixels: everybody ignores it then
    if model == "CMYK":
        return np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB"))
    return pixels


def _turned(pixels: Array, orientation: int) -> Array:
    """EXIF's orientation undone, by its table of what row 0 and column 0 are."""
    steps: dict[int, Callable[[Array], Array]] = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p),
    }
    return steps.get(orientation, lambda p: p)(pixels)


def _divided(pixels: Array, own: int) -> Array:
    top = np.iinfo(pixels.dtype).max
    share = np.maximum(pixels[..., own : own + 1], 1) / top
    out = pixels.copy()
    out[..., :own] = np.rint(np.minimum(pixels[..., :own] / share, top))
    return out


def read_by(name: str, kind: str, path: Path) -> tuple[Array, list[str]]:
    """Pixels, and Python's warnings on the way."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        pixels = READERS[kind][name](path)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"shape {pixels.shape}")
    return np.ascontiguousarray(pixels), [
        str(w.message)[:200] for w in seen if "Deprec" not in w.category.__name__
    ]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        file = Path(argument)
        with file.open("rb") as opened:
            kind = kind_of(opened.read(32), file.suffix)
        for reader in READERS[kind]:
            try:
                print(file, reader, read_by(reader, kind, file)[0].shape)
            except Exception as error:
                print(file, reader, _words(error))
        print(file, complaints(file, kind))
