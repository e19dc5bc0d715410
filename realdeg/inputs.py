"""The one place where a caller's arguments are checked: right, or one line that says what to do.

An image may be given as an array, as a `Photo`, as a picture of Pillow, or as the path of a file. Behind this
border it is an array of (H, W, 3) uint8, uint16 or float32 RGB, sRGB-encoded, floats in [0, 1], contiguous.
"""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array, Image
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.photo import Photo, read

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ImageLike: TypeAlias = Union[npt.NDArray[Any], Photo, "Picture", str, "os.PathLike[str]"]
"""An array (H, W, 3), (H, W) or (H, W, 1), uint8, uint16, or float in [0, 1]; a `Photo`; a picture of Pillow;
or the path of a file."""
PathLike: TypeAlias = Union[str, "os.PathLike[str]"]

LARGEST_SCALE = 16
GREY = "grey expanded to RGB"  # what reading notes of a file without colours
ROUNDING = 1e-6  # a float of this much beyond [0, 1] is arithmetic's doing, not a caller's mistake
PILLOW_MODES = ("L", "RGB", "I;16", "I;16L", "I;16B", "I;16N")
WAYS = {
    "bool": "multiply by np.uint8(255)",
    "float": "clip it, np.clip(x, 0, 1), or divide by the value of white",
    "whole": "the type says what white is: make it uint8 or uint16",
    "list": "give a NumPy array: np.asarray(x, np.uint8)",
}


class BadInput(UserError, ValueError):
    """An argument that cannot be used: `str(error)` is one line, with what is meant.

    It is a `ValueError`, too.
    """


def image(value: ImageLike, what: str) -> Image:
    """An image as every function behind this border wants it.

    Args:
        value: see `ImageLike`. Grey becomes RGB of equal channels.
        what: the argument's name, for messages.

    Returns:
        (H, W, 3) uint8, uint16, or float32 in [0, 1], contiguous, writable, in the machine's byte order; the
        caller's own memory where that is all of this already.

    Raises:
        BadInput: of another shape or type, empty, with alpha, not finite, or beyond [0, 1].
        UserError: the file of a path cannot be read.
    """
    value = opened(value, what)
    if isinstance(value, Photo):
        return value.pixels
    return _shaped(_valued(_array(value, what), what), what)


def opened(value: Any, what: str) -> Any:
    """What was given, or the photo at the path that was given.

    Raises:
        UserError: the file cannot be read.
    """
    return read(path(value, what)) if isinstance(value, (str, os.PathLike)) else value


def is_grey(value: Any) -> bool:
    """Whether an image was given without colours: an array of one channel, or a file that has none."""
    if isinstance(value, Photo):
        return GREY in value.notes
    shape = np.shape(value)
    return len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)


def _array(value: Any, what: str) -> Array:
    """The array in what was given, as it is."""
    if isinstance(value, np.ma.MaskedArray):
        raise _wrong(what, "is a masked array", "fill it, x.filled(0); masks are not looked at")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if kind.startswith("torch."):
        remedy = "give x.permute(1, 2, 0).cpu().numpy(), (H, W, 3), or use realdeg.torch.Degrade"
        raise _wrong(what, "is a tensor of torch", remedy)
    if kind.startswith("PIL."):
        mode = getattr(value, "mode", "")
        if mode not in PILLOW_MODES:
            remedy = "convert it: x.convert('RGB')"
            if mode in ("RGBA", "LA", "PA", "RGBa", "La"):
                remedy += ", after laying it on a background"
            raise _wrong(what, f"is a picture of mode {mode}", remedy)
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        raise _wrong(what, f"is a {type(value).__name__}", WAYS["list"])
    raise _wrong(
        what, f"is {_article(type(value).__name__)}, not an image", "give an array, a photo or a path"
    )


