"""Pairing by content. Truth: captures simulated from bundled photos, under names that say nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realdeg.align.content import Features, Look, choose, pair_by_content
from realdeg.errors import UserError
from realdeg.io.find import Found
from realdeg.io.save import write_image

SCENES = ("coffee.png", "chelsea.png", "u76c0g_bliznaca_srgb8.png")


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory, photograph, scene):
    """Three scenes at x2, named in opposite orders, with an intruder and a broken file among LR."""
    root = tmp_path_factory.mktemp("shuffled")
    for i, name in enumerate(SCENES):
        shot = photograph(scene(name), 2, turn=1.5, lr={"exposure": 0.7})
        write_image(root / "lr" / f"{i}.png", shot.lr)
        write_image(root / "hr" / f"{9 - i}.png", shot.hr if i else shot.hr.astype(np.uint16) * 257)
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    write_image(root / "lr" / "noise.png", noise)
    write_image(root / "lr" / "dot.png", noise[:1, :1])
    write_image(root / "lr" / "wall.png", np.full((200, 300, 3), 99, np.uint8))
    (root / "lr" / "cut.png").write_bytes((root / "lr" / "0.png").read_bytes()[:5000])
    return root


def test_names_that_say_nothing(shuffled):
    steps = []
    pairs = pair_by_content(
        shuffled / "lr", shuffled / "hr", workers=2, on_photo=lambda done, total: steps.append((done, total))
    )
    assert [(match.key, match.lr.name, match.hr.name) for match in pairs.matches] == [
        ("7", "2.png", "7.png"),
        ("8", "1.png", "8.png"),
        ("9", "0.png", "9.png"),
    ]
    told = {record.key: record.reason for record in pairs.failed}
    assert set(told) == {"noise", "dot", "wall", "cut"}
    assert told["noise"].startswith("noise.png: resembles no photo of the other folder; pair it by name")
    assert "is cut short or damaged" in told["cut"]
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))


def test_the_result_does_not_depend_on_the_number_of_threads(shuffled):
    one, three = (pair_by_content(shuffled / "lr", shuffled / "hr", workers=n) for n in (1, 3))
    assert one == three


def test_a_tele_photo_of_an_eighth_of_the_width(tmp_path, sample):
    """Where x8 comes from: seen in the thumbnail, the tele's field is 80 px wide."""
    for i, name in enumerate(("DFM_4210_cut.jpg", "JDW_0302.jpg")):
        wide = cv2.imread(str(sample / "captures" / name))[..., ::-1]
        wide = cv2.resize(
            wide, (2400, round(2400 * wide.shape[0] / wide.shape[1])), interpolation=cv2.INTER_CUBIC
        )
        h, w = wide.shape[:2]
        y, x = round(0.45 * h), round(0.4 * w)
        tele = wide[y : y + h // 8, x : x + w // 8]
        tele = cv2.resize(tele, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        write_image(tmp_path / "lr" / f"{i}.png", np.ascontiguousarray(wide))
        write_image(tmp_path / "hr" / f"{i}{name}.png", tele)
    pairs = pair_by_content(tmp_path / "lr", tmp_path / "hr")
    assert [(match.lr.stem, match.hr.stem[0]) for match in pairs.matches] == [("0", "0"), ("1", "1")]


def test_postcards_seen_by_two_cameras(shared_data, tmp_path):
    """City100: the same number is the same postcard; here HR goes by other names."""
    city = shared_data("city100")
    for i in range(1, 5):
        for side, source, name in (("lr", "iphone_x", f"00{i}L"), ("hr", "nikon_d5500", f"00{i}H")):
            image = cv2.imread(str(city / source / f"{name}.png"))[..., ::-1]
            write_image(tmp_path / side / f"{i if side == 'lr' else 9 - i}.png", np.ascontiguousarray(image))
    pairs = pair_by_content(tmp_path / "lr", tmp_path / "hr")
    assert [(match.lr.stem, match.hr.stem) for match in pairs.matches] == [
        (str(9 - i), str(i)) for i in (5, 6, 7, 8)
    ]


def test_strangers_and_one_folder(shuffled, tmp_path, sample):
    stranger = cv2.imread(str(sample / "clean" / "tmshre_riaphotographs_srgb8.png"))
    write_image(tmp_path / "x.png", stranger)
    with pytest.raises(UserError, match="no photo shows the scene of one in"):
        pair_by_content(shuffled / "lr", tmp_path)
    with pytest.raises(UserError, match="LR and HR are the same folder"):
        pair_by_content(tmp_path, tmp_path)


def looks(folder, names):
    empty = Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    return [Look(Found(name, folder / f"{name}.png"), (empty,)) for name in names]


@pytest.mark.parametrize(
    ("table", "pairs", "words"),
    [
        ([[90, 0], [3, 80]], ["a", "b"], []),
        ([[0, 90], [80, 20]], ["a", "b"], []),
        ([[90, 0], [3, 9]], ["a"], ["y.png: resembles no photo", "b.png: resembles no photo"]),
        (
            [[90, 70], [0, 0]],
            [],
            ["x.png: is ambiguous: resembles a.png and b.png", "a.png: is ambiguous: x.png"],
        ),
        (
            [[90, 0], [70, 0]],
            [],
            ["a.png: is ambiguous: resembles x.png and y.png", "y.png: is ambiguous: a.png"],
        ),
        ([[90, 0], [60, 0]], ["a"], ["y.png: is ambiguous: a.png resembles it and x.png"]),
    ],
)
def test_only_mutual_and_clear_matches_pair(tmp_path, table, pairs, words):
    matches, failed = choose(np.array(table), looks(tmp_path, "xy"), looks(tmp_path, "ab"))
    assert [match.key for match in matches] == pairs
    reasons = " ".join(record.reason for record in failed)
    assert all(word in reasons for word in words)
    assert len(failed) == 4 - 2 * len(pairs)
