"""`realdeg split`, `tile` and `adopt` as a user meets them: one clear line and a documented exit code."""

from __future__ import annotations

import json

import numpy as np
import programs
import pytest

from realdeg.io.save import write_image
from realdeg.records import read_manifest


def realdeg(*args):
    result = programs.run("realdeg", *args)
    assert "Traceback" not in result.stderr
    assert "internal error" not in result.stderr
    return result


def refused(result, code, *words):
    """The command ends with `code`, and one line says why."""
    assert result.returncode == code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.lower().startswith("error:")]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert str(word) in lines[0], lines[0]


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for key in ("s1_a", "s1_b", "s2_a", "s3_a"):
        for side, scale in (("lr", 1), ("hr", 3)):
            pixels = rng.integers(0, 256, (20 * scale, 24 * scale, 3)).astype(np.uint8)
            write_image(tmp_path / side / f"{key}.png", pixels)
    return tmp_path / "lr", tmp_path / "hr"


@pytest.fixture
def data(folders, tmp_path):
    result = realdeg("adopt", "--lr", folders[0], "--hr", folders[1], "-o", tmp_path / "data", "-q", "-j", 1)
    assert result.returncode == 0, result.stderr
    return tmp_path / "data"


def test_adopt_plans_and_reports(folders, tmp_path):
    args = ("adopt", "--lr", folders[0], "--hr", folders[1], "-o", tmp_path / "o", "-j", 1)
    assert "would adopt 4 pairs" in realdeg(*args, "--dry-run").stdout
    assert not (tmp_path / "o").exists()
    result = realdeg(*args, "--json")
    assert (result.returncode, json.loads(result.stdout)["ok"]) == (0, 4)
    assert json.loads(realdeg(*args, "--json").stdout)["resumed"] == 4


def test_adopt_names_the_pair_that_does_not_fit(folders, tmp_path):
    write_image(folders[0] / "off.png", np.zeros((20, 20, 3), np.uint8))
    write_image(folders[1] / "off.png", np.zeros((60, 61, 3), np.uint8))
    args = ("adopt", "--lr", folders[0], "--hr", folders[1], "-o", tmp_path / "o", "-j", 1)
    result = realdeg(*args)
    assert result.returncode == 1
    assert "off: HR is 61x60, not x3 of LR 20x20; register them with `realdeg align`" in result.stderr
    assert sum(r.ok for r in read_manifest(tmp_path / "o")) == 4
    assert realdeg(*args, "--exit-zero").returncode == 0


def test_adopt_of_what_is_no_dataset(folders, tmp_path):
    lr, hr = folders
    refused(
        realdeg("adopt", "--lr", lr, "--hr", tmp_path / "no", "-o", tmp_path / "o"), 1, "no: does not exist"
    )
    (tmp_path / "file").write_text("")
    refused(realdeg("adopt", "--lr", lr, "--hr", hr, "-o", tmp_path / "file" / "o"), 1, "cannot be made")
    refused(realdeg("adopt", "--lr", lr, "--hr", hr, "-o", hr / "o"), 2, "a second run would read")
    refused(
        realdeg("adopt", "--lr", lr, "--hr", hr, "-o", "/proc/realdeg"), 1, "/proc/realdeg", "choose another"
    )


def test_split_keeps_groups_together(data):
    result = realdeg("split", data, "--test", 1, "--group", "(s.)_", "--json")
    counts = json.loads(result.stdout)
    records = read_manifest(data)
    assert counts["train"] + counts["test"] == 4
    assert len({(r.scene, r.split) for r in records}) == 3
    assert realdeg("split", data, "--test", 1, "--group", "(s.)_").returncode == 0
    assert read_manifest(data) == records


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--test", 4), 2, ("leave none of 4", "--test")),
        (("--test", 1, "--val", 3), 2, ("1 test and 3 val scenes leave none of 4",)),
        (("--test", 1.5), 2, ("whole number",)),
        (("--test", "nan"), 2, ("whole number",)),
        (("--test", "few"), 2, ("--test",)),
        (("--group", "("), 2, ("--group", "regular expression")),
        (("--group", "x(.)"), 2, ("--group", "does not match the key")),
        (("--tset", 1), 2, ("--tset", "Did you mean", "--test")),
    ],
)
def test_splits_that_cannot_be(data, options, code, words):
    before = (data / "manifest.csv").read_bytes()
    refused(realdeg("split", data, *options), code, *words)
    assert (data / "manifest.csv").read_bytes() == before


