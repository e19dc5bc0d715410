"""The report in a real browser, from disk: it moves, it flickers, it says nothing on the console."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from realdeg.imaging.kernels import gaussian
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.report.folder import page_name
from realdeg.report.page import build_report
from realdeg.report.pool_report import build_pool_report


@pytest.fixture(scope="module")
def url(dataset, run, tmp_path_factory):
    return build_report(dataset, tmp_path_factory.mktemp("browser"), run).as_uri()


@pytest.mark.parametrize("width", [400, 1280])
def test_it_loads_whole_and_fits(tab, url, width):
    tab.open(url, width)
    assert tab.js("[...document.images].length") > 8
    assert tab.js("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.said == []


def test_the_slider_moves(tab, url):
    tab.open(url, 1280)
    box = tab.js(
        "(() => { const s = document.querySelector('.slider'); s.scrollIntoView({block: 'center'}); s.focus();"
        " const r = s.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()"
    )
    where = "getComputedStyle(document.querySelector('.over')).clipPath"
    before = tab.js(where)
    tab.call(
        "Input.dispatchKeyEvent",
        type="keyDown",
        key="ArrowRight",
        code="ArrowRight",
        windowsVirtualKeyCode=39,
    )
    tab.call(
        "Input.dispatchKeyEvent", type="keyUp", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
    )
    assert tab.js("document.querySelector('.slider').value") == "51"
    after_key = tab.js(where)
    assert after_key != before
    x, y = box[0] + 0.2 * box[2], box[1] + 0.5 * box[3]
    for kind in ("mousePressed", "mouseReleased"):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert 15 <= int(tab.js("document.querySelector('.slider').value")) <= 25
    assert tab.js(where) != after_key
    assert tab.said == []


def test_flicker_pixels_and_sides(tab, url):
    tab.open(url, 1280)
    tab.js("document.querySelector('.flicker').click()")
    seen = set()
    for _ in range(30):
        seen.add(tab.js("getComputedStyle(document.querySelector('.over')).visibility"))
        time.sleep(0.06)
    assert seen == {"visible", "hidden"}
    tab.js("document.querySelector('.flicker').click()")
    assert tab.js("document.querySelector('.compare').className") == "compare"
    before = tab.js("document.querySelector('.over').src")
    tab.js("document.querySelector('.pixels').click()")
    assert tab.js("document.querySelector('.over').src") != before
    assert tab.js("getComputedStyle(document.querySelector('.over')).imageRendering") == "pixelated"
    tab.js("document.querySelector('.swap[data-name=HR]').click()")
    assert tab.js("document.querySelector('.side.right').textContent") == "HR"
    assert tab.said == []


@pytest.fixture(scope="module")
def folder(certified, tmp_path_factory):
    return build_report(certified, tmp_path_factory.mktemp("pair pages") / "100% #1?").parent


def page_url(folder, key):
    return (folder / page_name(key)).as_uri()


@pytest.mark.parametrize("width", [400, 1280])
def test_every_page_loads_whole_and_fits(tab, folder, width):
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) == 6
    for page in pages:
        tab.open(page.as_uri(), width)
        assert tab.whole(), page
        assert tab.js("document.documentElement.scrollWidth") <= width, page
    assert tab.said == []


def test_zoom_by_buttons_and_keys_keeps_the_middle(tab, folder):
    tab.open(page_url(folder, "plain"), 700)
    stage = "document.querySelector('.stage').getBoundingClientRect().width"
    assert tab.js(stage) == 932
    middle = (
        "(() => { const v = document.querySelector('.viewport'), s = document.querySelector('.stage');"
        " const r = s.getBoundingClientRect();"
        " return (v.getBoundingClientRect().left + v.clientWidth / 2 - r.left) / r.width; })()"
    )
    assert tab.js(middle) == pytest.approx(0.5, abs=0.01)
    for percent in (200, 400, 50, 25, 100):
        tab.js(f"[...document.querySelectorAll('.zoom')].find(b => b.textContent === '{percent} %').click()")
        assert tab.js(stage) == pytest.approx(932 * percent / 100, abs=0.02)
        pressed = "[...document.querySelectorAll('.zoom[aria-pressed=true]')].map(b => b.textContent)"
        assert tab.js(pressed) == [f"{percent} %"]
        assert tab.js(middle) == pytest.approx(0.5, abs=0.01)
    tab.press("+")
    assert tab.js(stage) == 1864
    tab.press("-")
    tab.press("-")
    assert tab.js(stage) == 466
    tab.press("0")
    assert tab.js(stage) <= tab.js("document.querySelector('.viewport').clientWidth") + 0.5
    tab.press("1")
    assert tab.js(stage) == 932
    assert tab.said == []


def test_the_divider_follows_slider_handle_and_panning(tab, folder):
    tab.open(page_url(folder, "plain"), 700)
    # Where the cut of the LR layer lies in the window, and where the handle is drawn.
    cut = (
        "document.querySelector('.stage').getBoundingClientRect().left"
        " + parseFloat(document.querySelector('.stage').style.getPropertyValue('--cut'))"
    )
    handle = "(r => r.left + r.width / 2)(document.querySelector('.handle').getBoundingClientRect())"
    seen = tab.js(
        "(r => [r.left, r.top, r.width, r.height])(document.querySelector('.viewport').getBoundingClientRect())"
    )
    first = tab.js(cut)
    assert first == pytest.approx(tab.js(handle), abs=1)
    tab.js("document.querySelector('.viewer .slider').focus()")
    tab.press("ArrowRight", 39)
    assert tab.js("document.querySelector('.viewer .slider').value") == "50.5"
    assert tab.js(cut) > first + 1
    tab.js("document.querySelector('.viewport').scrollTo(40, 10)")
    tab.frame()
    before = tab.js(cut)
    tab.drag((seen[0] + 300, seen[1] + 60), (seen[0] + 250, seen[1] + 40))  # pan by the mouse
    tab.frame()
    assert tab.js("document.querySelector('.viewport').scrollLeft") == 90
    assert tab.js("document.querySelector('.viewport').scrollTop") == 30
    assert tab.js(cut) == pytest.approx(before, abs=0.5)
    tab.drag((tab.js(handle), seen[1] + 50), (seen[0] + 0.25 * seen[2], seen[1] + 50))
    assert 22 <= float(tab.js("document.querySelector('.viewer .slider').value")) <= 28
    assert tab.js(cut) == pytest.approx(tab.js(handle), abs=1)
    assert tab.js(cut) == pytest.approx(seen[0] + 0.25 * seen[2], abs=8)
    assert tab.said == []


def test_the_pair_flickers_and_shows_pixels_and_errors(tab, folder):
    tab.open(page_url(folder, "plain"), 1280)
    shown = "getComputedStyle(document.querySelector('.layer.smooth')).visibility"
    tab.js("document.querySelector('.viewport').focus()")
    tab.press("f")
    seen = set()
    for _ in range(30):
        seen.add(tab.js(shown))
        time.sleep(0.06)
    assert seen == {"visible", "hidden"}
    tab.press("f")
    assert tab.js(shown) == "visible"
    display = "getComputedStyle(document.querySelector('.layer.{}')).display"
    assert [tab.js(display.format(n)) for n in ("smooth", "exact", "hr", "error")] == [
        "block",
        "none",
        "block",
        "none",
    ]
    tab.press("p")
    tab.press("e")
    assert [tab.js(display.format(n)) for n in ("smooth", "exact", "hr", "error")] == [
        "none",
        "block",
        "none",
        "block",
    ]
    assert tab.js("[...document.querySelectorAll('.frame .side')].map(s => s.textContent)") == [
        "LR, pixels",
        "error map",
    ]
    assert tab.said == []


def test_layers_lie_on_each_other(tab, folder):
    tab.open(page_url(folder, "plain"), 1280)
    box = "(r => [r.left, r.top, r.right, r.bottom])(document.querySelector('.layer.{} img').getBoundingClientRect())"
    boxes = [tab.js(box.format(name)) for name in ("hr", "smooth")]
    tab.press("p")
    tab.press("e")
    boxes += [tab.js(box.format(name)) for name in ("exact", "error")]
    for one in boxes[1:]:
        assert one == pytest.approx(boxes[0], abs=0.1)


def test_arrows_are_as_many_as_tiles_and_lie_where_they_should(tab, folder, known):
    tab.open(page_url(folder, known.awkward), 1280)
    assert tab.js("document.querySelectorAll('.quiver .set.tiles .arrow').length") == known.tiles
    assert tab.js("document.querySelectorAll('.quiver .set.blind .arrow').length") == known.tiles // 2
    display = "['tiles', 'blind'].map(n => getComputedStyle(document.querySelector('.set.' + n)).display)"
    assert tab.js(display) == ["inline", "none"]
    tab.js("for (const b of document.querySelectorAll('.quiver .toggle')) b.click()")
    assert tab.js(display) == ["none", "inline"]
    boxes = tab.js(
        "['img', 'svg'].map(n => document.querySelector('.quiver .plate ' + n).getBoundingClientRect())"
        ".map(r => [r.left, r.top, r.width, r.height])"
    )
    assert boxes[1] == pytest.approx(boxes[0], abs=1)
    key, plate = tab.js(
        "['.keybar', '.quiver .plate'].map(n => document.querySelector(n).getBoundingClientRect().width)"
    )
    share = float(tab.js("document.querySelector('.keybar').getAttribute('style').match(/[*] ([0-9.]+)/)[1]"))
    assert key == pytest.approx(plate * share / 100, rel=0.02)
    assert tab.said == []


def test_the_table_sorts_by_keyboard_and_filters(tab, folder, known):
    tab.open((folder / "index.html").as_uri(), 1280)
    column = "[...document.querySelectorAll('.sortable tbody tr')].filter(r => !r.hidden).map(r => r.cells[3].textContent)"
    heads = tab.js("[...document.querySelectorAll('.sortable th')].map(h => h.textContent)")
    assert heads[3] == "stated, LR px"
    tab.js("document.querySelectorAll('.sortable .sort')[3].focus()")
    tab.press(" ", 32)
    up = sorted(f"{error:.4f}" for error in known.stated)
    assert tab.js(column) == [*up, "", "", "", ""]
    tab.press(" ", 32)
    assert tab.js(column) == [*up[::-1], "", "", "", ""]
    assert tab.js("document.querySelectorAll('.sortable th')[3].getAttribute('aria-sort')") == "descending"
    tab.js(
        "document.querySelector('.find').value = 'REJECTED 17'; document.querySelector('.find').dispatchEvent(new Event('input'))"
    )
    assert tab.js(
        "[...document.querySelectorAll('.sortable tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].firstChild.textContent)"
    ) == ["moved 17"]
    assert tab.js("document.querySelector('.found').textContent") == "1 of 7"
    assert tab.said == []


def test_links_lead_from_the_overview_to_the_pair_and_back(tab, folder, known):
    tab.open((folder / "index.html").as_uri(), 1280)
    tab.js(
        f"[...document.querySelectorAll('.sortable a')].find(a => a.textContent === {json.dumps(known.awkward)}).click()"
    )
    tab.until("document.querySelector('.viewer') !== null")
    assert tab.js("document.querySelector('h1').textContent.trim()") == known.awkward
    tab.js("document.querySelector('nav a').click()")
    tab.until("document.querySelector('.sortable') !== null")
    assert tab.js("location.href") == (folder / "index.html").as_uri()


@pytest.mark.parametrize("width", [400, 1280])
def test_a_degraded_set_loads_whole_fits_and_tells_all_steps(tab, degraded, tmp_path, width):
    index = build_report(degraded, tmp_path / "100% #1?", limit=3)
    for page in (index, *sorted(index.parent.rglob("pairs/*.html"))):
        tab.open(page.as_uri(), width)
        assert tab.whole(), page
        assert tab.js("document.documentElement.scrollWidth") <= width, page
    tab.open(index.as_uri(), width)
    for place, most in ((".pair", 4), (".sample", 10)):
        shown = f"document.querySelector('{place} .short').getClientRects().length"
        height = f"document.querySelector('{place} .short').getBoundingClientRect().height"
        line = f"parseFloat(getComputedStyle(document.querySelector('{place} .short')).lineHeight)"
        assert 0 < tab.js(height) <= (most + 0.1) * tab.js(line)
        tab.js(f"document.querySelector('{place} summary').focus()")
        tab.press(" ", 32)
        assert tab.js(shown) == 0
        steps = (
            f"[...document.querySelectorAll('{place}:first-child li')].map(s => s.getClientRects().length)"
        )
        assert all(tab.js(steps))
        tab.press(" ", 32)
        assert tab.js(shown) > 0
    assert tab.said == []


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("kind", ["kernel", "noise"])
def test_a_pool_loads_whole_and_fits(tab, tmp_path, kind, width):
    rng = np.random.default_rng(0)
    names = tuple(f"{'long_' * 12}{i}" for i in range(110))
    if kind == "kernel":
        kernels = [gaussian(21, *sigmas) for sigmas in rng.uniform(1, 3, (110, 2))]
        KernelPool(names, tuple(kernels), {"kernels": {names[0]: {"confidence": 1}}}).save(tmp_path / "p.npz")
    else:
        patches = rng.normal(0, 0.02, (110, 40, 40, 3)).astype(np.float32)
        about = {"patches": {name: {"level": [9 + i, 20, 30]} for i, name in enumerate(names)}}
        NoisePool(names, tuple(patches), about).save(tmp_path / "p.npz")
    page = build_pool_report(tmp_path / "p.npz", tmp_path / "out")
    tab.open(page.as_uri(), width)
    assert tab.whole()
    assert tab.js("document.querySelectorAll('.sample').length") == (96 if kind == "kernel" else 60)
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.said == []
