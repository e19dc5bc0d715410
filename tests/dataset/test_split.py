"""How many scenes a split takes, and what is implausible of it. Truth: counts worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.dataset.adopt import adopt_folders
from realdeg.dataset.settings import SplitSettings
from realdeg.dataset.split import doubt, split_dataset, split_scenes
from realdeg.errors import UserError
from realdeg.io.save import write_image
from realdeg.records import PairRecord


def scenes(count: int, views: int = 1) -> list[PairRecord]:
    return [
        PairRecord(f"s{s}_v{v}", "ok", scene=f"s{s}", scale=2) for s in range(count) for v in range(views)
    ]


def held(count: int, **how) -> tuple[int, int]:
    split = split_scenes(scenes(count), SplitSettings(**how))
    return sum(r.split == "test" for r in split), sum(r.split == "val" for r in split)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"test": "15%", "val": "10%"}, (2, 2)),  # of 16: 2.4 and 1.6
        ({"test": "3", "val": "0"}, (3, 0)),
        ({"test": 3.0}, (3, 0)),
        ({"test": " 50 % "}, (8, 0)),
        ({"test": "0.25", "val": 0.0625}, (4, 1)),
        ({"test": "1%"}, (1, 0)),  # a share of some scenes is one at least
        ({"test": "0%"}, (0, 0)),
    ],
)
def test_amounts(how, expected):
    assert held(16, **how) == expected


@pytest.mark.parametrize("wrong", ["", "%", "ten", "100%", "150%", "-5%", "nan%", "1.5", "15%%", "inf"])
def test_what_is_no_amount(wrong):
    with pytest.raises(UserError, match="give a whole number, a share below 1, or percent such as 15%"):
        split_scenes(scenes(16), SplitSettings(test=wrong))


@given(st.integers(2, 200), st.integers(1, 99))
def test_percent_is_the_share(count, percent):
    try:
        expected = held(count, test=percent / 100)
    except UserError:
        with pytest.raises(UserError):
            held(count, test=f"{percent}%")
    else:
        assert held(count, test=f"{percent}%") == expected


def test_a_split_that_leaves_nothing_says_what_percent_would_do():
    with pytest.raises(UserError) as error:
        split_scenes(scenes(16), SplitSettings(test=16))
    assert str(error.value) == (
        "split: 16 test and 0 val scenes leave none of 16 to train on; ask for fewer with `test` or `val`; "
        "`test=16` is 16 scenes, `test=16%` would be 3 of 16"
    )


def test_fewer_training_than_test_scenes_is_one_line():
    split = split_scenes(scenes(16, views=2), SplitSettings(test="15"))
    assert doubt(split, "15") == (
        "1 scene to train on and 15 to test on; `test=15` is 15 scenes, `test=15%` would be 2 of 16"
    )
    assert doubt(split_scenes(scenes(16), SplitSettings(test="90%")), "90%") == (
        "2 scenes to train on and 14 to test on; ask for fewer with `test`"
    )


@pytest.mark.parametrize("test", ["8", "15%", 2, 0, 0.5])
def test_a_plausible_split_needs_no_word(test):
    assert doubt(split_scenes(scenes(16), SplitSettings(test=test)), test) == ""


def test_the_job_says_it(tmp_path):
    for i in range(4):
        write_image(tmp_path / f"lr/{i}.png", np.full((8, 8, 3), i, np.uint8))
        write_image(tmp_path / f"hr/{i}.png", np.full((16, 16, 3), i, np.uint8))
    out = tmp_path / "data"
    adopt_folders(tmp_path / "lr", tmp_path / "hr", out)
    said: list[str] = []
    assert split_dataset(out, SplitSettings(test="25%"), say=said.append) == {"train": 3, "test": 1}
    assert said == []
    assert split_dataset(out, SplitSettings(test="3"), say=said.append) == {"train": 1, "test": 3}
    assert said == ["1 scene to train on and 3 to test on; ask for fewer with `test`"]
