"""`realdeg train d2c` and the like: thin, lazy, and ours whatever lies in the user's folder."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from realdeg.cli.main import cli
from realdeg.cli.programs import RECIPES, ROOT, TRAINING, USES, program

DOORS = {
    **{("train", name): module for name, (module, _) in TRAINING.items()},
    **{("run", name): module for name, (module, _) in RECIPES.items()},
    **{(name,): module for name, (module, _) in USES.items()},
}


@pytest.mark.parametrize("words", DOORS, ids=" ".join)
def test_each_door_leads_to_the_module_that_python_m_runs(words):
    module = DOORS[words]
    assert program(module) is importlib.import_module(module).main
    shown = CliRunner().invoke(cli, [*words, "--help"], prog_name="realdeg").output
    assert shown.startswith(f"Usage: realdeg {' '.join(words)} [OPTIONS]")


def test_lists_say_what_the_commands_say():
    for _, (module, short) in (TRAINING | RECIPES | USES).items():
        found = program(module)
        if found.short_help:
            assert found.short_help == short


@pytest.mark.parametrize(
    ("words", "hint"), [(("train", "d2"), "d2c"), (("run", "dem"), "demo"), (("evalute",), "evaluate")]
)
def test_misspelt_names_get_a_hint(words, hint):
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 2
    assert f"Did you mean '{hint}'?" in result.output


def process(code: str, cwd: Path, *words: str, module: bool = False) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = ["-m", "realdeg"] if module else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


SCRIPT = "import sys; sys.path.pop(0); from realdeg.cli.main import main; main()"  # as pip's script: no "" in front


@pytest.mark.parametrize("module", [False, True], ids=["script", "python -m realdeg"])
@pytest.mark.parametrize("words", [("train", "d2c"), ("run", "d2crealsr")], ids=" ".join)
def test_files_of_the_user_are_not_ours(tmp_path, module, words):
    for name in ("train", "pipelines"):
        (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path('imported').touch()\n")
    done = process(SCRIPT, tmp_path, *words, "--help", module=module)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: realdeg {' '.join(words)} [OPTIONS]")
    assert not (tmp_path / "imported").exists()


def test_a_folder_called_train_is_not_ours(tmp_path):
    (tmp_path / "train").mkdir()
    done = process(SCRIPT, tmp_path, "train", "vspsr", "--help", module=True)
    assert done.returncode == 0, done.stderr


def test_help_loads_no_program_and_nothing_heavy():
    heavy = "[m for m in sys.modules if m.split('.')[0] in ('numpy', 'cv2', 'torch', 'pydantic', 'rich', 'yaml', 'train', 'pipelines')]"
    code = f"import sys; from click.testing import CliRunner; from realdeg.cli.main import cli; assert 'export-model' in CliRunner().invoke(cli, ['--help']).output; print({heavy})"
    done = process(code, ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_of_a_program_loads_nothing_heavy():
    words = "[['train', 'd2c'], ['evaluate'], ['upscale'], ['run', 'samsung']]"
    code = f"import sys; from click.testing import CliRunner; from realdeg.cli.main import cli; [CliRunner().invoke(cli, [*w, '--help']) for w in {words}]; print([m for m in ('numpy', 'cv2', 'torch') if m in sys.modules])"
    done = process(code, ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_completion_knows_the_programs():
    from click.shell_completion import ShellComplete

    for args, part, expected in ((["train"], "v", ["vspsr"]), ([], "eval", ["evaluate"])):
        found = ShellComplete(cli, {}, "realdeg", "_REALDEG_COMPLETE").get_completions(args, part)
        assert [one.value for one in found] == expected


def test_groups_say_what_they_hold():
    for name in ("train", "run"):
        group = cli.get_command(click.Context(cli), name)
        assert isinstance(group, click.Group)
        shown = CliRunner().invoke(cli, [name, "--help"]).output
        for one in group.list_commands(click.Context(group)):
            assert one in shown
