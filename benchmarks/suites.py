"""Public image suites read by realdeg and by other libraries: who agrees, who refuses, and why.

    python benchmarks/suites.py FOLDER... [--out suites] [--seconds 20] [--jobs 1] [--checkout FOLDER]

Each file is read by `realdeg.io.photo.read` in one process (time limit, peak memory, what appears on
descriptor 2) and by the libraries of `outsiders.py` in another. Writes OUT.jsonl, one line a file, and
OUT.md, the tables; `--again OUT.jsonl` only makes the tables anew. Needs pyvips (pip install pyvips
pyvips-binary) and libtiff's tiffinfo beside the project's own packages. Files that are equal byte for byte
are read once.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from asking import Worker, serve

HERE = Path(__file__).resolve()
LOSSY = ("JPEG", "WebP", "HEIF", "AVIF")
EQUAL = 1
"""Levels of 8 bit: what rounding of depth, alpha and grey may differ by."""
EQUAL_WIDE = 2
"""The same of 16 bits: some libraries give their upper half, cut off, and blend that with the background."""
EQUAL_PROFILE = 3
"""The same where a profile was applied: at 8 bits by others, in floating point here."""
MOST_MB, MOST_SECONDS = 1500, 10
"""Above these a file is listed."""
NEAR_MEAN, NEAR_P99 = 1.0, 12.0
"""Lossy colour planes may be enlarged otherwise: mean and 99th percentile, levels of 8 bit."""
OUTSIDE_BYTES = 8 << 30
"""Address space of the process of the other libraries: some have no limit of their own."""


def read_here(path: str, keep: str) -> dict[str, Any]:
    """What `photo.read` says of a file; its pixels go to `keep`."""
    import traceback

    from realdeg.errors import UserError
    from realdeg.io.photo import read

    _forget_peak()
    try:
        photo = read(Path(path))
    except UserError as error:
        return {"status": "refused", "text": str(error).replace(path, "FILE"), "peak": _peak()}
    except BaseException:
        return {"status": "traceback", "text": traceback.format_exc()[-600:], "peak": _peak()}
    peak = _peak()
    np.save(keep, photo.pixels)
    return {
        "status": "read",
        "size": list(photo.pixels.shape),
        "depth": photo.bit_depth,
        "profile": photo.profile,
        "orientation": photo.orientation,
        "notes": list(photo.notes),
        "peak": peak,
    }


def read_outside(path: str, reader: str, kind: str, keep: str) -> dict[str, Any]:
    """How a library's pixels differ from ours in `keep` (or that it reads the file at all)."""
    import outsiders

    if reader == "strict":
        return {"status": "ok", "complaints": outsiders.complaints(Path(path), kind)}
    try:
        theirs, warned = outsiders.read_by(reader, kind, Path(path))
    except Exception as error:
        return {"status": "failed", "text": f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]}
    answer: dict[str, Any] = {
        "status": "read",
        "warned": warned,
        "size": list(theirs.shape),
        "md": _mean(theirs),
    }
    if keep and Path(keep).exists():
        ours = np.load(keep, mmap_mode="r")
        answer.update(compared(ours, theirs))
    return answer


