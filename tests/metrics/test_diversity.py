"""Truth: scores of the NTIRE 2021 toolkit's formula (tests/golden/README.md), and what must hold for any maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from realdeg.metrics.diversity import Diversity, diversity, squared_error_map

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDS = json.loads((GOLDEN / "diversity.json").read_text())
MAPS = arrays(np.float64, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(0, 1))


@pytest.fixture(scope="module")
def stored():
    return dict(np.load(GOLDEN / "diversity_maps.npz"))


@pytest.mark.parametrize("record", RECORDS, ids=[r["key"] for r in RECORDS])
def test_scores_are_those_of_the_toolkit(stored, record):
    found = diversity(stored[record["key"]])
    assert found.global_best == pytest.approx(record["global_best"], rel=1e-6)
    assert found.local_best == pytest.approx(record["local_best_pixel"], rel=1e-6)
    assert found.mean == pytest.approx(record["mean"], rel=1e-6)
    assert found.score == pytest.approx(record["score"], rel=1e-6, abs=1e-9)
    if "per_sample_mean" in record:
        assert found.means == pytest.approx(record["per_sample_mean"], rel=1e-6)


def test_the_known_numbers(stored):
    scores = [round(diversity(stored[key]).score, 4) for key in ("map0", "map2", "map3")]
    assert scores == [76.2392, 51.4853, 0]


def test_squared_errors_are_those_of_the_stored_maps(stored):
    images = np.load(GOLDEN / "images.npz")
    names = ("noise5", "blur", "jpeg30", "bicx4")
    maps = [squared_error_map(images[f"sr_astro_{name}"], images["gt_astro"]) for name in names]
    np.testing.assert_allclose(maps, stored["sqerr_astro"], rtol=1e-6, atol=1e-12)


@given(MAPS)
def test_one_by_one_is_the_formula_over_all(maps):
    """The challenge's formula on the whole stack."""
    found = diversity(maps)
    best = maps.mean((1, 2)).min()
    local = maps.min(0).mean()
    assert found.score == pytest.approx(max(0, 100 * (best - local) / best) if best else 0, abs=1e-9)
    assert 0 <= found.score <= 100
    assert len(found.means) == len(maps)


@given(MAPS, st.floats(0.01, 100), st.randoms())
def test_neither_unit_nor_order_matter(maps, factor, random):
    maps = maps + 1e-3  # a product that is too small for a float is no matter of the score
    turned = list(maps)
    random.shuffle(turned)
    assert diversity(factor * np.array(turned)).score == pytest.approx(diversity(maps).score, abs=1e-6)


@given(MAPS)
def test_one_sample_or_the_same_again_is_no_diversity(maps):
    assert diversity(maps[:1]).score == 0
    assert diversity([maps[0]] * 5).score == pytest.approx(0, abs=1e-9)


@given(MAPS)
def test_a_further_sample_cannot_take_away_from_the_local_best(maps):
    meter, before = Diversity(), np.inf
    for one in maps:
        meter.add(one)
        assert meter.local_best <= before + 1e-12
        before = meter.local_best


def test_a_sample_that_is_hr_leaves_nothing_to_choose():
    maps = np.stack([np.zeros((3, 4)), np.ones((3, 4))])
    assert diversity(maps).score == 0
    halves = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    assert diversity(halves).score == 100


def test_maps_that_were_given_are_not_changed():
    maps = np.random.default_rng(0).random((3, 4, 5))
    kept = maps.copy()
    diversity(maps)
    np.testing.assert_array_equal(maps, kept)


def test_nonsense_is_refused():
    flat, image = np.ones((2, 3)), np.zeros((4, 4, 3), np.uint8)
    for call in (
        lambda: diversity([]),
        lambda: Diversity().mean,
        lambda: diversity([flat, flat.T]),
        lambda: diversity([flat[0]]),
        lambda: diversity([-flat]),
        lambda: diversity([flat * np.nan]),
        lambda: squared_error_map(image, image[:2]),
        lambda: squared_error_map(image / 255, image),
    ):
        with pytest.raises(ValueError, match=r"no sample|a map of shape|finite|are compared"):
            call()
