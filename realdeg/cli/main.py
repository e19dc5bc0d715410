"""`realdeg`: the group of commands, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
import traceback
from typing import NoReturn

import click

from realdeg import ipp
from realdeg.cli.programs import USES, program
from realdeg.cli.streams import Streams
from realdeg.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, Interrupted, UserError

GROUPS = ("train", "run")
COMMANDS = {
    "Make pairs": {
        "align": "Register LR/HR photos of the same scenes into training pairs.",
        "degrade": "Make LR images of clean images: blur, reduce, add noise, compress.",
        "adopt": "Take in LR/HR pairs that others registered.",
    },
    "Degradation": {
        "recipes": "List, show and check recipes of degradation.",
        "kernels": "Learn the blur of a camera from its photos: a kernel pool.",
        "noise": "Take the noise of a camera from its photos: a noise pool.",
        "calibrate": "Measure a camera from registered pairs: a recipe that imitates it.",
        "pool": "Check a pool of kernels or noise; write it anew.",
        "replay": "Make LR again from HR and the manifest, and compare.",
    },
    "Work on a dataset": {
        "check": "Look at pairs of others: displaced, off in colour, there twice.",
        "verify": "Check every file of a dataset against its manifest; --repair makes it again.",
        "split": "Assign scenes to train, val and test.",
        "tile": "Cut pairs into tiles on one grid.",
        "export": "Write lists of pairs for D2C-SR or BasicSR.",
        "report": "Write a page that shows a dataset, a camera, or a pool.",
        "compare": "Which dataset is nearest to real photos: rank them.",
    },
    "Models": {
        "train": "Train a model on a dataset of pairs.",
        **{name: words for name, (_, words) in USES.items()},
    },
    "Whole recipes": {"run": "Run a published recipe from its first step to its last, or the demo."},
    "This installation": {
        "doctor": "Say what is installed and works here, and how to get the rest.",
        "completion": "Print the completion script for bash, zsh or fish.",
    },
}
"""Commands by heading, each with its line of help: a list of them imports none (a test holds them equal)."""


class _Commands(click.Group):
    """Commands imported when they are named, listed in the order of a user's day."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        if name in USES:
            return program(USES[name][0])
        module = f"realdeg.cli.{'programs' if name in GROUPS else name}"
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # click offers near misses for the names in `self.commands`; ours are loaded on demand.
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=near, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(list(names.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            formatter.write_text("\b\n" + "\n".join(EXAMPLES))
        with formatter.section("Exit codes"):
            formatter.write_text(
                "0 all done; 1 some files failed or were rejected; 2 wrong usage; 3 something needed is "
                "missing; 130 stopped by Ctrl-C (run again to go on)"
            )


EXAMPLES = (
    "realdeg align --lr wide/ --hr tele/ -o pairs     register photos of one scene",
    "realdeg degrade clean/ --scale 4 --recipe realesrgan -o synthetic    make LR from clean images",
    "realdeg split pairs --test 15                    keep scenes apart",
    "realdeg train d2c --data pairs -o run            train D2C-SR on the pairs",
    "realdeg upscale photos/ --run run -o large       enlarge photos with it",
    "realdeg report pairs --run run                   a page to look at",
)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="realdeg", message="realdeg %(version)s")
def cli() -> None:
    """Turn real photos into super-resolution data: align pairs, or degrade clean images like a camera.

    Every job writes a folder with HR/, LR/, manifest.csv and run.yaml, may be stopped at any time, and
    goes on where it was when run again.
    """


def main() -> NoReturn:
    """Entry point of the `realdeg` command."""
    run(cli, "realdeg")


def run(command: click.Command, name: str) -> NoReturn:
    """Run a click command as a program: one line for each error, documented exit codes, no traceback.

    Args:
        command: group or command, called with this process's arguments.
        name: program name shown in usage lines.
    """
    streams = Streams()
    ipp.off()
    try:
        status = command.main(prog_name=name, standalone_mode=False)
        code = status if isinstance(status, int) else 0
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, Interrupted, click.exceptions.Abort) as stop:
        where = f" {stop}" if isinstance(stop, Interrupted) and stop.args else ""
        click.echo(
            f"stopped{where}; what was finished is saved, run the same command again to go on", err=True
        )
        code = EXIT_INTERRUPTED
    except Exception as error:
        code = EXIT_SOME_FAILED
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            name = f"{str(error.filename)[:40]}..."
            line = UserError(name, "is longer than names may be", "check the path")
            click.echo(f"error: {line}", err=True)
        elif debugging():
            traceback.print_exc()
        else:
            click.echo(
                f"error: internal error, please report it: {type(error).__name__}: "
                f"{' '.join(str(error).split())}; add --debug for the full trace",
                err=True,
            )
    else:
        code = code or 0
    sys.exit(streams.closing(code))


def debugging() -> bool:
    """Whether the user asked for tracebacks (`--debug`, or REALDEG_DEBUG in the environment)."""
    return "--debug" in sys.argv or bool(os.environ.get("REALDEG_DEBUG"))


if __name__ == "__main__":
    main()
