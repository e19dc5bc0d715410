"""Settings of finding photos in folders; importing them costs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from realdeg.settings import setting

KINDS = ("raw", "jpeg", "heif", "png", "tiff", "webp", "avif", "bmp")


@dataclass(frozen=True)
class Finding:
    """Which files of a folder are its photos."""

    prefer: str | None = setting(
        None,
        f"Which of IMG_1.CR2 and IMG_1.JPG is meant, and of all files of one name: {', '.join(KINDS)}; "
        "else such twins fail.",
        choices=KINDS,
        metavar="KIND",
    )
    follow_links: bool = setting(False, "Follow links that lead outside the folders of photos too.")

    def told(self) -> dict[str, Any]:
        """The options in force by name, without those left at their default."""
        return {name: value for name, value in asdict(self).items() if value}
