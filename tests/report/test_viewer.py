"""The viewer of decks, marks and single files, in a real browser from disk."""

from __future__ import annotations

import csv
import json
import re
import time

import cv2
import numpy as np
import pytest

from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.marked import read_marked
from realdeg.report.charts import curves
from realdeg.report.deck import DeckPair, compared, plate, worst_first
from realdeg.report.domain import DomainFigures, Strange
from realdeg.report.evaluation import Beside, build_evaluation
from realdeg.report.folder import Folder, page_name
from realdeg.report.listing import Cell
from realdeg.report.overview import Figure
from realdeg.report.page import build_report
from realdeg.report.single import write_single
from realdeg.report.study import build_study, pairs_of_results

KEYS = ["deep/one", 'b <i>"two"</i>, & ü', "three " + "long" * 20]
COLUMNS = ["bicubic PSNR-Y", "PSNR-Y", "bicubic SSIM-Y", "SSIM-Y", "LPIPS", "LR-PSNR", "ideal fusion"]
WORST = [KEYS[1], KEYS[2], KEYS[0]]


def deck(folder, size=96):
    pairs = []
    for i, key in enumerate(KEYS):
        noise = np.random.default_rng(i).integers(0, 256, (size, size, 3)).astype(np.uint8)
        pictures = {
            name: np.ascontiguousarray(cv2.GaussianBlur(noise, (0, 0), sigma))
            for name, sigma in (("LR", 4), ("bicubic", 3), ("model", 2), ("HR", 1))
        }
        crops = tuple(plate(folder, key, name, image) for name, image in pictures.items())
        bad = {KEYS[0]: -30.0, KEYS[1]: -20.0, KEYS[2]: -25.0}[key]
        pair = DeckPair(key, crops, line=f"PSNR-Y {-bad:.2f}", badness=bad)
        pairs.append(compared(pair, "bicubic", "model"))
    return pairs


def evaluation(out):
    folder = Folder(out)
    rows = [("mean", [Cell("25.00", "25")] * len(COLUMNS))]
    rows += [(key, [Cell("25.00", "25")] * len(COLUMNS)) for key in KEYS]
    figure = Figure(curves({"a": [(0, 1), (1, 2)]}, x_label="x", y_label="y"), "A chart.")
    build_evaluation(
        folder, title="evaluated", source="set", lead="well.", columns=COLUMNS, rows=rows,
        pairs=deck(folder), legend="Crops.",
        beside=Beside("Other data.", ["PSNR"], [("EDSR", [Cell("1", "1")])], [figure]),
    )  # fmt: skip
    return out / "index.html"


