"""The report's folder: names safe in any file system and link, whole files, nothing stale left behind."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from realdeg.atomic import write_text
from realdeg.io.save import write_image
from realdeg.report.flicker import write_animation

PICTURES, PAGES = "pictures", "pairs"
OURS = {
    PICTURES: re.compile(r"[0-9a-f]{16}\.(webp|png|gif)"),
    PAGES: re.compile(r"[a-z0-9-]{1,48}-[0-9a-f]{10}\.html"),
}
QUALITY = 86  # of crops and thumbnails


class Folder:
    """Where a report is written; it remembers its files, so that those of an earlier one can go.

    Args:
        out: folder of index.html.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.written: set[Path] = set()

    def picture(self, image: npt.NDArray[Any], name: str, quality: int | None = QUALITY) -> str:
        """Write a picture as WebP; its path relative to the folder.

        Args:
            image: (H, W, 3) uint8, at most 16383 px a side.
            name: what it shows; no two pictures of a report share one.
            quality: 1 to 100, None = without loss.
        """
        relative = f"{PICTURES}/{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}.webp"
        write_image(self.out / relative, image, quality=quality)
        self.written.add(self.out / relative)
        return relative

    def animation(self, frames: Sequence[npt.NDArray[Any]], name: str, suffix: str) -> str:
        """Write pictures that take turns; the path relative to the folder.

        Args:
            frames: (H, W, 3) uint8 each, of one size.
            name: what it shows; no two pictures of a report share one.
            suffix: a key of `realdeg.report.flicker.KINDS`.
        """
        relative = f"{PICTURES}/{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}{suffix}"
        write_animation(self.out / relative, frames)
        self.written.add(self.out / relative)
        return relative

    def text(self, relative: str, text: str) -> Path:
        """Write a page, style sheet or script."""
        path = self.out / relative
        write_text(path, text)
        self.written.add(path)
        return path

    def remove_stale(self) -> None:
        """Remove pictures and pages of an earlier report; files that do not bear our names stay."""
        for name, pattern in OURS.items():
            for path in sorted((self.out / name).glob("*")):
                if path not in self.written and pattern.fullmatch(path.name):
                    path.unlink(missing_ok=True)


def page_name(key: str) -> str:
    """Path of a pair's page relative to the folder: letters to recognise it by, a hash to be its own."""
    plain = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "pair"
    return f"{PAGES}/{slug}-{hashlib.blake2b(key.encode(), digest_size=5).hexdigest()}.html"
