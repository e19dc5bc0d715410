"""Lists of marked pairs. Truth: sets of keys, Python's csv module, and what the commands say."""

from __future__ import annotations

import csv
import io
import json
import string
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from realdeg.align.folder import align_parts
from realdeg.align.plan import plan
from realdeg.align.settings import AlignSettings
from realdeg.cli.main import cli
from realdeg.dataset.settings import SplitSettings
from realdeg.dataset.split import split_scenes
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.marked import ALL, Marked, marked, read_marked
from realdeg.records import PairRecord, read_manifest, write_manifest

KEYS = ("a", "deep/b c", 'with "quotes", and a comma', "d", "e", "f")
LETTERS = st.text(string.ascii_letters + string.digits + ' ,;"/äß', min_size=1, max_size=12)


def table(keys, delimiter=",", bom=""):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["key"])
    writer.writerows([key] for key in keys)
    return bom + text.getvalue()


@given(st.sets(LETTERS, min_size=1), st.sampled_from(["", "\ufeff"]))
def test_what_a_spreadsheet_writes_is_read_back(tmp_path_factory, keys, bom):
    path = tmp_path_factory.mktemp("lists") / "marked.csv"
    path.write_text(table(sorted(keys), bom=bom), encoding="utf-8")
    assert read_marked(path) == keys


@pytest.mark.parametrize("sign", [";", "\t"])
def test_columns_of_other_countries(tmp_path, sign):
    path = tmp_path / "m.csv"
    path.write_text(f"note{sign}key\nx{sign}a\n{sign}d\n")
    assert read_marked(path) == {"a", "d"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\na\n", "has no column 'key', but name"),
        ("key\n", "names no pair"),
        ("", "names no pair"),
        ("key\n\xff", "not UTF-8"),
    ],
)
def test_what_is_no_list_is_one_line(tmp_path, text, said):
    path = tmp_path / "m.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=said) as caught:
        read_marked(path)
    assert caught.value.exit_code == 2
    with pytest.raises(UserError, match="cannot be read"):
        read_marked(tmp_path / "none.csv")


@given(st.sets(st.sampled_from(KEYS)), st.sets(st.sampled_from(KEYS)))
def test_the_two_lists_are_each_others_opposite(chosen, known):
    taken, left = Marked(only=frozenset(chosen)), Marked(left_out=frozenset(chosen))
    assert {k for k in KEYS if taken.takes(k)} == chosen
    assert {k for k in KEYS if left.takes(k)} == set(KEYS) - chosen
    assert {k for k in KEYS if taken.within(known).takes(k)} == chosen & known
    if chosen <= known:
        assert taken.chosen(sorted(known), key=str) == sorted(chosen)
        assert left.chosen(sorted(known), key=str) == sorted(known - chosen)
    else:
        for one in (taken, left):
            with pytest.raises(UserError, match="names pairs that are not there"):
                one.chosen(sorted(known), key=str)


def test_unknown_keys_are_named_and_counted():
    strange = Marked(only=frozenset(f"k{i}" for i in range(6)))
    with pytest.raises(UserError, match=r"not there: 'k0', 'k1', 'k2' and 3 more"):
        strange.check(["a"])
    ALL.check([])


def test_both_lists_at_once_are_refused(tmp_path):
    (tmp_path / "m.csv").write_text("key\na\n")
    with pytest.raises(UserError, match="give one of them"):
        marked(tmp_path / "m.csv", tmp_path / "m.csv")


@pytest.fixture
def dataset(tmp_path, scene):
    records = []
    for key in KEYS:
        for side, size in (("LR", 16), ("HR", 32)):
            write_image(tmp_path / f"set/{side}/{key}.png", scene[:size, :size])
        paths = {"lr": f"LR/{key}.png", "hr": f"HR/{key}.png"}
        records.append(PairRecord(key, "ok", scale=2, scene=key, **paths))
    records.append(PairRecord("gone", "rejected", "no common scene"))
    write_manifest(tmp_path / "set", records)
    return tmp_path / "set"


@pytest.fixture
def scene():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def written(path, *keys):
    path.write_text(table(keys), encoding="utf-8")
    return path


def test_split_assigns_the_marked_alone(dataset, tmp_path):
    listed = written(tmp_path / "m.csv", KEYS[1], KEYS[2], "gone")
    assert run("split", dataset, "--only", listed, "--test", "1", "-q").exit_code == 0
    splits = {record.key: record.split for record in read_manifest(dataset)}
    assert {key for key, split in splits.items() if split} == {KEYS[1], KEYS[2]}
    assert run("split", dataset, "--except", listed, "--test", "1", "-q").exit_code == 0
    splits = {record.key: record.split for record in read_manifest(dataset)}
    assert {key for key, split in splits.items() if split} == set(KEYS) - {KEYS[1], KEYS[2]}


def test_the_marked_are_split_as_if_they_were_alone(dataset):
    rows = read_manifest(dataset)
    chosen = Marked(only=frozenset(KEYS[:4]))
    among = {r.key: r.split for r in split_scenes(rows, SplitSettings(test=2), marked=chosen) if r.split}
    alone = {
        r.key: r.split for r in split_scenes([r for r in rows if r.key in KEYS[:4]], SplitSettings(test=2))
    }
    assert among == alone


