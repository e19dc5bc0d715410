"""Where a dataset keeps its pairs, so that other programs open it unchanged (docs/dataset.md)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from realdeg.atomic import write_text
from realdeg.records import PairRecord

METADATA = "metadata.csv"


def pair_paths(key: str) -> tuple[str, str]:
    """Paths of a pair's LR and HR image relative to the dataset: one name, two folders (BasicSR, KAIR)."""
    return f"LR/{key}.png", f"HR/{key}.png"


def write_metadata(out: Path, records: Iterable[PairRecord]) -> Path:
    """Write `out/metadata.csv`, by which Hugging Face's imagefolder finds the columns `lr` and `hr`.

    Args:
        out: the dataset's folder.
        records: those of status "ok" are listed.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["lr_file_name", "hr_file_name", "key", "scale"])
    writer.writerows([r.lr, r.hr, r.key, r.scale] for r in records if r.ok)
    path = out / METADATA
    write_text(path, text.getvalue())
    return path