def _article(name: str) -> str:
    return name if name == "NoneType" else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _valued(array: Array, what: str) -> Array:
    """The same numbers as uint8, uint16 or float32 in [0, 1]."""
    kind = array.dtype.kind
    if array.dtype.itemsize <= 2 and kind == "u":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind == "b":
        raise _wrong(what, "is an array of bool", WAYS["bool"])
    if kind in "iu":
        raise _wrong(what, f"is an array of {array.dtype.name}", WAYS["whole"])
    if kind != "f":
        raise _wrong(what, f"is an array of {array.dtype}", "uint8, uint16, or float in [0, 1] is meant")
    if not array.size:
        return array.astype(np.float32)
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise _wrong(what, "holds NaN or infinity", "replace what is not finite")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise _wrong(what, f"is float from {low:.4g} to {high:.4g}, and [0, 1] is meant", WAYS["float"])
    whole = array.astype(np.float32)
    return np.clip(whole, 0, 1, out=whole)


def _shaped(array: Array, what: str) -> Image:
    """(H, W, 3), contiguous."""
    shape = array.shape
    size = "x".join(map(str, shape)) or "one number"
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim == 3 and shape[2] in (2, 4):
        remedy = "leave it out, x[..., :3], or lay it on a background first (realdeg.read does that)"
        if shape[2] == 2:
            remedy = "leave it out, x[..., 0], or lay it on a background first"
        raise _wrong(what, f"of shape {size} has an alpha channel", remedy)
    elif array.ndim == 3 and shape[2] not in (1, 3):
        remedy = "(H, W, 3) or (H, W) is meant"
        if shape[0] in (1, 3):
            remedy = "channels come last: x.transpose(1, 2, 0)"
        raise _wrong(what, f"is an array of shape {size}", remedy)
    elif array.ndim != 3:
        remedy = "give one image at a time" if array.ndim == 4 else "(H, W, 3) or (H, W) is meant"
        raise _wrong(what, f"is an array of shape {size}", remedy)
    if not array.size:
        raise _wrong(what, f"is empty ({size})", "give an image of at least one pixel")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.require(array, requirements=("C", "W", "A"))


def path(value: PathLike, what: str) -> Path:
    """A path of a str or Path.

    Raises:
        BadInput: of another type, or empty.
    """
    if isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        if isinstance(text, str) and text:
            return Path(text)
    shown = repr(value)[:60]
    raise _wrong(what, f"{shown} is no path", "give a str or a pathlib.Path")


def scale(value: Any, what: str = "scale", *, least: int = 1) -> int:
    """HR size / LR size, a whole number.

    Raises:
        BadInput: not whole, or not from `least` to `LARGEST_SCALE`.
    """
    number = whole(value, what)
    if not least <= number <= LARGEST_SCALE:
        raise _wrong(
            what, f"{number} is no scale", f"a whole number from {least} to {LARGEST_SCALE} is meant"
        )
    return number


def whole(value: Any, what: str, *, least: int | None = None) -> int:
    """A whole number of any integer type.

    Raises:
        BadInput: not one, a bool, or less than `least`.
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise _wrong(what, f"{repr(value)[:60]} is no whole number", "give an int") from None
    if least is not None and number < least:
        raise _wrong(what, f"{number} is too small", f"at least {least} is meant")
    return number


def choice(value: Any, what: str, known: tuple[str, ...]) -> str:
    """One of some words.

    Raises:
        BadInput: none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise _wrong(what, f"{repr(value)[:60]} is unknown", f"one of {', '.join(known)}")
    return value


def pair(lr: ImageLike, hr: ImageLike, by: int) -> tuple[Image, Image]:
    """Both images of a finished pair.

    Raises:
        BadInput: as `image`, or HR is not `by` times as large as LR.
    """
    small, large = image(lr, "lr"), image(hr, "hr")
    if large.shape[:2] != (small.shape[0] * by, small.shape[1] * by):
        sizes = f"is {_size(large)} px, not {by} times the {_size(small)} px of lr"
        raise _wrong("hr", sizes, "give a finished pair, or register it first")
    return small, large


def same_size(one: Image, other: Image, names: tuple[str, str]) -> None:
    """Refuse images of different sizes.

    Raises:
        BadInput: they are.
    """
    if one.shape != other.shape:
        problem = f"is {_size(one)} px, {names[1]} {_size(other)} px"
        raise _wrong(names[0], problem, "cut both to the same part of the scene")


def _size(array: Array) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"


def _wrong(what: str, problem: str, remedy: str) -> BadInput:
    return BadInput(what, problem, remedy, exit_code=EXIT_USAGE)
