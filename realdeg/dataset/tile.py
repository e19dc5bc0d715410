"""Cut pairs into tiles on one grid: smaller files to decode, for trainers that read whole images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from realdeg.dataset.settings import TileSettings
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.identity import state_of
from realdeg.imagefolder import write_metadata
from realdeg.io.photo import Photo, read, read_size
from realdeg.io.save import write_image
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.layout import PAIR_FOLDERS, pair_paths, refuse_holding, refuse_inside
from realdeg.records import MANIFEST, PairRecord, read_manifest, with_files
from realdeg.settings import to_mapping, write_run
from realdeg.vouching import unvouched


@dataclass(frozen=True)
class Tile:
    """One tile of a pair: its corner and size in LR px."""

    key: str
    dataset: Path
    record: PairRecord
    x: int
    y: int
    width: int
    height: int

    @property
    def sources(self) -> tuple[Path, ...]:
        """The pair's files, as `realdeg.jobs` asks for them."""
        return (self.dataset / self.record.lr, self.dataset / self.record.hr)


def tile_dataset(
    dataset: Path,
    out: Path,
    settings: TileSettings,
    *,
    running: Running = Running(),
) -> JobReport:
    """Cut every pair of a dataset; the tiles are a dataset again, with the pairs' scenes and splits.

    Tiles follow their pairs: a new split of the dataset reaches them when the job is run again.

    Args:
        dataset: folder with manifest.csv.
        out: another folder.
        settings: of the tiles. The last one of a row or column ends at the border; images smaller than a tile
            stay whole.
        running: limit, workers, overwriting, when to give up, progress; `marked` names pairs of `dataset`.

    Raises:
        UserError: no dataset, `marked` names other pairs, `out` is the dataset itself or among its images,
            or the tile is smaller than overlap or scale.
    """
    rows = read_manifest(dataset)
    running.marked.check(row.key for row in rows)
    records = [row for row in rows if row.ok]
    if dataset.resolve() == out.resolve():
        raise UserError(out, "is the dataset itself", "choose another output folder", exit_code=EXIT_USAGE)
    refuse_inside(out, *(dataset / part for part in PAIR_FOLDERS))
    refuse_holding(out, (dataset / path for record in records for path in (record.lr, record.hr)))
    tiles, lost = [], []
    wrong = unvouched(dataset, records)
    for record in records:
        try:
            if record.key in wrong:
                raise wrong[record.key]
            tiles += _valid(dataset, record, _grid(dataset, record, settings), settings.min_valid)
        except UserError as error:
            if error.exit_code == EXIT_USAGE:
                raise
            lost.append(PairRecord(record.key, "failed", str(error), how="tile"))

    def also(ended: Ended) -> None:
        write_run(out, "realdeg tile", {"dataset": dataset, **to_mapping(settings)})
        write_metadata(out, ended.rows)

    return run_job(
        partial(cut, out=out),
        tiles,
        out,
        settings={"how": "tile", **to_mapping(settings)},
        given=lost,
        scenes={
            tile.key: (tile.record.scene or tile.record.key, tile.record.split)
            for tile in tiles
            if tile.record.split
        },
        also=also,
        named=lambda tile: str(tile.record.key),
        running=replace(running, marked=running.marked.within(tile.record.key for tile in tiles)),
    )


def cut(tile: Tile, out: Path) -> PairRecord:
    """Write one tile of a pair: the work of one item."""
    dataset, record, scale = tile.dataset, tile.record, tile.record.scale
    lr, hr = _vouched(dataset, record, "lr"), _vouched(dataset, record, "hr")
    if hr.pixels.shape[:2] != (scale * lr.pixels.shape[0], scale * lr.pixels.shape[1]):
        raise UserError(dataset / record.hr, f"is not x{scale} of its LR", "make the dataset again")
    to_lr, to_hr = pair_paths(tile.key)
    for photo, target, s in ((hr, to_hr, scale), (lr, to_lr, 1)):
        part = photo.pixels[s * tile.y : s * (tile.y + tile.height), s * tile.x : s * (tile.x + tile.width)]
        write_image(out / target, np.ascontiguousarray(part))
    return with_files(
        out,
        replace(
            record,
            key=tile.key,
            lr=to_lr,
            hr=to_hr,
            scene=record.scene or record.key,
            split="",  # `run_job` gives tiles their pair's
            how="tile",
            source_lr=str(dataset / record.lr),
            source_hr=str(dataset / record.hr),
            detail={"lr_crop": [tile.x, tile.y, tile.width, tile.height]},
            files={},
        ),
    )


def _valid(dataset: Path, record: PairRecord, tiles: list[Tile], min_valid: float) -> list[Tile]:
    """The tiles that lie where the pair is valid, by its mask; all where it has none."""
    if not record.detail.get("mask"):
        return tiles
    path = dataset / str(record.detail["mask"])
    mask = read(path).pixels[..., 0] > 0
    if mask.shape != read_size(dataset / record.lr):
        raise UserError(path, "has another size than its LR image", "make the dataset again")
    return [t for t in tiles if mask[t.y : t.y + t.height, t.x : t.x + t.width].mean() >= min_valid]


def _vouched(dataset: Path, record: PairRecord, side: Literal["lr", "hr"]) -> Photo:
    """LR or HR of a pair, if it is still what the manifest says: the set may be made anew meanwhile."""
    path = dataset / getattr(record, side)
    digest = _hash(path)
    if record.sha256(side) not in ("", digest):
        problem = f"is not the file that {MANIFEST} vouched for when this began"
        raise UserError(path, problem, "run again when the dataset is complete")
    return _read(path, digest)


@lru_cache(maxsize=2)
def _read(path: Path, digest: str) -> Photo:
    """The tiles of a pair follow each other: decode LR and HR once for all of them, by their content."""
    photo = read(path)
    if _hash(path) != digest:
        raise UserError(path, "was replaced while it was read", "run again when it is complete")
    return photo


def _hash(path: Path) -> str:
    try:
        return state_of(path).sha256
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", "make the pair again") from None


def _grid(dataset: Path, record: PairRecord, settings: TileSettings) -> list[Tile]:
    scale = record.scale
    side, shared = settings.size // scale, settings.overlap // scale
    if side < 1 or shared >= side:
        raise UserError(
            "tile",
            f"tiles of {settings.size} HR px with an overlap of {settings.overlap} leave no step at x{scale}",
            "give a larger `size` or a smaller `overlap`",
            exit_code=EXIT_USAGE,
        )
    height, width = read_size(dataset / record.lr)
    if read_size(dataset / record.hr) != (scale * height, scale * width):
        raise UserError(dataset / record.hr, f"is not x{scale} of its LR", "make the dataset again")
    return [
        Tile(f"{record.key}_y{y:05d}_x{x:05d}", dataset, record, x, y, min(side, width), min(side, height))
        for y in _starts(height, side, side - shared)
        for x in _starts(width, side, side - shared)
    ]


def _starts(length: int, side: int, step: int) -> list[int]:
    """Where tiles begin: every `step`, the last one flush with the end."""
    last = max(0, length - side)
    return sorted({*range(0, last, step), last})
