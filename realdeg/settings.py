"""Settings: frozen dataclasses, read from and written to YAML; unknown keys are errors.

A settings class is a plain frozen dataclass beside the function it steers, so importing it costs
nothing. Its fields are made by `setting`, so that help, limits, choices and short flag of a number stand
beside its default, once; `realdeg.options` makes the options of commands of them. pydantic checks values
only when a file is loaded.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from realdeg.errors import EXIT_USAGE, UserError

T = TypeVar("T")

RUN_FILE = "run.yaml"
LARGEST_YAML = 128 << 10  # bytes: what is written here has some 2 kB
DEEPEST_YAML = 20
HALF_LETTER = re.compile(
    "[\ud800-\udc7f\udd00-\udfff]"
)  # the others stand for bytes of names that are no UTF-8


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    short: str = "",
    flag: str = "",
    choices: Sequence[str] = (),
    metavar: str = "",
    shown: str = "",
    was: Sequence[str] = (),
    hidden: bool = False,
) -> Any:
    """A field of a settings class.

    Args:
        default: None stands for "not given"; without one the setting is required.
        help: what it is, with unit, and where the default comes from.
        low: smallest value.  above: bound that the value must exceed.  high: largest value.
        short: one-letter flag, e.g. "-o".
        flag: in place of the field's own name, e.g. "--resume/--overwrite".
        choices: values of a text; those of a Literal are known.
        metavar: what `--help` shows for a value.
        shown: the default in words, where None stands for something.
        was: earlier names, which are still read in files and taken as flags.
        hidden: not in `--help`.
    """
    about = {
        "help": help, "low": low, "above": above, "high": high, "short": short, "flag": flag,
        "choices": tuple(choices), "metavar": metavar, "shown": shown, "was": tuple(was), "hidden": hidden,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata=about)


def check_limits(settings: Any) -> None:
    """Refuse numbers outside the limits of their fields; for a class's `__post_init__`.

    Raises:
        UserError: with the setting's name.
    """
    for field in dataclasses.fields(settings):
        value, about = getattr(settings, field.name), field.metadata
        for one in value if isinstance(value, tuple) else (value,) if value is not None else ():
            wrong, remedy = "", ""
            if about["low"] is not None and not one >= about["low"]:
                wrong, remedy = "small", f"at least {about['low']}"
            if about["above"] is not None and not one > about["above"]:
                wrong, remedy = "small", f"more than {about['above']}"
            if about["high"] is not None and not one <= about["high"]:
                wrong, remedy = "large", f"at most {about['high']}"
            if wrong:
                raise UserError(f"`{field.name}`", f"{one} is too {wrong}", remedy, exit_code=EXIT_USAGE)


def current_names(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names that settings have now; files of earlier versions have others (`was`)."""
    fields = dataclasses.fields(kind)
    names = {old: field.name for field in fields for old in field.metadata.get("was", ())}
    return {names.get(name, name) if names.get(name) not in values else name: v for name, v in values.items()}


def first_names(settings: Any) -> dict[str, Any]:
    """Settings as plain values by the name that each had first: journals of earlier versions compare so."""
    fields = dataclasses.fields(settings)
    values = to_mapping(settings)
    return {(field.metadata.get("was") or (field.name,))[-1]: values[field.name] for field in fields}


def from_mapping(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build `kind` from a mapping, checking names and types.

    Args:
        kind: a dataclass with a default for every optional field.
        values: settings by field name, or by a name that a field had earlier.
        where: file or option named in messages.

    Raises:
        UserError: unknown name (with the nearest known one), or a value of the wrong type or range.
    """
    import pydantic

    values = current_names(kind, values)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise UserError(where, f"unknown setting {name!r}", hint, exit_code=EXIT_USAGE)
    try:
        return pydantic.TypeAdapter(kind).validate_python(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(where, f"setting {field}: {first['msg']}", exit_code=EXIT_USAGE) from None
    except ValueError as error:
        raise UserError(where, str(error), exit_code=EXIT_USAGE) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Mapping in a YAML file (an empty file is an empty mapping).

    Settings are a few plain values, so a file of more than `LARGEST_YAML` bytes is none, and neither aliases
    are read, by which some lines stand for gigabytes, nor a name twice, of which one would be ignored. Values
    are what YAML 1.2 takes them for: `off` and 12:30 are texts, 010 is ten, 1e-4 is a number.

    Raises:
        UserError: missing, not YAML, not a mapping, or one of these.
    """
    import yaml

    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_YAML + 1)
        if len(data) > LARGEST_YAML:
            problem = f"is larger than {LARGEST_YAML >> 10} kB, which settings are not"
            raise UserError(path, problem, exit_code=EXIT_USAGE)
        text = data.decode()
        _refuse_odd_yaml(path, text)
        values = yaml.load(text, Loader=_dialect()[0])
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", exit_code=EXIT_USAGE) from None
    except RecursionError:
        raise _too_deep(path) from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, AttributeError) as error:
        # PyYAML's own errors, and those of dates, numbers and texts that it takes values for
        line = " ".join((str(error).splitlines() or ["damaged"])[0].split())[:100]
        raise UserError(path, f"is not YAML ({line})", exit_code=EXIT_USAGE) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError(path, "holds no `name: value` lines", exit_code=EXIT_USAGE)
    for name, value in values.items():
        if not _is_plain(value):
            problem = f"{name}: {str(value)[:40]!r} is no number or text, nor a list of such"
            raise UserError(path, problem, "put it in quotes", exit_code=EXIT_USAGE)
    return values


