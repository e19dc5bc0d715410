"""Which pairs of a dataset are trained on, and which ones say how good the result is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.records import MANIFEST, PairRecord, fingerprint, read_manifest

HELD_OUT = 0.1  # share of the scenes kept for validation where the dataset was never split


@dataclass(frozen=True)
class Pair:
    """Two image files of one content; HR is `scale` times the size of LR."""

    key: str
    lr: Path
    hr: Path
    scene: str


@dataclass(frozen=True)
class Split:
    """Pairs to learn from and pairs to check on; `note` says in words where the latter came from."""

    scale: int
    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    note: str


def read_split(data: Path, *, scale: int | None = None, extra: Path | None = None) -> Split:
    """Training and validation pairs of a dataset folder.

    Pairs that are valid in part (`realdeg align --mask`) are left out; `realdeg tile` cuts out what is
    valid. Rows of split "train" are learned from; "val", or else "test", are checked on. In a dataset that
    was never split, one scene in ten is held out, chosen by a hash of its name.

    Args:
        data: folder with manifest.csv.
        scale: wanted scale; None takes the dataset's own.
        extra: a second dataset whose pairs are learned from too, less the scenes that are checked on.

    Raises:
        UserError: no manifest, no training rows, files missing, or another scale than asked for.
    """
    split = _own_split(data, *_usable(data, scale))
    if extra is None:
        return split
    unseen = {pair.scene for pair in split.val}
    _, rows = _usable(extra, split.scale)
    more = [row for row in rows if row.split in ("", "train") and (row.scene or row.key) not in unseen]
    added = tuple(replace(pair, key=f"{extra.name}/{pair.key}") for pair in _pairs(extra, more))
    return replace(split, train=(*split.train, *added))


def _own_split(data: Path, scale: int, rows: list[PairRecord]) -> Split:
    if not any(row.split for row in rows):
        return _held_out(data, scale, rows)
    train = [row for row in rows if row.split == "train"]
    if not train:
        raise UserError(
            data / MANIFEST,
            "has no row of split train",
            "assign one with `realdeg split`",
            exit_code=EXIT_USAGE,
        )
    for name in ("val", "test"):
        chosen = [row for row in rows if row.split == name]
        if chosen:
            return Split(scale, _pairs(data, train), _pairs(data, chosen), f"split {name}")
    return Split(scale, _pairs(data, train), (), "none: the dataset has no split val or test")


def read_pairs(data: Path, split: str = "test", *, scale: int | None = None) -> tuple[int, tuple[Pair, ...]]:
    """Scale and pairs of one split ("all" takes every pair), for evaluation.

    A dataset that was never split is evaluated whole under the name "all" only, so that nobody mistakes
    training images for unseen ones.

    Raises:
        UserError: no manifest, or no such pairs.
    """
    scale, rows = _usable(data, scale)
    chosen = rows if split == "all" else [row for row in rows if row.split == split]
    if not chosen:
        known = sorted({row.split for row in rows if row.split})
        have = f"it has {', '.join(known)}" if known else "it was never split; run `realdeg split`"
        raise UserError(
            data / MANIFEST,
            f"has no row of split {split}",
            f"{have}, or use --split all",
            exit_code=EXIT_USAGE,
        )
    return scale, _pairs(data, chosen)


def _usable(data: Path, scale: int | None) -> tuple[int, list[PairRecord]]:
    rows = [row for row in read_manifest(data) if row.ok]
    if not rows:
        raise UserError(
            data / MANIFEST, "has no pair of status ok", "its reasons say why", exit_code=EXIT_USAGE
        )
    scales = sorted({row.scale for row in rows})
    if scale is None:
        if len(scales) > 1:
            names = ", ".join(f"x{s}" for s in scales)
            raise UserError(data, f"holds pairs of {names}", "choose one with --scale", exit_code=EXIT_USAGE)
        scale = scales[0]
    rows = [row for row in rows if row.scale == scale]
    if not rows:
        have = ", ".join(f"x{s}" for s in scales)
        raise UserError(
            data, f"holds {have} pairs, not x{scale}", f"leave --scale out for {have}", exit_code=EXIT_USAGE
        )
    whole = [row for row in rows if float(row.detail.get("valid") or 1) >= 1]
    if not whole:
        raise UserError(
            data,
            "holds only pairs that are valid in part (MASK/)",
            "cut out what is valid with `realdeg tile`",
            exit_code=EXIT_USAGE,
        )
    return scale, whole


def _held_out(data: Path, scale: int, rows: Sequence[PairRecord]) -> Split:
    scenes = sorted({row.scene or row.key for row in rows}, key=fingerprint)
    if len(scenes) < 2:
        return Split(scale, _pairs(data, rows), (), "none: the dataset has a single scene")
    out = set(scenes[: max(1, round(HELD_OUT * len(scenes)))])
    train = [row for row in rows if (row.scene or row.key) not in out]
    val = [row for row in rows if (row.scene or row.key) in out]
    note = f"{len(out)} of {len(scenes)} scenes held out, as the dataset was never split"
    return Split(scale, _pairs(data, train), _pairs(data, val), note)


def _pairs(data: Path, rows: Sequence[PairRecord]) -> tuple[Pair, ...]:
    pairs = tuple(Pair(row.key, data / row.lr, data / row.hr, row.scene or row.key) for row in rows)
    for pair in pairs:
        for path in (pair.lr, pair.hr):
            if not path.is_file():
                raise UserError(path, "is named by the manifest but missing", "restore it or remove its row")
    return pairs
