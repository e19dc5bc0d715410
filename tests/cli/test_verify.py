"""`realdeg verify` finds what is not as the manifest says, and --repair makes it so again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from realdeg.cli.main import cli
from realdeg.io.save import write_image
from realdeg.records import LEDGER, MANIFEST, read_manifest, write_manifest

KEYS = ("a", "b", "sub/c")


def realdeg(*args):
    return CliRunner().invoke(cli, [str(arg) for arg in args])


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for key in KEYS:
        write_image(tmp_path / "hr" / f"{key}.png", rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    result = realdeg("degrade", tmp_path / "hr", "--scale", 2, "-o", tmp_path / "out", "-j", 1)
    assert result.exit_code == 0, result.output
    assert realdeg("split", tmp_path / "out", "--test", 1).exit_code == 0
    return tmp_path / "out"


def tree(folder):
    kept = ("LR", "HR", MANIFEST, "metadata.csv", "recipe.toml")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] in kept
    }


def found(data):
    """Kinds and keys of what is found."""
    result = realdeg("verify", data, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == (1 if told["findings"] else 0)
    return [(one["kind"], one["key"]) for one in told["findings"]]


def test_a_sound_dataset(data):
    result = realdeg("verify", data)
    assert result.exit_code == 0
    size = sum(path.stat().st_size for side in ("LR", "HR") for path in (data / side).rglob("*.png"))
    assert f"3 pairs, 6 files, {size / 1e6:.1f} MB: all as the manifest says" in result.output


def flip(path):
    """Another byte, with size and date as they were: a disk that forgets."""
    import os

    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # HR may be a link to the photo
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_damage_is_found_and_mended(data):
    before = tree(data)
    flip(data / "LR" / "a.png")
    (data / "HR" / "sub" / "c.png").unlink()
    (data / "LR" / "stray.png").write_text("no row names this")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    from realdeg import atomic

    name = f".0123456789ab.{atomic._host()}.{dead.pid}.01234567{atomic.TEMPORARY}"
    (data / "LR" / name).write_text("")
    assert sorted(found(data)) == [("file", "a"), ("file", "sub/c"), ("orphan", ""), ("temporary", "")]
    lines = realdeg("verify", data).output
    assert "LR/a.png: is not the file that manifest.csv vouches for; --repair makes the pair again" in lines
    assert "to be made again (--repair): 2" in lines
    result = realdeg("verify", data, "--repair")
    assert result.exit_code == 0, result.output
    assert tree(data) == before
    assert (data / "leftover" / "LR" / "stray.png").is_file()
    assert not (data / "LR" / name).exists()


def test_a_limited_run_is_not_made_longer_by_a_repair(tmp_path, data):
    out = tmp_path / "two"
    realdeg("degrade", tmp_path / "hr", "--scale", 2, "-o", out, "--limit", 2)
    flip(out / "LR" / "b.png")
    assert realdeg("verify", out, "--repair").exit_code == 0
    assert [row.key for row in read_manifest(out)] == ["a", "b"]


def test_a_pair_off_its_grid_is_found(data):
    """Also where every hash is right: a table that was written by hand, say."""
    from dataclasses import replace

    write_manifest(data, [replace(row, scale=4) if row.key == "b" else row for row in read_manifest(data)])
    result = realdeg("verify", data)
    assert "HR/b.png: is 32x24, not x4 of its LR 16x12" in result.output
    assert found(data) == [("grid", "b")]


def test_table_and_journal_that_disagree_are_found_and_mended(data):
    before = tree(data)
    rows = read_manifest(data)
    write_manifest(data, [row for row in rows if row.key != "b"])
    assert found(data) == [("row", "b"), ("orphan", ""), ("orphan", "")]
    assert realdeg("verify", data, "--repair").exit_code == 0
    assert [row.key for row in read_manifest(data)] == list(KEYS)
    lines = (data / LEDGER).read_text().splitlines()
    (data / LEDGER).write_text("\n".join(line for line in lines if '"key": "a"' not in line) + "\n")
    assert found(data) == [("row", "a")]
    assert realdeg("verify", data, "--repair").exit_code == 0
    splits = {row.key: row.split for row in read_manifest(data)}
    tables = (MANIFEST, "metadata.csv")
    assert {name: data_ for name, data_ in tree(data).items() if name not in tables} == {
        name: data_ for name, data_ in before.items() if name not in tables
    }
    listed = [line.split(",")[2] for line in (data / "metadata.csv").read_text().splitlines()[1:]]
    assert listed == [key for key, split in splits.items() if split == "train"]  # b has lost its own
    assert splits["a"] == {row.key: row.split for row in rows}["a"]


def test_what_is_made_again_is_linked_again(data):
    """A hard link shows damage, too; after the repair it must not."""
    (row,) = [row for row in read_manifest(data) if row.split == "test"]
    link = data / "imagefolder" / "test" / row.lr
    assert link.samefile(data / row.lr)
    link.write_bytes(b"damaged through the link")
    assert found(data) == [("file", row.key)]
    assert realdeg("verify", data, "--repair").exit_code == 0
    assert found(data) == []
    assert link.samefile(data / row.lr)
    assert read_manifest(data)[0].ok


def test_a_table_that_was_cut_in_its_last_cell_is_refused(data):
    text = (data / MANIFEST).read_text()
    (data / MANIFEST).write_text(text[:-40])
    result = CliRunner().invoke(cli, ["verify", str(data)])
    assert "line 4: source_hr_sha256 is no SHA-256; restore the table or run the job again" in str(
        result.exception
    )


@pytest.mark.parametrize("damage", ["nonsense", None])
def test_a_journal_that_cannot_be_used(data, damage):
    (data / LEDGER).unlink()
    if damage:
        (data / LEDGER).write_text(damage)
    assert found(data) == [("journal", "")]


def test_a_scene_on_both_sides(data):
    from dataclasses import replace

    write_manifest(data, [replace(row, scene="s") for row in read_manifest(data)])
    result = realdeg("verify", data)
    assert "scene s is in the splits test and train; run `realdeg split` again" in result.output


def test_a_pair_whose_input_is_gone_is_not_made_again_but_said(tmp_path, data):
    flip(data / "LR" / "a.png")
    (tmp_path / "hr" / "a.png").unlink()
    result = realdeg("verify", data, "--repair")
    assert result.exit_code == 1
    assert found(data) == [("unmade", "a")]
    assert {row.key for row in read_manifest(data) if row.ok} == {"b", "sub/c"}


def test_a_pair_that_cannot_be_made_again_is_lost_and_said(data):
    """HR is a link to the user's own file, so what damages one damages both."""
    with (data / "HR" / "a.png").open("r+b") as file:
        file.seek(200)
        file.write(bytes(50))
    assert (data.parent / "hr" / "a.png").read_bytes() == (data / "HR" / "a.png").read_bytes()
    result = realdeg("verify", data, "--repair")
    assert result.exit_code == 1, result.output
    assert "2 pairs, 4 files" in result.output
    assert "lost, since they could not be made again: 1; manifest.csv says why" in result.output


