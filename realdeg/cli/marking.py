"""Which pairs a command takes, by a list that was marked on a page: the options, for all that take one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from realdeg.cli.common import FOLDER
from realdeg.options import add_options

F = TypeVar("F", bound=Callable[..., Any])


def marked_options(function: F) -> F:
    """Add --only and --except; the command receives them as one `marked: realdeg.marked.Marked`."""

    @functools.wraps(function)
    def with_marked(*args: Any, only: Path | None, **values: Any) -> Any:
        from realdeg.marked import marked

        left_out = values.pop("except")  # no name of a parameter in Python
        return function(*args, marked=marked(only, left_out), **values)

    options = (
        click.option(
            "--only",
            type=FOLDER,
            metavar="CSV",
            default=None,
            help="Only the pairs of this list: marked.csv, as the pages of a report write it.",
        ),
        click.option(
            "--except", type=FOLDER, metavar="CSV", default=None, help="All but the pairs of this list."
        ),
    )
    return add_options(cast(F, with_marked), options)
