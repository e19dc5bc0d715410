"""Pairing by rule, time and table. Truth: names, times and tables that are written here."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.exif import seconds_apart
from realdeg.io.find import Match
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import PairSet, pair_by_rule, pair_by_stem, refuse_same_files
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.pairlist import read_pairs
from realdeg.io.photo import read, read_taken
from realdeg.io.rule import NAMINGS, Rule
from realdeg.io.shot_time import pair_by_time


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def found(pairs: PairSet) -> list[tuple[str, str, str]]:
    return [(match.key, match.lr.name, match.hr.name) for match in pairs.matches]


def reasons(pairs: PairSet) -> str:
    assert all(record.status == "failed" and "\n" not in record.reason for record in pairs.failed)
    return "\n".join(record.reason for record in pairs.failed)


# Rules.

STEMS = st.text("abcXYZ0189 _-.é☂()[]+*^$\\", min_size=1, max_size=10)
RULES = st.sampled_from(
    [
        *[rule for pair in NAMINGS.values() for rule in pair],
        "{stem}",
        "{stem}L",
        "IMG_{stem}@{scale}x",
        "x{scale}/{stem}",
        "{scale}/{stem}_LR{scale}",
        "{any}/{stem}.[LR]",
        "{stem}({scale})",
        "{stem}^$+*",
    ]
)


@given(rule=RULES, stem=STEMS, scale=st.integers(2, 16))
def test_a_name_built_from_a_rule_is_read_back(rule, stem, scale):
    told = Rule(rule).parse(Rule(rule).name(stem, scale, "dir"))
    assert told == (stem, scale if "{scale}" in rule else None)


@given(stem=STEMS, tail=STEMS, scale=st.integers(2, 16))
def test_text_that_does_not_matter(stem, tail, scale):
    assume("_" not in tail)
    assert Rule("{stem}_{any}_LR{scale}").parse(f"{stem}_{tail}_LR{scale}") == (stem, scale)


@pytest.mark.parametrize(
    ("rule", "path", "told"),
    [
        ("{stem}_LR{scale}", "Canon_001_LR4", ("Canon_001", 4)),
        ("{stem}_LR{scale}", "Canon/Test/Canon_001_LR4", ("Canon/Test/Canon_001", 4)),
        ("{stem}_LR{scale}", "Canon_001_LR16", ("Canon_001", 16)),
        ("{stem}_LR{scale}", "Canon_001_LR1", None),
        ("{stem}_LR{scale}", "Canon_001_LR17", None),
        ("{stem}_LR{scale}", "Canon_001_HR", None),
        ("{stem}_LR{scale}", "_LR4", None),
        ("{stem}_HR", "Canon_001_hr", None),
        ("{scale}/{stem}_HR", "4/Canon_001_HR", ("Canon_001", 4)),
        ("{scale}/{stem}_HR", "Test/4/Canon_001_HR", None),
        ("{scale}/{stem}_LR{scale}", "4/Canon_001_LR2", None),
        ("{any}/{stem}", "a/b/c", None),
        ("{stem}_x1", "sony_1_x1", ("sony_1", None)),
    ],
)
def test_what_a_rule_reads(rule, path, told):
    assert Rule(rule).parse(path) == told


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("LR{scale}", "does not say where the scene's name is; put {stem} there"),
        ("{stem}_{zoom}", "knows no {zoom}; placeholders: {stem}, {scale}, {any}"),
        ("{stem}{scale}", "has two placeholders that touch"),
    ],
)
def test_rules_that_are_none(rule, words):
    with pytest.raises(UserError) as raised:
        Rule(rule)
    assert words in str(raised.value)
    assert raised.value.exit_code == EXIT_USAGE


def test_one_folder_holds_all_scales(tmp_path):
    """RealSR's names; HR is one photo for all scales."""
    names = [f"Nikon_{i:03}_{kind}.png" for i in (1, 2, 10) for kind in ("LR2", "LR4", "HR")]
    folder = touch(tmp_path, *names, "cover.jpg", "Nikon_003_LR4.png")
    by_scale = pair_by_rule([folder], folder, PairingSettings(naming="realsr"))
    assert [(one.scale, one.left_out) for one in by_scale] == [(2, 1), (4, 1)]
    assert [match.key for match in by_scale[0].matches] == ["Nikon_001", "Nikon_002", "Nikon_010"]
    assert [match.key for match in by_scale[1].matches] == [match.key for match in by_scale[0].matches]
    assert found(by_scale[1])[2] == ("Nikon_010", "Nikon_010_LR4.png", "Nikon_010_HR.png")
    assert by_scale[0].failed == ()
    assert reasons(by_scale[1]).startswith(f"Nikon_003_LR4.png: has no partner in {folder}; the rules are")


