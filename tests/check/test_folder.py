"""Whole sets: what is written, what is gone on with, and who is found where."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from realdeg.check.adopting import decide, looking
from realdeg.check.folder import check
from realdeg.check.gather import gather
from realdeg.check.settings import AdoptSettings, CheckSettings
from realdeg.dataset.adopt import adopt_folders
from realdeg.errors import UserError
from realdeg.io.find import match_stems
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.records import read_manifest

NAMES = ("coffee.png", "chelsea.png", "tmshre_riaphotographs_srgb8.png", "u76c0g_bliznaca_srgb8.png")


def table(path: Path):
    with path.open(newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def store(folder, photo, taken, **how):
    for i, name in enumerate(NAMES):
        hr = photo(name, 300)
        write_image(folder / "LR" / f"{i}.png", taken(hr, 4, **how))
        write_image(folder / "HR" / f"{i}.png", hr)
    return folder


@pytest.fixture(scope="module")
def good(photo, taken, tmp_path_factory):
    return store(tmp_path_factory.mktemp("good"), photo, taken)


@pytest.fixture(scope="module")
def corner(photo, taken, tmp_path_factory):
    return store(tmp_path_factory.mktemp("corner"), photo, taken, top_left=True)


@pytest.fixture(scope="module")
def wrong(photo, taken, tmp_path_factory):
    """Good pairs, one displaced, one with a cast, and a crop of another."""
    folder = store(tmp_path_factory.mktemp("wrong"), photo, taken)
    for side in ("LR", "HR"):
        (folder / side / "2.png").unlink()
    write_image(folder / "HR" / "0.png", np.roll(photo(NAMES[0], 300), 8, axis=1))
    warm = np.clip(taken(photo(NAMES[1], 300), 4) * np.array([1.2, 1, 0.8]), 0, 255).astype(np.uint8)
    write_image(folder / "LR" / "1.png", warm)
    part = photo(NAMES[3], 300)[20:260, 40:280]
    write_image(folder / "HR" / "part.png", part)
    write_image(folder / "LR" / "part.png", taken(part, 4))
    write_image(folder / "LR" / "odd.png", taken(part, 4)[:, :-1])
    write_image(folder / "HR" / "odd.png", photo("tmshre_riaphotographs_srgb8.png", 240))
    return folder


def test_good_pairs_are_kept_and_the_rest_is_told(good, wrong, tmp_path):
    done = check(gather(good, None, None), tmp_path / "g", CheckSettings())
    assert done.audit.counts == {"drop": 0, "re-register": 0, "mask": 0, "keep": 4}
    assert done.audit.lines() == []
    check(gather(wrong, None, None), tmp_path / "w", CheckSettings())
    rows = table(tmp_path / "w" / "audit.csv")
    verdicts = {key: row["verdict"] for key, row in rows.items()}
    assert verdicts == {
        "0": "re-register", "1": "re-register", "3": "keep", "part": "drop", "odd": "re-register"
    }  # fmt: skip
    assert "(+8.0" in rows["0"]["reason"].replace("+7.99", "+8.0").replace("+8.01", "+8.0")
    assert "a cast (R +" in rows["1"]["reason"]
    assert rows["part"]["reason"] == "shares most of a picture with 3"
    assert "no whole multiple" in rows["odd"]["reason"]
    severities = [float(row["severity"]) for row in rows.values()]
    assert severities == sorted(severities, reverse=True)
    assert list(table(tmp_path / "w" / "drop.csv")) == ["part"]
    assert json.loads((tmp_path / "w" / "summary.json").read_text())["verdicts"]["re-register"] == 3
    twin = table(tmp_path / "w" / "duplicates.csv")
    assert [(row["with"], row["kind"]) for row in twin.values()] == [("part", "part")] or "part" in twin


def test_workers_and_a_second_run_write_the_same(wrong, tmp_path):
    names = ("audit.csv", "duplicates.csv", "summary.json", "drop.csv", "re-register.csv")
    check(gather(wrong, None, None), tmp_path / "a", CheckSettings(), running=Running(workers=2))
    first = {name: (tmp_path / "a" / name).read_bytes() for name in names}
    work = tmp_path / "a" / "work" / "pairs" / "ledger.jsonl"
    lines = work.read_text().splitlines(keepends=True)
    work.write_text("".join(lines[:3]) + lines[3][:40])  # as kill -9 leaves it
    again = check(gather(wrong, None, None), tmp_path / "a", CheckSettings())
    assert 0 < again.reports[0].resumed < 5
    assert {name: (tmp_path / "a" / name).read_bytes() for name in names} == first
    other = check(gather(wrong, None, None), tmp_path / "a", CheckSettings(max_colour_rms=60))
    assert other.reports[0].resumed == 5  # limits cost no second look
    assert table(tmp_path / "a" / "audit.csv")["1"]["verdict"] == "keep"


def test_pictures_of_a_test_set_are_found(good, tmp_path, photo):
    held = photo(NAMES[1], 300)[:, ::-1]
    write_image(tmp_path / "test" / "cat.jpg", np.ascontiguousarray(held), quality=80)
    write_image(
        tmp_path / "test" / "noise.png", np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    )
    done = check(gather(good, None, None), tmp_path / "a", CheckSettings(), against=[tmp_path / "test"])
    assert done.audit.leaks == 1
    row = table(tmp_path / "a" / "audit.csv")["1"]
    assert row["verdict"] == "drop"
    assert row["reason"] == f"the same picture as cat.jpg (mirrored) of {tmp_path / 'test'}"


def test_a_split_that_leaks_is_found(good, tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / "LR" / f"{name}.png", read(good / "LR" / "0.png").pixels)
        write_image(tmp_path / "HR" / f"{name}.png", read(good / "HR" / "0.png").pixels)
    adopt_folders(tmp_path / "LR", tmp_path / "HR", tmp_path / "data")
    text = (tmp_path / "data" / "manifest.csv").read_text().splitlines()
    at = text[0].split(",").index("split")
    rows = [line.split(",") for line in text[1:]]
    rows[0][at], rows[1][at] = "train", "test"
    (tmp_path / "data" / "manifest.csv").write_text(
        "\n".join([text[0], *(",".join(row) for row in rows)]) + "\n"
    )
    done = check(gather(tmp_path / "data", None, None), tmp_path / "audit", CheckSettings())
    assert done.audit.leaks == 1
    verdicts = {row.record.key: row.judged.verdict for row in done.audit.rows}
    assert verdicts == {"a": "drop", "b": "keep"}


def test_names_of_one_folder_tell_lr_from_hr(good, tmp_path):
    for i, (low, high) in enumerate((("Canon_001_LR4", "Canon_001_HR"), ("Nikon_2_LR4", "Nikon_2_HR"))):
        for side, name in (("LR", low), ("HR", high)):
            write_image(tmp_path / f"{name}.png", read(good / side / f"{i}.png").pixels)
    found = gather(tmp_path, None, None)
    assert [(one.key, one.lr.name, one.hr.name) for one in found.items] == [
        ("Canon_001", "Canon_001_LR4.png", "Canon_001_HR.png"),
        ("Nikon_2", "Nikon_2_LR4.png", "Nikon_2_HR.png"),
    ]
    with pytest.raises(UserError, match="names do not tell LR from HR"):
        gather(good / "HR", None, None)
    with pytest.raises(UserError, match="give a folder PAIRS, or two"):
        gather(None, None, None)
    with pytest.raises(UserError, match="does not exist"):
        gather(tmp_path / "no", None, None)


def test_one_hr_of_several_scales_is_no_copy_of_itself(photo, taken, tmp_path):
    hr = photo(NAMES[0], 288)
    write_image(tmp_path / "set" / "Canon_1_HR.png", hr)
    for scale in (2, 3, 4):
        write_image(tmp_path / "set" / f"Canon_1_LR{scale}.png", taken(hr, scale))
    done = check(gather(tmp_path / "set", None, None), tmp_path / "a", CheckSettings(), against=[])
    assert [row.record.key for row in done.audit.rows] == ["Canon_1_x2", "Canon_1_x3", "Canon_1_x4"]
    assert done.audit.counts["keep"] == 3
    assert done.audit.twins == []


def matches(folder):
    return match_stems(folder / "LR", folder / "HR")[0]


def test_adopting_measures_and_mends_a_whole_set(corner, tmp_path):
    mending = decide(matches(corner), 4)
    assert mending.by == (-1.5, -1.5)
    assert "as on the top-left grid" in mending.reason
    for name, limits in (("plain", AdoptSettings()), ("mended", AdoptSettings(regrid=True))):
        report = adopt_folders(
            corner / "LR",
            corner / "HR",
            tmp_path / name,
            looking=lambda m, s, limits=limits: looking(m, s, limits),
        )
        assert report.count("ok") == 4
    plain, mended = (read_manifest(tmp_path / name)[0] for name in ("plain", "mended"))
    assert float(plain.detail["shift_x_lr_px"]) == pytest.approx(-0.375, abs=0.02)
    assert plain.detail["grid"] == "top-left"
    assert float(mended.detail["residual_lr_px"]) < 0.1
    assert (mended.detail["regrid_hr_px"], mended.detail["lr_crop"]) == ("-1.5 -1.5", "1 1 74 74")
    small, large = (read(tmp_path / "mended" / path).pixels for path in (mended.lr, mended.hr))
    np.testing.assert_array_equal(small, read(corner / "LR" / "0.png").pixels[1:, 1:])
    assert large.shape == (296, 296, 3)
    assert (tmp_path / "plain" / plain.hr).read_bytes() == (corner / "HR" / "0.png").read_bytes()


def test_what_lies_where_it_should_is_not_moved(good, tmp_path):
    assert decide(matches(good), 4).by == (0.0, 0.0)
    limits = AdoptSettings(regrid=True)
    adopt_folders(good / "LR", good / "HR", tmp_path / "d", looking=lambda m, s: looking(m, s, limits))
    record = read_manifest(tmp_path / "d")[0]
    assert (tmp_path / "d" / record.hr).read_bytes() == (good / "HR" / "0.png").read_bytes()
    assert "regrid_hr_px" not in record.detail


def test_adopting_refuses_what_is_surely_displaced(wrong, tmp_path):
    report = adopt_folders(
        wrong / "LR",
        wrong / "HR",
        tmp_path / "d",
        scale=4,
        looking=lambda m, s: looking(m, s, AdoptSettings()),
    )
    reasons = {record.key: record.reason for record in report.records if not record.ok}
    assert reasons.keys() == {"0", "odd"}
    assert "HR lies beside LR: residual 2.0" in reasons["0"]
    assert "raise `max_error`" in reasons["0"]


def test_equal_sizes_are_scale_one(photo, tmp_path):
    for i, name in enumerate(NAMES):
        hr = photo(name, 240)
        write_image(tmp_path / "L" / f"{i}.png", cv2.GaussianBlur(hr, (0, 0), 1.5))
        write_image(tmp_path / "H" / f"{i}.png", hr)
    adopt_folders(
        tmp_path / "L", tmp_path / "H", tmp_path / "d", looking=lambda m, s: looking(m, s, AdoptSettings())
    )
    records = read_manifest(tmp_path / "d")
    assert [(record.scale, record.status) for record in records] == [(1, "ok")] * 4
    assert all(abs(float(record.detail["shift_x_lr_px"])) < 0.05 for record in records)
    done = check(gather(tmp_path / "d", None, None), tmp_path / "audit", CheckSettings())
    assert done.audit.counts["keep"] == 4
