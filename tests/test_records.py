"""Records, seeds, settings and whole files: round trips, refusals, and what a crash leaves."""

import dataclasses
import errno
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg import atomic
from realdeg.errors import DiskFull, UserError
from realdeg.records import PairRecord, from_json, read_manifest, to_json, write_manifest
from realdeg.seeds import seed_of, stream
from realdeg.settings import from_mapping, read_yaml, write_run


def within(path):
    """Whether a name stays in its folder: what a manifest may hold."""
    return not path.startswith("/") and ".." not in path.split("/")


words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)
records = st.builds(
    PairRecord,
    key=words.filter(within),
    status=st.sampled_from(["ok", "rejected", "failed"]),
    reason=words,
    lr=words.filter(within).map("LR/{}".format),
    hr=words.filter(within).map("HR/{}".format),
    scale=st.integers(1, 16),
    scene=words,
    split=st.sampled_from(["", "train", "test"]),
    source_lr=words,
    detail=st.dictionaries(
        st.sampled_from(["error_lr_px", "kernel", "noise_y"]),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
)


@given(records)
def test_ledger_lines_round_trip(record):
    line = to_json(record)
    assert "\n" not in line
    assert from_json(line) == record


@given(st.lists(records, max_size=5, unique_by=lambda record: record.key))
@settings(max_examples=50)
def test_manifests_round_trip(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("manifest")
    write_manifest(folder, rows)
    back = read_manifest(folder)
    assert [dataclasses.replace(r, detail={}) for r in back] == [
        dataclasses.replace(r, detail={}) for r in rows
    ]
    for one, other in zip(rows, back, strict=True):
        assert {k: float(v) for k, v in other.detail.items()} == one.detail


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", r"lacks the column\(s\) key, status, lr, hr, scale"),
        ("key,status,lr,hr,scale\nx,ok,LR/x.png,HR/x.png,two\n", "line 2: scale 'two'"),
        ("key,status,lr,hr,scale\nx,fine,LR/x.png,HR/x.png,2\n", "line 2: unknown status 'fine'"),
        ("key,status,lr,hr,scale\nx,ok,../x.png,HR/x.png,2\n", "leaves the dataset's folder"),
        ("key,status,lr,hr,scale\nx,ok,LR/x.png,/etc/passwd,2\n", "leaves the dataset's folder"),
        ("key,status,lr,hr,scale\n../../x,ok,LR/x.png,HR/x.png,2\n", "line 2: key '../../x' leaves"),
        ("key,status,lr,hr,scale\n/x,ok,LR/x.png,HR/x.png,2\n", "line 2: key '/x' leaves"),
        ("key,status,lr,hr,scale\nx,ok,LR/x.png,HR/x.png,\n", "line 2: is ok but lacks"),
        ("key,status,lr,hr,scale\nx,ok,LR/x.png,HR/x.png,-2\n", "line 2: is ok but lacks"),
        ("key,status,lr,hr,scale\nx,ok,,HR/x.png,2\n", "line 2: is ok but lacks"),
        ("key,status,lr,hr,scale\nx,ok,a,b,2\nx,ok,a,b,2\n", "line 3: repeats the key 'x'"),
        ("key,status,lr,hr,scale\nx,ok,LR/x.png\n", "line 2: has more or fewer cells"),
        ("key,status,lr,hr,scale\n\xff\n", "has more or fewer cells|is not a CSV"),
    ],
)
def test_broken_manifests_are_refused_with_the_line(tmp_path, text, message):
    (tmp_path / "manifest.csv").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=message):
        read_manifest(tmp_path)


def test_no_manifest_says_how_to_get_one(tmp_path):
    with pytest.raises(
        UserError, match=r"is not a dataset: it has no manifest\.csv; make one with `realdeg align`"
    ):
        read_manifest(tmp_path)


def test_streams_depend_on_all_three_and_on_nothing_else():
    draws = {
        args: stream(*args).integers(2**62)
        for args in [(0, "a", "x"), (1, "a", "x"), (0, "b", "x"), (0, "a", "y")]
    }
    assert len(set(draws.values())) == 4
    assert stream(0, "a", "x").integers(2**62) == draws[0, "a", "x"]
    # Philox and BLAKE2 are fixed by their definitions: this number must never change.
    assert seed_of(0, "a", "x") == int.from_bytes(
        __import__("hashlib").blake2b(b"0\x1fa\x1fx", digest_size=16).digest(), "little"
    )
    assert isinstance(stream(0, "a", "x").bit_generator, np.random.Philox)


@dataclasses.dataclass(frozen=True)
class Some:
    scale: int = 2
    rate: float = 0.5


def test_settings_know_their_names_and_types(tmp_path):
    assert from_mapping(Some, {"scale": 4}, "x.yaml") == Some(4)
    with pytest.raises(UserError, match=r"x.yaml: unknown setting 'scael'; did you mean 'scale'\?"):
        from_mapping(Some, {"scael": 4}, "x.yaml")
    with pytest.raises(UserError, match=r"setting scale: .*integer"):
        from_mapping(Some, {"scale": "four"}, "x.yaml")
    path = write_run(tmp_path, "realdeg some", {"scale": 4, "rate": 0.25, "none": None})
    assert read_yaml(path) == {"scale": 4, "rate": 0.25}
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(UserError, match="is not YAML"):
        read_yaml(tmp_path / "bad.yaml")
    (tmp_path / "evil.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(UserError, match="is not YAML"):
        read_yaml(tmp_path / "evil.yaml")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(UserError, match="the disk is full; free some space"):
        atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk quota is used up")]
)
def test_a_full_disk_is_told_from_other_errors_also_by_a_worker(tmp_path, number, said):
    """The next file would meet it as well, so a job stops there; the kind survives the way between processes."""
    with pytest.raises(DiskFull, match=f"{said}; free some space") as caught, atomic.writing(tmp_path / "a"):
        raise OSError(number, "as the system says")
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (type(sent), str(sent), sent.exit_code) == (DiskFull, str(caught.value), 1)
    with pytest.raises(UserError) as other, atomic.writing(tmp_path / "a"):
        raise OSError(errno.EACCES, "Permission denied")
    assert type(other.value) is UserError


def test_stale_temporary_files_are_swept(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from realdeg import atomic\n"
        "with atomic.whole_file(Path(sys.argv[1])) as t:\n    t.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "deep" / "x.png")], check=False)
    assert not (tmp_path / "deep" / "x.png").exists()
    assert atomic.sweep(tmp_path) == 1
    assert list((tmp_path / "deep").iterdir()) == []
