"""A file is its content: names, dates and places neither make it another one nor hide that it is."""

from __future__ import annotations

import os
import shutil

import pytest

from realdeg import identity
from realdeg.errors import UserError
from realdeg.identity import FileState, Reading, file_hash, is_same, place, state_of

OLD = (1_000_000_000, 1_000_000_000)
FUTURE = (4_000_000_000, 4_000_000_000)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one picture")
    return path


def test_the_hash_is_sha256(photo):
    """Truth: printf 'one picture' | sha256sum."""
    assert file_hash(photo) == "cf608f5146bb67ac492f5ba5615d48fa16b891358d219eeaf33b6438eec9e8d3"


@pytest.mark.parametrize("date", [OLD, FUTURE])
def test_another_date_is_the_same_photo(photo, date):
    known = state_of(photo)
    os.utime(photo, date)
    assert is_same(photo, known)


@pytest.mark.parametrize("date", [OLD, FUTURE])
def test_other_content_under_the_same_name_is_another_photo(photo, date):
    """Also where its date is older than ours, as `cp -p`, rsync -a, unzip and git leave it."""
    known = state_of(photo)
    photo.write_bytes(b"two picture")  # as many bytes
    os.utime(photo, date)
    assert not is_same(photo, known)


def test_a_trusted_file_is_not_read(photo, monkeypatch):
    known = state_of(photo)
    monkeypatch.setattr(identity, "file_hash", lambda path: pytest.fail("hashed"))
    assert is_same(photo, known)
    photo.write_bytes(b"another size of picture")
    assert not is_same(photo, known)


def test_a_hash_alone_is_compared_by_bytes(photo):
    assert is_same(photo, FileState(state_of(photo).sha256))
    assert not is_same(photo, FileState("0" * 64))


def test_what_is_not_there_is_not_the_same(tmp_path, photo):
    known = state_of(photo)
    photo.unlink()
    assert not is_same(photo, known)
    assert not is_same(tmp_path, known)


def test_reading_says_what_was_read(photo):
    reading = Reading([photo])
    photo.read_bytes()
    assert reading.states() == {place(photo): state_of(photo)}


@pytest.mark.parametrize("keep_date", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_photo_replaced_while_it_is_read_is_refused(tmp_path, photo, keep_date, in_place):
    reading = Reading([photo])
    before = photo.stat()
    target = photo if in_place else tmp_path / "new"
    target.write_bytes(b"two picture")
    if keep_date:
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(target, photo)
    with pytest.raises(UserError, match=r"a\.png: was replaced while it was read; run again"):
        reading.states()


def test_a_photo_that_goes_or_comes_while_it_is_read_is_refused(tmp_path, photo):
    new = tmp_path / "new.png"
    reading = Reading([photo, new])
    assert list(reading.states()) == [place(photo)]
    new.write_bytes(b"late")
    with pytest.raises(UserError, match=r"new\.png: was replaced"):
        reading.states()
    new.unlink()
    photo.unlink()
    with pytest.raises(UserError, match=r"a\.png: was replaced"):
        reading.states()


def test_a_new_link_to_a_photo_changes_nothing(tmp_path, photo):
    """HR is often a hard link to the photo, which touches its time of change."""
    reading = Reading([photo])
    os.link(photo, tmp_path / "b.png")
    assert len(reading.states()) == 1


def test_a_link_that_leads_elsewhere_now_is_another_place(tmp_path, photo):
    shutil.copy2(photo, tmp_path / "b.png")
    link = tmp_path / "link.png"
    link.symlink_to(photo)
    before = place(link)
    link.unlink()
    link.symlink_to(tmp_path / "b.png")
    assert before == place(photo) != place(link)
