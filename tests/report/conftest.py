"""Small datasets with known numbers, a run on one of them, and a browser."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from realdeg.io.save import write_image
from realdeg.layout import pair_paths
from realdeg.records import PairRecord, write_manifest

ERRORS = [0.05, 0.11, 0.12, 0.31]
STRANGE = 'b <script>alert("x")</script> & ü'
AWKWARD = "deep/100% #1?ü ö&amp;"
STATED = {"plain": 0.012, AWKWARD: 0.031, "torn": 0.02}
BLIND = {"plain": 0.018, AWKWARD: 0.027, "torn": 0.05}
ROWS, COLUMNS = 4, 6
UNTOUCHED = np.full((87, 116, 3), (200, 40, 40), np.uint8)
CORRECTED = {
    "method": "auto",
    "model": "curve and matrix",
    "refused_models": {"curve, vignetting": "worse where colours are about (9, 8, 7) <b>"},
    "matrix": [[1.1, -0.05, 0.0], [0.02, 0.9, 0.04], [0.0, -0.2, 1.25]],
    "vignetting": {"used": False, "corner_gain": 1.0, "log_gain": [0.0] * 6},
    "before_8bit": 6.44,
    "rms_8bit": 2.1,
    "unexplained_8bit": 1.84,
    "range": [[0.01, 0.93]] * 3,
    "beyond_range": 0.034,
    "clipped": 0.0392,
    "changed": 0.0041,
    "clusters": [
        {"rgb": [152, 112, 83], "share": 0.18054, "before_8bit": 6.5489, "after_8bit": 0.217},
        {"rgb": [9, 8, 7], "share": 0.0123, "before_8bit": None, "after_8bit": None},
    ],
}


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """As written before there were certificates."""
    out = tmp_path_factory.mktemp("report") / "my pairs"
    records = []
    for key, error in zip(["a", STRANGE.replace("/", ""), "c", "deep/d"], ERRORS, strict=True):
        detail = {"error_lr_px": error, "zoom": 1.98, "brightness_rms_8bit": 2.5}
        records.append(pair(out, key.replace("/script", "script"), 2, detail))
    source = out / "source.png"
    write_image(source, np.full((300, 400, 3), 128, np.uint8))
    reason = "no common scene found; use <texture>"
    records.append(PairRecord("wall", "rejected", reason, source_lr=str(source), source_hr="/gone.png"))
    records.append(PairRecord("broken", "failed", "broken.jpg: ends after 3 kB"))
    write_manifest(out, records)
    return out


@pytest.fixture(scope="session")
def known():
    """What the certified dataset was made from."""
    return SimpleNamespace(
        awkward=AWKWARD, stated=list(STATED.values()), blind=list(BLIND.values()), tiles=ROWS * COLUMNS
    )


@pytest.fixture(scope="session")
def certified(tmp_path_factory):
    """With certificates: two whole ones, a torn one, one of a refused pair, and pairs of awkward names."""
    out = tmp_path_factory.mktemp("certified") / "set #1"
    records = []
    for key in ("plain", AWKWARD, "torn"):
        detail = {
            "error_lr_px": STATED[key],
            "error_hr_px": 4 * STATED[key],
            "residual_lr_px": BLIND[key],
            "disagreeing": 0.04,
            "zoom": 3.98,
            "brightness_rms_8bit": 2.1,
        }
        records.append(pair(out, key, 4, detail, side=700 if key == "plain" else 160))
        told = certificate(key, (175, 233) if key == "plain" else (40, 53))
        if key == "plain":  # the others as they were before models were chosen
            told["brightness"] |= CORRECTED
            write_image(out / "certificates" / "plain.webp", UNTOUCHED)
        text = json.dumps(told)
        path = out / "certificates" / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text[:-40] if key == "torn" else text)
    records.append(pair(out, "bare", 4, {"kernel": "k/7.npy"}))
    source = out / "wide" / "moved.png"
    write_image(source, scene(220, 300))
    for number in (42, 17):
        reason = (
            f"{number}% of the image contradicts the common motion (limit 5%); parallax or something moved"
        )
        key = f"moved {number}"
        records.append(PairRecord(key, "rejected", reason, "", "", 4, source_lr=str(source)))
    refused = certificate("moved 42", (200, 260)) | {"status": "rejected", "lr_crop": [10, 5, 260, 200]}
    (out / "certificates" / "moved 42.json").write_text(json.dumps(refused))
    records.append(PairRecord("broken", "failed", "broken.jpg: ends after 3 kB"))
    write_manifest(out, records)
    return out


def scene(height, width):
    noise = np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def pair(out, key, scale, detail, side=120):
    hr = scene(side // scale * scale, side * 4 // 3 // scale * scale)
    lr = cv2.resize(hr, (hr.shape[1] // scale, hr.shape[0] // scale), interpolation=cv2.INTER_AREA)
    to_lr, to_hr = pair_paths(key)
    write_image(out / to_hr, hr)
    write_image(out / to_lr, lr)
    return PairRecord(key, "ok", "", to_lr, to_hr, scale, key, "test", "registration", detail=detail)


def certificate(key, size_hw):
    """A whole certificate: tiles with a slow swirl; the first is weak, the second disagrees, the third is unknown."""
    height, width = size_hw
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].reshape(2, -1) + 0.5
    x, y = x / COLUMNS * width, y / ROWS * height
    dx, dy = 0.01 * np.sin(y / 30), 0.008 * np.cos(x / 40)
    dx[1], dy[1] = 0.4, -0.3
    state = ["weak", "disagrees"] + ["ok"] * (ROWS * COLUMNS - 2)
    photo = {
        "path": f"/photos/{key}.jpg",
        "size_hw": [3000, 4000],
        "camera": "Maker Model <1>",
        "focal_mm": 28.0,
        "focal_35mm": 28.0,
        "iso": 100,
        "taken": "2024-05-01T10:00:00",
        "profile": "sRGB",
        "orientation": 1,
    }
    levels = [i / 16 for i in range(17)]
    return {
        "schema": 1,
        "key": key,
        "status": "ok",
        "reason": "",
        "scale": 4,
        "recipe": "realdeg",
        "lr": photo,
        "hr": photo | {"focal_mm": 112.0, "focal_35mm": None, "profile": "Adobe RGB"},
        "lr_crop": [120, 90, width, height],
        "hr_crop": [30, 24, 4 * width, 4 * height],
        "field": 0.913,
        "map": {
            "homography": [3.98, 0.01, -470.2, -0.012, 3.981, -350.7, 1.2e-6, -2.3e-6, 1.0],
            "lens": {"model": "radial", "terms": {"radial_lr": 0.0123}, "largest_lr_px": 1.2},
        },
        "zoom": {"measured": 3.98, "nominal": 4, "exif": 4.1},
        "error": {"p95_lr_px": 0.012, "p95_hr_px": 0.048, "sd_lr_px": 0.006},
        "tiles": {
            "grid_hw": [ROWS, COLUMNS],
            "x": x.tolist(),
            "y": y.tolist(),
            "dx": [None if i == 2 else value for i, value in enumerate(dx.tolist())],
            "dy": dy.tolist(),
            "sd": [0.004] * len(x),
            "state": state,
        },
        "blind": {
            "method": "phase correlation",
            "p95_lr_px": 0.018,
            "median_lr_px": 0.009,
            "mean_x": 0.001,
            "mean_y": -0.002,
            "x": x[::2].tolist(),
            "y": y[::2].tolist(),
            "dx": (dx[::2] + 0.004).tolist(),
            "dy": (dy[::2] - 0.003).tolist(),
            "sd": [0.006] * len(x[::2]),
        },
        "brightness": {
            "method": "curve",
            "adjusted": "hr",
            "levels": levels,
            "curves": [[level**gamma for level in levels] for gamma in (0.9, 1.0, 1.12)],
            "vignetting": {"corner_gain": 0.93},
            "rms_8bit": 2.1,
        },
        "psf": {"sigma_major_lr_px": 0.55, "sigma_minor_lr_px": 0.48, "angle_deg": 12.0},
        "mask": {"path": f"MASK/{key}.png", "valid": 0.93},
        "versions": {"realdeg": "0.1.0", "opencv": "4.11"},
    }


@pytest.fixture(scope="session")
def run(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    (out / "metrics.csv").write_text("step,L2_D,T_D,L2_C\n10,0.01,1e-4,0.004\n20,0.005,8e-5,0.002\n")
    (out / "validation.csv").write_text("step,psnr_y,psnr_y_bicubic\n10,29.0,28.0\n20,29.5,28.0\n")
    (out / "run.yaml").write_text("width: 16\n")
    (out / "evaluation" / "SR").mkdir(parents=True)
    rows = ["key,psnr_y_bicubic,psnr_y,ssim_y_bicubic,ssim_y"]
    for key, model in (("a", 30.0), ("c", 27.0)):
        rows.append(f"{key},28.0,{model},0.8,0.85")
        write_image(
            out / "evaluation" / "SR" / f"{key}.png",
            cv2.imread(str(dataset / "HR" / f"{key}.png"))[..., ::-1].copy(),
        )
    (out / "evaluation" / "table.csv").write_text("\n".join(rows) + "\n")
    (out / "evaluation" / "summary.json").write_text('{"split": "test"}')
    return out


RECIPE = """
name = "all & <sundry>, for a test"
about = "Blur, <i>noise</i> & JPEG."
source = "nowhere"
steps = [
    { op = "shuffle", steps = [
        { op = "blur", kind = ["isotropic", "sinc"], sigma = [0.5, 2] },
        { op = "noise", law = ["gaussian", "poisson"], channels = ["grey", "correlated"], photons = { log10 = [1, 4] } },
    ] },
    { op = "reduce", kind = "pool" },
    { op = "codec", quality = { integers = [30, 95] }, prob = 0.7 },
    { op = "sharpen" },
]
"""


@pytest.fixture(scope="session")
def degraded(tmp_path_factory):
    """Made by a recipe with every sort of draw, of images and kernels with awkward names."""
    from realdeg.degrade.folder import degrade_folder
    from realdeg.degrade.settings import DegradeSettings
    from realdeg.imaging.kernels import gaussian

    place = tmp_path_factory.mktemp("degraded")
    for i in range(9):
        write_image(place / "clean" / f"{i} <b>, & ü.png", scene(96 + i, 128))
    np.savez(place / "k.npz", **{"k <1>, &": gaussian(13, 1.2), "k2": gaussian(15, 2.0)})
    (place / "r.toml").write_text(RECIPE)
    settings = DegradeSettings(4, kernel_pool=place / "k.npz", recipe=str(place / "r.toml"))
    degrade_folder(place / "clean", place / "set", settings)
    return place / "set"


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


class Navigated(Exception):
    """A link was followed while the page was being asked."""


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
                if "navigated" in message.get("error", {}).get("message", ""):
                    raise Navigated
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
        self.until("location.href !== 'about:blank'")

    def until(self, code):
        """Wait until a page has loaded of which `code` is true."""
        for _ in range(200):
            with contextlib.suppress(Navigated):
                if self.js(f"document.readyState === 'complete' && {code}"):
                    return
            time.sleep(0.05)
        raise AssertionError(f"no page came of which {code}")

    def press(self, key, code=0):
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **({"text": key} if len(key) == 1 and kind == "keyDown" else {}),
            )

    def frame(self):
        """Let the page handle what a script has scrolled."""
        self.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def drag(self, start, end):
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def whole(self):
        """Whether every picture of the page, also those out of sight, has been decoded."""
        return self.js(
            "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode(); }))"
            ".then(all => all.length > 0 && [...document.images].every(i => i.naturalWidth > 0))"
        )


@pytest.fixture(scope="session")
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
