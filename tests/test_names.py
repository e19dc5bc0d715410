"""Names that every system can hold, against Microsoft's rules written out by hand and by properties."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from realdeg import names
from realdeg.io.find import look
from realdeg.layout import pair_paths
from realdeg.records import leaves

AWKWARD = st.sampled_from(
    (*'<>:"|?*\\%. aA4fß\u0130ée\u0301\x1f¹$', "CON", "nul", "Com1", "LPT9", "%3A", "..", "x")
)
PART = st.lists(AWKWARD, min_size=1, max_size=6).map("".join).filter(lambda part: part not in (".", ".."))
KEY = st.lists(PART, min_size=1, max_size=3).map("/".join)
DEVICES = ("con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9")


def windows_holds(name: str) -> bool:
    """Microsoft's list, without our expressions: characters, ends, devices with any suffix."""
    if any(letter in '<>:"/\\|?*' or ord(letter) < 32 for letter in name) or name[-1] in ". ":
        return False
    return name.split(".")[0].rstrip(" ").lower() not in DEVICES


@given(KEY)
def test_every_key_has_a_name_that_windows_holds_and_that_leads_back(key):
    name = names.portable(key)
    assert all(map(windows_holds, f"{name}.png".split("/")))
    assert names.restored(name) == key
    assert names.problem(name) == ""


@given(KEY, KEY)
def test_keys_of_two_files_have_two_names(one, other):
    assume(names.caseless(one) != names.caseless(other))
    assert names.caseless(names.portable(one)) != names.caseless(names.portable(other))


@given(KEY)
def test_a_key_without_a_problem_keeps_its_name(key):
    assume(not re.search("%[0-9A-Fa-f]{2}", key))
    assert (names.portable(key) == key) == (names.problem(key) == "")


@given(KEY, st.sampled_from([str.lower, str.upper, str.swapcase]))
def test_letter_case_and_composition_make_no_other_key(key, change):
    assume("\u0130" not in key)  # its lower case has a dot of its own, and is another name to disks too
    assert names.caseless(change(key)) == names.caseless(key)
    assert names.caseless("e\u0301") == names.caseless("É")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("IMG_1", "IMG_1"),
        ("12:30:05", "12%3A30%3A05"),
        ("CON", "%43ON"),
        ("a/nul.b", "a/%6Eul.b"),
        ("CONIN$", "%43ONIN$"),
        ("CONE", "CONE"),
        ("day./a.", "day%2E/a."),  # the file has a suffix, the folder has not
        ("100%", "100%"),
        ("a%3Ab", "a%253Ab"),
    ],
)
def test_names_as_they_are_written(key, name):
    assert names.portable(key) == name


def test_outputs_are_named_by_the_rule_on_windows_and_by_the_key_elsewhere(monkeypatch):
    monkeypatch.setattr(names, "WINDOWS", False)
    assert pair_paths("12:30") == ("LR/12:30.png", "HR/12:30.png")
    monkeypatch.setattr(names, "WINDOWS", True)
    assert pair_paths("12:30") == ("LR/12%3A30.png", "HR/12%3A30.png")
    assert pair_paths("a/b") == ("LR/a/b.png", "HR/a/b.png")


@pytest.mark.parametrize("path", ["C:/x", "C:x", "..\\x", "\\x", "a\\..\\..\\x", "\\\\host\\share\\x"])
def test_paths_of_a_manifest_that_lead_out_of_it_on_windows(monkeypatch, path):
    monkeypatch.setattr(names, "WINDOWS", False)
    assert not leaves(path)
    monkeypatch.setattr(names, "WINDOWS", True)
    assert leaves(path)
    assert PureWindowsPath("D:/data") not in PureWindowsPath("D:/data", path).parents or ".." in path


@pytest.mark.parametrize("path", ["/x", "../x", "a/../../x", "a\0b"])
def test_paths_that_lead_out_of_it_everywhere(path):
    assert leaves(path)


def test_photos_whose_names_differ_by_case_or_composition_alone_are_twins(tmp_path):
    """Refused on every system, also where the disk holds both: the dataset may be copied to one that does not."""
    for name in ("A.png", "a.jpg", "Gr\u00f6\u00dfe.png", "GRO\u0308SSE.tif", "b.png"):
        (tmp_path / name).write_bytes(b"")
    listing = look(tmp_path)
    assert [one.key for one in listing.single] == ["b"]
    assert len(listing.twins) == 2
