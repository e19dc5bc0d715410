"""Truth: numbers that the fixture put in, NumPy's median, Python's HTML parser."""

import math
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from realdeg.errors import UserError
from realdeg.records import PairRecord, write_manifest
from realdeg.report.charts import Axis, curves, histogram, histogram_counts
from realdeg.report.page import build_report


class Page(HTMLParser):
    """What a page refers to, its text, and whether its tags match."""

    VOID = {"meta", "link", "img", "input", "br", "hr"}

    def __init__(self, text):
        super().__init__()
        self.links, self.texts, self.open, self.tags = [], [], [], []
        self.feed(text)
        assert not self.open, f"unclosed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [
            value
            for name, value in attrs
            if name in ("src", "href", "data-smooth", "data-pixels", "data-file")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"closing {tag}"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def page(dataset, run, tmp_path_factory):
    path = build_report(dataset, tmp_path_factory.mktemp("page"), run)
    return path, Page(path.read_text(encoding="utf-8"))


def cards(page):
    text = " ".join(part.strip() for part in page.texts if part.strip())
    return text


def test_every_picture_is_there_and_nothing_is_loaded_from_elsewhere(page):
    path, parsed = page
    files = [link for link in parsed.links if not link.startswith("data:")]
    assert len(files) > 10
    for link in files:
        assert "://" not in link
        assert (path.parent / link).stat().st_size > 100


def test_the_numbers_are_right(page):
    text = cards(page[1])
    assert "4 of 6 inputs became LR/HR pairs" in text
    assert "4 pairs kept scale x2 1 rejected 1 failed" in text
    assert f"{np.median([0.05, 0.11, 0.12, 0.31]):.3f} median residual" in text
    assert "largest 0.310" in text
    assert (
        "The model is 0.50 dB above bicubic over 2 pairs of the test split: 28.50 dB against 28.00 dB" in text
    )
    assert "+2.00" in text
    assert "-1.00" in text


def test_names_and_reasons_are_text_not_markup(page):
    path, parsed = page
    scripts = [attrs for tag, attrs in parsed.tags if tag == "script"]
    assert [attrs.get("src") for attrs in scripts] == ["compare.js", "table.js", "marks.js"]  # the page's own
    assert 'alert("x")' in cards(parsed)
    assert "use <texture>" in cards(parsed)


def test_refused_photos_are_shown_or_said_to_be_gone(page):
    text = cards(page[1])
    assert "HR photo cannot be shown" in text
    assert "no photo" in text
    assert any(attrs.get("alt") == "LR photo of wall" for tag, attrs in page[1].tags if tag == "img")


def test_the_same_input_gives_the_same_bytes(dataset, run, tmp_path):
    pages = [build_report(dataset, tmp_path / name, run).read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1]


def test_a_pair_whose_file_is_lost_becomes_a_row(dataset, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    (copy / "HR" / "a.png").unlink()
    text = cards(Page(build_report(copy).read_text(encoding="utf-8")))
    assert "a failed" in text
    assert "HR/a.png: is named by manifest.csv but missing" in text


def test_a_worse_model_is_said_to_be_worse(dataset, tmp_path):
    run = tmp_path / "run"
    (run / "evaluation").mkdir(parents=True)
    (run / "evaluation" / "table.csv").write_text("key,psnr_y_bicubic,psnr_y\na,28,27.5\n")
    assert "0.50 dB below bicubic" in cards(Page(build_report(dataset, tmp_path / "page", run).read_text()))


def test_an_empty_dataset_has_a_page(tmp_path):
    write_manifest(tmp_path, [PairRecord("x", "failed", "x.png: is empty")])
    text = cards(Page(build_report(tmp_path).read_text()))
    assert "0 of 1 inputs" in text
    assert "x.png: is empty" in text


def test_what_is_no_dataset_or_run_is_refused(dataset, tmp_path):
    with pytest.raises(UserError, match=r"is not a dataset: it has no manifest\.csv"):
        build_report(tmp_path)
    with pytest.raises(UserError, match="is not a run folder"):
        build_report(dataset, tmp_path / "out", tmp_path)


def test_histogram_counts_every_value():
    rng = np.random.default_rng(0)
    values = rng.exponential(0.1, 500).tolist()
    edges, counts = histogram_counts(values)
    assert counts == np.histogram(values, bins=np.array(edges))[0].tolist()
    assert sum(counts) == 500
    assert histogram(values, x_label="x", y_label="n").count("<rect") == sum(c > 0 for c in counts)


def test_axes_have_round_ticks_inside():
    for low, high in ((0, 0.61), (35.06, 37.62), (-3, 4), (0, 12345)):
        ticks = Axis(low, high).ticks()
        assert 3 <= len(ticks) <= 8
        assert all(low - 1e-9 <= t <= high + 1e-9 for t in ticks)
    assert Axis(3e-5, 0.2, log=True).ticks() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert Axis(0.01, 1, log=True).place(0.1) == pytest.approx(0.5)


def test_curves_leave_out_what_cannot_be_drawn():
    svg = curves(
        {"a": [(0, 1.0), (1, math.nan), (2, 0.1)], "b": [(0, -1.0)]}, x_label="s", y_label="y", log=True
    )
    assert svg.count("<polyline") == 1
    assert "nan" not in svg
    assert curves({}, x_label="s", y_label="y") == ""
