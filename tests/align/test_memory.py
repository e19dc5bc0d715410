"""Truth: arithmetic, and a pair registered in a process of its own."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from realdeg.align.memory import BASE, available, largest, predicted_bytes, workers_within
from realdeg.io.find import Match


def test_memory_decides_on_workers_and_leaves_one():
    assert workers_within(10, 3, 8) == 3
    assert workers_within(10, 3, 2) == 2
    assert workers_within(2, 3, 8) == 1


def test_the_largest_pair_counts_and_broken_photos_do_not(tmp_path):
    small, large, broken = (tmp_path / name for name in ("s.png", "l.png", "b.png"))
    cv2.imwrite(str(small), np.zeros((100, 200, 3), np.uint8))
    cv2.imwrite(str(large), np.zeros((400, 600, 3), np.uint8))
    broken.write_bytes(b"nothing")
    matches = [Match("a", small, large), Match("b", small, broken), Match("c", small, small)]
    assert largest(matches) == predicted_bytes((100, 200), (400, 600), 16)
    assert largest([]) == BASE


def test_the_machine_says_what_it_has():
    found = available()
    assert found is None or found > 10**7


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_pair_stays_below_its_prediction(tmp_path, photograph, scene):
    """Peak of a process of its own; VmHWM, since ru_maxrss is inherited from the parent."""
    pair = photograph(scene(enlarge=2), 2)
    for name, image in (("lr.png", pair.lr), ("hr.png", pair.hr)):
        big = cv2.resize(image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / name), big[..., ::-1])
    code = (
        "import sys, re; from pathlib import Path; from realdeg.io.find import Match;"
        "from realdeg.align.item import align_pair; from realdeg.align.settings import AlignSettings;"
        "from realdeg.align.memory import largest; at = Path(sys.argv[1]);"
        "match = Match('a', at / 'lr.png', at / 'hr.png');"
        "record = align_pair(match, at / 'out', AlignSettings(scale=2, digital_zoom='accept', min_detail=0));"
        "peak = 1024 * int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]);"
        "print(record.status, peak, largest([match]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    status, peak, bound = run.stdout.split()
    assert status == "ok"
    assert int(peak) < int(bound)