@pytest.mark.parametrize("command", ["split", "tile"])
def test_manifests_that_cannot_be_trusted(data, tmp_path, command):
    args = (command, data) if command == "split" else (command, data, "-o", tmp_path / "deep" / "er" / "t")
    head = "key,status,lr,hr,scale\n"
    for text, words in (
        ("a,b\n1,2\n", ("lacks the column(s) key",)),
        (head + "../../../x,ok,LR/s1_a.png,HR/s1_a.png,3\n", ("line 2", "leaves the dataset's folder")),
        (head + "x,ok,LR/s1_a.png,HR/s1_a.png,0\n", ("line 2", "is ok but lacks")),
    ):
        (data / "manifest.csv").write_text(text)
        refused(realdeg(*args), 1, "manifest.csv", *words)
    assert not list(tmp_path.glob("**/x_y*"))
    (data / "manifest.csv").unlink()
    refused(realdeg(*args), 1, data, "is not a dataset", "realdeg adopt")


def test_tile_says_its_size_and_what_is_missing(data, tmp_path):
    result = realdeg("tile", data, "-o", tmp_path / "t", "--size", 31, "-j", 1)
    assert result.returncode == 0, result.stderr
    assert "tile hr px: 30" in result.stdout
    (data / "HR" / "s1_a.png").unlink()
    (data / "LR" / "s1_b.png").unlink()
    result = realdeg("tile", data, "-o", tmp_path / "u", "--size", 64, "-j", 1)
    assert result.returncode == 1
    for name in ("HR/s1_a.png", "LR/s1_b.png"):
        assert len([line for line in result.stderr.splitlines() if name in line]) == 1
    assert sum(r.ok for r in read_manifest(tmp_path / "u")) == 4  # 2 tiles of each of the other pairs


def test_tiles_that_cannot_be(data, folders, tmp_path):
    refused(realdeg("tile", data, "-o", tmp_path / "t", "--size", 48, "--overlap", 48), 2, "leave no step")
    refused(realdeg("tile", data, "-o", data), 2, "is the dataset itself")
    refused(realdeg("tile", data, "-o", folders[0] / "s1_a.png" / "t"), 1, "cannot be made", "choose another")
    refused(realdeg("tile", data, "-o", tmp_path / "t", "--szie", 9), 2, "--szie", "Did you mean", "--size")


def test_export_lists_each_split(data, tmp_path):
    assert realdeg("split", data, "--test", 1, "--group", "(s.)_").returncode == 0
    result = realdeg("export", data, "--format", "d2c-sr", "-o", tmp_path / "lists")
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / 'lists' / 'test.txt'}: " in result.stdout
    counts = json.loads(
        realdeg("export", data, "--format", "basicsr", "-o", tmp_path / "lists", "--json").stdout
    )
    assert sorted(counts) == [str(tmp_path / "lists" / f"meta_info_{name}.txt") for name in ("test", "train")]
    assert sum(counts.values()) == 4
    one = tmp_path / "one.txt"
    assert realdeg("export", data, "--format", "d2c-sr", "--split", "test", "-o", one, "-q").stdout == ""
    assert one.read_text() == (tmp_path / "lists" / "test.txt").read_text()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--format", "d2csr", "-o", "l"), 2, ("--format", "Did you mean", "d2c-sr")),
        (
            ("--format", "d2c-sr", "-o", "l", "--split", "val"),
            1,
            ("has no pairs in the split 'val'", "realdeg split"),
        ),
        (("--format", "d2c-sr", "-o", "l", "--root", "/usr"), 2, ("/usr: does not contain", "--root")),
        (("--format", "d2c-sr", "-o", "l", "--root", "/", "--absolute"), 2, ("exclude each other",)),
        (("--format", "basicsr", "-o", "l", "--absolute"), 2, ("are for d2c-sr",)),
        (("--format", "d2c-sr", "-o", "/proc/l/a.txt"), 1, ("/proc/l/a.txt", "choose another")),
        (("-o", "l"), 2, ("--format",)),
    ],
)
def test_exports_that_cannot_be(data, options, code, words):
    refused(realdeg("export", data, *options), code, *words)
