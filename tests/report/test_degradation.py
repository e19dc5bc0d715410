"""Truth: the plans in the manifest, counted here by other means; NumPy's histogram."""

import json
import math
import re
import shutil
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from realdeg.io.photo import read
from realdeg.records import read_manifest, write_manifest
from realdeg.report.bins import bins_of
from realdeg.report.charts import bars
from realdeg.report.drawn import tally
from realdeg.report.folder import page_name
from realdeg.report.page import build_report
from realdeg.report.plans import read_plan


class Page(HTMLParser):
    """The text of a page, and its tags; all of them closed."""

    VOID = {"meta", "link", "img", "input", "br", "hr"}

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        assert not self.open
        self.text = " ".join(part.strip() for part in self.texts if part.strip())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def charts(html):
    """Counts by a chart's label, from what its bars say when pointed at."""
    found = {}
    for label, inside in re.findall(r'<svg class="chart"[^>]*aria-label="([^"]*)">(.*?)</svg>', html, re.S):
        found[unescape(label)] = [
            (unescape(name), int(n)) for name, n in re.findall(r"<title>(.*?): (\d+)</title>", inside)
        ]
    return found


def plans(dataset):
    return [json.loads(record.detail["plan"])["steps"] for record in read_manifest(dataset)]


@pytest.fixture(scope="module")
def report(degraded, tmp_path_factory):
    return build_report(degraded, tmp_path_factory.mktemp("degradation"))


@pytest.fixture(scope="module")
def page(report):
    return Page(report)


def test_histograms_count_every_draw_of_every_row(degraded, tmp_path):
    drawn = charts(Page(build_report(degraded, tmp_path, limit=1)).html)  # also of those without pictures
    steps = [step for plan in plans(degraded) for step in plan]
    values = {
        "blur: sigma, px": [s["sigma"] for s in steps if "sigma" in s],
        "blur: size, px": [s["size"] for s in steps if s["op"] == "blur"],
        "blur: cutoff, rad/px": [s["cutoff"] for s in steps if "cutoff" in s],
        "Gaussian noise: sigma, levels": [s["sigma_8bit"] for s in steps if "sigma_8bit" in s],
        "Gaussian noise, correlated: sigma, levels": [
            math.sqrt(s["covariance"][i]) for s in steps if "covariance" in s for i in (0, 4, 8)
        ],
        "Poisson noise: photons at white": [s["photons"] for s in steps if "photons" in s],
        "JPEG: quality": [s["quality"] for s in steps if "quality" in s],
    }
    for label, known in values.items():
        if len(set(known)) > 1:
            assert sum(n for _, n in drawn[f"Histogram of {label}: {len(known)} values"]) == len(known)
    assert sum(len(set(known)) > 1 for known in values.values()) >= 5
    assert len([label for label in drawn if label.startswith("Histogram")]) == sum(
        len(set(known)) > 1 for known in values.values()
    )


def test_bars_count_every_name(degraded, page):
    drawn = {label.split(":")[0]: counts for label, counts in charts(page.html).items()}
    steps = [step for plan in plans(degraded) for step in plan]
    known = {
        "kind of blur": Counter(
            "kernel of the pool" if s["kind"] == "pool" else s["kind"] for s in steps if "kind" in s
        ),
        "kernels drawn": Counter(s["kernel"] for s in steps if "kernel" in s),
        "noise": Counter(
            {"gaussian": "Gaussian", "poisson": "Poisson"}[s["law"]] for s in steps if "law" in s
        ),
        "channels of the noise": Counter(s["channels"] for s in steps if "channels" in s),
    }
    for what, counts in known.items():
        assert dict(drawn[what]) == counts, what
    words = {"codec": "JPEG"}
    orders = Counter(" → ".join(words.get(s["op"], s["op"]) for s in plan) for plan in plans(degraded))
    assert dict(drawn["order of the steps"]) == dict(orders)
    assert "The same in every draw: sharpen radius 51 px" in page.text


def test_what_was_drawn_stands_under_each_card_and_sample(degraded, page):
    for record in read_manifest(degraded):
        told = read_plan(record).described
        assert len(told) == len(json.loads(record.detail["plan"])["steps"])
        for text in told:
            assert page.texts.count(text) >= 2  # in the lists of the card and the sample
    assert "Captions leave out the steps that all images have: sharpen 0.5, radius 51 px" in page.text


def test_samples_are_lr_without_loss(degraded, report, page):
    files = re.findall(r'<figure class="sample"><img src="([^"]*)" alt="LR of ([^"]*)"', page.html)
    assert len(files) == 9
    for file, key in files:
        lr = read(degraded / "LR" / f"{unescape(key)}.png").pixels
        np.testing.assert_array_equal(read(report.parent / file).pixels, lr)


def test_names_are_text_not_markup(page, report):
    for words in ("all & <sundry>, for a test", "Blur, <i>noise</i> & JPEG.", "k <1>, &", "3 <b>, & ü"):
        assert words in page.text
    assert not any(tag in ("i", "sundry", "1") for tag, _ in page.tags)
    one = Page(report.parent / page_name("3 <b>, & ü"))
    assert "3 <b>, & ü" in one.text
    assert "by 4, kernel k/k" in one.text


def test_a_pairs_page_has_the_plan_as_a_table(degraded, report):
    for record in read_manifest(degraded):
        one = Page(report.parent / page_name(record.key))
        rows = re.findall(r"<tr><td>(\d+)</td>(.*?)</tr>", one.html.split('class="steps"')[1], re.S)
        plan = json.loads(record.detail["plan"])["steps"]
        assert [int(number) for number, _ in rows] == list(range(1, len(plan) + 1))
        for (_, cells), step in zip(rows, plan, strict=True):
            for name, value in step.items():
                if name != "op":  # every number as it is
                    text = value if isinstance(value, str) else json.dumps(value)
                    assert f"{name} {text}" in unescape(cells)
        height, width = read(degraded / record.lr).pixels.shape[:2]
        assert [f"<td>{width} x {height}</td>" in cells for _, cells in rows].count(True) == 1


