"""`realdeg completion`: shell completion."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    r"""Print the completion script for bash, zsh or fish.

    \b
    bash:  realdeg completion bash > ~/.local/share/bash-completion/completions/realdeg
    zsh:   realdeg completion zsh  > ~/.zfunc/_realdeg
    fish:  realdeg completion fish > ~/.config/fish/completions/realdeg.fish
    """
    from click.shell_completion import get_completion_class

    from realdeg.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "realdeg", "_REALDEG_COMPLETE").source())
