"""Settings of finding photos in folders; importing them costs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("raw", "jpeg", "heif", "png", "tiff", "webp", "avif", "bmp")
PREFER_HELP = (
    f"Which of IMG_1.CR2 and IMG_1.JPG is meant, and of all files of one name: {', '.join(KINDS)}; "
    "else such twins fail."
)
FOLLOW_HELP = "Follow links that lead outside the folders of photos too."


@dataclass(frozen=True)
class Finding:
    """Which files of a folder are its photos.

    Attributes:
        prefer: of `KINDS`: the one that is meant where several files have one name; None: such twins fail.
        follow_links: follow links that lead outside the folder too.
    """

    prefer: str | None = None
    follow_links: bool = False

    def told(self) -> dict[str, Any]:
        """The options in force by name, without those left at their default."""
        return {name: value for name, value in asdict(self).items() if value}
