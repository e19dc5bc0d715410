"""From settings classes to commands: default < --preset < --config FILE < flag, unknown names refused.

@command(PRESETS)                                      # --config, --show-settings, --json, -v, --log-file ...
@settings_options(D2CSettings, required=("data",))     # an option for each field
def main(settings: D2CSettings, output: Output) -> None: ...

A field made by `realdeg.settings.setting` carries help, limits and source of its default; what a file of
settings holds is checked as if it were typed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import re
import shlex
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from realdeg.errors import EXIT_OK, EXIT_USAGE, UserError
from realdeg.output import Output
from realdeg.settings import from_mapping, read_yaml, to_plain, yaml_text

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True}
PATH = click.Path(path_type=Path)
LONGEST_NAME = 255  # bytes that a file name may have; no other option takes as many
# Keys of a context's meta:
SHOWING = "realdeg.showing"  # --show-settings, which lacks nothing
CONFIG = "realdeg.config"  # the file of settings
LAYERS = "realdeg.layers"  # values of preset and file
PRESET = "realdeg.preset"  # name of the preset that counts
TYPED = "realdeg.typed"  # the words of the command
NAMED = re.compile(r"`(\w+)(?:=([^`\s]+))?`")
"""A setting, perhaps with a value, as the messages of the library name it."""


class Choice(click.Choice[str]):
    """A choice that offers the nearest known value for a misspelt one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value, or a usage error."""
        near = difflib.get_close_matches(str(value), list(self.choices), n=1)
        if near and value not in self.choices:
            self.fail(
                f"{value!r} is not one of {', '.join(self.choices)}. Did you mean {near[0]!r}?", param, ctx
            )
        return super().convert(value, param, ctx)


class Option(click.Option):
    """An option that may have earlier names, and says of a wrong value in a file which file holds it.

    Args:
        was: earlier names as they stand in files; their flags are taken and not shown.
    """

    def __init__(self, names: Sequence[str], *rest: Any, was: Sequence[str] = (), **words: Any) -> None:
        self.was = tuple(was)
        super().__init__([*names, *map(flag_of, self.was)], *rest, **words)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Flags and help, without the earlier flags, and without --no-x of what is off anyway."""
        off = self.is_bool_flag and self.default is False
        second, self.secondary_opts = self.secondary_opts, [] if off else self.secondary_opts
        shown = self.show_default
        self.show_default = False if off or self.default == "" else shown
        try:
            with self._present():
                return super().get_help_record(ctx)
        finally:
            self.secondary_opts, self.show_default = second, shown

    def make_metavar(self, ctx: click.Context) -> str:
        """INTEGER for a range, whose limits stand behind the help."""
        return super().make_metavar(ctx).removesuffix(" RANGE")

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The option as messages name it."""
        with self._present():
            return super().get_error_hint(ctx)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value as its type; --show-settings lacks nothing."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if ctx.meta.get(SHOWING):
                return None
            raise
        except click.BadParameter as error:
            source = self.name and ctx.get_parameter_source(self.name)
            if source is ParameterSource.DEFAULT_MAP and ctx.meta.get(CONFIG):
                problem = f"{self.name}: {error.message.rstrip('.')}"
                raise UserError(ctx.meta[CONFIG], problem, exit_code=EXIT_USAGE) from None
            raise

    @contextlib.contextmanager
    def _present(self) -> Iterator[None]:
        known = self.opts
        self.opts = [one for one in known if one not in map(flag_of, self.was)] or known
        try:
            yield
        finally:
            self.opts = known


def flag_of(name: str) -> str:
    """The flag of a setting: `max_error` is --max-error."""
    return f"--{name.replace('_', '-')}"


def resolve(
    kind: type[T],
    presets: Mapping[str, Mapping[str, Any]],
    *,
    preset: str | None = None,
    flags: Mapping[str, Any] | None = None,
) -> T:
    """Settings of a preset, with some values in place of its own.

    Raises:
        UserError: unknown preset or name, or a value of the wrong type or outside its limits.
    """
    if preset is not None and preset not in presets:
        near = difflib.get_close_matches(preset, list(presets), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(presets)}"
        raise UserError("`preset`", f"unknown: {preset!r}", remedy, exit_code=EXIT_USAGE)
    return from_mapping(kind, {**(presets[preset] if preset else {}), **(flags or {})}, preset or "settings")


def settings_options(
    kind: type,
    into: str = "settings",
    *,
    required: Collection[str] = (),
    leave: Collection[str] = (),
    **changed: Mapping[str, Any],
) -> Callable[[F], F]:
    """Decorator: an option for each field of a settings class; the function receives one of them as `into`.

    Args:
        required: fields that a run must have, though the class does without.
        leave: fields without an option: the function sets them.
        changed: by field, what `setting` takes and is another here, e.g. help or default.
    """
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.name not in leave]
    options = [
        _option(field, hints[field.name], changed.get(field.name, {}), must=field.name in required)
        for field in fields
    ]

    def wrap(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **values: Any) -> Any:
            taken = {field.name: values.pop(field.name) for field in fields}
            return function(*args, **{into: kind(**taken)}, **values)

        return add_options(typing.cast(F, call), options)

    return wrap


def add_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """`function` with options that `--help` lists in this order."""
    for option in reversed(options):
        function = option(function)
    return function


class Command(click.Command):
    """A command whose errors, raised in terms of a library's arguments, name flags.

    Attributes:
        presets: named sets of values.
        examples: command lines, from the section of that name in the function's docstring.
        common: names of the options that all commands have.
    """

    presets: Mapping[str, Mapping[str, Any]]
    examples: Sequence[str] = ()
    common: Collection[str] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, then those that all commands have."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                (common if param.name in self.common or param.name == "help" else own).append(record)
        for heading, records in (("Options", own), ("Options of all commands", common)):
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, a line each."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_text("\b\n" + "\n".join(self.examples))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options from the words typed and from files."""
        ctx.meta[TYPED] = shlex.join(args)
        try:
            return super().parse_args(ctx, args)
        except UserError as error:
            raise in_flags_of(error, self) from None


