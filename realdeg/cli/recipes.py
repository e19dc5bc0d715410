"""`realdeg recipes`: what there is, and any of it as a file to start from."""

from __future__ import annotations

import json

import click

from realdeg.cli.common import output_options


@click.command(
    context_settings={"show_default": True}, short_help="List, show and check recipes of degradation."
)
@click.argument("name", required=False)
@click.option("--scale", type=click.IntRange(2, 16), default=4, help="At which numbers are checked.")
@click.option("--operations", is_flag=True, help="Print every operation and its settings (Markdown).")
@output_options
def recipes(name: str | None, scale: int, operations: bool, as_json: bool, quiet: bool) -> None:
    """List the presets; with NAME (a preset or a file) check it and print it.

    `realdeg recipes bsrgan > mine.toml` gives a file to change and use as `--recipe mine.toml`.
    """
    if operations:
        from realdeg.degrade.recipe.guide import operations as written

        click.echo(written())
        return
    from realdeg.degrade.recipe.presets import PRESETS
    from realdeg.degrade.recipe.recipe import read_recipe

    if name is None:
        found = [read_recipe(preset) for preset in PRESETS]
        if as_json:
            click.echo(json.dumps({one.name: {"about": one.about, "sha": one.digest} for one in found}))
            return
        for one in found:
            click.echo(f"{one.name:<14} {one.about}")
        return
    recipe = read_recipe(name)
    recipe.check(scale)
    if as_json:
        pools = sorted(recipe.pools())
        click.echo(json.dumps({"name": recipe.name, "sha": recipe.digest, "pools": pools}))
    elif not quiet:
        click.echo(recipe.text, nl=False)
