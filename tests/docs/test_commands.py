"""Every command that a page shows is one: its options are the real ones, its values are taken by the real types."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import examples
import pytest

from pipelines.d2crealsr import main as d2crealsr
from realdeg.cli.main import cli
from train.d2c.command import main as d2c

ROOT = Path(__file__).parents[2]
PAGES = [*examples.pages(), ROOT / "README.md", ROOT / "docs" / "index.md"]
PAGES += [ROOT / "docs" / f"{name}.md" for name in ("d2c", "space", "recipes", "kernel_estimator")]
MODULES = {"train.d2c": d2c, "pipelines.d2crealsr": d2crealsr}
OTHERS = {"python", "torchrun", "OMP_NUM_THREADS=1"}  # benchmarks; several processes


def shown() -> list[examples.Command]:
    return [command for page in PAGES for command in examples.commands_of(page)]


def parsed(words: tuple[str, ...]) -> click.Context:
    """The context that click makes of a command line, as far as it comes before anything is done."""
    words = words[: words.index(">")] if ">" in words else words
    command: click.Command = cli
    name, *rest = words
    while isinstance(command, click.Group):
        parent = click.Context(command, info_name=name)
        found = command.get_command(parent, rest[0])
        assert found is not None, f"no command {rest[0]!r}"
        name, command, rest = rest[0], found, rest[1:]
    return command.make_context(name, list(rest))


@pytest.fixture(autouse=True)
def every_path_is_there(monkeypatch):
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_of_a_page_parse(page):
    for command in examples.commands_of(page):
        if command.words[0] == "realdeg":
            try:
                parsed(command.words)
            except click.ClickException as error:
                pytest.fail(f"{page.name}: {command.line}\n  {error.format_message()}")
        elif command.words[:2] == ("python", "-m") and command.words[2] in MODULES:
            MODULES[command.words[2]].make_context(command.words[2], list(command.words[3:]))
        else:
            assert command.words[0] in OTHERS, command.line


def test_a_wrong_option_is_found():
    with pytest.raises(click.NoSuchOption):
        parsed(tuple(shlex.split("realdeg align --left wide --hr tele -o pairs")))
    with pytest.raises(click.BadParameter):
        parsed(tuple(shlex.split("realdeg degrade clean -o pairs --scale four")))


def test_every_command_is_shown_at_work():
    names = {" ".join(c.words[1:3]) for c in shown() if c.words[0] == "realdeg"}
    first = {name.split()[0] for name in names if name}
    assert set(cli.list_commands(click.Context(cli))) - {"completion"} <= first | {"doctor"}
    for group, least in (("train", {"d2c", "vspsr", "refvae"}), ("run", {"d2crealsr", "realsr", "ablation"})):
        assert least <= {name.split()[1] for name in names if name.startswith(f"{group} ")}


def test_lines_are_joined_and_remarks_left_out(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\n# first\nrealdeg a \\\n  -o 'x y'   # why\n\nrealdeg b\n```\n```text\nrealdeg c\n```\n"
    )
    assert [c.words for c in examples.commands_of(page)] == [("realdeg", "a", "-o", "x y"), ("realdeg", "b")]


def test_the_reference_names_pages_that_show_a_command():
    text = examples.with_places("## realdeg\n\n## realdeg replay\n\n## realdeg completion\n")
    assert "## realdeg replay\n\nAt work in: [Replay](howto/replay.md)." in text
    assert text.count("At work in") == 1