def test_a_pool_is_verified_too(tmp_path, data):
    rng = np.random.default_rng(1)
    for key in "pq":
        large = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        write_image(tmp_path / "photos" / f"{key}.png", large)
    pool = tmp_path / "noise.npz"
    realdeg("noise", tmp_path / "photos", "-o", pool, "--method", "classic", "--size", 16, "--max-variance", 1e5,
            "--min-mean", 0)  # fmt: skip
    job = tmp_path / "noise.job"
    assert found(job) == []
    before = pool.read_bytes()
    flip(job / "patches" / "p.npz")
    assert found(job) == [("file", "p")]
    result = realdeg("verify", job, "--repair")
    assert result.exit_code == 0, result.output
    assert found(job) == []
    assert pool.read_bytes() == before


def test_what_is_no_dataset(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "realdeg", "verify", tmp_path], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "is not a dataset: it has no manifest.csv" in result.stderr


def test_a_dataset_of_python_code_says_that_it_cannot_be_repaired(data):
    (data / "run.yaml").unlink()
    flip(data / "LR" / "a.png")
    result = CliRunner().invoke(cli, ["verify", str(data), "--repair"])
    assert "has no run.yaml that says how it was made; run the command that made it again" in str(
        result.exception
    )
    assert Path(data / "LR" / "a.png").exists()
