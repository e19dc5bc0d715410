"""Items that take longer than they may; the kind that nothing inside their process can interrupt."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from realdeg.jobs import Running, run_job
from realdeg.records import LEDGER, MANIFEST, PairRecord, read_manifest
from realdeg.workers import Limits


@dataclass(frozen=True)
class Item:
    key: str
    sources: tuple[Path, ...] = ()


def work(item: Item, out: Path) -> PairRecord:
    with (out / "begun.txt").open("a") as begun:
        begun.write(f"{item.key}\n")
    if "endless" in item.key:
        re.match(r"(a+)+b", "a" * 40)  # years in C, and the interpreter is not let go
    if "slow" in item.key:
        time.sleep(60)
    return PairRecord(item.key, "ok", detail={"name": item.key})


ITEMS = [Item("a0"), Item("endless"), *(Item(f"a{i}") for i in range(1, 8)), Item("slow"), Item("z")]


def test_only_what_takes_too_long_fails(tmp_path):
    started = time.monotonic()
    running = Running(workers=2, limits=Limits(seconds=2))
    report = run_job(partial(work, out=tmp_path), ITEMS, tmp_path, settings={}, running=running)
    assert time.monotonic() - started < 40
    failed = {r.key: r.reason for r in report.records if not r.ok}
    says = "took longer than 2 s; take it out or make it smaller, or raise `item_seconds`"
    assert failed == {key: f"{key}: {says}" for key in ("endless", "slow")}
    assert [r.detail["name"] for r in report.records if r.ok] == [i.key for i in ITEMS if i.key not in failed]
    assert [r.key for r in read_manifest(tmp_path, pairs=False)] == [i.key for i in ITEMS]
    begun = (tmp_path / "begun.txt").read_text().split()
    assert begun.count("endless") == 1  # once is enough
    assert begun.count("z") <= 2


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_overtime import Item, work
from functools import partial
from pathlib import Path
from realdeg.jobs import Running, run_job
from realdeg.workers import Limits

if __name__ == "__main__":
    out = Path({out!r})
    items = [Item("a"), Item("slow"), Item("z")]
    report = run_job(
        partial(work, out=out), items, out, settings={{}}, running=Running(workers=1, limits=Limits(seconds=2))
    )
    print([record.status for record in report.records])
"""


def test_in_the_own_process_the_next_run_knows_the_culprit(tmp_path):
    code = SCRIPT.format(folder=str(Path(__file__).parent), out=str(tmp_path))
    first = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert first.returncode == 1
    assert first.stderr == (
        "error: slow: took longer than 2 s, and nothing but the end of its process stops it; run again: it is "
        "then done in a process apart, and what was finished is saved\n"
    )
    assert json.loads((tmp_path / LEDGER).read_text().splitlines()[-1]) == {"begun": "slow"}
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (again.returncode, again.stdout, again.stderr) == (0, "['ok', 'failed', 'ok']\n", "")
    row = {row.key: row for row in read_manifest(tmp_path, pairs=False)}["slow"]
    assert row.reason.startswith("slow: took longer than 2 s; take it out")
    assert (tmp_path / "begun.txt").read_text().split() == ["a", "slow", "slow", "z"]
    assert (tmp_path / MANIFEST).exists()