def command(
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    dry_run: bool = True,
    short_help: str | None = None,
) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator: a click command with the options that all have; the function receives `output: Output`.

    What the function returns is the exit code; None is 0.

    Args:
        presets: named sets of values for --preset.
        dry_run: whether there is something that can be left undone.
        short_help: line of the command in a list.
    """

    def wrap(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        @click.pass_context
        def call(ctx: click.Context, /, **values: Any) -> int:
            if ctx.meta.get(SHOWING):
                click.echo(_shown(ctx), nl=False)
                return EXIT_OK
            if pixels := values.pop("max_pixels"):
                from realdeg.io.limits import allowing

                ctx.with_resource(allowing(pixels))
            told = {name: values.pop(name) for name in TOLD if name in values}
            with Output(**told) as output:
                output.note(f"{ctx.command_path} {ctx.meta[TYPED]}")
                try:
                    code = function(output=output, **values)
                except UserError as error:
                    raise in_flags_of(error, ctx.command) from None
            if code:
                ctx.exit(code)
            return EXIT_OK

        built: Any = call
        built.__click_params__ = []
        built = add_options(built, _common_options(presets, dry_run))
        common = [param.name for param in built.__click_params__ if param.name != "preset"]
        built.__click_params__ += getattr(function, "__click_params__", [])  # which are listed before
        about, _, examples = (function.__doc__ or "").partition("Examples:\n")
        built.__doc__ = about.rstrip()
        made = click.command(cls=Command, context_settings=CONTEXT, short_help=short_help)(built)
        made.presets, made.common = presets or {}, common
        made.examples = [line.strip() for line in examples.splitlines() if line.strip()]
        return made

    return wrap


TOLD = ("as_json", "dry_run", "quiet", "verbose", "log_file")


def _common_options(
    presets: Mapping[str, Mapping[str, Any]] | None, dry_run: bool
) -> list[Callable[[Any], Any]]:
    """What every command takes, in the order of `--help`."""
    eager: dict[str, Any] = {"is_eager": True, "expose_value": False}
    found = []
    if presets is not None:
        help = f"Start from a named set of values: {', '.join(presets)}."
        use = functools.partial(_use_preset, presets)
        found += [click.option("--preset", metavar="NAME", callback=use, help=help, cls=Option, **eager)]
    if dry_run:
        found += [click.option("--dry-run", is_flag=True, help="Say what would be done, write nothing.")]
    found += [
        click.option("--config", type=PATH, callback=_use_config, cls=Option, **eager,
                     help="YAML file of options by name, e.g. the run.yaml of an earlier run; flags win."),
        click.option("--show-settings", is_flag=True, callback=_show, **eager,
                     help="Print the options in force as such a file, and stop."),
        click.option("--json", "as_json", is_flag=True,
                     help="Print the result as one JSON document; all else goes to standard error."),
        click.option("-q", "--quiet", is_flag=True, help="No progress, only problems and the result."),
        click.option("-v", "--verbose", is_flag=True, help="A line for each item."),
        click.option("--log-file", type=PATH, help="Append all lines that are told, with their time."),
        click.option("--max-pixels", type=click.IntRange(1), metavar="N",
                     show_default="179 million", help="Refuse larger photos before they are decoded."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks."),
    ]  # fmt: skip
    return found


def _show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[SHOWING] = value


def _shown(ctx: click.Context) -> str:
    """The options in force as YAML that --config reads back."""
    kept = {}
    for param in ctx.command.params:
        name, value = param.name or "", ctx.params.get(param.name or "")
        if name not in (*TOLD, "max_pixels") and value not in (None, ()) and not getattr(param, "hidden", 0):
            kept[name] = to_plain(value)
    return yaml_text(kept)


def _use_preset(
    presets: Mapping[str, Mapping[str, Any]], ctx: click.Context, param: click.Parameter, name: str | None
) -> None:
    """Take defaults from a preset: they yield to what a file says."""
    if name is None:
        return
    _put(ctx, "preset", _preset(presets, ctx, param, name))
    ctx.meta[PRESET] = name


def _preset(
    presets: Mapping[str, Mapping[str, Any]], ctx: click.Context, param: click.Parameter | None, name: str
) -> dict[str, Any]:
    chosen = presets[Choice(list(presets)).convert(name, param, ctx)]
    options = _by_name(ctx.command)
    return {key: _as_typed(Path(name), options[key], value) for key, value in chosen.items()}


def preset_in_force() -> str | None:
    """Name of the preset that the command that runs began with; None: of none, or outside commands."""
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(PRESET)


def _put(ctx: click.Context, layer: str, values: dict[str, Any]) -> None:
    """Defaults from the stronger place: a file's own preset < --preset < the file's lines."""
    layers: dict[str, dict[str, Any]] = ctx.meta.setdefault(LAYERS, {})
    layers[layer] = values
    chosen = layers.get("preset", layers.get("preset of file", {}))
    ctx.default_map = {**chosen, **layers.get("file", {})}


def _use_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Take defaults from a file: default < preset < file < flag, unknown names refused."""
    if path is None:
        return
    ctx.meta[CONFIG] = path
    options = _by_name(ctx.command)
    told: dict[str, Any] = {}
    for name, value in read_yaml(path).items():
        if name not in options:
            near = difflib.get_close_matches(str(name), options, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(options)}"
            raise UserError(path, f"unknown option {name!r}", hint, exit_code=EXIT_USAGE)
        option = options[name]
        if option.name in told:
            problem = f"tells {option.name} a second time, as {name}"
            raise UserError(path, problem, "remove one of them", exit_code=EXIT_USAGE)
        if value is not None and option.name:
            told[option.name] = _as_typed(path, option, value)
    if name := told.pop("preset", None):
        presets = typing.cast(Command, ctx.command).presets
        _put(ctx, "preset of file", _preset(presets, ctx, options["preset"], name))
        ctx.meta.setdefault(PRESET, name)
    _put(ctx, "file", told)


