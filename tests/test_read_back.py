"""Texts that are read back: a value of another type, one that is missing, one that is absurd, each in one line."""

from __future__ import annotations

import json
import math
import re
import time

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from realdeg.cli.main import cli
from realdeg.errors import UserError
from realdeg.identity import FileState
from realdeg.ledger import Ledger, read_journal
from realdeg.records import LEDGER, MANIFEST, PairRecord, from_json, read_manifest, to_json, write_manifest
from realdeg.settings import DEEPEST_YAML, LARGEST_YAML, read_yaml, yaml_text
from realdeg.vouching import REMEMBERED, require_vouched

RECORD = PairRecord(
    "a/ü", "ok", "", "LR/a.png", "HR/a.png", 2, "s", "train", "degradation", "/lr.png", "/hr.png",
    {"error": 0.25, "cells": [1, 2.5], "by": {"what": 3}}, {"LR/a.png": FileState("0" * 64, 10, 20)},
    {"/lr.png": FileState("1" * 64, 1, 2), "/hr.png": FileState("2" * 64, 1, 2)},
)  # fmt: skip


# Journal


def test_a_line_is_what_was_written_to_the_last_digit():
    line = to_json(RECORD)
    assert from_json(line) == RECORD
    assert json.loads(line)["detail"] == RECORD.detail
    for at in range(len(line)):  # one letter another, wherever it stands
        other = f"{line[:at]}{chr(ord(line[at]) ^ 1)}{line[at + 1 :]}"
        try:
            assert from_json(other) == RECORD  # only the name of the checksum's key says nothing
        except ValueError:
            continue
        assert '"sum"' not in other


def test_lines_of_older_versions_have_no_checksum_and_are_read():
    row = json.loads(to_json(RECORD))
    del row["sum"]
    assert from_json(json.dumps(row)) == RECORD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", 1), ("key", "../a"), ("status", "lost"), ("reason", None), ("lr", "/etc/passwd"), ("scale", "2"),
        ("scale", 2.0), ("scale", True), ("scale", 10**30), ("detail", []), ("detail", {"x": float("nan")}),
        ("files", {"LR/a.png": ["0"]}), ("files", {"../x": ["0", 1, 2]}), ("sources", {"/x": ["0", "1", 2]}),
        ("detail", json.loads("[" * 300 + "]" * 300)),
    ],
)  # fmt: skip
def test_a_line_of_other_types_is_no_record(tmp_path, name, value):
    row = {**json.loads(to_json(RECORD)), name: value}
    del row["sum"]
    with pytest.raises(ValueError, match=r"."):
        from_json(json.dumps(row))
    with Ledger(tmp_path / LEDGER, {"scale": 2}, [RECORD]):
        pass
    with (tmp_path / LEDGER).open("a") as file:
        file.write(json.dumps({**row, "reason": "later"} if name != "reason" else row) + "\n")
    assert dict(read_journal(tmp_path).records) == {"a/ü": RECORD}


@pytest.mark.parametrize("header", ["", "[]", '{"settings": []}', '{"settings": 1}', "[" * 10**5, '{"a": 1}'])
def test_a_header_of_another_type_tells_no_settings(tmp_path, header):
    (tmp_path / LEDGER).write_text(f"{header}\n{to_json(RECORD)}\n")
    assert read_journal(tmp_path).settings is None


# Manifest, and hashes that are remembered


