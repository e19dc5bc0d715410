"""A folder job survives: bad items, dead workers, kill -9, Ctrl-C, a second job, a torn ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from realdeg.errors import UserError
from realdeg.jobs import Running, run_job
from realdeg.records import LEDGER, MANIFEST, PairRecord, read_manifest, with_files, write_manifest
from realdeg.workers import PARENT_SECONDS


@dataclass(frozen=True)
class Item:
    key: str
    sources: tuple[Path, ...] = ()


ITEMS = [Item(f"item{i:02d}") for i in range(12)]
MANY = [Item(f"many{i:02d}") for i in range(40)]  # so that a signal never comes after the end


def work(item: Item, out: Path, slow: float = 0.0) -> PairRecord:
    """A job whose bytes follow from the key; some keys misbehave."""
    time.sleep(slow)
    if "bad" in item.key:
        raise UserError(f"{item.key}.jpg", "is broken", "copy it again")
    if "bug" in item.key:
        raise ZeroDivisionError("oops")
    if "poison" in item.key:
        os.kill(os.getpid(), signal.SIGKILL)
    for side in ("LR", "HR"):
        (out / side).mkdir(parents=True, exist_ok=True)
        (out / side / f"{item.key}.png").write_text(f"{side} {item.key}")
    with (out / "calls.txt").open("a") as calls:
        calls.write(f"{item.key}\n")
    with (out / "pids.txt").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    record = PairRecord(item.key, "ok", lr=f"LR/{item.key}.png", hr=f"HR/{item.key}.png", scale=2)
    return with_files(out, record)


def do(out, items=ITEMS, settings=None, **options):
    running = Running(**options)
    return run_job(partial(work, out=out), items, out, settings=settings or {"scale": 2}, running=running)


def calls(out):
    return (out / "calls.txt").read_text().split()


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_items_are_named_and_the_rest_is_done(tmp_path, workers):
    items = [*ITEMS[:3], Item("bad1"), *ITEMS[3:5], Item("bug1")]
    report = do(tmp_path, items, workers=workers)
    assert [r.key for r in report.records] == [i.key for i in items]  # input order, whoever was first
    assert report.count("ok") == 5
    reasons = {r.key: r.reason for r in report.records if not r.ok}
    assert reasons["bad1"] == "bad1.jpg: is broken; copy it again"
    assert "internal error, please report it: ZeroDivisionError: oops" in reasons["bug1"]
    assert [r.key for r in read_manifest(tmp_path)] == [i.key for i in items]


def test_a_worker_that_dies_costs_one_item(tmp_path):
    items = [*ITEMS[:5], Item("poison"), *ITEMS[5:]]
    report = do(tmp_path, items, workers=2)
    assert report.count("ok") == 12
    (failed,) = [r for r in report.records if not r.ok]
    assert failed.key == "poison"
    assert failed.reason.startswith("poison: ended the process that worked on it twice")


def test_the_last_item_left_may_be_the_one_that_kills(tmp_path):
    """On resuming only the culprit is left to do: it must not take the job with it."""
    items = [*ITEMS[:2], Item("poison1"), Item("poison2")]
    do(tmp_path, items, workers=2)
    for again in ([*ITEMS[:2], Item("poison1")], items):
        report = do(tmp_path, again, workers=2)
        assert report.resumed == 2
        assert [r.status for r in report.records[2:]] == ["failed"] * (len(again) - 2)


def test_what_is_done_is_not_done_again(tmp_path):
    do(tmp_path, ITEMS[:6])
    report = do(tmp_path, ITEMS)
    assert report.resumed == 6
    assert sorted(calls(tmp_path)) == sorted(i.key for i in ITEMS)
    assert do(tmp_path, overwrite=True).resumed == 0


def test_failures_are_tried_again_and_lost_files_made_again(tmp_path):
    items = [*ITEMS[:3], Item("bad1")]
    do(tmp_path, items)
    (tmp_path / "LR" / "item01.png").unlink()
    (tmp_path / "HR" / "item02.png").write_text("torn")
    assert do(tmp_path, items).resumed == 1
    assert (tmp_path / "HR" / "item02.png").read_text() == "HR item02"


def test_a_torn_ledger_costs_the_torn_line(tmp_path):
    do(tmp_path)
    ledger = tmp_path / LEDGER
    ledger.write_bytes(ledger.read_bytes()[:-40])
    report = do(tmp_path)
    assert report.resumed == 11
    assert report.count("ok") == 12


def test_names_may_hold_any_line_break_but_one(tmp_path):
    items = [Item("a\u2028b"), Item("c\x85d"), Item("e\x1cf")]
    do(tmp_path, items)
    assert do(tmp_path, items).resumed == 3


def test_other_settings_are_refused(tmp_path):
    do(tmp_path)
    with pytest.raises(
        UserError, match=r"made with other settings \(scale was 2, is 4\); use another folder, or `overwrite`"
    ):
        do(tmp_path, settings={"scale": 4})


def test_a_split_outlives_a_second_run(tmp_path):
    do(tmp_path, ITEMS[:4])
    write_manifest(
        tmp_path, [r.with_split("test" if r.key == "item01" else "train") for r in read_manifest(tmp_path)]
    )
    do(tmp_path, ITEMS[:5])
    assert [r.split for r in read_manifest(tmp_path)] == ["train", "test", "train", "train", ""]


def test_scenes_that_the_input_dictates_win(tmp_path):
    do(tmp_path, ITEMS[:2])
    write_manifest(tmp_path, [replace(r, scene="s", split="train") for r in read_manifest(tmp_path)])
    run_job(
        partial(work, out=tmp_path),
        ITEMS[:2],
        tmp_path,
        settings={"scale": 2},
        scenes={"item01": ("other", "test")},
    )
    assert [(r.scene, r.split) for r in read_manifest(tmp_path)] == [("s", "train"), ("other", "test")]


def test_any_number_of_workers_leaves_the_same_manifest(tmp_path):
    items = [*ITEMS, Item("bad1"), Item("bug1")]
    for workers in (1, 2):
        do(tmp_path / str(workers), items, workers=workers)
    assert (tmp_path / "1" / MANIFEST).read_bytes() == (tmp_path / "2" / MANIFEST).read_bytes()


def test_max_failures_stops_early_and_keeps_what_is_made(tmp_path):
    items = [ITEMS[0], Item("bad1"), *ITEMS[1:]]
    report = do(tmp_path, items, max_failures=1)
    assert (report.count("ok"), report.unfinished) == (1, 11)
    assert not report.interrupted


def test_progress_counts_and_estimates(tmp_path):
    seen = []
    do(tmp_path, [*ITEMS[:3], Item("bad1")], on_progress=seen.append)
    assert [p.done for p in seen] == [0, 1, 2, 3, 4]
    assert seen[-1].problems == 1
    assert seen[0].eta_seconds is None
    assert seen[2].eta_seconds == pytest.approx(seen[2].seconds, rel=1e-6)  # half is done


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_jobs import MANY, work
from realdeg.jobs import Running, run_job
if __name__ == "__main__":
    out = Path({out!r})
    report = run_job(partial(work, out=out, slow=0.1), MANY, out, settings={{"scale": 2}}, running=Running(workers={workers}))
    print("interrupted" if report.interrupted else "whole", report.count("ok"))
"""