def test_the_recipe_is_told_where_its_file_is_there(degraded, page, tmp_path):
    digest = read_manifest(degraded)[0].detail["recipe_sha"]
    assert f"all & <sundry>, for a test {digest} 9 images" in page.text
    assert "nowhere" in page.text
    copy = tmp_path / "copy"
    shutil.copytree(degraded, copy)
    (copy / "recipe.toml").write_text("steps = 3")
    broken = Page(build_report(copy, tmp_path / "broken")).text
    assert "recipe.toml is not used: steps: a list of operations is meant" in broken
    (copy / "recipe.toml").write_text('about = "Another."\nsteps = [{ op = "resize" }]')
    assert "Another." not in Page(build_report(copy, tmp_path / "other")).text
    (copy / "recipe.toml").unlink()
    assert digest in Page(build_report(copy, tmp_path / "none")).text


@pytest.mark.parametrize(
    "plan",
    [
        "{",
        "3",
        "[]",
        "[3]",
        '[{"op": 3}]',
        '[{"op": "blur"}]',
        '[{"op": "<b>dream</b>"}]',
        '[{"op": "codec", "format": "jpeg", "quality": NaN}]',
        '[{"op": "codec", "format": "jpeg", "quality": 1e999}]',
        f'[{{"op": "codec", "format": "jpeg", "quality": 50, "key": {"9" * 400}}}]',
        '[{"op": "resize", "method": "area", "size": [0, 0]}]',
        '[{"op": "reduce", "kind": "isotropic", "size": 9, "sigma": 1, "factor": 900}, {"op": "clip"}]',
        "[" * 60_000,
    ],
)
def test_a_damaged_plan_is_said_and_the_others_are_counted(plan, degraded, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(degraded, copy)
    records = read_manifest(degraded)
    first = records[0]
    write_manifest(copy, [replace(first, detail={**first.detail, "plan": plan}), *records[1:]])
    out = build_report(copy, limit=2)
    page = Page(out)
    if "reduce" in plan:  # fits no image of this size, which only the pair's page can know
        assert "Plan not used" in Page(out.parent / page_name(first.key)).text
        return
    assert page.text.count("Plan not used: it is damaged in manifest.csv") == 2  # card and sample
    assert f"The plan of {first.key} is damaged and not counted" in page.text
    assert "over 8 images" in page.text
    assert "Plan not used" in Page(out.parent / page_name(first.key)).text
    assert "Traceback" not in page.text


def test_datasets_without_plans_are_as_before(degraded, certified, tmp_path):
    assert "How LR was made" not in Page(build_report(certified, tmp_path / "a")).text
    copy = tmp_path / "copy"
    shutil.copytree(degraded, copy)
    old = [replace(r, detail={"kernel": "k/7", "noise": "n & 3"}) for r in read_manifest(degraded)]
    write_manifest(copy, old)
    page = Page(build_report(copy))
    assert "How LR was made" not in page.text
    assert "x4, kernel k/7, noise n & 3" in page.text


def test_the_same_input_gives_the_same_folder(degraded, report, tmp_path):
    again = build_report(degraded, tmp_path).parent
    files = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert files == {
        p.relative_to(report.parent): p.read_bytes() for p in report.parent.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (np.random.default_rng(0).uniform(0.2, 3, 500), False),
        (10 ** np.random.default_rng(1).uniform(-7, -4, 500), True),
        (10 ** np.random.default_rng(2).uniform(1, 4, 300), True),
        (np.random.default_rng(3).integers(30, 96, 400), False),
        (np.random.default_rng(4).integers(3, 11, 50) * 2 + 1, False),
        (np.array([0.0, 1e9]), False),
        (np.array([1e-9, 1.0, 1e9]), True),
        (np.array([-180.0, 179.9]), False),
        (np.array([0.1, 0.1 + 1e-11]), False),
        (np.array([5e-324, 1.0]), False),
        (np.array([1e9 - 1, 1e9]), False),
    ],
)
def test_bins_hold_every_value(values, log):
    bins = bins_of(values.tolist())
    assert sum(bins.counts) == len(values)
    assert len(bins.counts) == len(bins.names) == len(bins.edges) - 1 <= 45
    assert bins.log == log
    assert (np.diff(bins.edges) >= 0).all()
    if np.diff(bins.edges).min() > 0 and (values.min() >= bins.edges[0]) and values.max() <= bins.edges[-1]:
        assert bins.counts == np.histogram(values, bins=np.array(bins.edges))[0].tolist()


def test_whole_numbers_stand_in_bins_of_their_own():
    bins = bins_of([7, 9, 9, 13])
    assert list(zip(bins.names, bins.counts, strict=True)) == [("7", 1), ("9", 2), ("11", 0), ("13", 1)]
    assert bins.edges == [6, 8, 10, 12, 14]


def test_bars_escape_and_wrap_long_names():
    long = "a" * 300
    svg = bars([("<b> & c", 3), (long, 1)], 8, label='"x" <y>')
    assert "<b>" not in svg
    assert "&lt;b&gt; &amp; c" in svg
    assert "3 (38 %)" in svg
    assert max(len(line) for line in re.findall(r">([^<]*)</text>", svg)) <= 60


def test_a_tally_of_nothing_is_empty():
    made = tally([])
    assert (made.images, made.numbers, made.names, made.common) == (0, {}, {}, frozenset())