@pytest.mark.parametrize(
    ("column", "cell", "line"),
    [
        ("scale", "2.0", "line 2: scale '2.0' is not a whole number; mend the row"),
        ("scale", "1e400", "line 2: scale '1e400' is not a whole number"),
        ("scale", "\u0662", "line 2: scale '\u0662' is not a whole number"),
        ("scale", "9" * 5000, "line 2: scale 9+ is larger than 64"),
        ("scale", "65", "line 2: scale 65 is larger than 64"),
        ("files", "null", r"line 2: its column files is damaged \(should be an object\)"),
        ("files", "[1]", "line 2: its column files is damaged"),
        (
            "files",
            '{"MASK/a.png": 1}',
            r"line 2: its column files is damaged \(at MASK/a.png: should be a valid str",
        ),
        ("files", '{"MASK/a.png": "x"}', r"line 2: its column files is damaged \(at 'MASK/a.png'\)"),
        (
            "files",
            '{"../a.png": "' + "0" * 64 + '"}',
            r"line 2: its column files is damaged \(at '../a.png'\)",
        ),
        ("files", "[" * 10**5, r"line 2: its column files is damaged \(recursion limit"),
    ],
)
def test_a_row_of_other_types_is_refused_with_its_line(tmp_path, column, cell, line):
    more = {"MASK/a.png": FileState("3" * 64)}
    write_manifest(tmp_path, [PairRecord("a", "ok", lr="LR/a.png", hr="HR/a.png", scale=2, files=more)])
    text = (tmp_path / MANIFEST).read_text()
    was = ",2," if column == "scale" else '"{""MASK/a.png"":""' + "3" * 64 + '""}"'
    assert text.count(was) == 1
    cell = '"' + cell.replace('"', '""') + '"'
    (tmp_path / MANIFEST).write_text(text.replace(was, f",{cell}," if column == "scale" else cell))
    with pytest.raises(UserError, match=line) as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "null", '{"a": 1}', '{"LR/a.png": ["x", 1]}', "[" * 10**5, "", "\0"])
def test_what_was_remembered_is_passed_over_where_it_is_damaged(tmp_path, monkeypatch, text):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "LR").mkdir()
    (tmp_path / "LR" / "a.png").write_bytes(b"x")
    (tmp_path / REMEMBERED).write_text(text)
    sha = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x", by sha256sum
    require_vouched(tmp_path, [PairRecord("a", "ok", lr="LR/a.png", files={"LR/a.png": FileState(sha)})])


# YAML


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &x [1]\nb: *x\n", r"line 2: holds an alias \(\*x\); write the value out"),
        ("a: 1\nb: [a, {a: 1}]\na: 2\n", "line 3: tells 'a' a second time; remove one of them"),
        ("a: " + "[" * 5000, f"more than {DEEPEST_YAML} deep"),
        ("a: " + "[" * 21 + "]" * 21, f"more than {DEEPEST_YAML} deep"),
        ("a: " + "9" * 5000, "is not YAML"),
        ("c:\n  a: 1\n  b: [{a: 1}]\n  a: 2\n", "line 4: tells 'a' a second time; remove one of them"),
        ("c: [x, {a: 1, b: 2, a: 3}]\n", "line 1: tells 'a' a second time; remove one of them"),
        ("? [1]\n: 2", "is not YAML"),
        ("1: 2", "holds no `name: value` lines"),
        ("- 1", "holds no `name: value` lines"),
        (
            "a: [1, {b: !!timestamp 2024-01-01}]",
            "a: .* is no number or text, nor a list of such; put it in quotes",
        ),
        ("a: !!binary aGk=", "a: .* is no number or text"),
        ("a: {1: 2}", "a: .* is no number or text"),
        ("a: !!python/object/apply:os.system [true]", "is not YAML"),
        ("a: " + "x" * LARGEST_YAML, "is larger than 128 kB, which settings are not"),
    ],
)
def test_yaml_that_is_no_settings(tmp_path, text, line):
    (tmp_path / "s.yaml").write_text(text)
    started = time.process_time()  # a busy machine is no fault
    with pytest.raises(UserError, match=line) as caught:
        read_yaml(tmp_path / "s.yaml")
    assert time.process_time() - started < 5
    assert re.search(r"s\.yaml", str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        # YAML 1.2, Sec. 10.3.2 (core schema); PyYAML follows 1.1 in all of these.
        ("no", "no"),
        ("off", "off"),
        ("True", True),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-02", "2024-01-02"),
        ("1e-4", 1e-4),
        ("1.", 1.0),
        ("+.5", 0.5),
        ("-.inf", -math.inf),
        ("~", None),
        ("''", ""),
        ("'1'", "1"),
        ("<<", "<<"),
    ],
)
def test_values_are_what_yaml_1_2_takes_them_for(tmp_path, written, value):
    (tmp_path / "s.yaml").write_text(f"a: {written}\n")
    (read,) = read_yaml(tmp_path / "s.yaml").values()
    assert (type(read), read) == (type(value), value)


