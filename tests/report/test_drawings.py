"""Truth: scikit-image's CIELAB, NumPy, flat images (whose bicubic is flat), and the arrows that were put in."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from skimage.color import rgb2lab

from realdeg.io.photo import read
from realdeg.report import layers
from realdeg.report.certificate import Arrow
from realdeg.report.charts import HEIGHT, LETTER, WIDTH, Point, named, scatter
from realdeg.report.colours import legend_stops, paint, table, top_for
from realdeg.report.folder import Folder, page_name
from realdeg.report.quiver import LONGEST, quiver

PATH = re.compile(r"M(-?[\d.]+) (-?[\d.]+)L(-?[\d.]+) (-?[\d.]+)M")


def test_a_larger_error_is_always_lighter():
    light = rgb2lab(table()[None] / 255)[0, :, 0]
    assert (np.diff(light) > 0).all()
    assert light[0] < 5
    assert light[-1] > 90
    quarters = np.diff(light[[0, 64, 128, 192, 255]])
    assert quarters.max() < 1.4 * quarters.min()


def test_the_scale_ends_where_its_legend_says():
    levels = np.array([[0.0, 4.0, 8.0, 100.0]], np.float32)
    assert (paint(levels, 8)[0, [0, 2, 3]] == table()[[0, 255, 255]]).all()
    assert (paint(levels, 8)[0, 1] == table()[127]).all()
    assert [top_for(np.full((9, 9), v)) for v in (0.0, 4.1, 300.0)] == [4, 8, 255]
    stops = legend_stops()
    assert (stops[0][0], stops[-1][0]) == (0, 100)
    assert stops[-1][1] == "#" + bytes(table()[255]).hex()


@pytest.mark.parametrize("dtypes", [(np.uint8, np.uint8), (np.uint16, np.uint8), (np.uint8, np.uint16)])
def test_flat_images_differ_by_what_was_put_in(dtypes):
    def flat(size, levels, dtype):
        return np.broadcast_to(np.array(levels) * (1 if dtype == np.uint8 else 257), (*size, 3)).astype(dtype)

    lr, hr = flat((5, 7), [130, 90, 100], dtypes[0]), flat((15, 21), [100, 105, 100], dtypes[1])
    np.testing.assert_allclose(layers.error_levels(lr, hr, 3), 15.0, atol=1e-4)


def test_tiles_make_up_the_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "TILE", 32)
    monkeypatch.setattr(layers, "MAP_SIDE", 20)
    rng = np.random.default_rng(0)
    lr = rng.integers(0, 256, (37, 70, 3)).astype(np.uint8)
    hr = rng.integers(0, 256, (74, 140, 3)).astype(np.uint8)
    folder = Folder(tmp_path)
    made = layers.full_layers(lr, hr, 2, folder, "a")
    seen = np.zeros_like(lr)
    for tile in made.pixels:
        part = read(tmp_path / tile.file).pixels
        top, left = round(tile.top / 100 * 37), round(tile.left / 100 * 70)
        assert part.shape[0] == round(tile.height / 100 * 37)
        seen[top : top + part.shape[0], left : left + part.shape[1]] = part
    assert (seen == lr).all()
    assert len(made.hr) == 3 * 5
    levels = layers.error_levels(lr, hr, 2)
    assert made.error.mean == pytest.approx(levels.mean())
    assert made.error.block == 4
    padded = np.full((40, 72), -1, np.float32)
    padded[:37, :70] = levels
    worst = padded.reshape(10, 4, 18, 4).max((1, 3))
    assert (read(tmp_path / made.error.file).pixels == paint(worst, made.error.top)).all()


def test_arrows_start_at_their_tile_and_are_enlarged_as_stated():
    rng = np.random.default_rng(1)
    tiles = [
        Arrow(x, y, *(0.02 * rng.standard_normal(2)), 0.004, "ok")
        for x in range(10, 100, 20)
        for y in (10, 30, 50)
    ]
    drawn = quiver(tiles, tiles[:4], (60, 100))
    groups = ElementTree.fromstring(drawn.svg)
    assert [g.get("class") for g in groups] == ["set tiles", "set blind"]
    assert [len(g) for g in groups] == [15, 4]
    spacing = math.sqrt(60 * 100 / 15)
    uncut = 0
    for arrow, mark in zip(tiles, groups[0], strict=True):
        found = PATH.search(mark.findall("path")[-1].get("d"))
        x, y, tip_x, tip_y = map(float, found.groups())
        assert (x, y) == (arrow.x, arrow.y)
        length = math.hypot(tip_x - x, tip_y - y)
        if arrow.length * drawn.factor < LONGEST * spacing:
            assert tip_x - x == pytest.approx(drawn.factor * arrow.dx, abs=0.02)
            assert tip_y - y == pytest.approx(drawn.factor * arrow.dy, abs=0.02)
            uncut += 1
        else:
            assert length == pytest.approx(LONGEST * spacing, abs=0.02)
        assert f"{arrow.dx:+.4f}, {arrow.dy:+.4f} LR px, sd 0.0040" in mark.find("title").text
    assert uncut >= 12
    assert drawn.key_share == pytest.approx(100 * drawn.key_px * drawn.factor / 100, abs=1e-3)


def test_a_tile_that_disagrees_has_a_shape_of_its_own():
    states = ("ok", "weak", "disagrees")
    drawn = quiver([Arrow(10.0 * i, 5, 0.1, 0.1, None, s) for i, s in enumerate(states)], [], (30, 40))
    marks = ElementTree.fromstring(drawn.svg)[0]
    assert [mark.get("class") for mark in marks] == [f"arrow {state}" for state in states]
    assert [mark.findall("path")[-1].get("d").endswith("Z") for mark in marks] == [False, False, True]
    assert (drawn.weak, drawn.disagreeing) == (1, 1)


def test_no_arrows_no_drawing():
    assert quiver([], [], (30, 40)) is None
    still = quiver([Arrow(5, 5, 0.0, 0.0, None, "ok"), Arrow(9, 9, None, None, None, "ok")], [], (30, 40))
    assert still.svg.count('class="arrow') == 2 + 1  # the drawing's own class is "arrows"


def test_equal_figures_lie_on_the_dashed_line():
    svg = scatter(
        [Point(0.01, 0.01, "a", "x.html"), Point(0.1, 0.1, "b"), Point(0, 1, "c")], x_label="s", y_label="b"
    )
    root = ElementTree.fromstring(svg)
    line = next(e for e in root.iter("line") if e.get("class") == "equal")
    x1, x2, y1, y2 = (float(line.get(name)) for name in ("x1", "x2", "y1", "y2"))
    marks = list(root.iter("circle"))
    assert len(marks) == 2
    for mark in marks:
        x, y = float(mark.get("cx")), float(mark.get("cy"))
        assert (x - x1) / (x2 - x1) == pytest.approx((y - y1) / (y2 - y1), abs=2e-3)
    assert [e.get("href") for e in root.iter("a")] == ["x.html"]


def test_pages_have_plain_names_of_their_own():
    keys = ["a/b", "a b", "a-b", "A/B", "ü #1?", "%20", "日本", "x" * 300, "..", "con"]
    names = [page_name(key) for key in keys]
    assert len({name.lower() for name in names}) == len(keys)
    assert all(re.fullmatch(r"pairs/[a-z0-9-]{1,48}-[0-9a-f]{10}\.html", name) for name in names)


def test_names_of_points_lie_over_nothing():
    rng = np.random.default_rng(0)
    crowd = [
        Point(float(x), float(y), f"method {i} & co") for i, (x, y) in enumerate(rng.normal(size=(60, 2)))
    ]
    mine = Point(1.2, 1.4, "mine")
    svg = ElementTree.fromstring(
        named({"s0": [*crowd, Point(math.inf, 1, "far")], "s1": [mine]}, x_label="x", y_label="y")
    )
    dots, names = svg.findall("circle"), [t for t in svg.findall("text") if t.get("class") == "name"]
    assert len(dots) == 61, "a point that is not finite is left out"
    assert "mine" in {t.text for t in names}, "the last group is written first"
    assert 10 < len(names) < 61
    boxes = []
    for t in names:
        width = LETTER * len(t.text)
        left = float(t.get("x")) - width * {"start": 0, "end": 1, "middle": 0.5}[t.get("text-anchor")]
        top = float(t.get("y")) - 9
        boxes.append((left, top, left + width, top + 11))
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert right <= WIDTH
        assert 0 <= top < bottom <= HEIGHT
        for other in boxes[:i]:
            assert (
                left >= other[2] - 0.2
                or right <= other[0] + 0.2
                or top >= other[3] - 0.2
                or bottom <= other[1] + 0.2
            )
        for dot in dots:
            x, y = float(dot.get("cx")), float(dot.get("cy"))
            assert not (left < x < right and top < y < bottom)


def test_points_stand_where_their_values_are():
    points = [Point(10, 0, "a"), Point(20, 5, "b"), Point(30, 10, "c")]
    svg = ElementTree.fromstring(named({"s0": points}, x_label="x", y_label="y"))
    dots = sorted(
        (float(d.get("cx")), float(d.get("cy")), d.find("title").text) for d in svg.findall("circle")
    )
    assert [d[2] for d in dots] == ["a: 10, 0", "b: 20, 5", "c: 30, 10"]
    assert dots[1][0] - dots[0][0] == pytest.approx(dots[2][0] - dots[1][0], abs=0.11)
    assert dots[0][1] - dots[1][1] == pytest.approx(dots[1][1] - dots[2][1], abs=0.11)
    assert named({"s0": []}, x_label="x", y_label="y") == ""
