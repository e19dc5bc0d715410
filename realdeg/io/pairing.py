"""Which LR and HR photo belong together: by name, by naming rule, by capture time or by a table.

Pairing by content needs registration and lives in `realdeg/align/content.py`.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.find import (
    Found,
    Listing,
    Match,
    look,
    match_keys,
    match_listed,
    natural,
    no_pair,
    refuse_same_names,
)
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import UNNAMED, together
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.rule import Rule
from realdeg.records import PairRecord


@dataclass(frozen=True)
class PairSet:
    """The pairs of one dataset.

    Attributes:
        matches: in natural order of their keys.
        failed: records of photos without a partner, or with more than one.
        scale: HR size / LR size where names or the table tell it.
        left_out: number of photos that no rule or suffix means.
        left_out_of: by folder what was not taken there, by why: how many (`realdeg.io.left_out`).
    """

    matches: tuple[Match, ...]
    failed: tuple[PairRecord, ...] = ()
    scale: int | None = None
    left_out: int = 0
    left_out_of: Mapping[Path, Mapping[str, int]] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Of all photos, also of those without a partner."""
        return [*(match.key for match in self.matches), *(record.key for record in self.failed)]


def left_out(sets: Iterable[PairSet]) -> dict[str, int]:
    """What was left out of several sets together, by why: how many; folders that they share count once."""
    sets = list(sets)
    folders = {folder: counts for one in sets for folder, counts in one.left_out_of.items()}
    unnamed = max((one.left_out for one in sets), default=0)  # sets by scale are of the same photos
    return together([*folders.values(), {UNNAMED: unnamed} if unnamed else {}])


def left_out_of(*listings: Listing) -> dict[Path, Mapping[str, int]]:
    """What was not taken of the folders that were looked at, for a `PairSet`."""
    return {one.folder.resolve(): one.left_out for one in listings}


def pair_by_stem(lr: Path, hr: Path, settings: PairingSettings, finding: Finding = Finding()) -> PairSet:
    """Pairs of equal stem (`match_stems`).

    Raises:
        UserError: a folder is unusable, or not a single pair was found.
    """
    refuse_same_names(lr, hr, settings.lr_suffix, settings.hr_suffix)
    listings = look(lr, finding), look(hr, finding)
    suffixes = settings.lr_suffix, settings.hr_suffix
    matches, failed = match_listed(*listings, *suffixes)
    counts = left_out_of(*listings)
    shared = len(counts) == 1  # LR and HR in one folder
    for listing, suffix in zip(listings, suffixes, strict=True):
        meant = suffixes if shared else (suffix,)
        if unmeant := sum(not one.key.endswith(meant) for one in listing.found):
            counts[listing.folder.resolve()] = {**listing.left_out, UNNAMED: unmeant}
    return PairSet(tuple(matches), tuple(failed), left_out_of=counts)


def pair_by_rule(
    lr: Sequence[Path], hr: Path, settings: PairingSettings, finding: Finding = Finding()
) -> list[PairSet]:
    """Pairs whose names tell the same key by the rules; one set for each scale that names tell.

    LR and HR may lie in one folder. A photo there that both rules match belongs to the one that demands
    more: `{stem}_HR` before `{stem}`.

    Args:
        lr: folders of LR photos.
        hr: folder of HR photos.
        settings: with the rules.
        finding: which files are photos.

    Raises:
        UserError: a folder is unusable, a rule is no rule, the rules do not tell LR from HR, or no pair
            was found.
    """
    rules = settings.rules
    lr = [hr if folder.resolve() == hr.resolve() else folder for folder in lr]  # one name for one folder
    listings = [look(folder, finding) for folder in (*lr, hr)]
    photos = [one for listing in listings[:-1] for one in listing.found], list(listings[-1].found)
    if not set(photos[0]).isdisjoint(photos[1]) and rules[0].literal == rules[1].literal:
        both = [one for one in photos[1] if all(rule.parse(one.key) for rule in rules)]
        if both:
            problem = f"fits {rules[0].text} and {rules[1].text}, in one folder"
            raise UserError(both[0].path, problem, "give rules that tell LR from HR", exit_code=EXIT_USAGE)
    lrs, hrs = (_named(side, rule) for side, rule in zip(photos, rules, strict=True))
    for found in lrs.keys() & hrs.keys():
        del (hrs if rules[0].literal > rules[1].literal else lrs)[found]
    unnamed = len({one.path for one in (*photos[0], *photos[1])} - lrs.keys() - hrs.keys())
    unread = left_out_of(*listings)
    told = sorted({scale for _, scale in (*lrs.values(), *hrs.values()) if scale})
    scales: list[int | None] = [*told] or [None]
    sets = [
        replace(_of_scale(lrs, hrs, scale, lr, hr, rules), left_out=unnamed, left_out_of=unread)
        for scale in scales
    ]
    if not any(one.matches for one in sets):
        remedy = f"the rules are {rules[0].text} for LR and {rules[1].text} for HR"
        raise no_pair(photos, (lr[0], hr), [record for one in sets for record in one.failed], remedy)
    return sets


