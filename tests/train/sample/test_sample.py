"""Drawing samples of photos: what is written, that it comes again, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.resample import resize
from realdeg.metrics.lr_psnr import lr_psnr
from train.machine import choose
from train.restore.guides import Pictures, guide, named
from train.restore.models import SHIPPED, load, sampled
from train.restore.space import Space, arc, noise
from train.sample.command import main
from train.sample.sampling import RECORD, SampleRequest, sample_photo
from train.sample.settings import SampleSettings


def picture(seed, size_hw):
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.random((7, 6, 3)), size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * image, 20, 235).astype(np.uint8)


class Opened:
    """Bicubic and noise."""

    def __init__(self, lr, scale):
        base = resize(lr.astype(np.float32) / np.iinfo(lr.dtype).max, scale)
        self.base = torch.from_numpy(np.ascontiguousarray(base)).permute(2, 0, 1)
        self.drawn = []

    def draw(self, seed):
        self.drawn.append(seed)
        return self.base + 0.02 * noise(self.base.shape, seed)

    def mode(self):
        return self.base

    def between(self, first, last, t):
        return self.base + 0.02 * arc(noise(self.base.shape, first), noise(self.base.shape, last), t)


@dataclass
class Noisy:
    """The simplest model of an SR space."""

    scale: int = 2

    def __post_init__(self):
        self.machine = choose("cpu")
        self.opened = []

    def sampler(self, lr, guide=None):
        self.opened.append(Opened(lr, self.scale))
        return self.opened[-1]


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), picture(3, (24, 30))[..., ::-1])
    return path


def read(path):
    return np.asarray(Image.open(path))


def test_what_lies_in_the_folder(photo, tmp_path):
    out = tmp_path / "out"
    assert sample_photo(
        Noisy(), photo, out, SampleRequest((0, 1, 7), walk=(0, 7), frames=3), about={"model": "x"}
    )
    names = {path.name for path in out.iterdir()}
    seeds = {f"seed_{seed}.png" for seed in (0, 1, 7)}
    assert names == seeds | {
        "mode.png", "mean.png", "deviation.png", "deviation.npy", "sheet.png", "walk.png", RECORD,
    }  # fmt: skip
    record = json.loads((out / RECORD).read_text())
    assert record["wish"]["seeds"] == [0, 1, 7]
    assert record["model"] == "x"
    samples = np.stack([read(out / name) for name in sorted(seeds)]).astype(float)
    assert samples.shape == (3, 48, 60, 3)
    assert np.abs(samples.mean(0) - read(out / "mean.png")).max() < 1.01  # each was rounded, and clamped
    deviation = np.load(out / "deviation.npy")
    theirs = np.sqrt(samples.var(0, ddof=1).mean(-1))
    assert deviation.shape == (48, 60)
    assert np.abs(deviation - theirs).mean() < 0.2
    assert record["deviation_mean"] == pytest.approx(theirs.mean(), abs=0.2)


def test_one_sample_has_no_deviation(photo, tmp_path):
    sample_photo(Noisy(), photo, tmp_path / "out", SampleRequest((5,)))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"seed_5.png", "mode.png", "sheet.png", RECORD}


def test_a_sample_alone_is_the_sample_among_others(photo, tmp_path):
    sample_photo(Noisy(), photo, tmp_path / "many", SampleRequest(tuple(range(4))))
    sample_photo(Noisy(), photo, tmp_path / "one", SampleRequest((3,)))
    many, one = (tmp_path / name / "seed_3.png" for name in ("many", "one"))
    assert many.read_bytes() == one.read_bytes()
    assert many.read_bytes() != (tmp_path / "many" / "seed_2.png").read_bytes()


def test_what_was_done_is_not_done_again(photo, tmp_path):
    out, model, wish = tmp_path / "out", Noisy(), SampleRequest((0, 1))
    assert sample_photo(model, photo, out, wish)
    assert not sample_photo(model, photo, out, wish)
    (out / "seed_1.png").write_bytes(b"")  # torn by a kill
    assert sample_photo(model, photo, out, wish)
    assert not sample_photo(model, photo, out, wish)
    assert sample_photo(model, photo, out, SampleRequest((0, 1), how="project"))
    cv2.imwrite(str(photo), picture(4, (24, 30))[..., ::-1])
    assert sample_photo(model, photo, out, SampleRequest((0, 1), how="project"))


@pytest.mark.parametrize(("how", "least"), [("project", 50), ("cem", 40)])
def test_samples_agree_with_lr_if_asked(photo, tmp_path, how, least):
    lr = read(photo)
    large = np.asarray(resize(lr, 2), np.uint8)
    cv2.imwrite(str(photo), np.asarray(resize(large, 0.5), np.uint8)[..., ::-1])
    told = {}
    for name in ("none", how):
        sample_photo(Noisy(), photo, tmp_path / name, SampleRequest((0,), how=name))
        told[name] = lr_psnr(read(tmp_path / name / "seed_0.png"), large, scale=2)
    assert told[how] > max(least, told["none"] + 3)


def test_a_walk_begins_and_ends_at_its_samples_and_comes_back(photo, tmp_path):
    out = tmp_path / "out"
    sample_photo(Noisy(), photo, out, SampleRequest((0, 1), walk=(0, 1), frames=4))
    film = Image.open(out / "walk.png")
    assert (film.n_frames, film.info["loop"]) == (8, 0)
    frames = []
    for i in range(film.n_frames):
        film.seek(i)
        frames.append(np.asarray(film.convert("RGB")))
    assert np.array_equal(frames[0], read(out / "seed_0.png"))
    assert np.array_equal(frames[4], read(out / "seed_1.png"))
    assert all(np.array_equal(frames[i], frames[8 - i]) for i in (1, 2, 3))


def test_16_bit_photos_stay_16_bit(tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), picture(3, (24, 30)).astype(np.uint16)[..., ::-1] * 257)
    sample_photo(Noisy(), path, tmp_path / "out", SampleRequest((0, 1)))
    sample = cv2.imread(str(tmp_path / "out" / "seed_0.png"), cv2.IMREAD_UNCHANGED)
    assert sample.dtype == np.uint16


@given(t=st.floats(0, 1), a=st.integers(0, 99), b=st.integers(100, 199))
def test_noise_on_the_way_is_as_likely_as_at_its_ends(t, a, b):
    first, last = noise((4096,), a), noise((4096,), b)
    assert float(arc(first, last, t).var()) == pytest.approx(1, abs=0.15)


def test_the_ends_of_the_way_are_exact():
    first, last = noise((5,), 0), noise((5,), 1)
    assert torch.equal(arc(first, last, 0), first)
    assert torch.equal(arc(first, last, 1), last)


def test_references_by_word_file_and_folder(tmp_path, photo):
    assert guide(None) is None
    assert guide("prior") == "prior"
    one = guide(str(photo))
    assert isinstance(one, Pictures)
    assert one[0].shape == (24, 30, 3)
    cv2.imwrite(str(tmp_path / "second.png"), picture(5, (9, 9)))
    two = guide(str(tmp_path))
    assert [named(two, seed) for seed in (0, 1, 2)] == ["photo.png", "second.png", "photo.png"]
    assert (named(None, 3), named("self", 3)) == ("", "self")


def test_bad_references_are_one_line(tmp_path, photo):
    with pytest.raises(UserError, match="does not exist") as caught:
        guide(str(tmp_path / "nowhere"))
    assert caught.value.exit_code == EXIT_USAGE
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(UserError, match="1x1 px"):
        guide(str(tmp_path / "dot.png"))[0]
    (tmp_path / "torn.png").write_bytes(photo.read_bytes()[:60])
    with pytest.raises(UserError, match=r"torn\.png"):
        guide(str(tmp_path / "torn.png"))[0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images"):
        guide(str(tmp_path / "empty"))


def test_a_model_of_one_image_cannot_be_sampled():
    model = load(checkpoint=SHIPPED)
    assert not isinstance(model, Space)
    assert isinstance(Noisy(), Space)
    with pytest.raises(UserError, match="gives one image"):
        sampled(model)


@pytest.mark.parametrize("text", ["1,x", ",", "-1", "1;2"])
def test_seeds_are_numbers(text):
    with pytest.raises(UserError, match=f"--seeds {text}: holds something else than numbers"):
        SampleSettings(seeds=text)


def test_seeds_keep_their_order_and_come_once():
    assert SampleSettings(seeds="3, 1,3").chosen == (3, 1)
    assert SampleSettings(count=3, seed=5).chosen == (5, 6, 7)
    assert SampleSettings(walk="4:4").ends == (4, 4)
    assert SampleSettings().ends is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"walk": "1:2:3"}, "is not a pair of seeds"),
        ({"walk": "a:b"}, "something else than numbers"),
        ({"project": True, "cem": True}, "two ways to one end"),
        ({"frames": 1}, "`frames`: 1 is too small"),
        ({"count": 0}, "`count`: 0 is too small"),
    ],
)
def test_what_no_samples_can_be_drawn_by_is_refused(wrong, words):
    with pytest.raises(UserError, match=words) as caught:
        SampleSettings(**wrong)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize("way", ["project", "cem"])
def test_what_samples_agree_with_goes_through_a_file(tmp_path, way):
    words = ["photo.png", "--run", "run", "-o", "out"]
    shown = CliRunner().invoke(main, [*words, f"--{way}", "--show-settings"]).output
    (tmp_path / "shown.yaml").write_text(shown)
    again = CliRunner().invoke(main, ["--config", str(tmp_path / "shown.yaml"), *words, "--show-settings"])
    assert again.output == shown
    assert f"{way}: true\n" in shown
