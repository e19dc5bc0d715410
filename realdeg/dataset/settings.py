"""Settings of what is done with a dataset: split, cut into tiles, listed; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from realdeg.settings import check_limits, setting

Amount = str | float
"""Scenes: a number of 1 or more, a share below 1, or a share in percent such as "15%"."""
SplitName = Literal["train", "val", "test"]
SPLITS: tuple[str, ...] = get_args(SplitName)
Style = Literal["d2c-sr", "basicsr"]


@dataclass(frozen=True)
class SplitSettings:
    """Which scenes are held out."""

    test: Amount = setting("10%", "Test scenes: a number, or 15%, or 0.15.", metavar="SCENES")
    val: Amount = setting("0", "Validation scenes, likewise.", metavar="SCENES")
    seed: int = setting(0, "Another seed chooses other scenes.")
    # Without one, scenes are those that the manifest names, or else each pair is a scene.
    group: str | None = setting(None, "Regular expression; its first group in a key names the scene.")


@dataclass(frozen=True)
class TileSettings:
    """How pairs are cut into tiles.

    `size` and `overlap` are brought down to multiples of a pair's scale.
    """

    size: int = setting(480, "Side of a tile, HR px.", low=8)
    overlap: int = setting(0, "HR px that neighbours share.", low=0)
    min_valid: float = setting(
        0.95,
        "Leave out tiles of which a smaller share is valid, by the masks of `realdeg align --mask`.",
        low=0,
        high=1,
    )

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True)
class ExportSettings:
    """What a list of pairs looks like, and which pairs it holds."""

    style: Style = setting(
        help="d2c-sr: lines `LR_path HR_path`; basicsr: meta files with `name.png (height,width,3)`."
    )
    split: SplitName | None = setting(None, "Only this split.")
    root: Path | None = setting(None, "d2c-sr: folder that paths start from; else DATASET itself.")
    absolute: bool = setting(False, "d2c-sr: paths in full.")