WORDS = st.sampled_from(
    ["no", "off", "1e3", "010", "08", "0o7", "1_0", "12:30", "2024-01-02", "~", "", ".5", "<<", "="]
)
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = WORDS | LETTERS | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()


@given(st.dictionaries(WORDS | LETTERS, VALUES | st.lists(VALUES, max_size=3), max_size=4))
def test_what_is_written_as_yaml_is_read_as_the_same(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("yaml") / "s.yaml"
    path.write_text(yaml_text(values), encoding="utf-8", newline="")
    assert read_yaml(path) == values


def test_a_billion_laughs_are_one_line(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (tmp_path / "s.yaml").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"line 2: holds an alias \(\*a0\)"):
        read_yaml(tmp_path / "s.yaml")


def test_plain_yaml_is_read(tmp_path):
    (tmp_path / "s.yaml").write_text("# a\na: 1\nb: [x, {a: 2}]\nc: {a: 3, b: {c: [1]}}\nd:\n")
    assert read_yaml(tmp_path / "s.yaml") == {
        "a": 1,
        "b": ["x", {"a": 2}],
        "c": {"a": 3, "b": {"c": [1]}},
        "d": None,
    }


@pytest.mark.parametrize("cell", ["[[[[", "nan", "2", "-0.5", "1e400"])
def test_a_valid_share_is_a_share(tmp_path, cell):
    record = PairRecord("a", "ok", lr="LR/a.png", hr="HR/a.png", scale=2, detail={"valid": "0.97"})
    write_manifest(tmp_path, [record])
    assert read_manifest(tmp_path)[0].detail["valid"] == "0.97"
    path = tmp_path / MANIFEST
    path.write_text(path.read_text().replace("0.97", cell))
    with pytest.raises(
        UserError, match=r"line 2: column 'valid' holds .*, no share from 0 to 1; mend or remove"
    ):
        read_manifest(tmp_path)


# --config


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scale: .inf", "'inf' is not a valid int"),
        ("scale: [2]", r"scale: '\[2\]' is not what is meant; give a number or a text"),
        ("scale: true", "scale: 'True' is not what is meant; give a number or a text"),
        ("scale: {a: 1}", "is not what is meant"),
        ("recipe: !!timestamp 2024-01-01", "recipe: '2024-01-01' is no number or text"),
        ('recipe: "a\\0b"', "is not what is meant"),
        ('recipe: "\\ud800"', "is no number or text"),
        ("kernel_pool: 3000000000", "3000000000"),
        ("recipe: " + "y" * 300, "recipe: 'y+' is not what is meant; give at most 255 letters"),
        ("resume: 1", "resume: '1' is not what is meant; give true or false"),
        ("quiet: x", "quiet: 'x' is not what is meant; give true or false"),
        ("hr: [[a]]", "hr: .* is not what is meant; give a number or a text"),
        ("hr: {a: b}", "is not what is meant"),
    ],
)
def test_values_of_a_file_are_checked_as_if_they_were_typed(tmp_path, line, said):
    hr = tmp_path / "hr"
    hr.mkdir()
    name = line.partition(":")[0]
    values = {"hr": f"hr: [{hr}]", "scale": "scale: 2", name: line}
    (tmp_path / "c.yaml").write_text("\n".join(values.values()))
    words = ["degrade", "--config", str(tmp_path / "c.yaml"), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    assert re.search(said, str(done.exception)), done.exception
    assert isinstance(done.exception, UserError) or type(done.exception).__module__ == "click.exceptions"
