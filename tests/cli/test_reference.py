"""docs/cli.md is what the commands say of themselves; REALDEG_WRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
from click.testing import CliRunner

from realdeg.cli.main import COMMANDS, cli
from realdeg.cli.programs import RECIPES as PIPELINES
from realdeg.cli.programs import TRAINING, USES
from realdeg.degrade.recipe.guide import operations
from realdeg.degrade.recipe.recipe import from_text

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
RECIPES = PAGE.with_name("recipes.md")
MARK = "<!-- operations: written by `realdeg recipes --operations` -->\n"


def text_of(program: click.Command, name: str, *words: str) -> str:
    # A fixed width: the page must not depend on the terminal.
    settings = {"terminal_width": 100, "max_content_width": 100}
    return CliRunner().invoke(program, [*words, "--help"], prog_name=name, **settings).output.rstrip()


def reference() -> str:
    parts = [
        "# Commands\n\nWhat `--help` prints; kept by tests/cli/test_reference.py. `realdeg train d2c` is also "
        "`python -m train.d2c`,\n`realdeg evaluate` `python -m train.evaluate` and so on, `realdeg run d2crealsr` "
        "`python -m pipelines.d2crealsr`.\n"
    ]
    places: list[tuple[str, ...]] = [()]
    for names in COMMANDS.values():
        for name in names:
            places.append((name,))
            places += [(name, one) for one in {"train": TRAINING, "run": PIPELINES}.get(name, ())]
    for words in places:
        text, common = without_common(text_of(cli, "realdeg", *words))
        parts.append(f"## {' '.join(('realdeg', *words))}\n\n```\n{text}\n```\n")
        if words == ("align",):
            more = "`--dry-run` is of those that write files."
            parts.insert(1, f"## Options of all commands\n\n```\n{common}\n```\n\n{more}\n")
    return "\n".join(parts)


def without_common(text: str) -> tuple[str, str]:
    """The help of a command without the options that all have, and these."""
    before, head, rest = text.partition("\n\nOptions of all commands:\n")
    common, gap, after = rest.partition("\n\n")
    return before + gap + after if head else text, common


def test_the_reference_is_up_to_date():
    # In a process of its own: click remembers how a command was first asked, by whichever test it was.
    command = [sys.executable, "-X", "utf8", __file__]
    text = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    if os.environ.get("REALDEG_WRITE_DOCS"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_the_list_of_commands_says_what_they_say_themselves():
    for names in COMMANDS.values():
        for name, words in names.items():
            if name not in USES:  # whose line of help stands once
                command = cli.get_command(click.Context(cli), name)
                assert command is not None
                assert words == command.get_short_help_str(100), name


def test_the_list_of_commands_imports_none():
    code = (
        "import sys; from click.testing import CliRunner; from realdeg.cli.main import cli;"
        "CliRunner().invoke(cli, ['--help']); print([m for m in sys.modules if m.startswith('realdeg.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "realdeg.cli.programs" in done.stdout
    assert not [name for name in ("align", "report", "options") if f"realdeg.cli.{name}" in done.stdout]


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
    assert {step.op for plan in plans for step in plan.steps} == {"light", "blur", "resize", "noise", "codec"}


if __name__ == "__main__":
    sys.stdout.write(reference())
