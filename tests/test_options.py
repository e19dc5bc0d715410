"""Default < preset < file < flag; every unknown name is refused; one word has one meaning over all commands."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import pytest
import yaml
from click.testing import CliRunner

from realdeg.cli.main import COMMANDS, cli
from realdeg.cli.programs import RECIPES, TRAINING, program
from realdeg.errors import UserError
from realdeg.options import Command, command, in_flags, preset_in_force, resolve, settings_options
from realdeg.output import Output, current
from realdeg.settings import check_limits, current_names, first_names, from_mapping, read_yaml, setting


@dataclass(frozen=True)
class Soup:
    salt: float = setting(1.0, "Spoons.", low=0, was=("spoons",))
    kind: Literal["clear", "thick"] = setting("clear", "Which.")
    hot: bool = setting(True, "Whether.")
    spicy: bool = setting(False, "Whether, too.")
    bowls: tuple[int, int] = setting((1, 2), "Across and down.", low=1, high=9)
    pot: Path | None = setting(None, "Where.", short="-p")

    def __post_init__(self):
        check_limits(self)


PRESETS = {"mild": {"salt": 0.5}, "winter": {"kind": "thick", "salt": 2.0}}


@command(PRESETS)
@settings_options(Soup, required=("pot",))
@click.option("--loud", is_flag=True, help="Whether it is told loudly.")
def cook(settings: Soup, loud: bool, output: Output) -> int:
    """Cook.

    Examples:
      cook --pot a
    """
    assert current() is output
    if settings.salt > 100:
        raise UserError("`salt`", "is too much", "lower `salt`, or give `kind=thick`; `sugar` is not `hot`")
    output.say(f"cooking in {settings.pot}")
    output.more("one bowl")
    s = settings
    output.result({"salt": s.salt}, f"{s.salt} {s.kind} {s.hot} {s.spicy} {s.bowls} {s.pot} {loud}")
    return 3 if loud else 0


def run(*words):
    return CliRunner().invoke(cook, [str(word) for word in words])


def last(*words):
    return run(*words).output.splitlines()[-1]


def test_the_strongest_place_wins(tmp_path):
    file = tmp_path / "soup.yaml"
    file.write_text("salt: 3\npot: a\n")
    assert last("-p", "b") == "1.0 clear True False (1, 2) b False"
    assert last("-p", "b", "--preset", "winter").startswith("2.0 thick True")
    for words in (("--preset", "winter", "--config", file), ("--config", file, "--preset", "winter")):
        assert last(*words) == "3.0 thick True False (1, 2) a False"
    line = last("--preset", "winter", "--config", file, "--salt", 4, "--no-hot", "--spicy", "--bowls", 3, 4)
    assert line == "4.0 thick False True (3, 4) a False"


def test_a_flag_equal_to_the_default_still_wins():
    assert last("-p", "b", "--preset", "winter", "--salt", 1.0).startswith("1.0 thick")


def test_a_file_may_name_its_preset(tmp_path):
    file = tmp_path / "soup.yaml"
    file.write_text("preset: winter\nsalt: 3\npot: a\n")
    assert last("--config", file).startswith("3.0 thick")
    file.write_text("preset: winter\npot: a\n")
    assert last("--config", file).startswith("2.0 thick")
    for words in (("--preset", "mild", "--config", file), ("--config", file, "--preset", "mild")):
        assert last(*words).startswith("0.5 clear")  # the flag's preset, and nothing of the file's


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), None),
        (("--preset", "mild"), "mild"),
        (("--config", "winter.yaml"), "winter"),
        (("--preset", "mild", "--config", "winter.yaml"), "mild"),
        (("--config", "winter.yaml", "--preset", "mild"), "mild"),
    ],
)
def test_the_preset_that_counts_is_known_by_name(tmp_path, monkeypatch, words, name):
    monkeypatch.chdir(tmp_path)
    Path("winter.yaml").write_text("preset: winter\n")
    found = []

    @command(PRESETS)
    @settings_options(Soup)
    def told(settings: Soup, output: Output) -> None:
        """Say which."""
        found.append(preset_in_force())

    assert CliRunner().invoke(told, words).exit_code == 0
    assert found == [name]
    assert preset_in_force() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slat: 3", "unknown option 'slat'; did you mean 'salt'"),
        ("kind: thik", "kind: 'thik' is not one of clear, thick. Did you mean 'thick'"),
        ("salt: much", "salt: 'much' is not a valid float"),
        ("salt: -1", "salt: -1.0 is not in the range x>=0"),
        ("bowls: 3", "bowls"),
        ("salt: [1, 2]", "salt: '[1, 2]' is not what is meant; give a number or a text"),
        ("hot: 1", "hot: '1' is not what is meant; give true or false"),
        ("salt: 1\nspoons: 2", "tells salt a second time, as spoons"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line_that_names_it(tmp_path, text, words):
    file = tmp_path / "soup.yaml"
    file.write_text(f"pot: a\n{text}\n")
    failed = run("--config", file)
    said = str(failed.exception) if isinstance(failed.exception, UserError) else failed.output
    assert words in said
    assert "soup.yaml" in said or "bowls" in words
    assert failed.exit_code != 0


def test_a_misspelt_choice_or_preset_is_guessed():
    assert "Did you mean 'thick'" in run("-p", "a", "--kind", "thik").output
    assert "Did you mean 'winter'" in run("-p", "a", "--preset", "wintre").output
    with pytest.raises(UserError, match="did you mean 'winter'"):
        resolve(Soup, PRESETS, preset="wintre")


def test_show_settings_prints_what_config_reads(tmp_path):
    file = tmp_path / "shown.yaml"
    file.write_text(
        run("--preset", "winter", "--show-settings").output
    )  # without --pot, which a run must have
    values = read_yaml(file)
    assert values.pop("loud") is False
    assert from_mapping(Soup, values, "shown") == Soup(salt=2.0, kind="thick")
    again = run("--config", file, "--show-settings", "-p", "x").output
    assert yaml.safe_load(again) == {**read_yaml(file), "pot": "x"}


def test_earlier_names_are_read_and_not_shown(tmp_path):
    file = tmp_path / "old.yaml"
    file.write_text("spoons: 7\npot: a\n")
    assert last("--config", file).startswith("7.0 clear")
    assert last("-p", "a", "--spoons", 8).startswith("8.0 clear")
    assert "spoons" not in run("--help").output.replace("Spoons", "")
    assert "'--salt'" in run("-p", "a", "--spoons", "x").output
    assert from_mapping(Soup, {"spoons": 7}, "x") == Soup(salt=7.0)
    assert current_names(Soup, {"spoons": 7, "hot": 1}) == {"salt": 7, "hot": 1}
    assert first_names(Soup())["spoons"] == 1.0
    assert "salt" not in first_names(Soup())


def test_a_required_option_that_is_missing_is_named():
    result = run("--preset", "mild")
    assert result.exit_code == 2
    assert "--pot" in result.output


def test_help_gives_every_field_with_its_default_and_limits():
    text = run("--help").output
    for part in ("--salt FLOAT", "[default: 1.0; x>=0]", "[clear|thick]", "--hot / --no-hot", "--spicy "):
        assert part in text
    assert "--no-spicy" not in text
    assert text.index("--loud") < text.index("Options of all commands") < text.index("--json")
    assert text.rstrip().endswith("Examples:\n  cook --pot a")


def test_errors_of_the_library_name_flags():
    failed = run("-p", "a", "--salt", 200)
    assert str(failed.exception) == (
        "--salt: is too much; lower --salt, or give --kind thick; `sugar` is not --hot"
    )
    assert in_flags("raise `max_error`") == "raise `max_error`"  # outside commands
    assert in_flags("`spoons`, `pot`", cook) == "--salt, --pot"


def test_what_a_function_returns_is_the_exit_code():
    assert run("-p", "a").exit_code == 0
    assert run("-p", "a", "--loud").exit_code == 3


def test_json_is_one_document_and_the_rest_goes_to_standard_error():
    told = run("-p", "a", "--json", "-v")
    assert json.loads(told.stdout) == {"salt": 1.0}
    assert told.stderr == "cooking in a\none bowl\n"
    assert run("-p", "a").stdout.startswith("cooking in a\n1.0 clear")
    assert run("-p", "a", "-q").stdout.startswith("1.0 clear")


def test_the_log_gets_all_lines_with_their_time(tmp_path):
    log = tmp_path / "logs" / "a.log"
    run("-p", "a", "-v", "--log-file", log)
    run("-p", "a", "--salt", 200, "--log-file", log, "--json")
    lines = [line.partition(" ") for line in log.read_text().splitlines()]
    assert all(len(time) == 25 and time[10] == "T" for time, _, _ in lines)
    said = [line for _, _, line in lines]
    assert said[1:4] == ["cooking in a", "one bowl", "1.0 clear True False (1, 2) a False"]
    assert said[0].startswith("cook -p a -v --log-file")
    assert said[-1].startswith("error: --salt: is too much; lower --salt")


def test_a_log_that_cannot_be_written_is_said(tmp_path):
    failed = run("-p", "a", "--log-file", tmp_path)
    assert "cannot be written" in str(failed.exception)


# ------------------------------------------------------------------ all commands together


def commands() -> dict[str, click.Command]:
    ctx = click.Context(cli)
    found = {}
    for names in COMMANDS.values():
        for name in names:
            made = cli.get_command(ctx, name)
            if not isinstance(made, click.Group):
                found[name] = made
    found |= {f"train {name}": program(module) for name, (module, _) in TRAINING.items()}
    return found | {f"run {name}": program(module) for name, (module, _) in RECIPES.items()}


LIKE = {
    # What is written, counted or drawn is the command's own; the word means the same.
    "--out", "--limit", "--scale", "--seed", "--resume", "--overwrite", "--workers", "--steps", "--epochs",
    # Folders of photos, named by the side that they are; a run folder; a method among the command's.
    "--lr", "--hr", "--source", "--real", "--run", "--preset", "--method", "--recipe", "--reference", "--split",
    # Sides and numbers of a like thing, in the units of the help; how the networks of a program are trained.
    "--size", "--patch", "--project", "--cem", "--grid", "--max-error", "--kernel-pool", "--noise-pool", "--cleanup", "--precision",
    "--batch", "--base", "--check-every", "--clip", "--gan", "--kl", "--learning-rate", "--lr-schedule",
    "--lpips", "--lpips-heads", "--alexnet", "--vgg", "--weight-decay", "--width",
    # A letter of the papers' equations: D2C-SR's Eq. 7, VSpSR's Eq. 1.
    "--alpha",
}  # fmt: skip
"""Flags whose help differs from command to command though they mean the same."""


def flags(param: click.Option) -> list[str]:
    """The flags that are shown."""
    old = [f"--{name.replace('_', '-')}" for name in getattr(param, "was", ())]
    return [one for one in (*param.opts, *param.secondary_opts) if one not in old]


def test_one_word_has_one_meaning():
    meanings = defaultdict(lambda: defaultdict(list))
    for name, made in commands().items():
        for param in made.params:
            for flag in flags(param) if isinstance(param, click.Option) and not param.hidden else ():
                if len(flag) > 2:
                    meanings[flag][param.help].append(name)
    several = {flag: dict(told) for flag, told in meanings.items() if len(told) > 1}
    assert not {flag: told for flag, told in several.items() if flag not in LIKE}
    assert not LIKE - several.keys(), "allowed, and not needed"


def test_a_letter_has_one_meaning():
    meanings = defaultdict(set)
    for made in commands().values():
        for param in made.params:
            for flag in param.opts if isinstance(param, click.Option) else ():
                if len(flag) == 2:
                    meanings[flag].add(next(one for one in param.opts if len(one) > 2))
    assert {flag: names for flag, names in meanings.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("word", "owners"),
    [
        ("--lr", {"align", "adopt", "check", "run d2crealsr"}),  # photos; a rate is --learning-rate
        ("--recipe", {"degrade", "train d2c", "train vspsr", "train refvae"}),  # of degradation
        ("--alpha", {"train d2c", "train vspsr"}),
        ("--background", {"degrade"}),
        ("--track", {"run realsr"}),  # TensorBoard's is --tensorboard
        ("--seeds", {"sample"}),
    ],
)
def test_words_that_once_had_two_meanings(word, owners):
    def shown(made):
        return {one for param in made.params if isinstance(param, click.Option) for one in flags(param)}

    assert {name for name, made in commands().items() if word in shown(made)} == owners


def test_what_out_receives_is_said_everywhere():
    for name, made in commands().items():
        for param in made.params:
            if param.name == "out":
                words = (
                    "Folder that receives",
                    "Pool to write",
                    "File to write",
                    "Write it",
                    "Run folder to make",
                )
                kinds = (*words, "A .txt file", "Folder of the page")
                assert param.help.startswith(kinds), f"{name}: {param.help}"


def test_every_command_has_the_common_options_and_an_example():
    for name, made in commands().items():
        if name == "completion":
            continue
        assert isinstance(made, Command), name
        assert {"as_json", "quiet", "verbose", "log_file"} <= {param.name for param in made.params}, name
        if name not in ("recipes", "compare", "doctor"):  # which write nothing
            assert "dry_run" in {param.name for param in made.params}, name
        assert 1 <= len(made.examples) <= 6, name


def test_every_example_parses():
    for name, made in commands().items():
        for line in getattr(made, "examples", ()):
            words = shlex.split(line)
            assert words[: 1 + len(name.split())] == ["realdeg", *name.split()], line
            made.make_context(name, words[1 + len(name.split()) :]).close()


# ------------------------------------------------------------------ files of earlier versions


@pytest.mark.parametrize(
    ("words", "old", "new"),
    [
        ("align --lr a --hr b -o c", {"recipe": "d2crealsr"}, {"method": "d2crealsr"}),
        ("degrade a --scale 2 -o c", {"alpha": "black"}, {"background": "black"}),
        ("calibrate a --scale 2 -o c", {"only": "Canon_*"}, {"camera": "Canon_*"}),
        (
            "train d2c --data a -o c",
            {"lr": 0.01, "track": "off"},
            {"learning_rate": 0.01, "tensorboard": "off"},
        ),
        (
            "train refvae --data a --references b -o c",
            {"grid": 8, "lr": 0.5},
            {"code_grid": 8, "learning_rate": 0.5},
        ),
    ],
)
def test_run_files_of_earlier_versions_are_read(tmp_path, words, old, new):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(old))
    shown = CliRunner().invoke(cli, [*words.split(), "--config", str(file), "--show-settings"]).output
    values = yaml.safe_load(shown)
    assert {name: values[name] for name in new} == new
    assert not old.keys() & values.keys()
    for name, value in old.items():
        flag = f"--{name}"
        made = CliRunner().invoke(cli, [*words.split(), flag, str(value), "--show-settings"])
        assert yaml.safe_load(made.output)[list(new)[list(old).index(name)]] == value


def test_journals_are_compared_by_the_names_that_they_hold():
    """A dataset of an earlier version goes on: its journal says recipe, and a camera's only."""
    from realdeg.align.settings import AlignSettings
    from realdeg.camera.settings import CalibrateSettings

    stored = first_names(AlignSettings(scale=2))
    assert stored["recipe"] == "realdeg"
    assert set(stored) == {
        *("scale", "recipe", "brightness", "adjust", "vignetting", "max_error", "max_disagreeing", "mask"),
        *("max_changed", "max_colour", "lateral_colour", "min_detail", "max_soft"),
        *("max_blur", "max_enlargement", "digital_zoom", "edge", "min_side", "tolerance", "keep_rejects"),
    }
    assert set(first_names(CalibrateSettings(2))) == {"scale", "only", "size", "grid", "max_error", "patch"}
