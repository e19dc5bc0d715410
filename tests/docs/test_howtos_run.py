"""How-to pages whose commands are cheap run line by line, as printed, on pictures of a hundred pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import examples
import pytest
from click.testing import CliRunner

from realdeg.cli.main import cli
from realdeg.degrade.recipe.recipe import from_text
from realdeg.io.save import write_image

HOWTO = examples.DOCS / "howto"
PAGES = ("recipe", "replay", "split", "tile", "export", "verify")


def realdeg(words: tuple[str, ...]) -> str:
    """Run a command in this process; `> FILE` is done as a shell does."""
    words, file = (words[: words.index(">")], words[-1]) if ">" in words else (words, None)
    # One worker: the command's own process. Reading and writing commands have no such option.
    alone = (
        ["-j", "1"] if words[1] in {"degrade", "replay", "tile"} or words[1:3] == ("run", "samsung") else []
    )
    result = CliRunner().invoke(cli, [*words[1:], *alone], catch_exceptions=False)
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}"
    if file:
        Path(file).write_text(result.stdout, encoding="utf-8")
    return result.output


@pytest.fixture
def workplace(tmp_path, monkeypatch, sample):
    """A folder with `clean/`, and datasets `pairs` and `synthetic` of it."""
    monkeypatch.chdir(tmp_path)
    picture = cv2.imread(str(sample / "clean" / "coffee.png"))
    for number in range(8):
        y, x = 120 * (number // 4), 140 * (number % 4)
        write_image(
            tmp_path / "clean" / f"scene{number}_view0.png", picture[y : y + 96, x : x + 96, ::-1].copy()
        )
    for out in ("pairs", "synthetic"):
        realdeg(("realdeg", "degrade", "clean", "-o", out, "--scale", "2", "--recipe", "mild"))
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs(page, workplace):
    if page == "recipe":
        (workplace / "pairs").rename(workplace / "earlier")  # the page makes its own
    said = [realdeg(c.words) for c in examples.commands_of(HOWTO / f"{page}.md") if c.words[0] == "realdeg"]
    if page == "recipe":
        assert (workplace / "look" / "preview.png").is_file()
        assert len(list((workplace / "pairs" / "LR").iterdir())) == 8 * 4
    elif page == "replay":
        assert "8" in said[0]
        assert len(list((workplace / "again" / "LR").iterdir())) == 8
    elif page == "export":
        assert (workplace / "lists" / "meta_info_train.txt").read_text().count("\n") >= 6
        assert (workplace / "pairs" / "imagefolder" / "train").is_dir()
    elif page == "tile":
        assert (workplace / "tiles" / "manifest.csv").is_file()


def test_the_recipe_on_the_page_is_one():
    text = (HOWTO / "recipe.md").read_text(encoding="utf-8")
    recipe = from_text(text.split("```toml\n")[1].split("```")[0], "howto/recipe.md")
    recipe.check(4)
    assert recipe.draw(0, "a", (64, 64), 4).describe()[0].startswith("blur")