def test_scales_that_hr_tells(tmp_path):
    """DRealSR's names: one LR, an HR for each scale."""
    lr = touch(tmp_path / "lr", "sony_1_x1.png", "sony_2_x1.png")
    hr = touch(tmp_path / "hr", "sony_1_x2.png", "sony_1_x4.png", "sony_2_x4.png")
    two, four = pair_by_rule([lr], hr, PairingSettings(naming="drealsr"))
    assert found(two) == [("sony_1", "sony_1_x1.png", "sony_1_x2.png")]
    assert "sony_2_x1.png: has no partner" in reasons(two)
    assert (len(four.matches), four.failed) == (2, ())


def test_a_stray_scale_does_not_count_every_photo_as_lonely(tmp_path):
    folder = touch(tmp_path, "a_LR2.png", "a_HR.png", "b_LR2.png", "b_HR.png", "c_LR7.png")
    _, seven = pair_by_rule([folder], folder, PairingSettings(naming="realsr"))
    assert seven.matches == ()
    assert [record.key for record in seven.failed] == ["c"]


def test_several_folders_and_letter_case(tmp_path):
    lr = touch(tmp_path / "a", "x/ONE_LR2.jpg"), touch(tmp_path / "b", "x/one_LR4.jpg", "x/one_LR2.tif")
    hr = touch(tmp_path / "hr", "X/One_HR.png")
    two, four = pair_by_rule(lr, hr, PairingSettings(naming="realsr"))
    assert found(four) == [("x/one", "one_LR4.jpg", "One_HR.png")]
    assert "x/ONE: is ambiguous: ONE_LR2.jpg and one_LR2.tif could each be its LR photo" in reasons(two)


def test_the_more_demanding_rule_wins_in_one_folder(tmp_path):
    folder = touch(tmp_path, "a.png", "a_HR.png", "b.png")
    (pairs,) = pair_by_rule([folder], folder, PairingSettings(hr_rule="{stem}_HR"))
    assert found(pairs) == [("a", "a.png", "a_HR.png")]
    assert [record.key for record in pairs.failed] == ["b"]
    with pytest.raises(UserError, match="in one folder; give rules that tell LR from HR"):
        pair_by_rule([folder], folder, PairingSettings(lr_rule="{stem}", hr_rule="{stem}"))


def test_rules_that_fit_nothing(tmp_path):
    lr, hr = touch(tmp_path / "lr", "a.png"), touch(tmp_path / "hr", "a.png")
    with pytest.raises(UserError, match=r"no photo has a partner.*the rules are \{stem\}_LR\{scale\} for LR"):
        pair_by_rule([lr], hr, PairingSettings(naming="realsr"))


def test_two_photos_of_one_stem_cost_one_pair(tmp_path):
    lr, hr = touch(tmp_path / "lr", "a.png", "b.png", "b.CR2"), touch(tmp_path / "hr", "a.png", "b.png")
    pairs = pair_by_stem(lr, hr, PairingSettings())
    assert [match.key for match in pairs.matches] == ["a"]
    assert "b: is ambiguous: b.CR2 and b.png could each be its LR photo; rename or remove" in reasons(pairs)


def test_ways_of_pairing_are_not_mixed():
    assert PairingSettings(naming="realsr").way == "rule"
    assert PairingSettings(pairs=Path("p.csv")).way == "csv"
    assert PairingSettings(lr_suffix="L").way == "stem"
    for settings, words in (
        (PairingSettings("time", lr_suffix="L"), "time does not go with `lr_suffix`"),
        (PairingSettings("stem", lr_rule="{stem}L"), "stem does not go with `lr_rule`"),
        (PairingSettings("csv"), "csv needs a table"),
        (PairingSettings("rule"), "rule needs a rule"),
    ):
        with pytest.raises(UserError, match=words):
            _ = settings.way


