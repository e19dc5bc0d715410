"""From a settings class to a command: default < --preset < --config FILE < flag, unknown names refused.

A settings class is a frozen dataclass whose fields are made by `setting`, so that help, limits and source
of a number stand beside its default, once.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import from_mapping, read_yaml, to_mapping

T = TypeVar("T")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def setting(
    default: Any, help: str, *, low: float | None = None, above: float | None = None, short: str = ""
) -> Any:
    """A field of a settings class.

    Args:
        help: what it is, with unit, and where the default comes from.
        low: smallest value.  above: bound that the value must exceed.
        short: one-letter flag, e.g. "-o".
    """
    about = {"help": help, "low": low, "above": above, "short": short}
    return dataclasses.field(default=default, metadata=about)


def check_limits(settings: Any) -> None:
    """Refuse numbers outside the limits of their fields; for a class's `__post_init__`.

    Raises:
        UserError: with the option's name.
    """
    for field in dataclasses.fields(settings):
        value, low, above = getattr(settings, field.name), field.metadata["low"], field.metadata["above"]
        remedy = ""
        if value is not None and low is not None and not value >= low:
            remedy = f"at least {low}"
        if value is not None and above is not None and not value > above:
            remedy = f"more than {above}"
        if remedy:
            raise UserError(_flag(field.name), f"{value} is too small", remedy, exit_code=EXIT_USAGE)


def resolve(
    kind: type[T],
    presets: Mapping[str, Mapping[str, Any]],
    *,
    preset: str | None = None,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> T:
    """Settings in force, each from the strongest place that names it.

    A file may name a preset too (`preset: tiny`); --preset wins over it.

    Raises:
        UserError: unknown preset or name, or a value of the wrong type or outside its limits.
    """
    from_file = read_yaml(config) if config else {}
    chosen = preset or from_file.pop("preset", None)
    from_file.pop("preset", None)
    if chosen is not None:
        _one_of("preset", chosen, list(presets))
    values = {**(presets[chosen] if chosen else {}), **from_file, **(flags or {})}
    for name, hint in typing.get_type_hints(kind).items():
        if name in values and _choices(hint):
            _one_of(name, values[name], _choices(hint))
    return from_mapping(kind, values, str(config or "command line"))


def command(
    kind: type[T], presets: Mapping[str, Mapping[str, Any]], required: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: turn `function(settings, **switches)` into a click command with one option a field.

    Further click options below this decorator are passed on as keyword arguments.

    Args:
        required: fields that --show-settings may lack, but a run must have.
    """
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]

    def wrap(function: Callable[..., Any]) -> click.Command:
        @click.pass_context
        def call(ctx: click.Context, /, preset: str | None, config: Path | None, **values: Any) -> Any:
            show = values.pop("show_settings")
            given = {
                name: values.pop(name)
                for name in list(values)
                if name in names and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
            }
            switches = {name: value for name, value in values.items() if name not in names}
            settings = resolve(kind, presets, preset=preset, config=config, flags=given)
            if show:
                click.echo(as_text(settings), nl=False)
                return None
            for name in required:
                if getattr(settings, name) is None:
                    raise click.UsageError(f"Missing option '{_flag(name)}'.", ctx)
            return function(settings, **switches)

        built: Any = call
        built.__doc__, built.__name__ = function.__doc__, function.__name__
        built.__click_params__ = getattr(function, "__click_params__", [])
        hints = typing.get_type_hints(kind)
        known = ", ".join(presets)
        options = [_option(field, hints[field.name]) for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
        options += [
            click.option("--preset", metavar="NAME", help=f"Start from a named set of values: {known}."),
            click.option(
                "--config", type=click.Path(path_type=Path), help="YAML file of settings by name; flags win."
            ),
            click.option("--show-settings", is_flag=True, help="Print the settings in force and stop."),
            click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks."),
        ]
        for option in reversed(options):
            built = option(built)
        return click.command(context_settings=CONTEXT)(built)

    return wrap


def as_text(settings: Any) -> str:
    """Settings as YAML that --config reads back."""
    import yaml

    values = {name: value for name, value in to_mapping(settings).items() if value is not None}
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _one_of(name: str, value: Any, known: list[str]) -> None:
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"
        raise UserError(_flag(name), f"unknown: {value!r}", remedy, exit_code=EXIT_USAGE)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _choices(hint: Any) -> list[str]:
    return (
        [str(value) for value in typing.get_args(hint)] if typing.get_origin(hint) is typing.Literal else []
    )


def _option(field: dataclasses.Field[Any], hint: Any) -> Callable[[Any], Any]:
    about, flag = field.metadata, _flag(field.name)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    names = [name for name in (about["short"], flag) if name]
    words: dict[str, Any] = {"help": about["help"], "default": field.default}
    choices = _choices(hint)
    if hint is bool:
        names[-1] = f"{flag}/--no-{flag[2:]}"
    elif choices:
        words["metavar"] = "|".join(choices)
    elif hint is Path:
        words["type"] = click.Path(path_type=Path)
    else:
        words["type"] = hint
    return click.option(*names, field.name, show_default=field.default is not None, **words)