def _by_name(command: click.Command) -> dict[str, click.Parameter]:
    """Parameters that a file may tell, also by their flags and earlier names."""
    params = [p for p in command.params if p.name and p.name not in ("config", "debug", "show_settings")]
    found = {param.name or "": param for param in params}
    for param in params:
        flags = param.opts if isinstance(param, click.Option) else ()
        names = [flag[2:].replace("-", "_") for flag in flags if flag.startswith("--")]
        found |= {name: param for name in (*names, *getattr(param, "was", ())) if name not in found}
    return found


def _as_typed(path: Path, option: click.Parameter, value: object) -> bool | str | list[str]:
    """A value of a file as it would be typed, so that click checks both alike.

    Raises:
        UserError: a list where one value is meant, what nobody could type, or no true or false for a flag.
    """

    def wrong(meant: str) -> UserError:
        problem = f"{option.name}: {str(value)[:40]!r} is not what is meant"
        return UserError(path, problem, meant, exit_code=EXIT_USAGE)

    def text(one: object) -> str:
        if isinstance(one, bool) or not isinstance(one, (str, int, float, Path)) or "\0" in str(one):
            raise wrong("give a number or a text")
        if max(len(part.encode("utf-8", "replace")) for part in str(one).split("/")) > LONGEST_NAME:
            raise wrong(f"give at most {LONGEST_NAME} letters")
        return str(one)

    if isinstance(option, click.Option) and option.is_flag:
        if not isinstance(value, bool):
            raise wrong("give true or false")
        return value
    if isinstance(value, bool) and isinstance(option.type, Choice):  # YAML takes on and off for these
        value = "on" if value else "off"
    if option.multiple or option.nargs != 1:
        return [text(one) for one in (value if isinstance(value, list) else [value])]
    return text(value)


