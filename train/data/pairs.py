"""Which pairs of a dataset are trained on, and which ones say how good the result is.

What is held out is held out by content: a pair that was made of a picture of the val or test split of any
set that is named isn't learned from, whatever its key. Look-alikes are found in `train.data.alike`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.records import MANIFEST, PairRecord, fingerprint, read_manifest
from realdeg.vouching import require_vouched, states

HELD_OUT = 0.1  # share of the scenes kept for validation where the dataset was never split
CHECKED = ("val", "test")
PARTLY, BY_SCENE, BY_CONTENT = "valid in part", "of a scene held out", "made of a picture held out"


@dataclass(frozen=True)
class Pair:
    """Two image files of one content; HR is `scale` times the size of LR.

    Attributes:
        key: in its dataset.
        lr, hr: files.
        scene: what it shows, by name.
        lr_sha256, hr_sha256: of the files.
        sources: SHA-256 of the files that it was made of, where the manifest says.
    """

    key: str
    lr: Path
    hr: Path
    scene: str
    lr_sha256: str = ""
    hr_sha256: str = ""
    sources: frozenset[str] = frozenset()

    @property
    def marks(self) -> frozenset[str]:
        """Hashes by which its picture is known again under other names."""
        return self.sources | ({self.hr_sha256} if self.hr_sha256 else frozenset())


@dataclass(frozen=True)
class Split:
    """What is learned from, and what isn't.

    Attributes:
        scale: HR / LR size.
        train: pairs to learn from.
        val: pairs to check on.
        note: where the latter came from, in words.
        held: all pairs that must not be learned from: val and test of each set.
        left_out: how many pairs are not learned from, by reason.
        older: what earlier versions learned from, which held back the scenes of `val` alone.
    """

    scale: int
    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    note: str
    held: tuple[Pair, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    older: tuple[Pair, ...] = ()


def read_split(data: Path, *, scale: int | None = None, extra: Path | None = None) -> Split:
    """Training and validation pairs of a dataset folder.

    Rows of split "train" are learned from; "val", or else "test", are checked on. In a dataset that was
    never split, one scene in ten is held out, chosen by a hash of its name. Pairs that are valid in part
    (`realdeg align --mask`) are left out; `realdeg tile` cuts out what is valid. Left out too is each pair
    whose scene, HR or source is one that is held out.

    Args:
        data: folder with manifest.csv.
        scale: wanted scale; None takes the dataset's own.
        extra: a second dataset whose pairs are learned from too.

    Raises:
        UserError: no manifest, no training rows, files that are missing or not what the manifest vouches
            for, or another scale than asked for.
    """
    scale, rows, partly = _usable(data, scale)
    own = _parted(data, rows)
    train, held = _pairs(data, own.train), _pairs(data, own.held)
    checked = {row.key for row in own.checked}
    val = tuple(pair for pair in held if pair.key in checked)
    more: tuple[Pair, ...] = ()
    kept_out: tuple[Pair, ...] = ()
    if extra is not None:
        _, rows, lost = _usable(extra, scale)
        partly += lost
        more = _named(extra, _pairs(extra, [row for row in rows if row.split in ("", "train")]))
        kept_out = _named(extra, _pairs(extra, [row for row in rows if row.split in CHECKED]))
    unseen = {pair.scene for pair in val}
    older = (*train, *(pair for pair in more if pair.scene not in unseen))
    held = (*held, *kept_out)
    learned, why = _apart((*train, *more), held, [*_kept_back(data), *(_kept_back(extra) if extra else ())])
    if not learned:
        problem = f"holds nothing to learn from: {counted(why)}"
        raise UserError(data, problem, "split it anew with `realdeg split`", exit_code=EXIT_USAGE)
    left_out = {PARTLY: partly, **why} if partly else why
    return Split(scale, learned, val, own.note, held, left_out, older)


def read_pairs(data: Path, split: str = "test", *, scale: int | None = None) -> tuple[int, tuple[Pair, ...]]:
    """Scale and pairs of one split, for evaluation.

    Args:
        data: folder with manifest.csv.
        split: "train", "val", "test"; "heldout": what a training checks on, also of a dataset that was never
            split; "all": every pair. Nothing else names pairs of a dataset that was never split, so that
            nobody mistakes training images for unseen ones.
        scale: wanted scale; None takes the dataset's own.

    Raises:
        UserError: no manifest, no such pairs, or files that aren't what the manifest vouches for.
    """
    scale, rows, _ = _usable(data, scale)
    if split == "all":
        chosen = rows
    elif split == "heldout":
        chosen = _parted(data, rows).checked
    else:
        chosen = [row for row in rows if row.split == split]
    if not chosen:
        known = sorted({row.split for row in rows if row.split})
        have = f"it has {', '.join(known)}" if known else "it was never split; run `realdeg split`"
        other = "--split all" if known or split == "heldout" else "--split heldout or all"
        problem = "holds nothing out" if split == "heldout" else f"has no row of split {split}"
        raise UserError(data / MANIFEST, problem, f"{have}, or use {other}", exit_code=EXIT_USAGE)
    return scale, _pairs(data, chosen)


def split_to_evaluate(data: Path, scale: int) -> str:
    """Name of the split that says most of a model that was trained on a dataset: what it didn't see.

    Raises:
        UserError: as of `read_pairs`.
    """
    _, rows, _ = _usable(data, scale)
    names = {row.split for row in rows}
    for name in ("test", "val"):
        if name in names:
            return name
    return "heldout" if _parted(data, rows).checked else "all"


def counted(left_out: Mapping[str, int]) -> str:
    """What was left out, in words: "2 valid in part, 1 of a scene held out"."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)


