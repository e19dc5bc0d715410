"""The front door to `train` and `pipelines`: their programs as commands of `realdeg`, loaded when named.

Both packages lie beside `realdeg`, and nowhere else: a `train.py` in the user's folder is the user's.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from realdeg.errors import UserError

TRAINING = {
    "d2c": ("train.d2c.command", "D2C-SR: a tree of predictions and the network that joins them."),
    "vspsr": ("train.vspsr.command", "VSpSR: many explanations of a photo, by a sparse basis."),
    "refvae": ("train.refvae.command", "RefVAE: many explanations of a photo, by reference pictures."),
}
RECIPES = {
    "d2crealsr": ("pipelines.d2crealsr", "Two folders of photos to pairs, a trained D2C-SR and a report."),
    "realsr": ("pipelines.realsr", "Photos of a camera to its blur and noise on LR/HR pairs."),
    "samsung": ("pipelines.samsung", "HR images to pairs of many degradations."),
    "ablation": ("pipelines.d2c_ablation", "The ablations of D2C-SR on a dataset of one's own."),
    "demo": ("pipelines.demo", "Align, degrade, train, evaluate and report on the bundled photos."),
}
USES = {
    "evaluate": ("train.evaluate.command", "Measure a trained model, and bicubic, on pairs it has not seen."),
    "upscale": ("train.upscale.command", "Enlarge photos with a trained model."),
    "sample": ("train.sample.command", "Draw many explanations of a photo from a trained model."),
    "export-model": ("train.export.command", "Write a trained model to one file: weights, or ONNX."),
}
"""By command: the module whose `main` it is, and a line of what it does, which needs no import."""
ROOT = Path(__file__).resolve().parents[2]


class Programs(click.Group):
    """Commands that live in other packages.

    Args:
        programs: module and short help by name.
    """

    def __init__(self, *rest: Any, programs: Mapping[str, tuple[str, str]], **words: Any) -> None:
        super().__init__(*rest, **words)
        self.programs = programs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which they are shown."""
        return list(self.programs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        return program(self.programs[cmd_name][0]) if cmd_name in self.programs else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Misspelt names get a hint."""
        if args and args[0] not in self.programs and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.programs, n=1)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=near, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and short help; nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self.programs.items()])


def program(module: str) -> click.Command:
    """The command `main` of a module of `train` or `pipelines`, of this installation."""
    for package in ("train", "pipelines"):  # which uses the former
        _our_own(package)
    found = importlib.import_module(module).main
    assert isinstance(found, click.Command)
    return found


def _our_own(package: str) -> None:
    """Load a package that lies beside `realdeg`, whatever else has its name on the path.

    Raises:
        UserError: another one is loaded already, in a process that is not ours alone.
    """
    import importlib.util  # 10 ms, which `realdeg --help` needs not

    folder = ROOT / package
    loaded = sys.modules.get(package)
    if loaded is not None:
        where = [Path(path).resolve() for path in getattr(loaded, "__path__", [])]
        if where != [folder]:
            problem = f"another module of this name is loaded ({getattr(loaded, '__file__', None)})"
            raise UserError(package, problem, "start realdeg in a process of its own")
        return
    spec = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not folder.is_dir():
        raise UserError(folder, "is missing from this installation", "install realdeg again")
    made = importlib.util.module_from_spec(spec)
    sys.modules[package] = made
    spec.loader.exec_module(made)
    # Processes that are started here look along the same path: what hides ours must not be found there.
    here = [one for one in sys.path if Path(one or ".").resolve() == Path.cwd() != ROOT]
    if any(Path.cwd().joinpath(name).exists() for name in (f"{package}.py", package)):
        sys.path[:] = [one for one in sys.path if one not in here]


train = Programs("train", programs=TRAINING, help="Train a model on a dataset of pairs.")
run = Programs(
    "run", programs=RECIPES, help="Run a published recipe from its first step to its last, or the demo."
)
