"""Which files of folders are photos: the options, for every command that reads such folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from realdeg.cli.common import Choice, add_options
from realdeg.io.finding_settings import FOLLOW_HELP, KINDS, PREFER_HELP, Finding
from realdeg.io.left_out import in_words

F = TypeVar("F", bound=Callable[..., Any])


def finding_options(function: F) -> F:
    """Add the options of finding photos; the command receives the fields of `Finding`."""
    options = (
        click.option(
            "--prefer", type=Choice(KINDS), metavar="KIND", default=Finding.prefer, help=PREFER_HELP
        ),
        click.option("--follow-links", is_flag=True, default=Finding.follow_links, help=FOLLOW_HELP),
    )
    return add_options(function, options)


def show_left_out(left_out: Mapping[str, int], *, err: bool = False) -> None:
    """Say what was left out of a plan, where anything was."""
    if left_out:
        click.echo(f"  {in_words(left_out)}", err=err)
