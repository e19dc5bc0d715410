"""`realdeg recipes`: what there is, and any of it as a file to start from."""

from __future__ import annotations

import click

from realdeg.options import command
from realdeg.output import Output


@command(dry_run=False, short_help="List, show and check recipes of degradation.")
@click.argument("name", required=False)
@click.option(
    "--scale", type=click.IntRange(2, 16), default=4, help="HR size / LR size that numbers are checked at."
)
@click.option("--operations", is_flag=True, help="Print every operation and its settings (Markdown).")
def recipes(output: Output, name: str | None, scale: int, operations: bool) -> None:
    """List the presets; with NAME (a preset or a file) check it and print it.

    `realdeg recipes bsrgan > mine.toml` gives a file to change and use as `--recipe mine.toml`.

    Examples:
      realdeg recipes
      realdeg recipes bsrgan
    """
    if operations:
        from realdeg.degrade.recipe.guide import operations as written

        text = written()
        output.result({"operations": text}, text)
        return
    from realdeg.degrade.recipe.presets import PRESETS
    from realdeg.degrade.recipe.recipe import read_recipe

    if name is None:
        found = [read_recipe(preset) for preset in PRESETS]
        told = {one.name: {"about": one.about, "sha": one.digest} for one in found}
        output.result(told, *(f"{one.name:<14} {one.about}" for one in found))
        return
    recipe = read_recipe(name)
    recipe.check(scale)
    result = {"name": recipe.name, "sha": recipe.digest, "pools": sorted(recipe.pools())}
    output.result(result, *([] if output.quiet else [recipe.text.removesuffix("\n")]))