def start(out, workers):
    code = SCRIPT.format(folder=str(Path(__file__).parent), out=str(out), workers=workers)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(out, count):
    for _ in range(400):
        if (out / "calls.txt").is_file() and len(calls(out)) >= count:
            return
        time.sleep(0.02)
    raise AssertionError("the job did not start")


def test_kill_9_then_again_loses_nothing(tmp_path):
    process = start(tmp_path, 1)
    wait_for(tmp_path, 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    report = do(tmp_path, MANY)  # the dead job's lock does not stand in the way
    assert report.resumed >= 2
    assert report.count("ok") == len(MANY)
    assert len(calls(tmp_path)) <= len(MANY) + 1  # at most the one in hand was done twice


def test_workers_end_with_a_killed_parent(tmp_path):
    process = start(tmp_path, 2)
    wait_for(tmp_path, 4)
    os.kill(process.pid, signal.SIGKILL)  # the parent alone
    process.wait()
    time.sleep(2 * PARENT_SECONDS + 0.3)
    done = len(calls(tmp_path))
    time.sleep(0.5)
    assert len(calls(tmp_path)) == done < len(MANY)
    assert do(tmp_path, MANY, workers=2).count("ok") == len(MANY)


def test_a_killed_worker_costs_nothing(tmp_path):
    """As the out-of-memory killer does it: from outside, in the midst of good items."""
    process = start(tmp_path, 2)
    wait_for(tmp_path, 4)
    pid = int((tmp_path / "pids.txt").read_text().split()[-1])
    assert pid != process.pid
    os.kill(pid, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert said.split() == ["whole", str(len(MANY))]
    assert [r.key for r in read_manifest(tmp_path)] == [i.key for i in MANY]


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_finishes_what_is_in_hand(tmp_path, workers):
    process = start(tmp_path, workers)
    wait_for(tmp_path, 3)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert said.startswith("interrupted")
    done = int(said.split()[1])
    assert 3 <= done < len(MANY)
    assert len(read_manifest(tmp_path)) == done
    report = do(tmp_path, MANY)
    assert report.resumed == done
    assert sorted(calls(tmp_path)) == sorted(i.key for i in MANY)


def test_two_jobs_on_one_folder(tmp_path):
    process = start(tmp_path, 1)
    wait_for(tmp_path, 1)
    with pytest.raises(UserError, match=rf"is in use by process {process.pid} since .*; wait for it"):
        do(tmp_path)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


RACE = """
import os, sys, time
from pathlib import Path
from realdeg.errors import UserError
from realdeg.guard import locked
folder, start = Path(sys.argv[1]), float(sys.argv[2])
held = both = 0
while time.time() < start:
    pass
while time.time() < start + 1.5:
    try:
        with locked(folder):
            held += 1
            try:
                os.close(os.open(folder / "inside", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                both += 1
                continue
            time.sleep(0.0005)
            os.unlink(folder / "inside")
    except UserError:
        pass
print(held, both)
"""


def test_a_folder_is_never_held_twice(tmp_path):
    """Two processes that take and leave it as fast as they can; the file `inside` would tell."""
    begin = str(time.time() + 1)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), begin], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [[int(n) for n in p.communicate(timeout=60)[0].split()] for p in both]
    assert sum(held for held, _ in said) > 10
    assert [twice for _, twice in said] == [0, 0]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        do(tmp_path / "file" / "out")


def test_a_ledger_that_cannot_grow_is_said(tmp_path, monkeypatch):
    do(tmp_path, ITEMS[:2])

    class Full:
        name = "ledger.jsonl"

        def write(self, text):
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return lambda *args: 0

    whole = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", **more: Full() if mode == "a" else whole(self, mode, **more)
    )
    with pytest.raises(UserError, match=r"ledger\.jsonl: the disk is full; free some space"):
        do(tmp_path, ITEMS)
    monkeypatch.undo()
    assert do(tmp_path, ITEMS).resumed == 2
