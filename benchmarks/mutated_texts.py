"""Mutated texts and arrays: whatever is read back must be read, or refused in one line, and never for long.

    python benchmarks/mutated_texts.py [--count N] [--seed N] [--only PART] [--one N]

Small valid specimens of all that realdeg reads back (journals, manifests, run.yaml and --config, lists of
pairs, recipes, pools, weights, checkpoints, certificates ...) are damaged in a value or in bytes and given to
their reader, in a process that goes on to the next. Mutant N is the same at every run. Counts, by specimen:
read, refused in one line, internal errors, longer than 20 s, more than 1.5 GB. Ends with 1 if there is any of
the last three. docs/reliability.md has its figures.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SECONDS, BYTES = 20.0, 1_500_000_000
CLASS_NAME = re.compile(r"\b(?:[A-Z][a-z]+)+(?:Error|Exception)\b")
GOOD = ("read", "refused")
KINDS = ("read", "refused", "internal", "class name", "hang", "memory", "died")


def main() -> int:
    """Run the mutants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--only", default="", help="Specimens whose name holds this.")
    parser.add_argument("--one", type=int, default=None, help="Only this mutant, with its trace.")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--worker", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return _work(given.worker, given.seed, given.only)
    numbers = iter([given.one] if given.one is not None else range(given.count))
    found: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=given.jobs) as pool:
        jobs = [
            pool.submit(_drive, numbers, found, given)
            for _ in range(1 if given.one is not None else given.jobs)
        ]
        for job in jobs:
            job.result()
    return _told(found, given.one is not None)


def _told(found: list[dict[str, Any]], whole: bool) -> int:
    by_name: dict[str, Counter[str]] = {}
    for one in found:
        by_name.setdefault(one["name"], Counter())[one["kind"]] += 1
    print(f"{'':44}" + "".join(f"{kind:>11}" for kind in KINDS))
    for name, counts in sorted(by_name.items()):
        print(f"{name:44}" + "".join(f"{counts[kind] or '':>11}" for kind in KINDS))
    total = Counter(one["kind"] for one in found)
    print(f"{f'all {len(found)}':44}" + "".join(f"{total[kind]:>11}" for kind in KINDS))
    for one in sorted(found, key=lambda one: (one["name"], one["line"])):
        if whole or one["kind"] not in GOOD:
            line = one["line"] if whole else one["line"][:300]
            print(f"{one['number']:>6} {one['kind']:10} {one['name']}: {line}")
    slowest, most = max(one["seconds"] for one in found), max(one["peak"] for one in found)
    print(f"slowest {slowest:.1f} s, most memory {most / 1e6:.0f} MB")
    return int(any(one["kind"] not in GOOD for one in found))


def _drive(numbers: Any, found: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """Keep one worker busy; start another where it hangs or dies."""
    worker: subprocess.Popen[str] | None = None
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        for count, number in enumerate(numbers):
            if worker is None:
                worker = _start(Path(folder, str(count)), given)
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(f"{number}\n")
            worker.stdin.flush()
            ready, _, _ = select.select([worker.stdout], [], [], SECONDS)
            line = worker.stdout.readline() if ready else ""
            if line:
                found.append(json.loads(line))
                if found[-1]["peak"] < BYTES / 2:
                    continue
            else:
                kind = "died" if ready else "hang"
                name = _name(worker)
                found.append(
                    {"number": number, "kind": kind, "name": name, "line": "", "seconds": SECONDS, "peak": 0}
                )
            worker.kill()
            worker.wait()
            worker = None
        if worker is not None:
            worker.kill()
            worker.wait()


def _name(worker: subprocess.Popen[str]) -> str:
    assert isinstance(worker.args, list)
    path = Path(str(worker.args[-1]), "current")
    return path.read_text() if path.exists() else "?"


def _start(folder: Path, given: argparse.Namespace) -> subprocess.Popen[str]:
    words = [
        sys.executable,
        __file__,
        "--seed",
        str(given.seed),
        "--only",
        given.only,
        "--worker",
        str(folder),
    ]
    worker = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert worker.stdout is not None
    if worker.stdout.readline() != "ready\n":
        raise SystemExit("a worker could not make its specimens")
    return worker


def _work(folder: Path, seed: int, only: str) -> int:
    """Make the specimens, then read mutants by their numbers."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from text_mutants import mutant
    from text_specimens import specimens

    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()):
        every = [one for one in specimens(folder / "base") if only in one.name]
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        number = int(line)
        one = every[number % len(every)]
        (folder / "current").write_text(one.name)
        at = folder / "mutant"
        shutil.rmtree(at, ignore_errors=True)
        shutil.copytree(one.base, at)
        path = at / one.file
        rng = random.Random(f"{seed} {number}")
        original = path.read_bytes() if path.exists() else b"{}"
        status = path.stat() if path.exists() else None
        data = mutant(rng, one.kind, original)
        path.write_bytes(data)
        if status:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        result = _tried(one.read, at)
        print(json.dumps({"number": number, "name": one.name, **result}), file=out, flush=True)
    return 0


def _tried(read: Any, at: Path) -> dict[str, Any]:
    """What becomes of a mutant."""
    import time

    import click

    from realdeg.errors import Interrupted, UserError

    Path("/proc/self/clear_refs").write_text("5")  # the highest mark of memory begins anew
    said, kind, line = io.StringIO(), "read", ""
    started = time.monotonic()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            read(at)
        except (UserError, click.ClickException) as error:
            kind, line = "refused", str(error)
        except (click.exceptions.Exit, click.exceptions.Abort, SystemExit, Interrupted):
            kind = "refused"
        except MemoryError:
            kind, line = "memory", traceback.format_exc()
        except BaseException as error:
            kind = "internal"
            place = traceback.extract_tb(error.__traceback__)
            mine = [f"{Path(p.filename).name}:{p.lineno}" for p in place if "site-packages" not in p.filename]
            line = f"{type(error).__name__}: {' '.join(str(error).split())[:150]} ({' '.join(mine[-3:])})"
    seconds = time.monotonic() - started
    text = f"{line}\n{said.getvalue()}\n" + "".join(
        path.read_text(errors="replace") for path in at.rglob("manifest.csv") if path.stat().st_size < 1 << 22
    )
    if kind in ("read", "refused") and "internal error" in text:
        kind, line = "internal", next(one for one in text.split("\n") if "internal error" in one)
    elif kind == "refused" and "\n" in str(line).strip():
        kind = "internal"
    elif kind in ("read", "refused") and (told := CLASS_NAME.search(f"{line}\n{said.getvalue()}")):
        kind, line = (
            "class name",
            next(one for one in f"{line}\n{said.getvalue()}".split("\n") if told[0] in one),
        )
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]
    if peak > BYTES:
        kind = "memory"
    if seconds > SECONDS:
        kind = "hang"
    return {"kind": kind, "line": line, "seconds": seconds, "peak": peak}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