def study(out):
    folder = Folder(out)
    rows = [(key, [Cell("25.00", "25")] * len(COLUMNS)) for key in KEYS]
    pairs = deck(folder)
    return build_study(
        folder, title="study", source="set", lead="x", columns=COLUMNS, rows=rows, figures=[], pairs=pairs
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return evaluation(tmp_path_factory.mktemp("viewer") / "100% #1?")


@pytest.fixture(scope="module")
def domain(dataset, tmp_path_factory):
    curve = {"this set": [(0.1, 1.0), (0.5, -3.0)], "real photos": [(0.1, 1.0), (0.5, -1.0)]}
    photos = [dataset / "HR" / "a.png", dataset / "HR" / "c.png", dataset / "gone.png"]
    figures = DomainFigures(
        1.2, dict.fromkeys(("spectrum", "noise", "gradients", "patches"), 1.0),
        dict.fromkeys(("spectrum", "noise", "gradients", "patches"), 0.25), 0.5, 3, 3, "photos", curve, curve,
        [("rms", 0.1, 0.2)],
        [Strange("a", dataset / "LR" / "a.png", 1.5), Strange("c", dataset / "LR" / "c.png", 2.5)], photos,
    )  # fmt: skip
    return build_report(dataset, tmp_path_factory.mktemp("domain"), domain=figures)


def test_worst_first_is_by_badness_and_keeps_the_rest():
    pairs = [DeckPair(str(i), (), badness=b) for i, b in enumerate([None, 1.0, 3.0, None, 1.0])]
    assert [pair.key for pair in worst_first(pairs)] == ["2", "1", "4", "0", "3"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("kind", ["evaluation", "study", "domain", "single"])
def test_pages_load_whole_and_fit(tab, page, domain, tmp_path, kind, width, dark):
    if kind == "study":
        page = study(tmp_path / "s")
    elif kind == "domain":
        page = domain
    elif kind == "single":
        write_single(page, tmp_path / "one.html")
        page = tmp_path / "one.html"
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    tab.call("Emulation.setEmulatedMedia", features=[scheme])
    tab.open(page.as_uri(), width)
    tab.until("document.querySelector('.viewer .layer.over img')?.naturalWidth > 0")
    assert tab.whole()
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.js("document.documentElement.scrollWidth <= innerWidth")
    for key in "s0f":
        tab.press(key)
    assert tab.js("document.documentElement.scrollWidth") <= width
    background = tab.js("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(background) < 80) == dark
    tab.call("Emulation.setEmulatedMedia", features=[])
    assert tab.said == []


def fresh(tab, page, width=1280):
    tab.open(page.as_uri(), width)
    tab.js("localStorage.clear()")
    tab.open(page.as_uri() + "?again", width)
    tab.until("location.search === '?again' && document.querySelector('.viewer .layer.over img') !== null")
    tab.js("document.querySelector('.viewer').scrollIntoView()")


WHICH = "document.querySelector('.viewer .which').textContent"
SIDES = "[...document.querySelectorAll('.viewer .frame .side')].map(s => s.textContent)"


def test_keys_lead_from_the_worst_to_the_best_and_stop(tab, page):
    fresh(tab, page)
    assert tab.js(WHICH) == WORST[0]
    assert tab.js("document.querySelector('.viewer .line').textContent") == "PSNR-Y 20.00"
    seen = []
    for key in "nnnbbb":
        tab.press(key)
        seen.append(tab.js(WHICH))
    assert seen == [WORST[1], WORST[2], WORST[2], WORST[1], WORST[0], WORST[0]]
    assert tab.js("document.querySelector('.viewer .count').textContent") == "1 of 3"
    assert tab.js("document.querySelector('.viewer .before').disabled")
    tab.js(
        "(s => { s.value = 'name'; s.dispatchEvent(new Event('change')); })(document.querySelector('.order'))"
    )
    assert tab.js(WHICH) == sorted(KEYS)[0]
    assert tab.said == []


def test_any_two_pictures_are_compared_and_the_choice_stays(tab, page):
    fresh(tab, page)
    assert tab.js(SIDES) == ["bicubic", "model"]
    tab.js(
        "(s => { s.value = 'HR'; s.dispatchEvent(new Event('change')); })(document.querySelector('.choice.right'))"
    )
    assert tab.js(SIDES) == ["bicubic", "HR"]
    tab.press("n")
    assert tab.js(SIDES) == ["bicubic", "HR"]
    shown = "document.querySelector('.viewer .layer.{} img').src"
    item = f"[...document.querySelectorAll('.item')].find(i => i.dataset.key === {json.dumps(WORST[1])})"
    name = (
        "[...{}.querySelectorAll('figure')].find(f => f.textContent.trim() === '{}').querySelector('img').src"
    )
    assert tab.js(shown.format("under")) == tab.js(name.format(item, "HR"))
    assert tab.js(shown.format("over")) == tab.js(name.format(item, "bicubic"))
    tab.js(f"{item.replace(json.dumps(WORST[1]), json.dumps(WORST[2]))}.querySelector('img').click()")
    assert (tab.js(WHICH), tab.js(SIDES)) == (WORST[2], ["bicubic", "LR"])
    assert tab.said == []


def test_a_row_of_the_table_leads_to_its_pair(tab, page):
    fresh(tab, page)
    tab.js(
        f"[...document.querySelectorAll('#table a')].find(a => a.textContent === {json.dumps(WORST[2])}).click()"
    )
    tab.until(f"{WHICH} === {json.dumps(WORST[2])}")
    assert tab.said == []


def wheel(tab, x, y, delta, modifiers=0):
    tab.call(
        "Input.dispatchMouseEvent",
        type="mouseWheel",
        x=x,
        y=y,
        deltaX=0,
        deltaY=delta,
        modifiers=modifiers,
    )
    tab.frame()


def test_the_wheel_zooms_about_the_pointer_once_the_viewer_is_used(tab, page):
    fresh(tab, page)
    tab.press("1")
    tab.press("+")
    box = tab.js(
        "(r => [r.left, r.top, r.width, r.height])(document.querySelector('.viewport').getBoundingClientRect())"
    )
    width = "document.querySelector('.stage').getBoundingClientRect().width"
    x, y = box[0] + box[2] / 2, box[1] + 60
    before, scrolled = tab.js(width), tab.js("scrollY")
    assert before == 192
    wheel(tab, x, y, 120)
    time.sleep(0.8)  # the browser takes wheel events that follow each other for one gesture
    assert tab.js(width) == before  # nobody has touched the viewer: the page scrolls
    assert tab.js("scrollY") > scrolled
    tab.js("document.querySelector('.viewer').scrollIntoView()")
    tab.js("document.querySelector('.viewport').focus({preventScroll: true})")
    scrolled = tab.js("scrollY")
    wheel(tab, x, y, -240)
    tab.until(f"Math.abs({width} - {2 * before}) < 8")
    assert tab.js("scrollY") == scrolled
    wheel(tab, x, y, 480)
    tab.until(f"Math.abs({width} - {before / 2}) < 2")
    assert tab.said == []


def test_side_by_side_both_pan_and_zoom_together(tab, page):
    fresh(tab, page, 700)
    tab.press("s")
    for _ in range(8):
        tab.press("+")
    ports = "[...document.querySelectorAll('.viewport')].map(v => [v.scrollLeft, v.scrollTop, v.clientWidth])"
    stages = "[...document.querySelectorAll('.stage')].map(s => s.getBoundingClientRect().width)"
    assert tab.js(stages) == [768, 768]
    tab.js("document.querySelector('.viewport').scrollTo(70, 30)")
    tab.frame()
    left, right = tab.js(ports)
    assert left == right
    assert left[:2] == [70, 30]
    tab.js("document.querySelector('.viewport.second').scrollTo(11, 12)")
    tab.frame()
    assert [port[:2] for port in tab.js(ports)] == [[11, 12], [11, 12]]
    sources = "[...document.querySelectorAll('.viewport .layer:last-child img')].map(i => i.src)"
    assert len(set(tab.js(sources))) == 2
    tab.press("n")
    assert tab.js("document.querySelectorAll('.viewport.second img').length") == 1
    assert tab.said == []


MARKED = "[...document.querySelectorAll('.item.marked')].map(i => i.dataset.key)"
TAKE = (
    "new Promise(done => { const make = URL.createObjectURL;"
    " URL.createObjectURL = blob => { blob.text().then(done); return make.call(URL, blob); };"
    " document.querySelector('.marks .save').click(); })"
)


def test_marks_are_kept_written_and_read_back(tab, page, tmp_path):
    fresh(tab, page)
    assert tab.js("document.querySelector('.marks .save').disabled")
    tab.press("m")
    tab.press("n")
    tab.press("m")
    assert sorted(tab.js(MARKED)) == sorted(WORST[:2])
    tab.press("m")
    tab.press("m")
    assert tab.js("document.querySelector('.marks .number').textContent") == "2 marked"
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    text = tab.js(TAKE)
    for _ in range(100):
        if (tmp_path / "marked.csv").is_file() and (tmp_path / "marked.csv").stat().st_size:
            break
        time.sleep(0.05)
    assert (tmp_path / "marked.csv").read_text(encoding="utf-8") == text
    assert read_marked(tmp_path / "marked.csv") == set(WORST[:2])
    assert [row["key"] for row in csv.DictReader(text.splitlines())] == sorted(WORST[:2])

    tab.open(page.as_uri(), 1280)  # as kept by the browser
    tab.until("document.querySelectorAll('.item.marked').length === 2")
    tab.js("document.querySelector('.marks .only').click()")
    visible = "[...document.querySelectorAll('.item')].filter(i => i.offsetParent).map(i => i.dataset.key)"
    assert tab.js(visible) == WORST[:2]
    tab.js("document.querySelector('.marks .clear').click()")
    assert tab.js(MARKED) == []
    assert tab.js(visible) == WORST

    load = (
        "(text => { const files = new DataTransfer(); files.items.add(new File([text], 'back.csv'));"
        " const input = document.querySelector('.load'); input.files = files.files;"
        " input.dispatchEvent(new Event('change')); })"
    )
    tab.js(f"{load}({json.dumps(chr(0xFEFF) + text + 'stranger' + chr(10))})")
    tab.until("document.querySelectorAll('.item.marked').length === 2")
    told = tab.js("document.querySelector('.marks .told').textContent")
    assert told == "3 read from back.csv, 1 of them not on this page"
    tab.js(f"{load}('name;other')")
    tab.until("document.querySelector('.marks .told').textContent === 'back.csv has no column key'")
    tab.js("document.querySelector('.marks .clear').click()")
    assert tab.said == []


def test_the_pages_of_one_report_share_their_marks(tab, dataset, tmp_path):
    index = build_report(dataset, tmp_path / "r")
    other = build_report(dataset, tmp_path / "other")
    tab.open(index.as_uri(), 1280)
    tab.until("document.querySelector('.pair .mark') !== null")
    tab.js("document.querySelector('.pair[data-key=c] .mark').click()")
    count = "document.querySelector('.marks .number').textContent"
    assert tab.js(count) == "1 marked"
    assert tab.js("[...document.querySelectorAll('tr.marked')].map(r => r.dataset.key)") == ["c"]
    tab.open((index.parent / page_name("c")).as_uri(), 1280)
    tab.until("document.querySelector('h1 .mark') !== null")
    assert tab.js(count) == "1 marked"
    tab.press("m")
    assert tab.js("document.querySelector('h1').classList.contains('marked')") is False
    tab.press("m")
    tab.open(other.as_uri(), 1280)
    tab.until("document.querySelector('.pair .mark') !== null")
    assert tab.js("document.querySelectorAll('.marked').length") == 0
    tab.open(index.as_uri(), 1280)
    tab.until("document.querySelectorAll('tr.marked').length === 1")
    assert tab.said == []


def test_pair_pages_go_on_by_key(tab, dataset, tmp_path):
    index = build_report(dataset, tmp_path / "r")
    tab.open((index.parent / page_name("a")).as_uri(), 1280)
    tab.until("document.querySelector('.viewer') !== null")
    following = tab.js("document.querySelector('nav [rel=next]').href")
    tab.press("n")
    tab.until(f"location.href === {json.dumps(following)}")
    tab.press("b")
    tab.until("document.querySelector('h1').textContent.trim() === 'a'")


def test_the_photo_stands_beside_the_synthetic_image(tab, domain):
    fresh(tab, domain)
    assert tab.js(WHICH) == "c"  # the stranger one
    assert tab.js("document.querySelector('.viewer').classList.contains('beside')")
    names = tab.js(SIDES)
    assert names[0] == "this set"
    assert names[1].startswith("real photo ")
    widths = "[...document.querySelectorAll('.viewport')].map(v => v.clientWidth)"
    left, right = tab.js(widths)
    assert abs(left - right) <= 2
    assert tab.said == []


def test_print_keeps_all_columns_on_the_sheet(tab, page):
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.open(page.as_uri(), 760)  # A4 at 96 dpi, less margins
    tab.until("document.querySelector('.viewer .layer') !== null")
    fits = (
        "[...document.querySelectorAll('.scroll')].every(s => s.scrollWidth <= s.clientWidth"
        " && getComputedStyle(s).overflowX === 'visible')"
    )
    assert tab.js(fits)
    assert tab.js("document.documentElement.scrollWidth") <= 760
    hidden = "['.viewer', '.marks', '.mark'].every(n => !document.querySelector(n).offsetParent)"
    assert tab.js(hidden)
    tab.call("Emulation.setEmulatedMedia", media="")


def test_one_file_holds_all_and_asks_for_nothing(page, tmp_path):
    size = write_single(page, tmp_path / "one.html")
    html = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert size == (tmp_path / "one.html").stat().st_size
    assert not re.search(r'\b(src|href|data-pixels|data-file)="(?!data:|#)', html)
    pictures = {re.sub(r"^.*/", "", str(path)) for path in (page.parent / "pictures").iterdir()}
    assert len(set(re.findall(r'data:image/webp;base64,[^"]+', html))) == len(pictures)


def test_a_study_shows_what_its_first_variant_did_worst(tmp_path):
    rng = np.random.default_rng(0)
    pairs, results = [], {name: tmp_path / name for name in ("first", "second", "again")}
    results["again"] = results["first"]
    for i in range(8):
        hr = rng.integers(60, 190, (64, 96, 3)).astype(np.uint8)
        place = tmp_path / f"{i}"
        write_image(place / "hr.png", hr)
        write_image(place / "lr.png", cv2.resize(hr, (48, 32), interpolation=cv2.INTER_AREA))
        write_image(results["first"] / f"deep/{i}.png", hr + np.uint8(3 * i))
        write_image(results["second"] / f"deep/{i}.png", hr)
        pairs.append((f"deep/{i}", place / "lr.png", place / "hr.png"))
    (tmp_path / "7" / "hr.png").unlink()
    folder = Folder(tmp_path / "page")
    found = pairs_of_results(folder, pairs, results, 2)
    assert [pair.key for pair in found] == [f"deep/{i}" for i in (6, 5, 4, 3, 2, 1)]
    assert found[0].line == "first is off by 18.00 levels (root mean square over the image)."
    assert [one.what for one in found[0].crops] == ["bicubic", "first", "second", "HR"]
    assert (found[0].left, found[0].right) == (1, 3)
    second, hr = (read(tmp_path / "page" / found[0].crops[i].file).pixels for i in (2, 3))
    np.testing.assert_array_equal(second, hr)
    assert pairs_of_results(folder, pairs, {}, 2) == []
