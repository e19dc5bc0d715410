"""What a folder of photos holds beside photos, and which of several files of one name is meant.

Truth: what was laid into the folder, and what Pillow, which wrote the files, says is in them.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.find import SUFFIXES, find_images, kind_of, look, match_stems, preferred
from realdeg.io.find import Found as Photo
from realdeg.io.finding_settings import KINDS, Finding
from realdeg.io.left_out import in_words, together
from realdeg.io.pairing import left_out, pair_by_rule, pair_by_stem
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.photo import read, read_size

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights")


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(folder: Path, **finding) -> list[str]:
    found = look(folder, Finding(**finding)).found
    return [one.path.relative_to(folder).as_posix() for one in found]


# Formats.


def smooth(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8))
    return np.asarray(small.resize((64, 48), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.JPE"])
def test_jpeg_by_its_other_suffixes(tmp_path, name):
    Image.fromarray(smooth(0)).save(tmp_path / name, "JPEG", quality=95)
    (found,) = find_images(tmp_path)
    np.testing.assert_array_equal(read(found.path).pixels, np.asarray(Image.open(tmp_path / name)))


def test_of_an_mpo_the_first_picture_is_read(tmp_path):
    """Two JPEGs in one file, as stereo cameras and phones write them."""
    first, second = (Image.fromarray(smooth(seed)) for seed in (0, 1))
    path = tmp_path / "stereo.mpo"
    first.save(path, "MPO", save_all=True, append_images=[second], quality=95)
    written = Image.open(path)
    assert written.n_frames == 2
    written.seek(0)
    (found,) = find_images(tmp_path)
    np.testing.assert_array_equal(read(found.path).pixels, np.asarray(written.convert("RGB")))
    assert read_size(found.path) == (48, 64)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\xff\xd9")])
    with pytest.raises(UserError, match="cut short"):
        read(path)


def test_of_an_apng_the_first_picture_is_read(tmp_path):
    first, second = (Image.fromarray(smooth(seed)) for seed in (0, 1))
    first.save(tmp_path / "walk.apng", "PNG", save_all=True, append_images=[second])
    (found,) = find_images(tmp_path)
    photo = read(found.path)
    np.testing.assert_array_equal(photo.pixels, smooth(0))
    assert "first picture of an animation" in photo.notes


def test_every_kind_has_suffixes_of_its_own():
    assert tuple(SUFFIXES) == KINDS
    every = [suffix for suffixes in SUFFIXES.values() for suffix in suffixes]
    assert len(set(every)) == len(every)
    assert kind_of(Path("IMG_1.CR2")) == "raw"
    assert kind_of(Path("a.JPE")) == "jpeg"
    assert kind_of(Path("notes.txt")) == ""


def test_pictures_that_are_not_read_are_counted(tmp_path):
    touch(tmp_path, "a.png", "b.gif", "d/c.GIF", "e.jxl", "f.psd", "notes.txt", "a.xmp", ".g.gif", "clip.mov")
    listing = look(tmp_path)
    assert listing.left_out == {".gif": 2, ".jxl": 1, ".psd": 1}
    assert listing.examples[".jxl"] == tmp_path / "e.jxl"
    assert in_words(listing.left_out) == "left out: 2 .gif, 1 .jxl, 1 .psd"
    touch(tmp_path / "other", "x.svg")
    with pytest.raises(UserError, match=r"holds no images; formats read: .*jfif.*; left out: 1 \.svg"):
        look(tmp_path / "other")


# Links, pipes and sockets.


@pytest.fixture
def tangled(tmp_path) -> Path:
    """A folder with every kind of link."""
    root = touch(tmp_path / "root", "a.png", "sub/b.png")
    touch(tmp_path / "elsewhere", "far.png", "deep/x.png", "notes.txt")
    (root / "same.png").symlink_to("a.png")
    (root / "out.png").symlink_to(tmp_path / "elsewhere" / "far.png")
    (root / "words.txt").symlink_to(tmp_path / "elsewhere" / "notes.txt")
    (root / "away").symlink_to(tmp_path / "elsewhere")
    (root / "gone.png").symlink_to(root / "nothing.png")
    (root / "self.png").symlink_to("self.png")
    (root / "sub" / "loop").symlink_to("..")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    return root


@posix
def test_links_that_are_not_followed_are_counted(tangled):
    listing = look(tangled)
    assert [one.key for one in listing.found] == ["a", "same", "sub/b"]
    assert listing.left_out == {"link outside": 2, "dangling link": 1, "link back": 2}
    assert in_words(listing.left_out) == (
        "left out: 2 links that lead back, 2 links that lead outside (`follow_links`), 1 link to nothing"
    )


@posix
def test_links_outside_are_followed_on_request_and_loops_are_cut(tangled):
    listing = look(tangled, Finding(follow_links=True))
    assert [one.key for one in listing.found] == ["a", "away/deep/x", "away/far", "out", "same", "sub/b"]
    assert listing.left_out == {"dangling link": 1, "link back": 3}
    assert listing.examples["link back"].is_symlink()


@posix
def test_a_link_to_the_folder_above_is_a_loop_though_it_leads_outside(tmp_path):
    """The parent is read, and the folder that it holds not again."""
    root = touch(tmp_path / "root", "a.png")
    touch(tmp_path, "beside.png")
    (root / "up").symlink_to("..")
    assert names(root, follow_links=True) == ["a.png", "up/beside.png"]
    assert look(root).left_out == {"link outside": 1}


@posix
def test_a_folder_of_links_alone_names_the_option(tmp_path):
    touch(tmp_path / "store", "a.png")
    root = tmp_path / "set"
    root.mkdir()
    (root / "a.png").symlink_to(tmp_path / "store" / "a.png")
    with pytest.raises(UserError, match=r"holds no images; 1 links lead outside .*give `follow_links`"):
        look(root)
    assert names(root, follow_links=True) == ["a.png"]


@posix
def test_what_is_no_file_is_counted_and_never_opened(tmp_path, monkeypatch):
    root = touch(tmp_path / "r", "a.png")
    os.mkfifo(root / "pipe.png")
    os.mkfifo(root / "plain")
    (root / "null.jpg").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as one:
        monkeypatch.chdir(root)  # names of sockets are short
        one.bind("s.png")
        assert look(root).left_out == {"FIFO": 2, "socket": 1, "link outside": 1}
        followed = look(root, Finding(follow_links=True))
    assert followed.left_out == {"FIFO": 2, "socket": 1, "device": 1}
    assert [one.key for one in followed.found] == ["a"]


# Twins.


@pytest.mark.parametrize(
    ("prefer", "taken"),
    [
        (None, ["a.CR2", "a.jpg", "b.jpg"]),
        ("raw", ["a.CR2", "b.jpg"]),
        ("jpeg", ["a.jpg", "b.jpg"]),
        ("png", ["a.CR2", "a.jpg", "b.jpg"]),
    ],
)
def test_the_preferred_of_two_twins_is_taken(tmp_path, prefer, taken):
    touch(tmp_path, "a.CR2", "a.jpg", "b.jpg")
    listing = look(tmp_path, Finding(prefer=prefer))
    assert [one.path.name for one in listing.found] == taken
    assert listing.left_out == ({"twin of another kind": 1} if len(taken) == 2 else {})
    assert [one.path.name for one in listing.single] == (taken if len(taken) == 2 else ["b.jpg"])


def test_two_of_the_preferred_kind_stay_ambiguous(tmp_path):
    touch(tmp_path, "a.jpg", "a.jpeg", "a.png", "b.png")
    listing = look(tmp_path, Finding(prefer="jpeg"))
    assert len(listing.found) == 4
    reasons = [record.reason for record in listing.refused("hr")]
    assert [record.key for record in listing.refused("hr")] == ["a.jpeg", "a.jpg", "a.png"]
    assert reasons[0] == (
        f"{tmp_path}/a.jpeg: has the same name as a.jpg and a.png, so both would be a.png; "
        "rename one, or choose by `prefer` png"
    )
    assert names(tmp_path, prefer="png") == ["a.png", "b.png"]


def test_twins_by_case_alone_cannot_be_preferred(tmp_path):
    touch(tmp_path, "A.jpg", "a.jpg", "b.png")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not keep both names")
    listing = look(tmp_path, Finding(prefer="jpeg"))
    assert [one.key for one in listing.single] == ["b"]
    first, second = listing.refused("lr")
    assert first.reason == f"{tmp_path}/A.jpg: has the same name as a.jpg, so both would be A.png; rename one"
    assert (first.status, first.source_lr, first.source_hr) == ("failed", str(tmp_path / "A.jpg"), "")
    assert second.key == "a.jpg"


def test_where_twins_may_not_be_the_error_says_what_to_do(tmp_path):
    touch(tmp_path, "a.heic", "a.jpg")
    with pytest.raises(UserError, match=r"has the same name as .*or choose by `prefer` jpeg or heif"):
        find_images(tmp_path)
    assert [one.path.name for one in find_images(tmp_path, Finding(prefer="heif"))] == ["a.heic"]


SUFFIX = st.sampled_from([".cr2", ".dng", ".jpg", ".jpeg", ".heic", ".png", ".tif"])


@given(st.lists(SUFFIX, min_size=1, max_size=5, unique=True), st.sampled_from(KINDS))
def test_a_preference_takes_one_or_changes_nothing(suffixes, kind):
    """Never two of several, never one of another kind."""
    twins = [Photo("a", Path(f"a{suffix}")) for suffix in suffixes]
    kept = preferred(twins, kind)
    of_kind = [one for one in twins if kind_of(one.path) == kind]
    assert list(kept) == (of_kind if len(of_kind) == 1 else twins)


# Pairs.


def test_twins_on_one_side_fail_alone_and_a_preference_pairs_them(tmp_path):
    lr = touch(tmp_path / "lr", "1.CR2", "1.jpg", "2.jpg")
    hr = touch(tmp_path / "hr", "1.jpg", "2.jpg")
    matches, failed = match_stems(lr, hr)
    assert [match.key for match in matches] == ["2"]
    assert failed[0].reason == (
        "1: is ambiguous: 1.CR2 and 1.jpg could each be its LR photo; rename or remove all but one, "
        "or choose by `prefer` raw or jpeg"
    )
    matches, failed = match_stems(lr, hr, finding=Finding(prefer="raw"))
    assert [(match.lr.name, match.hr.name) for match in matches] == [("1.CR2", "1.jpg"), ("2.jpg", "2.jpg")]
    assert not failed


def test_a_folder_that_several_sets_share_is_counted_once(tmp_path):
    lr2 = touch(tmp_path / "lr2", "a.png", "x.gif")
    lr3 = touch(tmp_path / "lr3", "a.png", "y.gif", "z.jxl")
    hr = touch(tmp_path / "hr", "a.png", "b.gif")
    sets = [pair_by_stem(lr, hr, PairingSettings()) for lr in (lr2, lr3)]
    assert left_out(sets[:1]) == {".gif": 2}
    assert left_out(sets) == {".gif": 3, ".jxl": 1}


def test_photos_that_no_suffix_means_are_counted(tmp_path):
    settings = PairingSettings(lr_suffix="L", hr_suffix="H")
    both = touch(tmp_path / "both", "1L.png", "1H.png", "2.png")
    assert left_out([pair_by_stem(both, both, settings)]) == {"photo that no rule or suffix means": 1}
    apart = touch(tmp_path / "apart", "1L.png", "1H.png", "2.png")
    assert left_out([pair_by_stem(both, apart, settings)]) == {"photo that no rule or suffix means": 4}


def test_by_rule_photos_that_neither_rule_means_are_told_too(tmp_path):
    folder = touch(tmp_path, "a_LR2.png", "a_LR4.png", "a_HR.png", "stray.png", "x.gif")
    sets = pair_by_rule([folder], folder, PairingSettings(naming="realsr"))
    assert [one.scale for one in sets] == [2, 4]
    assert left_out(sets) == {".gif": 1, "photo that no rule or suffix means": 1}


def test_counts_in_words():
    assert in_words({}) == ""
    assert in_words({"FIFO": 1}) == "left out: 1 FIFO"
    assert in_words({"FIFO": 2, ".gif": 12}) == "left out: 12 .gif, 2 FIFOs"
    assert together([{".gif": 1}, {}, {".gif": 2, "FIFO": 1}]) == {".gif": 3, "FIFO": 1}