def refuse_same_folder(lr: Path, hr: Path) -> None:
    """Stop where photos of one folder would be paired with themselves.

    Raises:
        UserError: both are one folder.
    """
    if Path(lr).resolve() == Path(hr).resolve():
        raise UserError(lr, "LR and HR are the same folder", "give two folders, or pair by a naming rule")


def refuse_same_files(pairs: PairSet) -> PairSet:
    """The pairs without those whose two photos are one: one path, a link, or equal bytes.

    Bytes are read only where the sizes agree, and up to the first difference.
    """
    same = {match.key: problem for match in pairs.matches if (problem := _sameness(match.lr, match.hr))}
    failed = [
        PairRecord(m.key, "failed", same[m.key], source_lr=str(m.lr), source_hr=str(m.hr))
        for m in pairs.matches
        if m.key in same
    ]
    kept = tuple(match for match in pairs.matches if match.key not in same)
    return replace(pairs, matches=kept, failed=(*pairs.failed, *failed))


def _sameness(lr: Path, hr: Path) -> str:
    """What makes two photos one, as a failed record says it; "" where they differ or cannot be read."""
    remedy = "give two photos of the scene"
    try:
        if lr.samefile(hr):
            return f"{lr.name}: LR and HR are the same file; {remedy}"
        if filecmp.cmp(lr, hr, shallow=False):
            return f"{lr.name}: LR and HR ({hr.name}) are the same photo byte for byte; {remedy}"
    except OSError:
        pass  # the reader will say what is wrong with the file
    return ""


Named = dict[Path, tuple[str, int | None]]


def _named(photos: Sequence[Found], rule: Rule) -> Named:
    """Key and scale of the photos that the rule means, by file."""
    return {one.path: told for one in photos if (told := rule.parse(one.key))}


def _of_scale(
    lrs: Named, hrs: Named, scale: int | None, lr: Sequence[Path], hr: Path, rules: tuple[Rule, Rule]
) -> PairSet:
    """Pairs of one scale: a photo whose name tells none belongs to all."""
    sides = [
        [Found(key, path) for path, (key, told) in side.items() if told in (None, scale)]
        for side in (lrs, hrs)
    ]
    remedy = f"the rules are {rules[0].text} for LR and {rules[1].text} for HR"
    place = f"{lr[0]} and {len(lr) - 1} more" if len(lr) > 1 else lr[0]
    matches, failed = match_keys(*sides, lr_place=place, hr_place=hr, remedy=remedy)
    if scale and not matches:  # a stray name must not count every other photo as lonely
        stated = {str(path) for path, (_, told) in (*lrs.items(), *hrs.items()) if told}
        sources = [{record.source_lr, record.source_hr} - {""} for record in failed]
        failed = [record for record, said in zip(failed, sources, strict=True) if not said or said & stated]
    return PairSet(tuple(sorted(matches, key=lambda match: natural(match.key))), tuple(failed), scale)
