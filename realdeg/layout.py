"""Where a dataset keeps its pairs, so that other programs open it unchanged (docs/dataset.md)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.header import PNG_SIGNATURE
from realdeg.io.photo import Photo
from realdeg.io.png import png_header
from realdeg.io.save import link_or_copy, write_image
from realdeg.names import file_name

PAIR_FOLDERS = ("LR", "HR", "MASK")  # of a dataset: images of pairs and where they are valid


def pair_paths(key: str) -> tuple[str, str]:
    """Paths of a pair's LR and HR image relative to the dataset: one name, two folders (BasicSR, KAIR)."""
    name = file_name(key)
    return f"LR/{name}.png", f"HR/{name}.png"


def refuse_inside(out: Path, *inputs: Path) -> None:
    """Stop before outputs land among the inputs, where the next run would take them for inputs.

    Links are followed, and folders that the file system holds for one are one (other case, other mount).

    Raises:
        UserError: `out` is one of the input folders, or lies in one.
    """
    for folder in inputs:
        if lies_in(out, folder):
            problem = f"is {folder} or lies in it, so a second run would read what this one writes"
            raise UserError(out, problem, "choose an output folder outside of it", exit_code=EXIT_USAGE)


def refuse_holding(out: Path, inputs: Iterable[Path], parts: Sequence[str] = PAIR_FOLDERS) -> None:
    """Stop before a dataset's images replace inputs that lie in the folders that it writes.

    Args:
        out: of the dataset.
        inputs: files and folders that are read.
        parts: folders of `out` that the job owns.

    Raises:
        UserError: names the first input that lies in one of them.
    """
    owned = [out / part for part in parts]

    @functools.cache
    def inside(folder: Path) -> bool:
        return any(lies_in(folder, part) for part in owned)

    for path in inputs:
        place = path.resolve()
        if inside(place if place.is_dir() else place.parent):
            problem = f"lies in {out}, where outputs would replace it"
            raise UserError(path, problem, "choose another output folder", exit_code=EXIT_USAGE)


def refuse_replacing(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Stop before an output replaces a file that is read, under this or another of its names.

    Args:
        targets: files that will be written, there already or not.
        inputs: files that are read.

    Raises:
        UserError: names the first input that is an output too.
    """
    read = {_identity(path): path for path in inputs}
    read.pop(None, None)
    for target in targets:
        if (path := read.get(_identity(target))) is not None:
            remedy = "choose another output folder"
            raise UserError(path, f"would be replaced by the output {target}", remedy, exit_code=EXIT_USAGE)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether `path` is `folder` or below it, by what the file system says rather than by names."""
    place = path.resolve()
    if place.is_relative_to(folder.resolve()):
        return True
    known = _identity(folder)
    return known is not None and any(_identity(one) == known for one in (place, *place.parents))


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file or folder is, whatever its names; None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None


def keep_or_encode(photo: Photo, path: Path) -> None:
    """Put a whole photo at `path` (.png): its file as it is where that is the very same, else encoded.

    A file stays as it is if it is an RGB PNG that every reader decodes to these pixels: no other profile,
    no orientation, no alpha channel or transparent colour (also not an unused one), no grey or palette.
    """
    if _is_plain_png(photo):
        link_or_copy(photo.path, path)
    else:
        write_image(path, photo.pixels)


def _is_plain_png(photo: Photo) -> bool:
    if photo.orientation != 1 or photo.notes or photo.profile != "sRGB":
        return False
    with photo.path.open("rb") as file:
        if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
            return False
        header = png_header(file)
    return header.channels == 3 and not header.palette
