"""A job knows what it holds: by content, with nothing forgotten, and never vouching for what changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from realdeg.dataset.settings import SplitSettings
from realdeg.dataset.split import split_scenes
from realdeg.errors import DiskFull, Interrupted, UserError
from realdeg.jobs import JobReport, Running, run_job
from realdeg.records import LEDGER, MANIFEST, METADATA, PairRecord, read_manifest, with_files, write_manifest

OLD, FUTURE = (1e9, 1e9), (4e9, 4e9)


@dataclass(frozen=True)
class Photo:
    key: str
    path: Path

    @property
    def sources(self):
        return (self.path,)


def work(item, out, tag=""):
    """LR and HR whose bytes follow from the photo's; some photos misbehave."""
    content = item.path.read_text()
    if content == "broken":
        raise UserError(item.path, "is broken", "copy it again")
    if content == "full":
        raise DiskFull(out / "LR", "the disk is full", "free some space and run again to resume")
    if content == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if content == "dull":
        return PairRecord(item.key, "rejected", "is dull", source_hr=str(item.path))
    for side in ("LR", "HR"):
        path = out / side / f"{item.key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{side} {content}{tag}")
    with (out / "calls.txt").open("a") as calls:
        calls.write(f"{item.key}\n")
    record = PairRecord(
        item.key, "ok", lr=f"LR/{item.key}.png", hr=f"HR/{item.key}.png", scale=2, source_hr=str(item.path)
    )
    return with_files(out, record)


def do(folder, out, *, settings=None, tag="", **running):
    items = [Photo(path.stem, path) for path in sorted(Path(folder).glob("*.txt"))]
    return run_job(
        partial(work, out=out, tag=tag),
        items,
        out,
        settings=settings or {"scale": 2},
        running=Running(**running),
    )


def fill(folder, **photos):
    folder.mkdir(exist_ok=True)
    for name, content in photos.items():
        (folder / f"{name}.txt").write_text(content)
    return folder


def held(out):
    """Content of LR by key, for every row that says ok."""
    return {row.key: (out / row.lr).read_text() for row in read_manifest(out) if row.ok}


def calls(out):
    return (out / "calls.txt").read_text().split()


# Identity


def test_another_folder_with_the_same_names_is_another_input(tmp_path):
    a, b = fill(tmp_path / "a", p="pa", q="qa"), fill(tmp_path / "b", p="pb", q="qb")
    for path in b.iterdir():
        os.utime(path, OLD)
    out = tmp_path / "out"
    do(a, out)
    report = do(b, out)
    assert report.resumed == 0
    assert held(out) == {"p": "LR pb", "q": "LR qb"}


def test_the_same_photos_in_another_folder_are_known_again(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    b = tmp_path / "b"
    shutil.copytree(a, b, copy_function=shutil.copyfile)
    report = do(b, out)
    assert report.resumed == 2
    assert {row.source_hr for row in read_manifest(out)} == {str(b / "p.txt"), str(b / "q.txt")}
    assert do(b, out).resumed == 2


def test_photos_that_swapped_names_are_made_again(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    (a / "p.txt").rename(a / "x")
    (a / "q.txt").rename(a / "p.txt")
    (a / "x").rename(a / "q.txt")
    assert do(a, out).resumed == 0
    assert held(out) == {"p": "LR qa", "q": "LR pa"}


@pytest.mark.parametrize("date", [OLD, FUTURE])
def test_a_photo_replaced_with_its_date_kept_is_made_again(tmp_path, date):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    (a / "p.txt").write_text("pb")
    os.utime(a / "p.txt", date)
    assert do(a, out).resumed == 1
    assert held(out)["p"] == "LR pb"
    assert do(a, out).resumed == 2  # a date in the future is no reason to do it for ever


def test_a_touched_photo_is_not_made_again(tmp_path):
    a, out = fill(tmp_path / "a", p="pa"), tmp_path / "out"
    do(a, out)
    os.utime(a / "p.txt", FUTURE)
    for _ in range(2):
        assert do(a, out).resumed == 1
    assert calls(out) == ["p"]


def test_a_photo_replaced_during_the_job_never_vouches_for_a_mixture(tmp_path):
    a, out = fill(tmp_path / "a", p="pa"), tmp_path / "out"

    def slow(item, out):
        record = work(item, out)
        item.path.write_text("pb")
        return record

    items = [Photo("p", a / "p.txt")]
    report = run_job(partial(slow, out=out), items, out, settings={"scale": 2})
    assert "was replaced while it was read" in report.records[0].reason
    assert held(out) == {}
    do(a, out)
    assert held(out) == {"p": "LR pb"}


# Merging


def test_a_limit_forgets_nothing(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa", r="ra", s="broken"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test" if r.key == "r" else "train") for r in read_manifest(out)])
    whole = (out / MANIFEST).read_bytes()
    report = do(a, out, limit=1)
    assert (len(report.records), report.others, report.absent) == (1, 3, 0)
    assert (out / MANIFEST).read_bytes() == whole
    assert do(a, out).resumed == 3
    assert (out / MANIFEST).read_bytes() == whole


