"""An item that needs more memory than it may have is one line, whichever library asked for it."""

from __future__ import annotations

import gc
import os
import sys
import time
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from realdeg import memory
from realdeg.errors import UserError
from realdeg.io.photo import read
from realdeg.jobs import Running, run_job
from realdeg.memory import GB, LEAST, Most, free_bytes, limited, own_data, parse_size, ran_out, share
from realdeg.records import PairRecord
from realdeg.workers import Limits, attempt

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a limit on data")


@dataclass(frozen=True)
class Item:
    key: str
    sources: tuple[Path, ...] = ()


def by_numpy(item: Item) -> None:
    np.ones((600, 1000, 1000))


def by_opencv(item: Item) -> None:
    cv2.resize(np.zeros((100, 100, 3), np.float32), (20000, 20000))


def by_pillow(item: Item) -> None:
    from PIL import Image

    Image.new("RGB", (30000, 30000))


def by_inflating(item: Item) -> None:
    zlib.decompress(zlib.compress(bytes(3 << 20)) if "small" in item.key else SQUEEZED)


def by_a_reader(item: Item) -> None:
    """`photo.read` says on its own that a photo does not fit; the class of the error is gone by then."""
    read(item.sources[0])


SQUEEZED = zlib.compress(bytes(200 << 20), 1)


@pytest.fixture(scope="module")
def large_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """208 MB once decoded."""
    file = tmp_path_factory.mktemp("large") / "photo.jpg"
    cv2.imwrite(str(file), np.zeros((7000, 9900, 3), np.uint8))
    return file


@linux
@pytest.mark.parametrize("ask", [by_numpy, by_opencv, by_pillow, by_inflating, by_a_reader])
def test_whoever_asks_for_too_much_the_item_has_a_line(ask, large_photo):
    import resource

    file, before = large_photo, resource.getrlimit(resource.RLIMIT_DATA)
    gc.collect()  # what other tests left would be room
    most = Most(own_data() + (100 << 20))
    record = attempt(ask, Item("photo", (file,)), most).record
    assert record.status == "failed"
    limit = f"{most.data / GB:.3g} GB"
    assert record.reason == f"{file}: needs more than {limit} of memory; make it smaller, or free some memory"
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@linux
def test_an_item_that_fits_is_left_alone():
    def work(item):
        by_inflating(item)
        return PairRecord(item.key, "ok")

    assert attempt(work, Item("small"), Most(own_data() + (100 << 20))).record.ok


@linux
def test_a_tighter_limit_of_the_user_stays():
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    tight = own_data() + (200 << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (tight, before[1]))
    try:
        with limited(Most(50 * GB)):
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] == tight
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.parametrize(
    ("error", "memory_was_short"),
    [
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("std::bad_alloc"), True),
        (ValueError("Insufficient memory (case 4)"), True),
        (RuntimeError("b'Libraw internal mempool overflowed'"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("libx.so: cannot allocate memory in static TLS block"), False),  # a loader's own limit
        (UserError("out of memory.png", "is cut short or damaged", "copy it again"), False),  # only its name
        (OSError(28, "No space left on device"), False),
    ],
)
def test_libraries_say_it_in_their_own_words(error, memory_was_short):
    """The words are those of torch, C++, libjpeg, LibRaw, Linux and glibc."""
    assert ran_out(error) is memory_was_short


def test_the_cause_behind_a_line_counts():
    error = UserError("a.png", "is cut short or damaged")
    assert not ran_out(error)
    error.__context__ = MemoryError()  # as `raise ... from None` leaves it
    assert ran_out(error)


def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available_kb: int, groups: str) -> Path:
    (tmp_path / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_kb} kB\n")
    (tmp_path / "groups").write_text(groups)
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "cgroup")
    return tmp_path / "cgroup"


def _group(folder: Path, names: tuple[str, str, str], most: str, used: int, cached: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {cached}\n")


def test_what_is_free_is_what_the_narrowest_leaves(tmp_path, monkeypatch):
    """Files as the kernel's documents describe them (cgroup v2, v1)."""
    v2 = ("memory.max", "memory.current", "inactive_file")
    groups = _machine(tmp_path, monkeypatch, 16_000_000, "0::/user/app\n")
    _group(groups / "user" / "app", v2, "max", 1, 0)
    assert free_bytes() == 16_000_000 << 10
    _group(groups / "user", v2, str(9 * GB), 2 * GB, GB)  # the group above is narrower than the machine
    assert free_bytes() == 8 * GB
    (tmp_path / "groups").write_text("0::/docker/1234\n")  # in a container: the root is the own group
    _group(groups, v2, str(5 * GB), GB, 0)
    assert free_bytes() == 4 * GB
    v1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    (tmp_path / "groups").write_text("3:cpu:/\n4:memory:/job\n")
    _group(groups / "memory" / "job", v1, str(3 * GB), 2 * GB, GB)
    _group(groups / "memory", v1, str(9223372036854771712), 5 * GB, 0)  # no limit
    assert free_bytes() == 2 * GB


@linux
def test_a_share_is_even_and_never_too_little_for_a_large_photo(tmp_path, monkeypatch):
    _machine(tmp_path, monkeypatch, 100 * GB >> 10, "")
    assert share(10) == Most(pytest.approx(9 * GB, rel=1e-6))
    assert share(1000) == Most(LEAST)
    assert share(10, 5 * GB) == Most(GB // 2, asked=True)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8G", 8e9), ("8GiB", 8 * 2**30), ("4000M", 4e9), ("1.5g", 1.5e9), ("500 MB", 5e8), ("123", 123)],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "8X", "-3G", "0", "8iB8"])
def test_nonsense_is_one_clear_line(text):
    with pytest.raises(UserError, match="no amount of memory"):
        parse_size(text)


def takes(item: Item, out: Path) -> PairRecord:
    """Asks for as many MB as its key says; what is asked for counts, touched or not."""
    kept = np.empty(int(item.key.split("-")[1]) << 20, np.uint8)
    time.sleep(0.01)
    with (out / "order.txt").open("a") as order:
        order.write(f"{item.key}\n")
    if "abort" in item.key:
        os.abort()
    return PairRecord(item.key, "ok", detail={"size": kept.size})


@linux
def test_a_share_that_was_too_small_is_no_verdict(tmp_path, monkeypatch):
    """What one of two workers could not have, the only one may."""
    monkeypatch.setattr("realdeg.workers.share", lambda workers, asked: Most(2 * GB // workers))
    items = [Item("big-1300"), *(Item(f"small{i}-1") for i in range(8)), Item("huge-2500")]
    report = run_job(partial(takes, out=tmp_path), items, tmp_path, settings={}, running=Running(workers=2))
    assert [r.key for r in report.records if not r.ok] == ["huge-2500"]
    assert report.records[-1].reason == (
        "huge-2500: needs more than 2 GB of memory; make it smaller, or free some memory"
    )
    assert (tmp_path / "order.txt").read_text().split()[-1] == "big-1300"


@linux
def test_a_limit_that_was_asked_for_is_one(tmp_path):
    items = [Item("big-2300"), *(Item(f"small{i}-1") for i in range(4)), Item("abort-1")]
    running = Running(workers=2, limits=Limits(memory=2 * GB))
    report = run_job(partial(takes, out=tmp_path), items, tmp_path, settings={}, running=running)
    assert report.count("ok") == 4
    big, abort = report.records[0].reason, report.records[-1].reason
    assert big == "big-2300: needs more than 2 GB of memory; raise `memory`"
    assert abort.startswith("abort-1: ended the process that worked on it twice (most likely out of memory")
