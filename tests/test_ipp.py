"""OpenCV works without IPP in our programs, all their threads and workers; what that is good for."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from realdeg.records import PairRecord
from realdeg.settings import processor, versions


@dataclass(frozen=True)
class Item:
    key: str
    sources: tuple[Path, ...] = ()


def spectrum(item: Item) -> PairRecord:
    """What OpenCV computes otherwise with IPP; and whether it was on."""
    import cv2
    import numpy as np

    image = np.random.default_rng(0).random((100, 120, 3), np.float32)
    made = [cv2.dft(image[..., 0].copy()), cv2.resize(image, (77, 83), interpolation=cv2.INTER_CUBIC)]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in made)).hexdigest()
    return PairRecord(item.key, "ok", detail={"ipp": cv2.ipp.useIPP(), "sha256": digest})


GUEST = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
import cv2
from test_ipp import Item, spectrum
from realdeg.jobs import Running, run_job

if __name__ == "__main__":
    before = spectrum(Item("x")).detail
    for workers in (1, 2):
        out = Path({out!r}) / str(workers)
        report = run_job(spectrum, [Item("a"), Item("b")], out, settings={{}}, running=Running(workers=workers))
        print(*(f"{{r.detail['ipp']}} {{r.detail['sha256']}}" for r in report.records), sep="\\n")
    print(spectrum(Item("x")).detail == before)
"""


def test_workers_and_a_process_of_others_compute_the_same(tmp_path):
    """As in a notebook, where OpenCV was at work before; it gets its IPP back."""
    code = GUEST.format(folder=str(Path(__file__).parent), out=str(tmp_path))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, env=environment
    )
    *lines, restored = result.stdout.splitlines()
    assert (result.returncode, result.stderr, restored) == (0, "", "True")
    assert len(lines) == 4
    assert len(set(lines)) == 1
    assert lines[0].startswith("False ")


PROGRAM = """
import click, threading

@click.command()
def main():
    import cv2
    import numpy as np

    seen = [cv2.ipp.useIPP()]
    thread = threading.Thread(target=lambda: seen.append(cv2.ipp.useIPP()))
    thread.start()
    thread.join()
    cv2.resize(np.zeros((9, 9, 3), np.uint8), (5, 5), interpolation=cv2.INTER_CUBIC)
    print(seen)

from realdeg.cli.main import run
run(main, "program")
"""


def test_a_program_has_no_ipp_in_any_thread_and_no_line_about_it():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50, env=environment
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "[False, False]\n", "")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="another processor")
def test_what_opencv_computes_is_the_same_without_avx512():
    """Dispatches for other processors, in one machine: IPP's for an old one, OpenCV's own without AVX-512."""
    hashes = set()
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    code += "from realdeg import ipp; ipp.off()\nfrom test_ipp import Item, spectrum\n"
    code += "print(spectrum(Item('x')).detail['sha256'])"
    newer = "AVX512-SKX,AVX512-CNL,AVX512-CLX,AVX512-ICL"
    for other in ({}, {"OPENCV_IPP": "sse42"}, {"OPENCV_CPU_DISABLE": newer}):
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=50,
            env={**os.environ, **other},
        )
        hashes.add(result.stdout)
    assert len(hashes) == 1
    assert len(hashes.pop()) == 65


def test_versions_tell_the_processor():
    known = dict(part.split(" ", 1) for part in versions().split(", "))
    assert known["cpu"] == processor()
    assert known["cpu"].split()[0] == platform.machine()
    assert {"simplejpeg", "imagecodecs", "tifffile", "pillow-heif", "rawpy"} <= set(known)
    if Path("/proc/cpuinfo").exists() and platform.machine() == "x86_64":
        flags = Path("/proc/cpuinfo").read_text().split()
        wide = "avx512_skx" if {"avx512f", "avx512bw", "avx512vl"} <= set(flags) else "avx2"
        assert known["cpu"] == f"x86_64 {wide}"
