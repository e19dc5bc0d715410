"""Truth: copies, crops and mirror images that were made here, among photos of other things."""

import cv2
import numpy as np
import pytest

from realdeg.check import same, twins
from realdeg.check.prints import Print, mirrored, print_of

NAMES = ("coffee.png", "chelsea.png", "tmshre_riaphotographs_srgb8.png", "u76c0g_bliznaca_srgb8.png")


@pytest.fixture(scope="module")
def pictures(photo):
    return [photo(name) for name in NAMES]


@pytest.fixture(scope="module")
def prints(pictures):
    return [print_of(picture) for picture in pictures]


def coded(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "coded and brightened": (lambda a: np.clip(1.1 * coded(a) + 6, 0, 255).astype(np.uint8), "copy", ""),
    "half": (lambda a: cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), "copy", ""),
    "crop": (lambda a: coded(a[30:230, 60:260].copy()), "part", ""),
    "mirrored crop": (lambda a: np.ascontiguousarray(a[20:240, 40:280][:, ::-1]), "part", "mirrored"),
    "turned": (lambda a: np.ascontiguousarray(np.rot90(a)), "copy", "turned"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_copies_are_candidates_and_proven(pictures, prints, name):
    change, kind, way = CHANGES[name]
    ours = change(pictures[0])
    found = twins.candidates([print_of(ours), *prints], 1)
    assert twins.Candidate(0, 1) in found
    proven = [one.second for one in found if same.compare(ours, pictures[one.second - 1])]
    assert proven == [1]
    told = same.compare(ours, pictures[0])
    assert (told.kind, told.way, told.inner if kind == "part" else "first") == (kind, way, "first")


def test_strangers_are_neither(pictures, prints):
    assert twins.candidates(prints, len(prints)) == []
    assert same.compare(pictures[0], pictures[1]) is None


def test_a_hash_is_no_proof(pictures):
    """Two scenes that are made alike but for their detail, as a hash sees them."""
    a = pictures[0][:264, :264]
    b = pictures[1][:264, :264]
    coarse = cv2.GaussianBlur(a, (0, 0), 6).astype(float)
    alike = np.clip(coarse + 0.6 * (b.astype(float) - cv2.GaussianBlur(b, (0, 0), 6)), 0, 255).astype(
        np.uint8
    )
    assert twins.candidates([print_of(a), print_of(alike)], 2)
    assert same.compare(a, alike) is None


def test_plain_pictures_are_no_copies_of_each_other():
    ramp = np.linspace(80, 120, 200)[:, None, None] * np.ones((200, 200, 3))
    first, second = (
        np.rint(ramp + np.random.default_rng(i).normal(0, 1.5, ramp.shape)).astype(np.uint8) for i in (1, 2)
    )
    assert same.compare(first, second) is None
    assert same.compare(first, first) is not None
    assert print_of(np.full((90, 90, 3), 77, np.uint8)).flat


def test_descriptors_of_the_mirror_image_are_those_in_a_mirror(pictures):
    """Truth: OpenCV's descriptors of the mirrored picture."""
    grey = np.ascontiguousarray(cv2.cvtColor(pictures[0], cv2.COLOR_RGB2GRAY))
    sift = cv2.SIFT_create(200)
    at, ours = sift.detectAndCompute(grey, None)
    there, theirs = sift.detectAndCompute(np.ascontiguousarray(grey[:, ::-1]), None)
    places = np.array([(grey.shape[1] - 1 - one.pt[0], one.pt[1]) for one in there])
    off = np.linalg.norm(places[None] - np.array([one.pt for one in at])[:, None], axis=-1)
    off += 9 * np.abs(np.log([[a.size / b.size for b in there] for a in at]))
    # Of a mirrored place the angle is 180 degrees less it.
    off += 0.2 * np.abs((np.array([[a.angle + b.angle - 180 for b in there] for a in at]) + 180) % 360 - 180)
    near = np.argwhere(off < 1)
    assert len(near) > 60
    apart = np.linalg.norm(mirrored(ours)[near[:, 0]] - theirs[near[:, 1]], axis=1)
    assert np.median(apart) < 100 < np.median(np.linalg.norm(ours[near[:, 0]] - theirs[near[:, 1]], axis=1))


def test_many_pictures_are_compared_without_all_pairs():
    """3000 prints drawn at random, and three copies among them with some bits changed."""
    draw = np.random.default_rng(0)
    made = []
    for _ in range(3000):
        codes = draw.integers(0, 2**63, 40).astype(np.uint64)
        made.append(Print(draw.integers(0, 2**63, 8).astype(np.uint64), codes, codes[::-1].copy(), False))
    for i, j in ((3, 2000), (500, 501), (10, 2999)):
        noisy = made[i].codes ^ np.uint64(1 << int(draw.integers(60)))
        made[j] = Print(made[j].hashes, noisy, noisy[::-1].copy(), False)
    found = {(one.first, one.second) for one in twins.candidates(made, len(made))}
    assert found == {(3, 2000), (500, 501), (10, 2999)}
