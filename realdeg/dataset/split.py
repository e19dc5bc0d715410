"""Which pairs are trained on and which say how good the result is; scenes never fall on both sides."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from realdeg.dataset.settings import Amount, SplitSettings
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.guard import locked
from realdeg.imagefolder import write_metadata
from realdeg.marked import ALL, Marked
from realdeg.records import PairRecord, read_manifest, write_manifest
from realdeg.seeds import seed_of
from realdeg.vouching import require_vouched
from realdeg.words import counted

LEAST_PERCENT = 5  # a number of scenes from which on percent may have been meant


def split_scenes(
    records: Sequence[PairRecord], settings: SplitSettings, *, marked: Marked = ALL
) -> list[PairRecord]:
    """Assign "test", "val" and "train" to the pairs of status "ok", scene by scene.

    Scenes are ordered by a hash of seed and name, and the first ones are taken, so that a scene added
    later moves at most one other.

    Args:
        records: of a dataset; their order is kept.
        settings: how many scenes, and which; an expression without a group names the scene by its match.
        marked: pairs to assign; all others get no split, and so are neither trained nor tested on.

    Raises:
        UserError: no scene would be left to train on, `group` is no expression or misses a key, or `marked`
            names other pairs.
    """
    marked.check(record.key for record in records)
    test, val = settings.test, settings.val
    scenes = {r.key: _scene(r, settings.group) for r in records if r.ok and marked.takes(r.key)}
    names = sorted(set(scenes.values()), key=lambda name: (seed_of(settings.seed, name, "split"), name))
    counts = {"test": _count(test, len(names)), "val": _count(val, len(names), "val")}
    if names and sum(counts.values()) >= len(names):
        problem = (
            f"{counts['test']} test and {counts['val']} val scenes leave none of {len(names)} to train on"
        )
        remedy = f"ask for fewer with `test` or `val`{_in_percent(test, len(names))}"
        raise UserError("split", problem, remedy, exit_code=EXIT_USAGE)
    chosen = {name: "test" for name in names[: counts["test"]]}
    chosen |= {name: "val" for name in names[counts["test"] : counts["test"] + counts["val"]]}
    return [
        replace(r, scene=scenes[r.key], split=chosen.get(scenes[r.key], "train"))
        if r.ok and r.key in scenes
        else r.with_split("")  # one that comes back later must not bring the split of an earlier choice
        for r in records
    ]


def split_dataset(
    folder: Path,
    settings: SplitSettings,
    *,
    marked: Marked = ALL,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, int]:
    """Write the split into a dataset's manifest and metadata (`realdeg.imagefolder`); pairs by split.

    A later run of the job that made the dataset keeps it (`realdeg.jobs`).

    Args:
        folder: of the dataset.
        settings, marked: as in `split_scenes`.
        say: receives what is implausible, a line each.

    Raises:
        UserError: as `split_scenes`; no dataset, it is in use, or a file is not what the manifest says.
    """
    read_manifest(folder)  # says so where this is no dataset, before anything is locked
    with locked(folder):
        before = read_manifest(folder)
        require_vouched(folder, before)
        records = split_scenes(before, settings, marked=marked)
        viewed = write_metadata(folder, records)
        write_manifest(folder, records)
    if line := doubt(records, settings.test):
        say(line)
    if not viewed:
        say(f"{folder}: its file system has no links, so metadata.csv names only train, and no other split")
    return dict(Counter(record.split for record in records if record.ok and record.split))


def doubt(records: Sequence[PairRecord], test: Amount) -> str:
    """What is implausible of a split: fewer scenes to train on than to test on; else "".

    Args:
        records: of the dataset, with splits.
        test: what was asked for.
    """
    scenes = {
        name: {r.scene or r.key for r in records if r.ok and r.split == name} for name in ("train", "test")
    }
    learned, tested = len(scenes["train"]), len(scenes["test"])
    if learned >= tested:
        return ""
    total = len({r.scene or r.key for r in records if r.ok})
    advice = _in_percent(test, total).removeprefix("; ") or "ask for fewer with `test`"
    return f"{counted(learned, 'scenes')} to train on and {tested} to test on; {advice}"


def _in_percent(wanted: Amount, scenes: int) -> str:
    """What a number of scenes would be in percent, for one who meant percent; "" where nobody can have."""
    if isinstance(wanted, str) and wanted.strip().endswith("%"):
        return ""
    number = float(wanted)
    if not LEAST_PERCENT <= number < 100 or _count(f"{number:g}%", scenes) >= number:
        return ""
    share = _count(f"{number:g}%", scenes)
    return f"; `test={number:g}` is {number:g} scenes, `test={number:g}%` would be {share} of {scenes}"


def _scene(record: PairRecord, group: str | None) -> str:
    if group is None:
        return record.scene or record.key
    try:
        found = re.search(group, record.key)
    except re.error as error:
        raise UserError(
            "`group`", f"{group!r} is no regular expression ({error})", exit_code=EXIT_USAGE
        ) from None
    if not found:
        raise UserError("`group`", f"{group!r} does not match the key {record.key!r}", exit_code=EXIT_USAGE)
    return found.group(1) if found.re.groups else found.group(0)


def _count(wanted: Amount, scenes: int, name: str = "test") -> int:
    text = str(wanted).strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    share = number / 100 if text.endswith("%") else number
    as_share = text.endswith("%") or number < 1
    if (
        not math.isfinite(number)
        or number < 0
        or (as_share and share >= 1)
        or not (as_share or number.is_integer())
    ):
        problem = f"`{name}` {text!r}: give a whole number, a share below 1, or percent such as 15%"
        raise UserError("split", problem, exit_code=EXIT_USAGE)
    return (max(1, round(share * scenes)) if share > 0 else 0) if as_share else int(number)
