"""Photos as a user names them, files and folders: each with its key, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.finding_settings import Finding


@dataclass(frozen=True)
class Photos:
    """What was named.

    Attributes:
        found: key and file of each photo.
        failed: a line for each photo that shares its name with another one of its folder.
        left_out: what folders hold beside photos, by why (`realdeg.io.left_out`): how many.
    """

    found: tuple[tuple[str, Path], ...]
    failed: tuple[UserError, ...]
    left_out: Mapping[str, int]


def photos(inputs: Sequence[Path], finding: Finding = Finding()) -> Photos:
    """Every photo named, and every photo of every folder named.

    Args:
        inputs: files and folders.
        finding: which files of folders are photos, and which of those that share a name.

    Raises:
        UserError: a missing input, or photos of several places that have one key.
    """
    from realdeg.io.find import Found, by_key, look, preferred, twin_problem
    from realdeg.io.left_out import OTHER_KIND, together

    named: list[Found] = []
    left_out: list[Mapping[str, int]] = []
    for path in inputs:
        if path.is_dir():
            listing = look(path, finding)
            named += listing.found
            left_out.append(listing.left_out)
        elif path.is_file():
            named.append(Found(path.stem, path))
        else:
            raise UserError(path, "does not exist", "check the path", exit_code=EXIT_USAGE)
    found: list[tuple[str, Path]] = []
    failed: list[UserError] = []
    for group in by_key(named).values():
        twins = list({one.path: one for one in group}.values())
        kept = preferred(twins, finding.prefer) if finding.prefer else twins
        if len(kept) < len(twins):
            left_out.append({OTHER_KIND: len(twins) - len(kept)})
        if len(kept) == 1:
            found.append((kept[0].key, kept[0].path))
        elif len({one.path.parent for one in kept}) == 1:
            failed += [twin_problem(one, kept) for one in kept]
        else:
            first, other, *_ = kept
            problem = f"would be written over {first.path} as {other.key}.png"
            raise UserError(other.path, problem, "do them apart")
    return Photos(tuple(found), tuple(failed), together(left_out))
