"""Truth: the standard library's json, for what is well typed; and lines that say where a value is another."""

from __future__ import annotations

import json
from typing import Literal, Required, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.typed import Json, Mistyped, checked, parsed, read_json


class Row(TypedDict, total=False):
    """All that the reader understands."""

    key: Required[str]
    status: Literal["ok", "failed"]
    scale: int
    error: float
    seen: bool
    states: dict[str, tuple[str, int]]
    names: list[str]
    maybe: str | None
    detail: dict[str, Json]


WHOLE = {
    "key": "a/ü", "status": "ok", "scale": 2, "error": 0.5, "seen": True, "states": {"x": ["ab", 3]},
    "names": ["n"], "maybe": None, "detail": {"a": [1, 2.5, None, {"b": "c"}], "t": True},
}  # fmt: skip

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inside: st.lists(inside, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inside, max_size=4),
)  # fmt: skip


@given(PLAIN)
def test_json_is_what_json_reads(value):
    text = json.dumps(value)
    assert parsed(text, Json) == json.loads(text)


def test_a_whole_row_is_read():
    assert parsed(json.dumps(WHOLE), Row) == {**WHOLE, "states": {"x": ("ab", 3)}}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("key", "1", "at key: should be a valid string"),
        ("key", "null", "at key: should be a valid string"),
        ("status", '"lost"', "at status: should be 'ok' or 'failed'"),
        ("scale", "2.0", "at scale: should be a valid integer"),
        ("scale", "true", "at scale: should be a valid integer"),
        ("scale", '"2"', "at scale: should be a valid integer"),
        ("scale", "1" + "0" * 19, "at scale: should be less than"),
        ("scale", "9" * 5000, "number out of range"),
        ("error", "NaN", "at error: should be a finite number"),
        ("error", "1e400", "at error: should be a finite number"),
        ("seen", "1", "at seen: should be a valid boolean"),
        ("states", '{"x": ["a"]}', "at states.x.1: is required"),
        ("states", '{"x": ["a", 1, 2]}', "at states.x: Tuple should have at most 2 items"),
        ("states", "[]", "at states: should be an object"),
        ("names", '["n", 1]', "at names.1: should be a valid string"),
        ("maybe", "1", "at maybe"),
        ("detail", '{"a": Infinity}', "at detail.a: should be a finite number"),
        ("detail", '{"a": [[1e999]]}', "at detail.a: should be a finite number"),
        ("detail", '{"a": ' + "[" * 300 + "]" * 300 + "}", "recursion limit exceeded"),
    ],
)
def test_what_is_another_type_is_said_with_its_place(name, text, line):
    row = json.dumps({**WHOLE, name: "@"}).replace('"@"', text)
    with pytest.raises(Mistyped) as caught:
        parsed(row, Row)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_what_is_missing_or_no_json_is_said():
    for text, line in (
        ("{}", "at key: is required"),
        ("[", "EOF while"),
        ("", "EOF while"),
        ("[" * 10**5, "recursion"),
    ):
        with pytest.raises(Mistyped, match=line):
            parsed(text, Row)


def test_further_keys_are_passed_over_or_kept():
    assert parsed('{"key": "a", "own": [1]}', Row) == {"key": "a"}
    assert parsed('{"key": "a", "own": [1]}', Row, more=True) == {"key": "a", "own": [1]}
    assert checked({"key": "a", "own": [1]}, Row, more=True) == {"key": "a", "own": [1]}


def test_a_file_of_absurd_size_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(json.dumps({"a": "b" * 100}))
    assert read_json(tmp_path / "a.json", dict[str, str]) == {"a": "b" * 100}
    monkeypatch.setattr("realdeg.typed.LARGEST", 100)
    with pytest.raises(Mistyped, match="is larger than"):
        read_json(tmp_path / "a.json", dict[str, str])