# Photos that are one.


def test_the_same_photo_twice_is_no_pair(tmp_path):
    touch(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    os.link(tmp_path / "a.png", tmp_path / "linked.png")

    def pair(key, lr, hr):
        return Match(key, tmp_path / lr, tmp_path / hr)

    pairs = refuse_same_files(
        PairSet(
            (
                pair("path", "a.png", "a.png"),
                pair("link", "a.png", "linked.png"),
                pair("bytes", "a.png", "copy.png"),
                pair("size", "a.png", "b.png"),  # as long, but different
                pair("gone", "a.png", "gone.png"),  # for the reader to tell
            )
        )
    )
    assert [match.key for match in pairs.matches] == ["size", "gone"]
    assert "a.png: LR and HR are the same file; give two photos of the scene" in reasons(pairs)
    assert "a.png: LR and HR (copy.png) are the same photo byte for byte" in reasons(pairs)
    assert [record.key for record in pairs.failed] == ["path", "link", "bytes"]


# Capture time.

NOON = datetime(2026, 5, 17, 12, 0, 0)


def shoot(path: Path, seconds: float | None, *, offset: str = "") -> Path:
    """A tiny JPEG taken so many seconds after noon by its camera's clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    if seconds is not None:
        moment = NOON + timedelta(seconds=seconds)
        inner = exif.get_ifd(0x8769)
        inner[36867] = f"{moment:%Y:%m:%d %H:%M:%S}"
        inner[37521] = f"{moment.microsecond:06}".rstrip("0") or "0"
        if offset:
            inner[36881] = offset
    Image.new("RGB", (8, 8), (90, 60, 30)).save(path, exif=exif.tobytes())
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_the_time_of_a_photo_is_read(tmp_path, suffix):
    path = shoot(tmp_path / f"a.{suffix}", 1.25, offset="+02:00")
    taken = NOON.replace(microsecond=250000, second=1, tzinfo=timezone(timedelta(hours=2)))
    assert read_taken(path) == taken
    assert read(path).taken == taken
    assert read_taken(shoot(tmp_path / f"b.{suffix}", None)) is None


def test_clocks_are_compared_as_far_as_they_can_be():
    east = NOON.replace(tzinfo=timezone(timedelta(hours=2)))
    utc = (NOON - timedelta(hours=2)).replace(tzinfo=timezone(timedelta(0)))
    assert seconds_apart(east, utc) == 0
    assert seconds_apart(NOON, east) == 0
    assert seconds_apart(NOON, NOON + timedelta(seconds=1.5)) == 1.5


def test_nearest_times_pair(tmp_path):
    for name, seconds in (("w1", 0), ("w2", 60.4), ("w3", 200), ("w4", 300)):
        shoot(tmp_path / "lr" / f"{name}.jpg", seconds)
    for name, seconds in (("t9", 1.5), ("t8", 59.8), ("t7", 204.9), ("t6", 305.1)):
        shoot(tmp_path / "hr" / f"{name}.jpg", seconds)
    shoot(tmp_path / "lr" / "w5.jpg", None)
    (tmp_path / "lr" / "w6.jpg").write_bytes(b"no photo")
    pairs = pair_by_time(tmp_path / "lr", tmp_path / "hr", 5.0)
    assert found(pairs) == [
        ("t7", "w3.jpg", "t7.jpg"),
        ("t8", "w2.jpg", "t8.jpg"),
        ("t9", "w1.jpg", "t9.jpg"),
    ]
    told = reasons(pairs)
    assert "w4.jpg: nothing was taken within 5 s of it (nearest: t6.jpg, 5.1 s); check the cameras'" in told
    assert "t6.jpg: nothing was taken within 5 s of it (nearest: w4.jpg, 5.1 s)" in told
    assert "w5.jpg: does not tell when it was taken (no EXIF time)" in told
    assert "w6.jpg: " in told
    assert len(pairs.failed) == 4
    assert len(pair_by_time(tmp_path / "lr", tmp_path / "hr", 6.0).matches) == 4


def test_equally_near_times_are_ambiguous(tmp_path):
    shoot(tmp_path / "lr" / "w.jpg", 10)
    shoot(tmp_path / "hr" / "before.jpg", 9)
    shoot(tmp_path / "hr" / "after.jpg", 11)
    shoot(tmp_path / "lr" / "v.jpg", 100)
    shoot(tmp_path / "hr" / "s.jpg", 101)
    pairs = pair_by_time(tmp_path / "lr", tmp_path / "hr", 5.0)
    assert [match.key for match in pairs.matches] == ["s"]
    told = reasons(pairs)
    assert "w.jpg: after.jpg and before.jpg were taken equally near to it" in told
    assert "before.jpg: its nearest, w.jpg, was taken equally near to after.jpg" in told


def test_the_nearest_may_be_nearer_to_another(tmp_path):
    shoot(tmp_path / "lr" / "late.jpg", 4)
    shoot(tmp_path / "lr" / "right.jpg", 1)
    shoot(tmp_path / "hr" / "t.jpg", 0)
    pairs = pair_by_time(tmp_path / "lr", tmp_path / "hr", 5.0)
    assert found(pairs) == [("t", "right.jpg", "t.jpg")]
    assert "late.jpg: its nearest, t.jpg, was taken nearer to right.jpg" in reasons(pairs)


def test_twins_in_time_fail_alone_and_a_preference_pairs_them(tmp_path):
    """The camera wrote two files of one photo, at one time."""
    shoot(tmp_path / "lr" / "w1.jpg", 10)
    (tmp_path / "lr" / "w1.png").write_bytes((tmp_path / "lr" / "w1.jpg").read_bytes())  # by suffix
    shoot(tmp_path / "lr" / "w2.jpg", 60)
    for name, seconds in (("t1.jpg", 11), ("t2.jpg", 61), ("t3.jpg", 100)):
        shoot(tmp_path / "hr" / name, seconds)
    (tmp_path / "hr" / "t3.gif").touch()
    pairs = pair_by_time(tmp_path / "lr", tmp_path / "hr", 5.0)
    assert found(pairs) == [("t2", "w2.jpg", "t2.jpg")]
    assert "w1.jpg: has the same name as w1.png, so both would be w1.png; rename one, or" in reasons(pairs)
    assert pairs.left_out_of[(tmp_path / "hr").resolve()] == {".gif": 1}
    pairs = pair_by_time(tmp_path / "lr", tmp_path / "hr", 5.0, Finding("jpeg"))
    assert found(pairs) == [("t1", "w1.jpg", "t1.jpg"), ("t2", "w2.jpg", "t2.jpg")]


def test_no_times_at_all(tmp_path):
    lr, hr = shoot(tmp_path / "lr" / "a.jpg", None).parent, shoot(tmp_path / "hr" / "a.jpg", None).parent
    with pytest.raises(UserError, match="does not tell when it was taken"):
        pair_by_time(lr, hr, 5.0)
    with pytest.raises(UserError, match="LR and HR are the same folder"):
        pair_by_time(lr, lr, 5.0)


# Tables.


@pytest.fixture
def photos(tmp_path):
    return touch(tmp_path, "w/1.png", "w/2.png", "t/Zürich.png", "t/2.png", "t/3.png")


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "pairs.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_as_spreadsheets_write_it(photos, delimiter, encoding, end):
    lines = [("LR", "HR"), ("w/1.png", "t/Zürich.png"), ("w/2.png", "t/2.png")]
    text = end.join(delimiter.join(line) for line in lines)
    (pairs,) = read_pairs(table(photos, text, encoding))
    assert found(pairs) == [("t/Zürich", "1.png", "Zürich.png"), ("t/2", "2.png", "2.png")]
    assert pairs.scale is None


def test_keys_scenes_and_scales(photos):
    text = "lr,hr,key,scale,scene\nw/1.png,t/2.png,a,2,street\nw/2.png,t/2.png,a,x4,street\nw/1.png,t/3.png,b,4,\n"
    two, four = read_pairs(table(photos, text))
    assert (two.scale, four.scale) == (2, 4)
    assert [(match.key, match.scene) for match in four.matches] == [("a", "street"), ("b", "")]


def test_folders_of_photos_come_before_the_table(photos, tmp_path):
    text = "lr,hr\n1.png,2.png\n2.png,t/3.png\n"
    (pairs,) = read_pairs(table(tmp_path, text), [photos / "w"], photos / "t")
    assert [(match.lr, match.hr) for match in pairs.matches] == [
        (photos / "w/1.png", photos / "t/2.png"),
        (photos / "w/2.png", photos / "t/3.png"),
    ]


def test_bad_lines_are_named_and_the_others_go_on(photos):
    lines = [
        "lr,hr",
        "w/1.png,t/2.png",
        "w/9.png,t/3.png",
        "../w/1.png,t/3.png",
        f"{photos}/w/1.png,t/3.png",
        ",t/3.png",
        "w/2.png,.",
        "w/1.png,t/3.png",
        "w/2.png,t/3.png",
    ]
    (pairs,) = read_pairs(table(photos, "\n".join(lines)))
    assert found(pairs) == [("t/2", "1.png", "2.png")]
    assert reasons(pairs).splitlines() == [
        "pairs.csv, line 3: lr 'w/9.png' does not exist; mend the path or copy the photo there",
        "pairs.csv, line 4: lr '../w/1.png' leaves its folder; write a path below it, without '..'",
        f"pairs.csv, line 5: lr '{photos}/w/1.png' leaves its folder; write a path below it, without '..'",
        "pairs.csv, line 6: lr is empty; fill it in",
        "pairs.csv, line 7: hr '.' does not exist; mend the path or copy the photo there",
        "pairs.csv, line 8: key 't/3' is ambiguous: line 9 has it too; give a column key",
        "pairs.csv, line 9: key 't/3' is ambiguous: line 8 has it too; give a column key",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "lacks the column lr; its header may hold lr, hr, key, scale, scene"),
        ("lr,hr,zoom\n", "has an unknown column 'zoom'"),
        ("lr,hr\n", "lists no pairs"),
        ("", "lacks the column lr"),
        ("lr,hr\nw/1.png\n", "line 2: has more or fewer cells than the header"),
        ("lr,hr\nw/1.png,t/2.png,x\n", "line 2: has more or fewer cells than the header"),
        ("lr,hr,scale\nw/1.png,t/2.png,1.5\n", "line 2: scale '1.5' is no whole number from 2 to 16"),
        ("lr,hr,scale\nw/1.png,t/2.png,2\nw/2.png,t/3.png,\n", "line 3: tells no scale, other lines do"),
        ("lr,hr\nw/8.png,t/2.png\n", "lists no usable pair; pairs.csv, line 2: lr 'w/8.png' does not exist"),
        ('lr,hr\n"w/1.png,t/2.png\n', "is not CSV"),
    ],
)
def test_tables_that_are_none(photos, text, words):
    with pytest.raises(UserError) as raised:
        read_pairs(table(photos, text))
    assert words in str(raised.value)


def test_tables_that_cannot_be_read(photos):
    with pytest.raises(UserError, match="is not UTF-8 text; save it as CSV in UTF-8"):
        read_pairs(table(photos, "lr,hr\nw/1.png,t/Zürich.png\n", "latin-1"))
    with pytest.raises(UserError, match=r"none\.csv: cannot be read"):
        read_pairs(photos / "none.csv")


def test_names_and_numbers_beyond_measure(photos):
    """A name that no file can have fails its line; a scale of 5,000 digits the table."""
    (pairs,) = read_pairs(table(photos, f"lr,hr\nw/1.png,t/Zürich.png\n{'9' * 300},t/2.png\n"))
    assert len(pairs.matches) == 1
    assert "does not exist" in pairs.failed[0].reason
    with pytest.raises(
        UserError, match=r"line 2: scale '9{40}' is no whole number from 2 to 16; mend the line"
    ):
        read_pairs(table(photos, f"lr,hr,scale\nw/1.png,t/2.png,{'9' * 5000}\n"))
