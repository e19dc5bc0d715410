"""Walking folders and pairing what they hold."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.errors import UserError
from realdeg.io.find import find_images, match_stems, natural


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def keys(folder: Path) -> list[str]:
    return [one.key for one in find_images(folder)]


def test_natural_order_and_keys(tmp_path):
    touch(tmp_path, "img10.png", "img2.JPG", "img1.tif", "b/2.NEF", "b/10.dng", "a/x.y.webp", "notes.txt")
    assert keys(tmp_path) == ["a/x.y", "b/2", "b/10", "img1", "img2", "img10"]


def test_hidden_files_and_folders_are_skipped(tmp_path):
    touch(tmp_path, "a.png", ".b.png", ".cache/c.png", "._a.png", ".a.png.77.realdeg-tmp")
    assert keys(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["with space", "two\nlines", "Zürich ☂", "it's", "a,b", "-rf", "%41"])
def test_odd_names(tmp_path, name):
    touch(tmp_path, f"{name}.png")
    assert find_images(tmp_path)[0].path == tmp_path / f"{name}.png"
    assert keys(tmp_path) == [name]


def test_keys_are_composed(tmp_path):
    touch(tmp_path, unicodedata.normalize("NFD", "Zürich") + ".png")
    assert keys(tmp_path) == [unicodedata.normalize("NFC", "Zürich")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.png", "a.jpg"),
        ("d/a.png", "d/A.png"),
        ("D/a.png", "d/a.png"),
        (unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
    ],
)
def test_name_collisions_name_both_files(tmp_path, first, second):
    touch(tmp_path, first, second)
    if len(list(tmp_path.rglob("*.*g"))) < 2:
        pytest.skip("this file system does not keep both names")
    with pytest.raises(UserError) as raised:
        find_images(tmp_path)
    assert first in str(raised.value)
    assert second in str(raised.value)
    assert "rename or remove one of them" in str(raised.value)


def test_bad_folders(tmp_path):
    touch(tmp_path, "file.png", "empty/notes.txt")
    with pytest.raises(UserError, match="nowhere: does not exist; check the path"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not a folder; name the folder"):
        find_images(tmp_path / "file.png")
    with pytest.raises(UserError, match=r"empty: holds no images; formats read: .*png.*camera RAW"):
        find_images(tmp_path / "empty")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_links_are_followed_only_inside(tmp_path):
    root = touch(tmp_path / "root", "a.png", "sub/b.png")
    touch(tmp_path / "elsewhere", "secret.png", "deep/x.png")
    (root / "same.png").symlink_to("a.png")
    (root / "again").symlink_to("sub")
    (root / "sub" / "loop").symlink_to("..")
    (root / "out.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    (root / "away").symlink_to(tmp_path / "elsewhere")
    (root / "gone.png").symlink_to(root / "nothing.png")
    assert keys(root) == ["a", "again/b", "same", "sub/b"]
    (tmp_path / "alias").symlink_to(root)
    assert keys(tmp_path / "alias") == ["a", "again/b", "same", "sub/b"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_a_folder_of_links_to_elsewhere_says_so(tmp_path):
    touch(tmp_path / "store", "a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").symlink_to(tmp_path / "store" / "a.png")
    with pytest.raises(UserError, match="holds no images; 1 links lead outside the folder"):
        find_images(tmp_path / "set")


@given(st.lists(st.text(max_size=8), max_size=8))
def test_natural_order_is_total(texts):
    """Any text sorts, in one order whatever the order it came in."""
    assert sorted(sorted(texts, reverse=True), key=natural) == sorted(sorted(texts), key=natural)


# Pairs.


def test_pairs_by_stem_whatever_the_format(tmp_path):
    lr = touch(tmp_path / "lr", "10.jpg", "2.png", "scene/1.dng", "only.png")
    hr = touch(tmp_path / "hr", "2.tif", "10.png", "scene/1.JPG", "other.webp")
    matches, lonely = match_stems(lr, hr)
    assert [(m.key, m.lr.name, m.hr.name) for m in matches] == [
        ("2", "2.png", "2.tif"),
        ("10", "10.jpg", "10.png"),
        ("scene/1", "1.dng", "1.JPG"),
    ]
    assert [(r.key, r.status) for r in lonely] == [("only", "failed"), ("other", "failed")]
    assert lonely[0].reason.startswith(f"only.png: has no partner in {hr}; ")
    assert lonely[0].source_lr == str(lr / "only.png")
    assert lonely[1].reason.startswith(f"other.webp: has no partner in {lr}; ")
    assert lonely[1].source_hr == str(hr / "other.webp")


def test_letter_case_is_no_reason_to_lose_a_pair(tmp_path):
    matches, lonely = match_stems(touch(tmp_path / "a", "IMG_1.JPG"), touch(tmp_path / "b", "img_1.png"))
    assert [m.key for m in matches] == ["IMG_1"]
    assert lonely == []


def test_suffixes_in_one_folder(tmp_path):
    folder = touch(tmp_path, "001L.png", "001H.png", "002L.png", "readme.png")
    matches, lonely = match_stems(folder, folder, lr_suffix="L", hr_suffix="H")
    assert [(m.key, m.lr.name, m.hr.name) for m in matches] == [("001", "001L.png", "001H.png")]
    assert [record.key for record in lonely] == ["002"]


def test_suffixes_choose_photos_in_two_folders(tmp_path):
    """City100 keeps 001H.png and 001L.png of both cameras; only one of each is meant."""
    lr = touch(tmp_path / "lr", "a_LR4.png", "a_HR.png", "b_LR4.png")
    hr = touch(tmp_path / "hr", "a_LR4.png", "a_HR.png")
    matches, lonely = match_stems(lr, hr, lr_suffix="_LR4", hr_suffix="_HR")
    assert [m.key for m in matches] == ["a"]
    assert [(m.lr.name, m.hr.name) for m in matches] == [("a_LR4.png", "a_HR.png")]
    assert [r.key for r in lonely] == ["b"]


def test_no_pair_at_all(tmp_path):
    lr, hr = touch(tmp_path / "lr", "a.png"), touch(tmp_path / "hr", "b.png")
    with pytest.raises(
        UserError, match=r"no photo has a partner .* \(e\.g\. a\.png and b\.png\); give the two"
    ):
        match_stems(lr, hr)
    with pytest.raises(UserError, match="LR and HR are the same folder"):
        match_stems(lr, lr)
