"""docs/cli.md is what the commands say of themselves; REALDEG_WRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
from click.testing import CliRunner

from pipelines.d2c_ablation import main as d2c_ablation
from pipelines.d2crealsr import main as d2crealsr
from pipelines.realsr import main as realsr
from pipelines.samsung import main as samsung
from realdeg.cli.main import COMMANDS, cli
from realdeg.degrade.recipe.guide import operations
from realdeg.degrade.recipe.recipe import from_text
from train.d2c.command import main as d2c
from train.evaluate.command import main as evaluate
from train.export.command import main as export
from train.refvae.command import main as refvae
from train.sample.command import main as sample
from train.upscale.command import main as upscale
from train.vspsr.command import main as vspsr

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
RECIPES = PAGE.with_name("recipes.md")
MARK = "<!-- operations: written by `realdeg recipes --operations` -->\n"


def text_of(program: click.Command, name: str, *words: str) -> str:
    # A fixed width: the page must not depend on the terminal.
    settings = {"terminal_width": 100, "max_content_width": 100}
    return CliRunner().invoke(program, [*words, "--help"], prog_name=name, **settings).output.rstrip()


def reference() -> str:
    parts = ["# Commands\n\nWhat `--help` prints; kept by tests/cli/test_reference.py.\n"]
    programs: list[tuple[click.Command, tuple[str, ...]]] = [(cli, ("realdeg",))]
    programs += [(cli, ("realdeg", name)) for names in COMMANDS.values() for name in names]
    programs += [
        (d2c, ("python -m train.d2c",)),
        (vspsr, ("python -m train.vspsr",)),
        (refvae, ("python -m train.refvae",)),
        (sample, ("python -m train.sample",)),
        (evaluate, ("python -m train.evaluate",)),
        (export, ("python -m train.export",)),
        (upscale, ("python -m train.upscale",)),
        (d2crealsr, ("python -m pipelines.d2crealsr",)),
        (d2c_ablation, ("python -m pipelines.d2c_ablation",)),
        (samsung, ("python -m pipelines.samsung",)),
        (realsr, ("python -m pipelines.realsr",)),
    ]
    for program, (name, *words) in programs:
        text = text_of(program, name, *words)
        parts.append(f"## {' '.join((name, *words))}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def test_the_reference_is_up_to_date():
    # In a process of its own: click remembers how a command was first asked, by whichever test it was.
    command = [sys.executable, "-X", "utf8", __file__]
    text = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    if os.environ.get("REALDEG_WRITE_DOCS"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_the_guide_to_recipes_is_up_to_date():
    text = RECIPES.read_text(encoding="utf-8")
    expected = text[: text.index(MARK)] + MARK + "\n" + operations()
    if os.environ.get("REALDEG_WRITE_DOCS"):
        RECIPES.write_text(expected, encoding="utf-8")
    assert RECIPES.read_text(encoding="utf-8") == expected


def test_the_guides_own_recipe_is_one():
    text = RECIPES.read_text(encoding="utf-8")
    recipe = from_text(text.split("```toml\n")[1].split("```")[0], "docs")
    recipe.check(4)
    plans = [recipe.draw(0, str(i), (64, 64), 4) for i in range(30)]
    assert {step["op"] for plan in plans for step in plan} == {"light", "blur", "resize", "noise", "codec"}


if __name__ == "__main__":
    sys.stdout.write(reference())
