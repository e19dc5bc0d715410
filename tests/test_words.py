"""What is said to people: figures, times, commands. Truth: written down by hand, and the shell itself."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.words import clock, command_line, counted, duration, kind_of, ranged, summed

DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (62, "1:02"), (3600, "1:00:00"), (86_399, "23:59:59"), (DAY, "1 d 0 h"),
     (658 * 3600 + 52 * 60 + 57, "27 d 10 h")],
)  # fmt: skip
def test_a_time_is_a_clocks_up_to_a_day_and_days_after(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 second"), (40, "40 seconds"), (100, "2 minutes"), (13 * 3600, "13 hours"), (27.45 * DAY, "27 days"),
     (35 * 3600, "35 hours"), (36 * 3600, "2 days")],
)  # fmt: skip
def test_a_duration_is_one_number_and_one_unit(seconds, text):
    assert duration(seconds) == text


def test_one_is_one():
    assert counted(1, "pairs") == "1 pair"
    assert counted(2, "pairs") == "2 pairs"
    assert counted(0, "pairs") == "0 pairs"
    assert counted(1, "photos with noise") == "1 photo with noise"
    assert counted(1, "copies", "copy") == "1 copy"


@given(st.lists(st.text(st.characters(blacklist_characters="\0", codec="utf-8"), min_size=1), min_size=1))
def test_a_command_line_is_read_back_word_by_word(words):
    assert shlex.split(command_line(*words)) == words


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_a_path_that_looks_like_an_option_is_a_path(tmp_path):
    folder = tmp_path / "-my photos"
    folder.mkdir()
    line = command_line("ls", "-d", Path("-my photos"))
    found = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "./-my photos"


def test_like_reasons_are_one_line_with_their_numbers():
    zooms = [f"zoom is x{zoom}, far from x2; use a larger `scale`" for zoom in (3.125, 4.2, 3.5)]
    reasons = ["my photo.jpg: ends after 312 of 1,204 kB; copy it again", *zooms]
    assert summed(reasons, 8) == [
        (3, "zoom is x3.125 to 4.2, far from x2"),
        (1, "ends after 312 of 1,204 kB"),
    ]
    assert summed(reasons, 1) == [(3, "zoom is x3.125 to 4.2, far from x2")]
    assert summed([], 8) == []


def test_a_kind_is_a_reason_without_numbers_and_files():
    assert kind_of("a/b.jpg: ends after 312 of 1,204 kB; copy it") == "ends after N of N kB"
    assert ranged(["", ""]) == "no reason given"