def test_inputs_that_are_not_seen_stay_and_are_marked(tmp_path):
    """As with a disk that is not mounted."""
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test" if r.key == "q" else "train") for r in read_manifest(out)])
    whole = (out / MANIFEST).read_bytes()
    (a / "q.txt").rename(tmp_path / "q.txt")
    report = do(a, out)
    assert (report.others, report.absent) == (1, 1)
    rows = {row.key: row for row in read_manifest(out)}
    assert (rows["q"].status, rows["q"].split, rows["q"].detail.get("absent")) == ("ok", "test", "1")
    assert "absent" not in rows["p"].detail
    (tmp_path / "q.txt").rename(a / "q.txt")
    assert do(a, out).resumed == 2
    assert (out / MANIFEST).read_bytes() == whole


def test_an_absent_pair_whose_files_changed_is_not_vouched_for(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test") for r in read_manifest(out)])
    (a / "q.txt").unlink()
    (out / "LR" / "q.png").write_text("LR xx")
    do(a, out)
    rows = {row.key: row for row in read_manifest(out)}
    assert (rows["q"].status, rows["q"].split) == ("failed", "test")
    assert held(out) == {"p": "LR pa"}


def test_pruning_forgets_what_is_absent(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    (a / "q.txt").unlink()
    report = do(a, out, prune=True)
    assert report.leftover == 2
    assert [row.key for row in read_manifest(out)] == ["p"]
    assert (out / "leftover" / "HR" / "q.png").read_text() == "HR qa"
    assert not (out / "HR" / "q.png").exists()
    fill(a, q="qb")
    do(a, out)
    (a / "q.txt").unlink()
    do(a, out, prune=True)
    assert (out / "leftover" / "HR" / "q-2.png").read_text() == "HR qb"  # nothing is replaced there


def test_a_pair_that_is_now_rejected_leaves_no_files_for_folder_readers(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    fill(a, q="dull")
    report = do(a, out)
    assert report.leftover == 2
    assert sorted(path.name for path in (out / "LR").iterdir()) == ["p.png"]


def test_a_pair_that_fails_once_keeps_its_split(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test" if r.key == "q" else "train") for r in read_manifest(out)])
    fill(a, q="broken")
    do(a, out)
    fill(a, q="qb")
    do(a, out)
    assert {row.key: row.split for row in read_manifest(out)} == {"p": "train", "q": "test"}


# Replacing


def test_a_killed_overwrite_leaves_no_table_that_vouches_for_what_changed(tmp_path):
    """One worker's death in the midst is `kill -9`: the process that it runs in is a child of ours."""
    a, out = fill(tmp_path / "a", p="pa", q="qa", r="ra"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test" if r.key == "r" else "train") for r in read_manifest(out)])
    (out / METADATA).write_text("a table that other programs read")
    fill(a, q="deadly")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from test_earlier import do\n"
        "do(Path(sys.argv[2]), Path(sys.argv[3]), settings={'scale': 4}, tag='!', overwrite=True)"
    )
    killed = subprocess.run([sys.executable, "-c", code, Path(__file__).parent, a, out], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (out / "LR" / "p.png").read_text() == "LR pa!"
    rows = read_manifest(out)
    assert [row.status for row in rows] == ["failed"] * 3
    assert not (out / METADATA).exists()
    fill(a, q="qb")
    do(a, out, settings={"scale": 4}, tag="!")
    assert held(out) == {"p": "LR pa!", "q": "LR qb!", "r": "LR ra!"}
    assert {row.key: row.split for row in read_manifest(out)} == {"p": "train", "q": "train", "r": "test"}


def test_pairs_of_other_settings_do_not_stay_beside_new_ones(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test" if r.key == "q" else "train") for r in read_manifest(out)])
    report = do(a, out, settings={"scale": 4}, tag="!", overwrite=True, limit=1)
    assert held(out) == {"p": "LR pa!"}
    assert report.leftover == 2
    do(a, out, settings={"scale": 4}, tag="!")
    assert {row.key: row.split for row in read_manifest(out)} == {"p": "train", "q": "test"}


def test_a_stopped_overwrite_keeps_splits(tmp_path):
    a, out = fill(tmp_path / "a", o="broken", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [r.with_split("test") if r.ok else r for r in read_manifest(out)])
    do(a, out, overwrite=True, max_failures=1)
    assert held(out) == {}
    do(a, out)
    assert {row.key: row.split for row in read_manifest(out) if row.ok} == {"p": "test", "q": "test"}


@pytest.mark.parametrize("damage", ["", "nonsense", '{"schema": 2}\n', None])
def test_a_damaged_journal_never_mixes_settings(tmp_path, damage):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    if damage is None:
        (out / LEDGER).unlink()
    else:
        (out / LEDGER).write_text(damage)
    for settings in ({"scale": 2}, {"scale": 4}):
        with pytest.raises(UserError, match=r"its journal ledger\.jsonl is (damaged|missing).*`overwrite`"):
            do(a, out, settings=settings, limit=1)
    assert held(out) == {"p": "LR pa", "q": "LR qa"}
    do(a, out, settings={"scale": 4}, tag="!", overwrite=True, limit=1)
    assert held(out) == {"p": "LR pa!"}
    assert [path.name for path in (out / "LR").iterdir()] == ["p.png"]


def test_files_that_no_job_made_are_not_taken_for_ones_own(tmp_path):
    a, out = fill(tmp_path / "a", p="pa"), tmp_path / "out"
    (out / "LR").mkdir(parents=True)
    (out / "LR" / "mine.png").write_text("mine")
    with pytest.raises(UserError, match="its journal"):
        do(a, out)


def test_a_damaged_table_is_not_forgotten(tmp_path):
    a, out = fill(tmp_path / "a", p="pa"), tmp_path / "out"
    do(a, out)
    (out / MANIFEST).write_text("key,status\n")
    with pytest.raises(UserError, match=r"lacks the column.*`overwrite`"):
        do(a, out)
    do(a, out, overwrite=True)
    assert (out / "manifest.damaged.csv").read_text() == "key,status\n"


def test_a_journal_line_that_was_lost_costs_no_row(tmp_path):
    """Torn at its end, as a crash leaves it; the table still has the hash."""
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    whole = (out / MANIFEST).read_bytes()
    (out / LEDGER).write_bytes((out / LEDGER).read_bytes()[:-30])
    do(a, out, limit=1)
    assert (out / MANIFEST).read_bytes() == whole
    assert do(a, out).resumed == 1


def test_a_journal_of_an_older_version_is_not_trusted(tmp_path):
    """It did not say what the photos held."""
    a, out = fill(tmp_path / "a", p="pa"), tmp_path / "out"
    do(a, out)
    header, *_, line = (out / LEDGER).read_text().splitlines()
    row = json.loads(line)
    del row["files"], row["sources"], row["sum"]
    (out / LEDGER).write_text(f"{header}\n{json.dumps(row)}\n")
    fill(a, p="pb")
    assert do(a, out).resumed == 0
    assert held(out) == {"p": "LR pb"}


# What a record vouches for


def test_every_file_is_vouched_for(tmp_path):
    """Also one that is neither LR nor HR: a mask, say."""
    a, out = fill(tmp_path / "a", p="pa"), tmp_path / "out"

    def masked(item, out):
        record = work(item, out)
        (out / "MASK").mkdir(exist_ok=True)
        (out / "MASK" / "p.png").write_text("mask")
        return with_files(out, record, "MASK/p.png")

    items = [Photo("p", a / "p.txt")]
    job = partial(run_job, partial(masked, out=out), items, out, settings={"scale": 2})
    job()
    assert json.loads((out / LEDGER).read_text().splitlines()[-1])["files"].keys() == {
        "LR/p.png",
        "HR/p.png",
        "MASK/p.png",
    }
    (out / "MASK" / "p.png").write_text("wrong")
    assert job().resumed == 0
    assert (out / "MASK" / "p.png").read_text() == "mask"


def test_what_else_a_job_writes_is_written_while_it_holds_the_folder(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    seen = []

    def also(ended):
        with pytest.raises(UserError, match="is in use"):
            thread_do(a, out)
        seen.append([row.key for row in ended.rows])

    items = [Photo(path.stem, path) for path in sorted(a.glob("*.txt"))]
    run_job(partial(work, out=out), items, out, settings={"scale": 2}, also=also)
    run_job(partial(work, out=out), items, out, settings={"scale": 2}, also=also, running=Running(limit=1))
    assert seen == [["p", "q"], ["p", "q"]]


def thread_do(folder, out):
    """A second job beside the first, in this process."""
    errors = []

    def run():
        try:
            do(folder, out)
        except UserError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


# One item costs one item


def test_one_worker_survives_a_deadly_photo_at_the_second_run(tmp_path):
    """The first run dies of it; the next knows by the journal which one it was, and names its file."""
    a, out = fill(tmp_path / "a", p="pa", q="deadly", r="ra"), tmp_path / "out"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from test_earlier import do\n"
        "do(Path(sys.argv[2]), Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, Path(__file__).parent, a, out]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "Fatal Python error" not in again.stderr
    rows = {row.key: row for row in read_manifest(out)}
    assert [rows[key].status for key in "pqr"] == ["ok", "failed", "ok"]
    assert rows["q"].reason.startswith(f"{a / 'q.txt'}: ended the process that worked on it twice")
    assert "take it out or convert it" in rows["q"].reason


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_the_job_at_once(tmp_path, workers):
    """Instead of decoding everything in vain."""
    photos = {f"p{i:02d}": "full" for i in range(40)}
    a, out = fill(tmp_path / "a", **photos), tmp_path / "out"
    report = do(a, out, workers=workers)
    assert "the disk is full" in report.stopped
    assert report.unfinished >= 40 - 5 * workers
    for name in photos:
        fill(a, **{name: name})
    assert do(a, out).count("ok") == 40


def test_only_some_keys(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa", r="ra"), tmp_path / "out"
    do(a, out, only=frozenset(["q", "no such key"]))
    assert held(out) == {"q": "LR qa"}
    do(a, out)
    assert [row.key for row in read_manifest(out)] == ["p", "q", "r"]


def test_scenes_of_the_journal_and_of_the_table_agree(tmp_path):
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [replace(r, scene="s", split="val") for r in read_manifest(out)])
    do(a, out, overwrite=True)
    assert {(row.scene, row.split) for row in read_manifest(out)} == {("s", "val")}


def test_what_goes_on_from_a_stopped_job_stops_too():
    with pytest.raises(Interrupted):
        JobReport((), interrupted=True).or_stop()
    with pytest.raises(UserError, match="stopped early: the disk is full"):
        JobReport((), stopped="the disk is full").or_stop()
    assert JobReport(()).or_stop() == JobReport(())


def test_a_new_split_takes_the_old_one_from_pairs_that_are_away(tmp_path):
    """Else one that comes back would bring a scene to the other side."""
    a, out = fill(tmp_path / "a", p="pa", q="qa", r="ra"), tmp_path / "out"
    do(a, out)
    write_manifest(out, [replace(r, scene="s", split="test") for r in read_manifest(out)])
    fill(a, q="broken")
    do(a, out)
    rows = split_scenes(read_manifest(out), SplitSettings(test=0))
    assert {row.key: row.split for row in rows} == {"p": "train", "q": "", "r": "train"}


def test_a_journal_that_says_it_all_is_not_written_again(tmp_path):
    """Nor is one without a header left where there was nothing to do."""
    a, out = fill(tmp_path / "a", p="pa", q="qa"), tmp_path / "out"
    do(tmp_path / "nothing", out)
    do(a, out)
    before = (out / LEDGER).stat()
    do(a, out)
    assert (out / LEDGER).stat() == before
    with (out / LEDGER).open("a") as journal:
        journal.write('{"key": "torn')
    fill(a, r="ra")
    do(a, out)
    assert do(a, out).resumed == 3
