"""What samples lean on, as a user says it: a word, a picture, or a folder of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.find import find_all
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import read
from train.restore.space import Guide

WORDS = ("self", "noise", "prior")
SMALLEST = 2  # px a side: one pixel has no variance


@dataclass(frozen=True)
class Pictures(Sequence[np.ndarray]):
    """Pictures by their files, each read when it is looked at: memory holds one of them.

    Attributes:
        paths: of the files, at least one.
    """

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, i: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, i: slice) -> Pictures: ...
    def __getitem__(self, i: int | slice) -> np.ndarray | Pictures:
        """(H, W, 3) uint8 or uint16 RGB.

        Raises:
            UserError: the file cannot be read, or is a single pixel wide or high.
        """
        if isinstance(i, slice):
            return Pictures(self.paths[i])
        pixels = read(self.paths[i]).pixels
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST:
            problem = f"is {width}x{height} px: nothing can be learned from it as a reference"
            raise UserError(self.paths[i], problem, "give a picture")
        return pixels


def guide(words: str | None, finding: Finding = Finding()) -> Guide | None:
    """What `--reference` means.

    Args:
        words: None, "self", "noise", "prior", or the path of a picture or a folder of them.
        finding: which files of the folder are pictures.

    Raises:
        UserError: there is no such file or folder, or it holds no pictures.
    """
    if words is None or words in WORDS:
        return words
    path = Path(words)
    if path.is_dir():
        return Pictures(tuple(one.path for one in find_all(path, finding)))
    if not path.is_file():
        remedy = f"give a picture, a folder of them, or one of {', '.join(WORDS)}"
        raise UserError(f"--reference {words}", "does not exist", remedy, exit_code=EXIT_USAGE)
    return Pictures((path,))


def named(given: Guide | None, seed: int) -> str:
    """Which reference the sample of a seed leans on, for a record: a word, a file's name, or nothing."""
    if given is None or isinstance(given, str):
        return given or ""
    return given.paths[seed % len(given)].name if isinstance(given, Pictures) else str(seed % len(given))
