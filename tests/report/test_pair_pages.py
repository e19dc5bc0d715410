"""Truth: what the fixture put in; links that lead to files; the same bytes twice."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest

from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.records import PairRecord, read_manifest, write_manifest
from realdeg.report.folder import page_name
from realdeg.report.page import build_report
from realdeg.report.refusals import kind_of, ranged


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.texts = [], []
        self.feed(text)
        self.text = " ".join(part.strip() for part in self.texts if part.strip())

    def handle_starttag(self, tag, attrs):
        self.links += [v for n, v in attrs if n in ("src", "href", "data-smooth", "data-pixels", "data-file")]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def report(certified, tmp_path_factory):
    return build_report(certified, tmp_path_factory.mktemp("pages") / "out #1").parent


def opened(report, key):
    return Links((report / page_name(key)).read_text(encoding="utf-8"))


def test_every_link_leads_to_a_file_inside(report):
    pages = sorted(report.rglob("*.html"))
    assert len(pages) == 1 + 5  # four pairs and the refused one with a certificate
    for page in pages:
        for link in Links(page.read_text(encoding="utf-8")).links:
            if not link.startswith(("data:", "#")):
                target = (page.parent / unquote(link)).resolve()
                assert target.is_file(), link
                assert target.is_relative_to(report.resolve())


def test_a_pair_has_all_that_its_certificate_says(report, known):
    page = opened(report, known.awkward)
    assert known.awkward in page.text
    for words in ("Error map", "phase correlation", "Maker Model <1>", "HR follows LR", "after, 8-bit level"):
        assert words in page.text
    html = (report / page_name(known.awkward)).read_text(encoding="utf-8")
    assert html.count('class="arrow ') == known.tiles + known.tiles // 2
    assert html.count('class="arrow disagrees') == 1


def test_before_and_after_the_correction_stand_side_by_side(report, known):
    html = (report / page_name("plain")).read_text(encoding="utf-8")
    text = Links(html).text
    files = dict(re.findall(r'<figure><img src="([^"]*)".*?<figcaption>([^<]*)</figcaption>', html))
    assert list(files.values()) == ["LR", "HR, untouched", "HR, delivered"]
    lr, untouched, hr = (read(report / "pairs" / file).pixels.astype(float) for file in files)
    assert lr.shape == untouched.shape == hr.shape == (87, 116, 3)
    assert abs(untouched.mean((0, 1)) - (200, 40, 40)).max() < 3
    assert abs(lr - hr).mean() < 3  # the fixture's HR needed nothing
    assert "152, 112, 83 18.1 % 6.55 0.22 9, 8, 7 1.2 % - -" in text
    assert html.count('style="background:rgb(152,112,83)"') == 1
    assert "not used: curve, vignetting worse where colours are about (9, 8, 7) <b>" in text
    old = opened(report, known.awkward).text
    assert "vignetting, gain in the corners x0.930" in old
    assert "before and after" not in old


@pytest.mark.parametrize("change", ["lr", "torn", "large", "none"])
def test_pictures_of_before_that_are_odd(certified, tmp_path, change):
    copy = tmp_path / "copy"
    shutil.copytree(certified, copy)
    picture, path = copy / "certificates" / "plain.webp", copy / "certificates" / "plain.json"
    if change == "lr":
        told = json.loads(path.read_text())
        told["brightness"]["adjusted"] = "lr"
        path.write_text(json.dumps(told))
    elif change == "torn":
        picture.write_bytes(picture.read_bytes()[:40])
    elif change == "large":
        write_image(picture, np.zeros((87, 234, 3), np.uint8))
    else:
        picture.unlink()
    text = opened(build_report(copy, limit=1).parent, "plain").text
    assert ("LR, untouched LR, delivered HR" in text) == (change == "lr")
    assert ("Picture of before not used: certificates/plain.webp " in text) == (change in ("torn", "large"))
    assert ("is larger than the pair" in text) == (change == "large")
    assert "152, 112, 83" in text


def test_a_damaged_certificate_is_one_line_and_none_is_none(report):
    torn = opened(report, "torn").text
    assert "Certificate not used: certificates/torn.json is damaged" in torn
    assert "Error map" in torn
    assert "The two photos" not in torn
    bare = opened(report, "bare").text
    assert "Certificate" not in bare
    assert "k/7.npy" in bare
    index = Links((report / "index.html").read_text(encoding="utf-8")).text
    assert index.count("Certificate not used") == 1


def test_a_refused_pair_shows_where_its_tiles_disagree(report):
    page = opened(report, "moved 42")
    assert "disagrees: parallax or motion (1)" in page.text
    assert "Error map" not in page.text
    backdrop = next(link for link in page.links if link.endswith(".webp"))
    assert read(report / "pairs" / backdrop).pixels.shape == (200, 260, 3)


def test_a_refused_pair_that_was_kept_is_shown_whole(certified, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(certified, copy)
    for side in ("LR", "HR"):
        (copy / "rejected" / side).mkdir(parents=True)
        shutil.copy(copy / side / "bare.png", copy / "rejected" / side / "moved 17.png")
    page = opened(build_report(copy).parent, "moved 17")
    assert "Error map" in page.text
    assert "17% of the image contradicts" in page.text
    (copy / "rejected" / "HR" / "moved 17.png").write_bytes(b"torn")
    assert not (build_report(copy).parent / page_name("moved 17")).exists()


def test_the_head_of_the_page(report, known):
    text = Links((report / "index.html").read_text(encoding="utf-8")).text
    stated, blind = known.stated, known.blind
    assert f"{np.median(stated):.3f} median stated error, LR px {4 * np.median(stated):.3f} HR px" in text
    assert f"{max(stated):.3f} worst stated error, LR px {4 * max(stated):.3f} HR px" in text
    assert f"{np.median(blind):.3f} median blind residual, LR px" in text
    assert "2 rejected 17 to 42% of the image contradicts the common motion (limit 5%)" in text


def test_reasons_of_one_kind_stand_together():
    assert kind_of("a/b.jpg: ends after 312 of 1,204 kB; copy it") == "ends after N of N kB"
    assert kind_of("zoom is x1.25, far from x2; use a larger --scale") == "zoom is xN, far from xN"
    assert kind_of("") == "no reason given"
    assert ranged(["a.jpg: ends after 9 of 1,204 kB; copy it", "ends after 100.5 of 1,204 kB"]) == (
        "ends after 9 to 100.5 of 1,204 kB"
    )
    assert ranged(["", ""]) == "no reason given"


def test_limit_bounds_pictures_and_pages_but_not_the_table(certified, tmp_path):
    out = build_report(certified, tmp_path).parent
    many = len(list(out.rglob("*.webp")))
    stranger = out / "pictures" / "mine.webp"
    stranger.write_bytes(b"x")
    build_report(certified, out, limit=1)
    assert [page.name for page in sorted((out / "pairs").iterdir())] == sorted(
        page_name(key).removeprefix("pairs/") for key in ("plain", "moved 42")
    )
    assert len(list(out.rglob("*.webp"))) < many
    assert stranger.exists()
    text = Links((out / "index.html").read_text(encoding="utf-8")).text
    assert all(record.key in text for record in read_manifest(certified))
    build_report(certified, out, limit=0)
    assert not list((out / "pairs").iterdir())


def test_the_same_input_gives_the_same_folder(certified, report, tmp_path):
    again = build_report(certified, tmp_path / "again").parent
    files = {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert files == {p.relative_to(report): p.read_bytes() for p in report.rglob("*") if p.is_file()}


def test_old_datasets_name_what_was_measured(dataset, tmp_path):
    text = Links(build_report(dataset, tmp_path).read_text(encoding="utf-8")).text
    assert "stated" not in text
    assert "by feature tracking" in text


def test_odd_cells_are_left_out(certified, tmp_path):
    records = read_manifest(certified)
    bad = {"error_lr_px": "nan", "residual_lr_px": "?", "zoom": "inf", "disagreeing": "-"}
    copy = tmp_path / "copy"
    shutil.copytree(certified, copy)
    write_manifest(copy, [replace(record, detail=bad) for record in records])
    assert "nan" not in Links(build_report(copy).read_text(encoding="utf-8")).text


def test_files_that_do_not_fit_are_said_to(certified, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(certified, copy)
    record = read_manifest(certified)[0]
    write_manifest(copy, [replace(record, scale=3), PairRecord("x", "failed", "x.png: is empty")])
    text = Links(build_report(copy).read_text(encoding="utf-8")).text
    assert "is 932x700, not 3 times 233x175" in text


def test_a_certificate_with_nothing_in_it_is_none(certified, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(certified, copy)
    (copy / "certificates" / "plain.json").write_text(json.dumps({"tiles": None, "error": 3}))
    page = opened(build_report(copy, limit=1).parent, "plain")
    assert "Error map" in page.text
    assert "Displacements" not in page.text
