"""JSON that is read back, checked against the type that it was written with.

Journals, vouchers, headers and hashes are texts that a disk may damage and a person may edit. `parsed` reads
one and gives what the reader asks for, or says where it is something else. Python's types say what is meant:

    parsed(line, dict[str, tuple[str, int, int]])

Understood are str, int (64 bits), float (finite), bool, None, Json, Any, Literal, list[X], tuple[X, Y],
dict[str, X], X | Y and TypedDict, of which `Required` keys must be there, or all where it is `total`. A bool
is no int, a text no number; further keys are passed over. pydantic's core does the work in half the time that
`json` takes to read alone, at most 200 levels deep; all of pydantic would take longer to load than most
journals.
"""

from __future__ import annotations

import contextlib
import types
import typing
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType, TypeVar, cast

if TYPE_CHECKING:
    from pydantic_core import CoreSchema, SchemaValidator

T = TypeVar("T")
Json = NewType("Json", object)
"""Any value of JSON without NaN and infinity."""
LARGEST = 64 << 20  # bytes of a file that is read as one JSON text
LEAST, MOST = -(2**63), 2**63 - 1  # of whole numbers


class Mistyped(ValueError):
    """What a text holds in place of what is meant: "at files.a.png.1: should be a valid integer"."""


def parsed(text: str | bytes, kind: type[T], *, more: bool = False) -> T:
    """A value of `kind` from JSON.

    Args:
        text: JSON, in UTF-8 where it is bytes.
        kind: see above.
        more: keep keys that a TypedDict does not name.

    Raises:
        Mistyped: it is no JSON, or something else; where, and what.
    """
    with _said():
        return cast(T, _validator(cast(Hashable, kind), more).validate_json(text, strict=True))


def checked(value: object, kind: type[T], *, more: bool = False) -> T:
    """The same of a value that JSON or YAML has given; tuples are no lists then.

    Raises:
        Mistyped: it is something else; where, and what.
    """
    with _said():
        return cast(T, _validator(cast(Hashable, kind), more).validate_python(value, strict=True))


@contextlib.contextmanager
def _said() -> Iterator[None]:
    from pydantic_core import ValidationError

    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = ".".join(str(part) for part in first["loc"] if str(part).isprintable())[:80]
        what = first["msg"].removeprefix("Input ").removeprefix("Invalid JSON: ").replace("Field ", "is ")
        raise Mistyped(f"at {at}: {what}" if at else what) from None


def read_json(path: Path, kind: type[T], *, more: bool = False) -> T:
    """A value of `kind` from a file in UTF-8.

    Raises:
        Mistyped: as `parsed`, or the file is larger than any that is written here.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise Mistyped(f"is larger than {LARGEST >> 20} MB")
    return parsed(text, kind, more=more)


@lru_cache(maxsize=64)
def _validator(kind: Any, more: bool) -> SchemaValidator:
    from pydantic_core import SchemaValidator, core_schema

    value = core_schema.definition_reference_schema("json")
    json = core_schema.union_schema(
        [
            core_schema.none_schema(),
            core_schema.bool_schema(),
            core_schema.str_schema(),
            core_schema.int_schema(ge=LEAST, le=MOST),
            core_schema.float_schema(allow_inf_nan=False),
            core_schema.list_schema(value),
            core_schema.dict_schema(core_schema.str_schema(), value),
        ],
        ref="json",
        mode="left_to_right",
        custom_error_type="json",
        custom_error_message="should be a finite number of usual size, or hold such",
    )
    return SchemaValidator(core_schema.definitions_schema(_schema(kind, more), [json]))


def _schema(kind: Any, more: bool) -> CoreSchema:
    from pydantic_core import core_schema

    plain: dict[Any, Callable[[], CoreSchema]] = {
        Any: core_schema.any_schema,
        Json: lambda: core_schema.definition_reference_schema("json"),
        str: core_schema.str_schema,
        bool: core_schema.bool_schema,
        int: lambda: core_schema.int_schema(ge=LEAST, le=MOST),
        float: lambda: core_schema.float_schema(allow_inf_nan=False),
        type(None): core_schema.none_schema,
    }
    if kind in plain:
        return plain[kind]()
    if typing.is_typeddict(kind):
        fields = {}
        for name, hint in typing.get_type_hints(kind, include_extras=True).items():
            needed = typing.get_origin(hint) is typing.Required
            hint = typing.get_args(hint)[0] if needed else hint
            fields[name] = core_schema.typed_dict_field(
                _schema(hint, more), required=needed or kind.__total__
            )
        return core_schema.typed_dict_schema(fields, extra_behavior="allow" if more else "ignore")
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return core_schema.literal_schema(list(inside))
    parts = [_schema(one, more) for one in inside]
    if origin in (typing.Union, types.UnionType):
        return core_schema.union_schema(list(parts))
    if origin is tuple:
        return core_schema.tuple_schema(parts)
    if origin is list:
        return core_schema.list_schema(*parts)
    assert origin is dict, kind
    return core_schema.dict_schema(*parts)
