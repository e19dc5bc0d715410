"""A dataset as Hugging Face's imagefolder reads it: columns `lr` and `hr`, and no test pair among the others.

`load_dataset("imagefolder", data_dir=OUT)` takes words in the names of folders for splits, before anything
else, and of each split the metadata file in its folder; names there may not lead out of it. So a dataset that
is split gets a view, `imagefolder/{train,validation,test}`, of links to its images. Whoever finds
metadata.csv alone, without the view, trains on what may be trained on.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from realdeg.atomic import temporary_name, write_text
from realdeg.records import METADATA, PairRecord

VIEW = "imagefolder"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Folder of each split, as imagefolder knows it."""
LINES = "metadata.jsonl"  # has types: keys like 001 are numbers in one split's CSV and text in another's
COLUMNS = ("lr_file_name", "hr_file_name", "key", "scale")


def write_metadata(out: Path, records: Iterable[PairRecord]) -> bool:
    """Write `out/metadata.csv` and, where pairs have splits, the view `out/imagefolder`.

    metadata.csv lists all pairs of a dataset without splits; else those to learn from. Pairs that have no
    split yet are in neither.

    Args:
        out: the dataset's folder, held by the caller.
        records: those of status "ok" are listed.

    Returns:
        Whether imagefolder will find the splits; else the file system has no links, and there is no view.
    """
    pairs = [record for record in records if record.ok]
    parts = {name: [record for record in pairs if record.split == name] for name in SPLITS}
    divided = any(parts.values())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([r.lr, r.hr, r.key, r.scale] for r in (parts["train"] if divided else pairs))
    write_text(out / METADATA, text.getvalue())
    view = out / VIEW
    if not divided:
        _remove(view)
        return True
    try:
        _lay_out(out, {view / SPLITS[name]: records for name, records in parts.items()})
    except OSError:
        _remove(view)
        return False
    return True


def withdraw_metadata(out: Path) -> None:
    """Take back what imagefolder would read, before the pairs that it names are replaced."""
    (out / METADATA).unlink(missing_ok=True)
    _remove(out / VIEW)


def _lay_out(out: Path, parts: dict[Path, Sequence[PairRecord]]) -> None:
    """Make the view: links to the images of each split, and the file that names them last.

    Raises:
        OSError: no link can be made.
    """
    wanted = {
        folder / path: out / path
        for folder, records in parts.items()
        for record in records
        for path in (record.lr, record.hr)
    }
    for found in _links(out / VIEW):
        if found not in wanted:
            found.unlink()
    for link, image in wanted.items():
        _link(image, link)
    for folder, records in parts.items():
        lines = [dict(zip(COLUMNS, (r.lr, r.hr, r.key, r.scale), strict=True)) for r in records]
        if lines:
            write_text(folder / LINES, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
        else:
            (folder / LINES).unlink(missing_ok=True)
    _tidy(out / VIEW)


def _links(view: Path) -> list[Path]:
    """The images of a view: what else anybody keeps there is not ours."""
    roots = [view / folder / side for folder in SPLITS.values() for side in ("LR", "HR")]
    return [found for root in roots for found in root.rglob("*") if not found.is_dir()]


def _link(image: Path, link: Path) -> None:
    """A hard link, or a symbolic one where there are none; images are never doubled."""
    with contextlib.suppress(OSError):
        if link.samefile(image):
            return
    link.parent.mkdir(parents=True, exist_ok=True)
    with temporary_name(link) as temporary:
        try:
            os.link(image, temporary)
        except OSError:
            temporary.symlink_to(os.path.relpath(image, link.parent))
        os.replace(temporary, link)


def _remove(view: Path) -> None:
    """Remove a view, which holds nothing but links and names."""
    for folder in SPLITS.values():
        (view / folder / LINES).unlink(missing_ok=True)
    for link in _links(view):
        link.unlink()
    _tidy(view)


def _tidy(view: Path) -> None:
    """Remove the folders of a view that are empty."""
    folders = [found for found in view.rglob("*") if found.is_dir() and not found.is_symlink()]
    for folder in [*sorted(folders, reverse=True), view]:
        with contextlib.suppress(OSError):
            folder.rmdir()