@pytest.mark.parametrize("words", [("split", "--test", "1"), ("export", "--format", "d2c-sr", "-o", "l")])
def test_a_list_of_another_set_is_refused(dataset, tmp_path, words):
    listed = written(tmp_path / "m.csv", "a", "stranger")
    command, *rest = words
    result = run(command, dataset, *[tmp_path / w if w == "l" else w for w in rest], "--only", listed)
    assert isinstance(result.exception, UserError)
    assert result.exception.exit_code == 2
    assert "m.csv: names pairs that are not there: 'stranger'" in str(result.exception)
    assert not any(record.split for record in read_manifest(dataset))
    assert not (tmp_path / "l").exists()


def test_tile_takes_pairs_by_the_names_of_the_set(dataset, tmp_path):
    listed = written(tmp_path / "m.csv", KEYS[1])
    result = run("tile", dataset, "--only", listed, "-o", tmp_path / "t", "--size", "16", "-q", "-j", "1")
    assert result.exit_code == 0, result.output
    rows = read_manifest(tmp_path / "t")
    assert len(rows) == 4
    assert {row.source_hr for row in rows} == {str(dataset / f"HR/{KEYS[1]}.png")}
    # The others are left as they are, not forgotten.
    assert run("tile", dataset, "--except", listed, "-o", tmp_path / "t", "--size", "16", "-q").exit_code == 0
    assert len(read_manifest(tmp_path / "t")) == 4 * len(KEYS)


def test_export_lists_the_marked(dataset, tmp_path):
    listed = written(tmp_path / "m.csv", "a", "d")
    run("export", dataset, "--format", "d2c-sr", "-o", tmp_path / "l.txt", "--only", listed)
    assert (tmp_path / "l.txt").read_text() == "LR/a.png HR/a.png\nLR/d.png HR/d.png\n"
    run("split", dataset, "--except", listed, "--test", "1")
    result = run("export", dataset, "--format", "d2c-sr", "-o", tmp_path / "m.txt", "--only", listed)
    assert isinstance(result.exception, UserError)
    assert "none of the pairs to list is in one" in str(result.exception)


def test_degrade_takes_the_marked(dataset, tmp_path):
    listed = written(tmp_path / "m.csv", "d", "e")
    words = ("degrade", dataset, "--scale", "2", "-o", tmp_path / "made", "-q", "-j", "1")
    assert run(*words, "--only", listed).exit_code == 0
    assert [row.key for row in read_manifest(tmp_path / "made")] == ["d", "e"]
    refused = run(*words, "--only", written(tmp_path / "n.csv", "nobody")).exception
    assert isinstance(refused, UserError)
    assert "'nobody'" in str(refused)


def test_the_plan_of_align_is_of_the_marked(scene, tmp_path):
    for folder, names in (("lr", "abc"), ("hr", "abcd")):
        for name in names:
            write_image(tmp_path / folder / f"{name}.png", scene if folder == "hr" else scene[:32, :32])
    words = ("align", "--lr", tmp_path / "lr", "--hr", tmp_path / "hr", "-o", tmp_path / "out")

    def planned(*more):
        found = run(*words, "--dry-run", "--json", *more)
        assert found.exit_code == 0, found.output
        return [one["pairs"] for one in json.loads(found.stdout)["sets"]]

    assert planned() == [["a", "b", "c"]]
    assert planned("--only", written(tmp_path / "m.csv", "a", "c")) == [["a", "c"]]
    assert planned("--except", tmp_path / "m.csv") == [["b"]]
    assert planned("--only", written(tmp_path / "n.csv", "d")) == [[]]  # known, and without a partner
    for more in ((), ("--dry-run",)):
        refused = run(*words, *more, "--only", written(tmp_path / "n.csv", "a", "e")).exception
        assert isinstance(refused, UserError)
        assert "not there: 'e'" in str(refused)
    assert not (tmp_path / "out").exists()


def test_a_job_of_several_sets_registers_the_marked_alone(tmp_path):
    flat = np.full((64, 64, 3), 90, np.uint8)  # nothing to see: rejected at once
    for folder, names in (("x2", "abc"), ("x4", "ab"), ("hr", "abc")):
        for name in names:
            write_image(tmp_path / folder / f"{name}.png", flat if folder == "hr" else flat[:32, :32])
    parts = [
        replace(plan([tmp_path / lr], tmp_path / "hr", tmp_path / "out")[0], out=tmp_path / lr, scale=2)
        for lr in ("x2", "x4")
    ]
    parts = [replace(part, out=tmp_path / "out" / part.out.name) for part in parts]
    settings, running = AlignSettings(scale=2), Running(marked=Marked(only=frozenset("ac")))
    reports = align_parts(parts, tmp_path / "hr", settings, running=running)
    done = [[(record.key, record.status) for record in report.records] for report in reports]
    # c of the second has no partner: it is told in any case.
    assert done == [[("a", "rejected"), ("c", "rejected")], [("a", "rejected"), ("c", "failed")]]
    strange = Running(marked=Marked(only=frozenset("az")))
    with pytest.raises(UserError, match="'z'"):
        align_parts(parts, tmp_path / "hr", settings, running=strange)