def in_flags(text: str, command: click.Command | None = None) -> str:
    """A library's message with flags in place of the settings that it names: `max_error` is --max-error.

    Args:
        command: whose flags; by default of the command that runs.
    """
    if command is None:
        ctx = click.get_current_context(silent=True)
        if ctx is None:
            return text
        command = ctx.command
    flags = _flags(command)

    def flag(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        return found[0] if name not in flags else f"{flags[name]} {value}" if value else flags[name]

    return NAMED.sub(flag, text)


def in_flags_of(error: UserError, command: click.Command) -> UserError:
    """The same error, with flags in place of settings."""
    said = [in_flags(part, command) for part in (error.subject, error.problem, error.remedy)]
    if said == [error.subject, error.problem, error.remedy]:
        return error
    return type(error)(*said, exit_code=error.exit_code)


def _flags(command: click.Command) -> dict[str, str]:
    """What a command calls its parameters, by name, also of the second of `--resume/--overwrite`."""
    found: dict[str, str] = {}
    for param in command.params:
        name = param.name or ""
        if not isinstance(param, click.Option):
            found[name] = name.upper()
            continue
        first = [one for one in param.opts if one.startswith("--")] or param.opts
        second = [one for one in param.secondary_opts if one.startswith("--")]
        for one in (*second, *first):
            found[one.lstrip("-").replace("-", "_")] = one
        found[name] = first[0]
        found |= {old: first[0] for old in getattr(param, "was", ())}
    return found


def _choices(hint: Any) -> list[str]:
    found = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    return [str(value) for value in found]


def _option(
    field: dataclasses.Field[Any], hint: Any, changed: Mapping[str, Any], *, must: bool
) -> Callable[[Any], Any]:
    """The click option of a field of a settings class."""
    about = {**field.metadata, "default": field.default, **changed}
    default = about["default"]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    words: dict[str, Any] = {
        "help": about["help"], "was": about["was"], "hidden": about["hidden"], "cls": Option,
        "show_default": about["shown"] or None,
    }  # fmt: skip
    if default is dataclasses.MISSING or must:
        words["required"] = True
    else:
        words["default"] = default
    flag = about["flag"] or flag_of(field.name)
    if hint is bool and not about["flag"]:
        flag = f"{flag}/--no-{flag[2:]}"
    if about["metavar"]:
        words["metavar"] = about["metavar"]
    if typing.get_origin(hint) is tuple:
        words["nargs"] = len(typing.get_args(hint))
        hint = typing.get_args(hint)[0]
    choices = about["choices"] or _choices(hint)
    if hint is bool:
        words["is_flag"] = True
    else:
        words["type"] = Choice(choices) if choices else _kind(hint, about)
    return click.option(*([about["short"]] if about["short"] else []), flag, field.name, **words)


def _kind(hint: Any, about: Mapping[str, Any]) -> Any:
    """The click type of a number, path or text."""
    if hint is Path:
        return PATH
    low, above, high = about["low"], about["above"], about["high"]
    if hint not in (int, float) or (low is None and above is None and high is None):
        return hint
    least = low if above is None else above
    if hint is int:
        return click.IntRange(least, high, min_open=above is not None)
    return click.FloatRange(least, high, min_open=above is not None)
