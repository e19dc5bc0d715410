"""Which pairs are looked at: of a dataset of ours, of one folder whose names tell, or of two folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.find import Found, Match, look
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import PairSet, left_out, pair_by_rule, pair_by_stem
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.rule import NAMINGS
from realdeg.records import MANIFEST, PairRecord, read_manifest
from realdeg.vouching import unvouched

FOLDERS = (("LR", "HR"), ("LR", "GT"), ("lr", "hr"), ("lr", "gt"), ("lq", "gt"), ("LQ", "GT"))
ENDS = (("_LR", "_HR"), ("_lr", "_hr"), ("LR", "HR"), ("lr", "hr"), ("L", "H"), ("_L", "_H"))
"""Names of folders in one folder, and ends of names, that sets in use have."""


@dataclass(frozen=True)
class PairItem:
    """A pair to look at.

    Attributes:
        key: its own in the set.
        lr, hr: files.
        mask: file, 0 where the pair is not valid.
        scale: HR size / LR size where it is told; 0: as the sizes say.
        scene, split: where a manifest names them.
    """

    key: str
    lr: Path
    hr: Path
    mask: Path | None = None
    scale: int = 0
    scene: str = ""
    split: str = ""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its files, as `realdeg.jobs` asks for them."""
        return (self.lr, self.hr, *((self.mask,) if self.mask else ()))


@dataclass(frozen=True)
class Gathered:
    """The pairs of a set.

    Attributes:
        items: in natural order of their keys, or a manifest's.
        failed: records of photos without partner, and of files that are not what a manifest says.
        left_out: inputs that were not taken, by why: how many.
        how: they were found, in words.
    """

    items: Sequence[PairItem]
    failed: Sequence[PairRecord] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    how: str = ""


def gather(
    pairs: Path | None,
    lr: Path | None,
    hr: Path | None,
    pairing: PairingSettings = PairingSettings(),
    finding: Finding = Finding(),
) -> Gathered:
    """Find the pairs of a set.

    Args:
        pairs: a dataset with manifest.csv, a folder with two folders LR and HR (or GT), or one folder of
            both kinds, told by names as RealSR's (Canon_001_LR4.png, Canon_001_HR.png) or by `pairing`.
        lr, hr: folders, in place of `pairs`.
        pairing: suffixes, rules or naming, as of `realdeg adopt` and `align`.
        finding: which files are photos.

    Raises:
        UserError: neither or both are given, a folder is unusable, or no pair was found.
    """
    if (lr is None) != (hr is None) or (pairs is None) == (lr is None):
        remedy = "give a folder PAIRS, or two by `lr` and `hr`"
        raise UserError("pairs", "are not named", remedy, exit_code=EXIT_USAGE)
    if lr is not None and hr is not None:
        return _of_sets(_paired(lr, hr, pairing, finding), f"{lr} and {hr}, {pairing}")
    assert pairs is not None
    if (pairs / MANIFEST).is_file():
        return _of_manifest(pairs)
    if not pairs.is_dir():
        look(pairs, finding)  # which says what is wrong with it
    for names in FOLDERS:
        low, high = (pairs / name for name in names)
        if low.is_dir() and high.is_dir():
            return _of_sets(_paired(low, high, pairing, finding), f"{low} and {high}, {pairing}")
    if pairing.way == "rule" or pairing.lr_suffix or pairing.hr_suffix:
        return _of_sets(_paired(pairs, pairs, pairing, finding), f"{pairs}, {pairing}")
    guess = _guessed(look(pairs, finding).found)
    if guess is None:
        remedy = "name the folders by `lr` and `hr`, or the names by `lr_suffix` and `hr_suffix` or `naming`"
        raise UserError(pairs, f"has no {MANIFEST}, and names do not tell LR from HR", remedy)
    return _of_sets(_paired(pairs, pairs, guess, finding), f"{pairs}, {guess}")


def _paired(lr: Path, hr: Path, pairing: PairingSettings, finding: Finding) -> list[PairSet]:
    if pairing.way == "rule":
        return pair_by_rule([lr], hr, pairing, finding)
    return [pair_by_stem(lr, hr, pairing, finding)]


def _guessed(found: Sequence[Found]) -> PairingSettings | None:
    """The naming with the most pairs in one folder, of those that sets in use have."""
    keys = {one.key for one in found}
    ways = [PairingSettings(naming=name) for name in NAMINGS]
    ways += [PairingSettings(lr_suffix=low, hr_suffix=high) for low, high in ENDS]
    best, most = None, 0
    for way in ways:
        count = _count(keys, way)
        if count > most:
            best, most = way, count
    return best


def _count(keys: Iterable[str], way: PairingSettings) -> int:
    if way.way == "rule":
        of_lr, of_hr = ({told[0] for key in keys if (told := rule.parse(key))} for rule in way.rules)
        return len(of_lr & of_hr)
    sides = [
        {key.removesuffix(end) for key in keys if key.endswith(end)} for end in (way.lr_suffix, way.hr_suffix)
    ]
    return len((sides[0] & sides[1]) - {""})


def _of_sets(sets: Sequence[PairSet], how: str) -> Gathered:
    """Pairs of one scale, or of several: then keys say which."""
    several = sum(bool(one.matches) for one in sets) > 1
    items, failed = [], []
    for one in sets:
        name = f"_x{one.scale}" if several and one.scale else ""
        items += [_item(match, f"{match.key}{name}", one.scale or 0, several) for match in one.matches]
        failed += [replace(record, key=f"{record.key}{name}") for record in one.failed]
    return Gathered(items, failed, left_out(sets), how)


def _item(match: Match, key: str, scale: int, several: bool) -> PairItem:
    """The item of a match; of several scales those of one name show one scene."""
    scene = match.scene or (match.key if several else "")
    return PairItem(key, match.lr, match.hr, scale=scale, scene=scene)


def _of_manifest(folder: Path) -> Gathered:
    records = [record for record in read_manifest(folder) if record.ok]
    if not records:
        raise UserError(folder, "holds no pairs", "give a dataset that has some")
    wrong = unvouched(folder, records)
    items = []
    for record in records:
        if record.key not in wrong:
            mask = record.detail.get("mask")
            items.append(
                PairItem(
                    record.key, folder / record.lr, folder / record.hr, folder / str(mask) if mask else None,
                    record.scale, record.scene, record.split,
                )
            )  # fmt: skip
    failed = [PairRecord(key, "failed", str(problem)) for key, problem in wrong.items()]
    return Gathered(items, failed, {}, f"{folder}, by its {MANIFEST}")