@dataclass(frozen=True)
class _Parts:
    """Rows of a dataset: to learn from, to check on (some of those held out), and not to be learned from."""

    train: list[PairRecord]
    checked: list[PairRecord]
    held: list[PairRecord]
    note: str


def _parted(data: Path, rows: Sequence[PairRecord]) -> _Parts:
    if not any(row.split for row in rows):
        return _held_out(rows)
    train = [row for row in rows if row.split == "train"]
    if not train:
        raise UserError(
            data / MANIFEST,
            "has no row of split train",
            "assign one with `realdeg split`",
            exit_code=EXIT_USAGE,
        )
    held = [row for row in rows if row.split in CHECKED]
    for name in CHECKED:
        chosen = [row for row in rows if row.split == name]
        if chosen:
            return _Parts(train, chosen, held, f"split {name}")
    return _Parts(train, [], held, "none: the dataset has no split val or test")


def _held_out(rows: Sequence[PairRecord]) -> _Parts:
    scenes = sorted({_scene(row) for row in rows}, key=fingerprint)
    if len(scenes) < 2:
        return _Parts(list(rows), [], [], "none: the dataset has a single scene")
    out = set(scenes[: max(1, round(HELD_OUT * len(scenes)))])
    train = [row for row in rows if _scene(row) not in out]
    held = [row for row in rows if _scene(row) in out]
    note = f"{len(out)} of {len(scenes)} scenes held out, as the dataset was never split"
    return _Parts(train, held, held, note)


def _kept_back(data: Path) -> list[PairRecord]:
    """All rows of the splits that are checked on: also of pairs that failed, are valid in part, or of another
    scale, which no one can check on now.
    """
    return [row for row in read_manifest(data) if row.split in CHECKED]


def _apart(
    pairs: Iterable[Pair], held: Sequence[Pair], rows: Iterable[PairRecord]
) -> tuple[tuple[Pair, ...], dict[str, int]]:
    """The pairs that show nothing of what is held out, and how many do, by reason."""
    scenes = {pair.scene for pair in held}
    marks = frozenset().union(*(pair.marks for pair in held))
    for row in rows:
        scenes.add(_scene(row))
        marks |= {row.sha256("hr"), row.sha256("source_hr"), row.sha256("source_lr")} - {""}
    why: Counter[str] = Counter()
    kept = []
    for pair in pairs:
        if pair.scene in scenes:
            why[BY_SCENE] += 1
        elif pair.marks & marks:
            why[BY_CONTENT] += 1
        else:
            kept.append(pair)
    return tuple(kept), dict(why)


def _usable(data: Path, scale: int | None) -> tuple[int, list[PairRecord], int]:
    """Scale, rows of that scale that are valid everywhere, and how many are not."""
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
    return scale, whole, len(rows) - len(whole)


def _scene(row: PairRecord) -> str:
    return row.scene or row.key


def _named(data: Path, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Pairs of a second dataset: their keys begin with its name."""
    return tuple(replace(pair, key=f"{data.name}/{pair.key}") for pair in pairs)


def _pairs(data: Path, rows: Sequence[PairRecord]) -> tuple[Pair, ...]:
    """Pairs of rows whose files are what the manifest vouches for, with their hashes."""
    require_vouched(data, rows)
    found = states(data, [path for row in rows for path in (row.lr, row.hr)])
    return tuple(
        Pair(
            row.key,
            data / row.lr,
            data / row.hr,
            _scene(row),
            found[row.lr].sha256,
            found[row.hr].sha256,
            frozenset({row.sha256("source_hr"), row.sha256("source_lr")} - {""}),
        )
        for row in rows
    )
