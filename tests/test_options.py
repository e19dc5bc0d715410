"""Default < preset < file < flag; every unknown name is refused."""

# ruff: noqa: RUF009
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import pytest
from click.testing import CliRunner

from realdeg.errors import UserError
from realdeg.options import as_text, check_limits, command, resolve, setting
from realdeg.settings import from_mapping, read_yaml


@dataclass(frozen=True)
class Soup:
    salt: float = setting(1.0, "Spoons.", low=0)
    kind: Literal["clear", "thick"] = setting("clear", "Which.")
    hot: bool = setting(True, "Whether.")
    pot: Path | None = setting(None, "Where.", short="-p")

    def __post_init__(self):
        check_limits(self)


PRESETS = {"mild": {"salt": 0.5}, "winter": {"kind": "thick", "salt": 2.0}}


@command(Soup, PRESETS, required=("pot",))
@click.option("--loud", is_flag=True)
def cook(settings: Soup, loud: bool) -> None:
    """Cook."""
    click.echo(f"{settings.salt} {settings.kind} {settings.hot} {settings.pot} {loud}")


def run(*words):
    return CliRunner().invoke(cook, [str(word) for word in words])


def test_the_strongest_place_wins(tmp_path):
    file = tmp_path / "soup.yaml"
    file.write_text("salt: 3\npot: a\n")
    assert run("-p", "b").output == "1.0 clear True b False\n"
    assert run("-p", "b", "--preset", "winter").output == "2.0 thick True b False\n"
    assert run("--preset", "winter", "--config", file).output == "3.0 thick True a False\n"
    line = run("--preset", "winter", "--config", file, "--salt", 4, "--no-hot", "--loud")
    assert line.output == "4.0 thick False a True\n"


def test_a_flag_equal_to_the_default_still_wins(tmp_path):
    assert run("-p", "b", "--preset", "winter", "--salt", 1.0).output == "1.0 thick True b False\n"


def test_a_file_may_name_its_preset(tmp_path):
    file = tmp_path / "soup.yaml"
    file.write_text("preset: winter\nsalt: 3\n")
    assert resolve(Soup, PRESETS, config=file) == Soup(salt=3.0, kind="thick")
    assert resolve(Soup, PRESETS, config=file, preset="mild") == Soup(salt=3.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slat: 3", "unknown setting 'slat'; did you mean 'salt'"),
        ("kind: thin", "kind"),
        ("salt: much", "salt"),
        ("salt: -1", "--salt: -1.0 is too small; at least 0"),
        ("preset: wintre", "did you mean 'winter'"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line(tmp_path, text, words):
    file = tmp_path / "soup.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        resolve(Soup, PRESETS, config=file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_choice_is_guessed():
    with pytest.raises(UserError, match="did you mean 'thick'"):
        resolve(Soup, PRESETS, flags={"kind": "thik"})


def test_show_settings_prints_what_config_reads(tmp_path):
    file = tmp_path / "shown.yaml"
    file.write_text(run("--preset", "winter", "--show-settings").output)
    assert from_mapping(Soup, read_yaml(file), "shown") == Soup(salt=2.0, kind="thick")
    assert as_text(Soup(pot=Path("x"))).endswith("pot: x\n")


def test_a_required_option_that_is_missing_is_named():
    result = run("--preset", "mild")
    assert result.exit_code == 2
    assert "--pot" in result.output


def test_help_gives_every_field_with_its_default():
    text = run("--help").output
    assert "--salt FLOAT" in text
    assert "[default: 1.0]" in text
    assert "clear|thick" in text
