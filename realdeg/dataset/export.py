"""Lists of pairs as other trainers read them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from realdeg.atomic import write_text
from realdeg.dataset.settings import SPLITS, ExportSettings
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.photo import read_size
from realdeg.layout import PAIR_FOLDERS, refuse_inside
from realdeg.marked import ALL, Marked
from realdeg.records import PairRecord, read_manifest
from realdeg.vouching import require_vouched

SUFFIX = ".txt"


def export_lists(
    dataset: Path,
    out: Path,
    settings: ExportSettings,
    *,
    marked: Marked = ALL,
    write: bool = True,
) -> dict[Path, int]:
    """Write one list for each split of a dataset, or one of all pairs where it has no splits.

    Everything is checked before the first file is written. Pairs that have no split yet are left out of a
    dataset that has splits.

    Args:
        dataset: folder with manifest.csv.
        out: a .txt file, or a folder that receives `train.txt`, `val.txt` and `test.txt` (or `all.txt`);
            BasicSR's are called `meta_info_train.txt` and so on.
        settings: format, split, and what D2C-SR's paths start from.
        marked: pairs to list.
        write: whether the files are written, or only counted.

    Returns:
        Number of pairs by file.

    Raises:
        UserError: no dataset, no such pairs, several splits but one file, an image that is not there, or
            a name that the format cannot hold.
    """
    parts = _parts(dataset, settings.split, marked)
    single = out.suffix == SUFFIX and not out.is_dir()
    if single and len(parts) > 1:
        problem = f"is one file, but {dataset} has the splits {', '.join(parts)}"
        raise UserError(out, problem, "name a folder, or choose one with `split`", exit_code=EXIT_USAGE)
    style = settings.style
    line = partial(LINES[style], dataset, None if settings.absolute else settings.root or dataset)
    texts = {
        out if single else out / f"{PREFIXES[style]}{name}{SUFFIX}": [line(record) for record in records]
        for name, records in parts.items()
    }
    refuse_inside(next(iter(texts)).parent, *(dataset / part for part in PAIR_FOLDERS))
    for path, lines in texts.items() if write else ():
        write_text(path, "".join(f"{one}\n" for one in lines))
    return {path: len(lines) for path, lines in texts.items()}


def d2c_sr_line(dataset: Path, root: Path | None, record: PairRecord) -> str:
    """`LR_path HR_path`, which D2C-SR splits at the blank; in full where `root` is None."""
    paths = []
    for name in (record.lr, record.hr):
        path = dataset.resolve() / name
        if root is not None and not path.is_relative_to(root.resolve()):
            raise UserError(
                root, f"does not contain {dataset}", "choose another `root`", exit_code=EXIT_USAGE
            )
        text = (path if root is None else path.relative_to(root.resolve())).as_posix()
        paths.append(_one_word(dataset / name, text))
    return " ".join(paths)


def basicsr_line(dataset: Path, root: Path | None, record: PairRecord) -> str:
    """`NAME (height,width,channels)` of the HR image; BasicSR takes the LR image of the same file name."""
    name = record.hr.removeprefix("HR/")
    if (record.hr, record.lr) != (f"HR/{name}", f"LR/{name}") or "/" in name:
        problem = "is not directly in HR/ with its LR image in LR/, where BasicSR would look for it"
        raise UserError(dataset / record.hr, problem, "take the pairs in again, from flat folders")
    height, width = read_size(dataset / record.hr)
    return f"{_one_word(dataset / record.hr, name)} ({height},{width},3)"


LINES: dict[str, Callable[[Path, Path | None, PairRecord], str]] = {
    "d2c-sr": d2c_sr_line,
    "basicsr": basicsr_line,
}
PREFIXES = {"d2c-sr": "", "basicsr": "meta_info_"}


def _parts(dataset: Path, split: str | None, marked: Marked) -> dict[str, list[PairRecord]]:
    """Pairs by the name of their list."""
    rows = read_manifest(dataset)
    pairs = [row for row in marked.chosen(rows, key=lambda row: row.key) if row.ok]
    require_vouched(dataset, pairs)
    parts = {name: [record for record in pairs if record.split == name] for name in SPLITS}
    kept = {name: records for name, records in parts.items() if records and split in (None, name)}
    if kept:
        return kept
    if split is not None:
        raise UserError(dataset, f"has no pairs in the split {split!r}", f"run `realdeg split {dataset}`")
    if not pairs:
        raise UserError(dataset, "has no pairs", "see the reasons in its manifest.csv")
    if any(row.split for row in rows):
        raise UserError(
            dataset, "has splits, and none of the pairs to list is in one", f"run `realdeg split {dataset}`"
        )
    return {"all": pairs}


def _one_word(path: Path, text: str) -> str:
    if any(letter.isspace() for letter in text):
        raise UserError(
            path, "has a blank in its path, which the list cannot hold", "rename the photo or folder"
        )
    return text