def _is_plain(value: object) -> bool:
    """Whether a value is one that JSON and file names have too: no date, no bytes, no half of a letter."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, str):
        return not HALF_LETTER.search(value)
    return value is None or isinstance(value, (int, float))


def _refuse_odd_yaml(path: Path, text: str) -> None:
    """Refuse what no settings need, by the events of YAML's parser, before any value is made."""
    import yaml

    opened: list[set[str] | None] = []  # names in the mappings that the parser is in; None for a list
    is_name = [False]  # of what comes next there: in mappings names and values take turns
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{path}, line {event.start_mark.line + 1}" if event.start_mark else str(path)
        if isinstance(event, yaml.AliasEvent):
            remedy = "write the value out"
            raise UserError(where, f"holds an alias (*{event.anchor})", remedy, exit_code=EXIT_USAGE)
        if isinstance(event, yaml.NodeEvent) and opened and (names := opened[-1]) is not None:
            if is_name[-1] and isinstance(event, yaml.ScalarEvent):
                if event.value in names:
                    problem = f"tells {event.value[:40]!r} a second time"
                    raise UserError(where, problem, "remove one of them", exit_code=EXIT_USAGE)
                names.add(event.value)
            is_name[-1] = not is_name[-1]
        if isinstance(event, yaml.CollectionStartEvent):
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            opened.append(set() if is_mapping else None)
            is_name.append(is_mapping)
            if len(opened) > DEEPEST_YAML:
                raise _too_deep(path)
        elif isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
            is_name.pop()


@functools.cache
def _dialect() -> tuple[type[Any], type[Any]]:
    """PyYAML's safe loader with the words of YAML 1.2, and a dumper whose texts it reads as texts.

    PyYAML follows YAML 1.1, to which `no` is false, 12:30 is 750, 010 is eight, 1e-4 is a text and 2024-01-02
    is a date. The dumper puts into quotes what either of the two would take for something else than a text.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012, as the base class has it

    class Dumper(yaml.SafeDumper):
        pass

    numbers = "-+.0123456789"
    for kind, pattern, first in (
        ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list(numbers)),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", list(numbers)),
        ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list(numbers)),
    ):
        for one in (Loader, Dumper):
            one.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"({pattern})$"), first)

    def integer(loader: Any, node: Any) -> int:
        text = loader.construct_scalar(node)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)

    Loader.add_constructor("tag:yaml.org,2002:int", integer)
    return Loader, Dumper


def yaml_text(values: Mapping[str, Any]) -> str:
    """Plain values by name as YAML, which `read_yaml` reads as the same values."""
    import yaml

    return str(yaml.dump(dict(values), Dumper=_dialect()[1], sort_keys=False, allow_unicode=True))


def _too_deep(path: Path) -> UserError:
    problem = f"holds lists in lists, more than {DEEPEST_YAML} deep, which settings are not"
    return UserError(path, problem, exit_code=EXIT_USAGE)


def to_mapping(settings: Any) -> dict[str, Any]:
    """Settings as plain values by field name."""
    return {name: to_plain(value) for name, value in dataclasses.asdict(settings).items()}


def write_run(folder: Path, command: str, values: dict[str, Any]) -> Path:
    """Write `folder/run.yaml`: the options in force, which `COMMAND --config` reads back, and versions.

    Args:
        folder: where the outputs are.
        command: e.g. "realdeg align".
        values: options by name; None and paths are understood.
    """
    from realdeg.atomic import write_text

    kept = {name: to_plain(value) for name, value in values.items() if value is not None}
    heading = [f"# {command}; run again with --config THIS_FILE", f"# made with {versions()}"]
    body = yaml_text(kept)
    path = folder / RUN_FILE
    write_text(path, "\n".join([*heading, body]))
    return path


DECIDING = (
    *("realdeg", "numpy", "opencv-contrib-python", "pillow", "simplejpeg", "imagecodecs", "tifffile"),
    *("pillow-heif", "rawpy", "torch"),
)
"""Packages whose versions decide over pixels."""
WIDEST_FIRST = ("AVX512_SKX", "AVX2", "SSE42", "ASIMD", "NEON")


def versions() -> str:
    """What an output's pixels depend on, on one line: versions, and what the processor knows."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in DECIDING:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join([*found, f"cpu {processor()}"])


def processor() -> str:
    """Kind of processor, and its widest instructions of those that OpenCV and NumPy have code for."""
    import importlib
    import platform

    try:
        known = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):  # NumPy promises nothing of this
        known = {}
    widest = next((name for name in WIDEST_FIRST if known.get(name)), "")
    return f"{platform.machine()} {widest.lower()}".strip()


def to_plain(value: Any) -> Any:
    """`value` in types that YAML and JSON know: paths become text, tuples lists."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: to_plain(item) for name, item in value.items()}
    return value
