"""`realdeg.read` and `realdeg.write`: photos in and out of files."""

from __future__ import annotations

from realdeg import inputs
from realdeg.imaging.depth import to_8bit
from realdeg.inputs import ImageLike, PathLike
from realdeg.io import photo
from realdeg.io.header import AlphaPolicy
from realdeg.io.photo import Photo
from realdeg.io.save import write_image

__all__ = ["Photo", "read", "write"]
ALPHA = ("white", "black", "refuse")


def read(path: PathLike, *, alpha: AlphaPolicy = "white", max_pixels: int | None = None) -> Photo:
    """Read a JPEG, PNG, TIFF, WebP, HEIF, AVIF, BMP or camera RAW file, upright and as sRGB.

    Args:
        path: the file; RAW is recognised by its suffix, everything else by its content.
        alpha: "white" or "black", that transparent pixels are laid on, or "refuse".
        max_pixels: larger photos are refused before anything is decoded; None: the process's limit.

    Returns:
        `.pixels` (H, W, 3) uint8 or uint16 RGB; focal length, camera and time as far as the file says;
        `.notes` of what was changed on the way.

    Raises:
        BadInput: an argument that cannot be used.
        UserError: missing, not an image, cut short, damaged, too large, of an unsupported kind, or
            transparent where `alpha` is "refuse".

    Source:
        docs/reading.md says what is read, and how it was tried.

    Example:
        >>> import realdeg
        >>> photo = realdeg.read("data/sample/clean/chelsea.png")
        >>> photo.pixels.shape, photo.pixels.dtype, photo.profile
        ((300, 451, 3), dtype('uint8'), 'sRGB')
        >>> realdeg.read("missing.png")
        Traceback (most recent call last):
        ...
        realdeg.errors.UserError: missing.png: does not exist; check the path
    """
    inputs.choice(alpha, "alpha", ALPHA)
    most = None if max_pixels is None else inputs.whole(max_pixels, "max_pixels", least=1)
    return photo.read(inputs.path(path, "path"), alpha=alpha, max_pixels=most)


def write(path: PathLike, image: ImageLike, *, quality: int = 95, compression: int = 1) -> None:
    """Write an image, whole or not at all; equal pixels give equal bytes.

    Args:
        path: ends in .png, .tif, .tiff, .jpg, .jpeg or .webp; folders that are missing are made.
        image: (H, W, 3) uint8 or uint16 RGB (PNG and TIFF hold 16 bits), or float in [0, 1], which is rounded
            to 8 bits; grey, photos, pictures of Pillow and paths are taken as well.
        quality: of JPEG (4:4:4) and WebP, 1 to 100.
        compression: of PNG and TIFF, 1 (fast) to 9.

    Raises:
        BadInput: an argument that cannot be used.
        UserError: an unknown suffix, a depth or size that the format cannot hold, or an unwritable place.

    Example:
        >>> import numpy as np, realdeg, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> realdeg.write(f"{folder}/grey.png", np.full((4, 6), 0.5))
        >>> realdeg.read(f"{folder}/grey.png").pixels[0, 0].tolist()
        [128, 128, 128]
    """
    pixels = inputs.image(image, "image")
    for value, what, most in ((quality, "quality", 100), (compression, "compression", 9)):
        if inputs.whole(value, what, least=1) > most:
            raise inputs.BadInput(what, f"{value} is too large", f"at most {most} is meant")
    whole = to_8bit(pixels) if pixels.dtype.kind == "f" else pixels
    write_image(inputs.path(path, "path"), whole, quality=quality, level=compression)
