"""`realdeg verify`: whether a folder is what its manifest says; and making again what is not."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, Teller
from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, UserError
from realdeg.options import command, in_flags
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.dataset.verify import Verdict

SHOWN = 20  # lines of each kind
KINDS = {
    "file": "files that are missing or hold something else",
    "grid": "pairs off their grid",
    "row": "rows that manifest and journal disagree on",
    "unmade": "pairs that are not made yet",
    "journal": "journals that cannot be used",
    "split": "scenes on both sides of the split",
    "orphan": "files that no row names",
    "temporary": "temporary files of dead jobs",
}


@command(short_help="Check every file of a dataset against its manifest; --repair makes it again.")
@click.argument("dataset", type=FOLDER)
@click.option("--repair", is_flag=True, help="Set aside what no row names, and make wrong pairs again.")
def verify(output: Output, dataset: Path, repair: bool) -> int:
    """Read every file of DATASET and compare it with manifest.csv and the journal.

    Hashes, sizes (HR = SCALE x LR), rows that the journal contradicts, files that no row names, temporary
    files of killed jobs, scenes on both sides of a split. DATASET may also be the folder of a job, NAME.job.

    --repair runs the command that made DATASET again (it is in run.yaml), for the wrong pairs alone. Start
    it where that command was started, if it was given relative paths.

    Examples:
      realdeg verify pairs
      realdeg verify pairs --repair
    """
    verdict = _verified(dataset)
    made = repair and not output.dry_run
    lost = 0  # pairs that were whole once and cannot be made again: their sources are gone, say
    if made and verdict.findings:
        before = verdict.pairs
        _repair(dataset, verdict, output)
        verdict = _verified(dataset)
        lost = max(0, before - verdict.pairs)
    counts = Counter(found.kind for found in verdict.findings)
    for kind, count in counts.items() if not output.as_json else ():
        lines = [found.line for found in verdict.findings if found.kind == kind]
        shown = count if output.verbose else SHOWN
        for line in lines[:shown]:
            write_line(sys.stderr, in_flags(line))
        if count > shown:
            write_line(sys.stderr, f"and {count - shown} more {KINDS[kind]}")
    found = [{"kind": one.kind, "key": one.key, "line": in_flags(one.line)} for one in verdict.findings]
    told = {
        "pairs": verdict.pairs,
        "files": verdict.files,
        "bytes": verdict.size,
        "findings": found,
        "lost": lost,
    }
    state = "all as the manifest says" if not counts else "not all as the manifest says"
    size = f"{verdict.size / 1e6:.1f} MB"
    lines = [f"{dataset}: {counted(verdict.pairs, 'pairs')}, {verdict.files} files, {size}: {state}"]
    lines += [f"  {KINDS[kind]}: {count}" for kind, count in counts.items()]
    if keys := verdict.keys:
        lines.append(f"  to be made again{'' if made else ' (--repair)'}: {len(keys)}")
    if lost:
        lines.append(f"  lost, since they could not be made again: {lost}; manifest.csv says why")
    output.result({"dataset": str(dataset), **told}, *lines)
    return EXIT_SOME_FAILED if verdict.findings or lost else EXIT_OK


def _verified(dataset: Path) -> Verdict:
    from realdeg.dataset.verify import verify as check
    from realdeg.jobs import Progress

    with Teller("files read") as teller:
        return check(dataset, on_file=lambda done, total: teller(Progress(done, total, 0, 0, 0.0)))


def _repair(dataset: Path, verdict: Verdict, output: Output) -> None:
    """Take back what is wrong, and run the job that made it for those keys."""
    from realdeg.dataset.verify import take_back

    keys = verdict.keys
    arguments = command_of(dataset) if keys else []
    aside, removed = take_back(dataset, verdict)
    quiet = output.quiet or output.as_json
    if not quiet:
        click.echo(
            f"{counted(aside, 'files')} moved to leftover/, {removed} temporary ones removed", err=True
        )
    if not keys:
        return
    import tempfile

    from realdeg.cli.main import cli

    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "keys.txt")
        listed.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
        command = [*arguments, "--keys", str(listed), "--exit-zero", "--quiet"]
        if not quiet:
            click.echo(f"realdeg {' '.join(arguments)}: {len(keys)} again", err=True)
        cli.main(command, prog_name="realdeg", standalone_mode=False)


def command_of(dataset: Path) -> list[str]:
    """Arguments of the command that made a dataset, by its run.yaml.

    Raises:
        UserError: there is none, or it names no command that makes pairs.
    """
    from realdeg.settings import RUN_FILE, read_yaml

    path = dataset / RUN_FILE
    again = "run the command that made it again"
    if not path.is_file():
        raise UserError(dataset, f"has no {RUN_FILE} that says how it was made", again)
    heading = re.match(r"# realdeg ([a-z]+)( --train)?;", path.read_text(encoding="utf-8", errors="replace"))
    if heading is None or heading[1] not in (
        "align",
        "degrade",
        "adopt",
        "tile",
        "kernels",
        "noise",
        "calibrate",
    ):
        raise UserError(path, "names no command that makes pairs", again)
    values = read_yaml(path)
    out = dataset
    if heading[1] == "calibrate":
        out = dataset.parent
    elif heading[1] in ("kernels", "noise"):
        name = dataset.with_suffix("")
        made = [name.with_suffix(suffix) for suffix in (".npz", ".mat", "")]
        out = next((one for one in made if one.exists()), made[0])
    elif heading[1] == "align" and _is_part(dataset, values):
        out = dataset.parent
    train = ["--train"] if heading[2] else []
    return [heading[1], *train, "--config", str(path), "--out", str(out)]


def _is_part(dataset: Path, values: dict[str, object]) -> bool:
    """Whether a dataset is one of several scales that one command made."""
    scale = values.get("scale")
    several = isinstance(values.get("lr"), list) or any(
        "{scale}" in str(values.get(name) or "") for name in ("lr_rule", "hr_rule")
    )
    told = several or values.get("naming") or values.get("pairs")
    return bool(told) and dataset.resolve().name == f"x{scale}"
