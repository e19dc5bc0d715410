"""docs/cli.md is what the commands say of themselves; REALDEG_WRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.testing import CliRunner

from realdeg.cli.main import COMMANDS, cli
from train.d2c import main as d2c
from train.evaluate import main as evaluate
from train.upscale import main as upscale

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def text_of(program: click.Command, name: str, *words: str) -> str:
    # A fixed width: the page must not depend on the terminal.
    settings = {"terminal_width": 100, "max_content_width": 100}
    return CliRunner().invoke(program, [*words, "--help"], prog_name=name, **settings).output.rstrip()


def reference() -> str:
    parts = ["# Commands\n\nWhat `--help` prints; kept by tests/cli/test_reference.py.\n"]
    # Through `realdeg`, as users ask: what a command prints by itself depends on who asked it before.
    programs: list[tuple[click.Command, tuple[str, ...]]] = [(cli, ("realdeg",))]
    programs += [(cli, ("realdeg", name)) for names in COMMANDS.values() for name in names]
    programs += [
        (d2c, ("python -m train.d2c",)),
        (evaluate, ("python -m train.evaluate",)),
        (upscale, ("python -m train.upscale",)),
    ]
    for program, (name, *words) in programs:
        text = text_of(program, name, *words)
        parts.append(f"## {' '.join((name, *words))}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def test_the_reference_is_up_to_date():
    if os.environ.get("REALDEG_WRITE_DOCS"):
        PAGE.write_text(reference(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == reference()