def compared(ours: Any, theirs: Any) -> dict[str, Any]:
    """Largest, mean and 99th percentile of the difference, levels of 8 bit."""
    if ours.shape != theirs.shape:
        return {
            "differs": f"size {ours.shape[1]} x {ours.shape[0]}, theirs {theirs.shape[1]} x {theirs.shape[0]}"
        }
    step = max(1, ours.shape[0] * ours.shape[1] // 8_000_000)
    a, b = (p[::step].astype(np.float32) / (257 if p.dtype == np.uint16 else 1) for p in (ours, theirs))
    apart = np.abs(a - b)
    return {
        "max": round(float(apart.max(initial=0)), 2),
        "mean": round(float(apart.mean()), 3),
        "p99": round(float(np.percentile(apart, 99)), 2),
    }


def _mean(pixels: Any) -> list[float]:
    """Mean colour, levels of 8 bit: tells whether two outsiders agree."""
    scale = 257 if pixels.dtype == np.uint16 else 1
    return [round(float(pixels[..., c].mean()) / scale, 1) for c in range(3)]


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Largest resident memory since `_forget_peak`, MB."""
    with contextlib.suppress(OSError, AttributeError):
        text = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) // 1024  # type: ignore[index]
    return 0


def kind_of(path: Path) -> str:
    """Container of a file."""
    import outsiders

    with path.open("rb") as file:
        return outsiders.kind_of(file.read(32), path.suffix)


def judge(path: Path, here: Worker, there: Worker, scratch: Path) -> dict[str, Any]:
    """All that is known of one file."""
    import outsiders

    kind = kind_of(path)
    keep = scratch / f"{os.getpid()}-{id(here)}.npy"
    keep.unlink(missing_ok=True)
    ours = here.ask(path=str(path), keep=str(keep))
    theirs = {}
    for reader in outsiders.READERS[kind]:
        kept = str(keep) if ours["status"] == "read" else ""
        theirs[reader] = there.ask(path=str(path), reader=reader, kind=kind, keep=kept)
    strict = there.ask(path=str(path), reader="strict", kind=kind, keep="").get("complaints", {})
    line = {"path": str(path), "kind": kind, "bytes": path.stat().st_size, "ours": ours, "theirs": theirs}
    line["strict"] = strict
    line["verdict"] = verdict(line)
    return line


def agreement(line: dict[str, Any], reader: dict[str, Any]) -> str:
    """Of an outsider's pixels that were compared: "equal", "near" or "differs"."""
    if "max" not in reader:
        return "differs"
    converted = line["ours"]["profile"] != "sRGB" or any("profile" in note for note in line["ours"]["notes"])
    wide = line["ours"]["depth"] == 16
    if reader["max"] <= (EQUAL_PROFILE if converted else EQUAL_WIDE if wide else EQUAL):
        return "equal"
    near = reader["mean"] <= NEAR_MEAN and reader["p99"] <= NEAR_P99
    lossy = line["kind"] in LOSSY or line["kind"] == "TIFF"
    return "near" if near and (lossy or converted) else "differs"


def verdict(line: dict[str, Any]) -> str:
    """A column of the table, or what went wrong."""
    status, theirs = line["ours"]["status"], line["theirs"]
    read = {name: one for name, one in theirs.items() if one["status"] == "read"}
    if status == "refused":
        calm = [name for name, one in read.items() if not one["warned"] and not one["said"]]
        blamed = re.search(r"cut short|damaged|not an image", line["ours"]["text"])
        if blamed and len(calm) >= min(2, len(theirs)) and not line["strict"]:
            return "wrong reason"
        return "refused" if read else "all refuse"
    if status != "read":
        return status
    found = {agreement(line, one) for one in read.values()}
    for best in ("equal", "near", "differs"):
        if best in found:
            return best
    return "alone"


def apart(line: dict[str, Any]) -> list[str]:
    """Outsiders whose pixels differ from ours."""
    read = {name: one for name, one in line["theirs"].items() if one["status"] == "read"}
    return [name for name, one in read.items() if agreement(line, one) == "differs"]


def rows(folders: Sequence[Path]) -> Iterator[Path]:
    """Files of the folders, each content once."""
    seen: set[bytes] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.stat().st_size == 0:
                continue
            digest = hashlib.sha256(path.read_bytes()).digest()
            if digest not in seen:
                seen.add(digest)
                yield path


def reason_of(text: str) -> str:
    """A refusal without the file, the remedy and the numbers."""
    words = text.split("FILE: ", 1)[-1].split("; ")[0]
    return re.sub(r"\d+(\.\d+)?", "N", words)[:110]


Line = dict[str, Any]
KINDS = ("JPEG", "PNG", "TIFF", "WebP", "HEIF", "AVIF", "BMP", "RAW", "other")
VERDICTS = ("equal", "near", "differs", "alone", "refused", "all refuse", "wrong reason")


def tables(lines: list[Line], root: str) -> str:
    """The Markdown report; paths relative to `root`."""
    for line in lines:
        line["name"] = line["path"].removeprefix(root).lstrip("/")
    parts = {
        "": counts(lines),
        "Suites": by_suite(lines),
        "Read, and different from all who read it": [
            f"- {line['name']} ({line['kind']}): {who(line)} {stated(line)}"
            for line in lines
            if line["verdict"] == "differs"
        ],
        "Equal to one, different from another": [
            f"- {line['name']} ({line['kind']}): {who(line)} {stated(line)}"
            for line in lines
            if line["verdict"] in ("equal", "near") and apart(line)
        ],
        "Whole to two others or more, called damaged or no image": [
            f"- {line['name']} ({line['kind']}): {reason_of(line['ours']['text'])}; {who(line)}"
            for line in lines
            if line["verdict"] == "wrong reason"
        ],
        "Kept although a strict decoder complains": [
            f"- {line['name']} ({line['kind']}, {line['verdict']}): {line['strict']}"
            for line in lines
            if line["ours"]["status"] == "read" and line["strict"]
        ],
        "Refused, by reason": reasons(lines),
        "Crashes, hangs, tracebacks, memory above 1.5 GB, more than 10 s, printed lines": troubles(lines),
    }
    return (
        "\n".join("\n".join([f"\n## {title}\n" if title else "", *some]) for title, some in parts.items())
        + "\n"
    )


def counts(lines: list[Line]) -> list[str]:
    """Files by container and verdict."""
    out = ["| container | files | " + " | ".join(VERDICTS) + " | crash, hang, traceback | printed |"]
    out.append("|---" * (len(VERDICTS) + 4) + "|")
    for kind in (*KINDS, "all"):
        some = [line for line in lines if kind in (line["kind"], "all")]
        count = Counter(line["verdict"] for line in some)
        bad = sum(n for name, n in count.items() if name not in VERDICTS)
        said = sum(bool(line["ours"]["said"]) for line in some)
        cells = " | ".join(str(count[name]) for name in VERDICTS)
        out.append(f"| {kind} | {len(some)} | {cells} | {bad} | {said} |")
    return out


def by_suite(lines: list[Line]) -> list[str]:
    """Files, and what became of them, by folder below the common one."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line["name"].split("/")[0]].append(line)
    out = ["| suite | files | read | refused | refused by all |", "|---|---|---|---|---|"]
    for suite, some in sorted(found.items()):
        count = Counter(line["verdict"] for line in some)
        read = sum(line["ours"]["status"] == "read" for line in some)
        refused = count["refused"] + count["wrong reason"]
        out.append(f"| {suite} | {len(some)} | {read} | {refused} | {count['all refuse']} |")
    return out


def reasons(lines: list[Line]) -> list[str]:
    """Refusals by container and reason, most frequent first."""
    found: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line["ours"]["status"] == "refused":
            found[(line["kind"], reason_of(line["ours"]["text"]))].append(line)
    out = ["| container | reason | files | of them read by others | an example |", "|---|---|---|---|---|"]
    for (kind, reason), some in sorted(
        found.items(), key=lambda pair: (KINDS.index(pair[0][0]), -len(pair[1]))
    ):
        read = sum(any(one["status"] == "read" for one in line["theirs"].values()) for line in some)
        out.append(f"| {kind} | {reason} | {len(some)} | {read} | {some[0]['name']} |")
    return out


def troubles(lines: list[Line]) -> list[str]:
    """What no reader should do."""
    out = []
    for line in lines:
        ours = line["ours"]
        heavy = ours.get("peak", 0) > MOST_MB or ours["seconds"] > MOST_SECONDS
        if ours["status"] not in ("read", "refused") or heavy or ours["said"]:
            more = f"{ours['status']}, {ours.get('peak', '?')} MB, {ours['seconds']} s"
            out.append(f"- {line['name']}: {more}; {(ours.get('text', '') + ' ' + ours['said'])[-300:]!r}")
    return out


def who(line: Line) -> str:
    """What each outsider made of a file."""
    parts = []
    for reader, one in line["theirs"].items():
        if one["status"] != "read":
            parts.append(f"{reader} {one['status']}: {one.get('text', '')[:60]}")
        elif "max" in one:
            parts.append(f"{reader} max {one['max']:g} mean {one['mean']:g}")
        else:
            parts.append(f"{reader} {one.get('differs', 'reads')}")
    return "; ".join(parts)


def stated(line: Line) -> str:
    """What realdeg says of what it read."""
    return f"[{line['ours']['depth']} bit, {line['ours']['profile']}, notes {line['ours']['notes']}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("suites"), help="writes OUT.jsonl and OUT.md")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--checkout", type=Path, default=HERE.parents[1], help="whose realdeg reads")
    parser.add_argument("--again", type=Path, help="tables of an earlier run")
    parser.add_argument("--only", default="", help="one container, as the table names it")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        sys.path.insert(0, str(given.checkout))
        serve(read_here) if given.role == "realdeg" else serve(read_outside, OUTSIDE_BYTES)
        return
    jsonl = given.again or given.out.with_suffix(".jsonl")
    if not given.again:
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
            run(given, jsonl, Path(scratch))
    lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
    for line in lines:
        line["verdict"] = verdict(line)
    root = os.path.commonpath([line["path"] for line in lines])
    given.out.with_suffix(".md").write_text(tables(sorted(lines, key=lambda line: line["path"]), root))


def run(given: argparse.Namespace, jsonl: Path, scratch: Path) -> None:
    """Judge all files; one line each."""
    paths = [path for path in rows(given.folders) if given.only in ("", kind_of(path))]
    command = [str(HERE), "--checkout", str(given.checkout), "--role"]
    free = [
        (Worker([*command, "realdeg"], given.seconds), Worker([*command, "outside"], 30))
        for _ in range(given.jobs)
    ]

    def one(path: Path) -> dict[str, Any]:
        pair = free.pop()
        try:
            return judge(path, *pair, scratch)
        finally:
            free.append(pair)

    try:
        with jsonl.open("w") as file, concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            for done, line in enumerate(pool.map(one, paths), 1):
                file.write(json.dumps(line) + "\n")
                if done % 100 == 0:
                    print(f"{done} of {len(paths)}", file=sys.stderr, flush=True)
    finally:
        for pair in free:
            for worker in pair:
                worker.close()


if __name__ == "__main__":
    main()
