"""The report in a real browser, from disk: it moves, it flickers, it says nothing on the console."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time

import pytest

from realdeg.report.page import build_report

BROWSER = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]


class Tab:
    """One tab, driven through the DevTools protocol on a loopback port."""

    def __init__(self, port):
        websocket = pytest.importorskip("websocket")
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as reply:
            pages = [page for page in json.load(reply) if page["type"] == "page"]
        self.socket = websocket.create_connection(
            pages[0]["webSocketDebuggerUrl"], timeout=20, suppress_origin=True
        )
        self.numbers, self.said = itertools.count(1), []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") in (
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
                "Log.entryAdded",
            ):
                self.said.append(message)

    def js(self, code):
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url, width):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.call("Page.navigate", url=url)
        for _ in range(100):
            if self.js("document.readyState") == "complete" and self.js("location.href") != "about:blank":
                return
            time.sleep(0.05)
        raise AssertionError("the page did not load")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if BROWSER is None:
        pytest.skip("no chromium on this machine; the report was not opened in a browser")
    profile = tmp_path_factory.mktemp("profile")
    process = subprocess.Popen(
        [BROWSER, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        for _ in range(200):
            if port_file.is_file() and port_file.read_text().strip():
                break
            time.sleep(0.1)
        else:
            pytest.skip("chromium did not start here; the report was not opened in a browser")
        yield Tab(int(port_file.read_text().split()[0]))
    finally:
        process.kill()
        process.wait()


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
