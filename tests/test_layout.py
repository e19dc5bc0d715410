"""Truth: what OpenCV finds in the files, and Hugging Face's own reader."""

import cv2
import numpy as np
import pytest

from realdeg.dataset.adopt import adopt_folders
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.layout import keep_or_encode, refuse_holding, refuse_inside, refuse_replacing


def photo(seed, height=16, width=20):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_only_an_rgb_png_stays_as_it_is(tmp_path):
    """Every reader must see three channels: no alpha, even opaque; no grey; no JPEG by another name."""
    pixels = photo(1)
    sources = {
        "opaque": cv2.imencode(".png", np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))[1],
        "grey": cv2.imencode(".png", pixels[..., 0])[1],
        "disguised": cv2.imencode(".jpg", pixels)[1],
        "plain": cv2.imencode(".png", pixels)[1],
    }
    for name, data in sources.items():
        (tmp_path / f"{name}.png").write_bytes(data.tobytes())
        shown = read(tmp_path / f"{name}.png")
        kept = tmp_path / "out" / f"{name}.png"
        keep_or_encode(shown, kept)
        assert kept.read_bytes().startswith(b"\x89PNG")
        np.testing.assert_array_equal(cv2.imread(str(kept), cv2.IMREAD_UNCHANGED)[..., ::-1], shown.pixels)
        assert (kept.read_bytes() == data.tobytes()) == (name == "plain")


def test_outputs_among_the_inputs_are_refused(tmp_path):
    lr, hr = tmp_path / "lr", tmp_path / "hr"
    for out in (lr, hr / "pairs", hr / "x" / ".." / "pairs"):
        with pytest.raises(UserError, match="a second run would read what this one writes") as error:
            refuse_inside(out, lr, hr)
        assert error.value.exit_code == EXIT_USAGE
        with pytest.raises(UserError, match="a second run would read what this one writes"):
            adopt_folders(lr, hr, out)
    refuse_inside(tmp_path, lr, hr)
    refuse_inside(tmp_path / "lr_x2", lr, hr)  # a like name is another folder


def test_an_input_folder_is_known_behind_links(tmp_path):
    (tmp_path / "photos/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    for out in (tmp_path / "link/new/deep", tmp_path / "photos/sub"):
        with pytest.raises(UserError, match="a second run would read what this one writes"):
            refuse_inside(out, tmp_path / "photos")
    with pytest.raises(UserError, match="a second run"):
        refuse_inside(tmp_path / "photos/out", tmp_path / "link")


def test_inputs_in_a_folder_of_outputs_are_refused(tmp_path):
    for place in ("LR", "HR/deep", "MASK"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.png").touch()
        with pytest.raises(UserError, match=r"a\.png: lies in .*, where outputs would replace it"):
            refuse_holding(tmp_path, [tmp_path / "other.png", tmp_path / place / "a.png"])
        with pytest.raises(UserError, match="where outputs would replace it"):
            refuse_holding(tmp_path, [tmp_path / place])
    refuse_holding(tmp_path, [tmp_path / "b.png", tmp_path])


def test_an_output_that_is_an_input_by_another_name_is_refused(tmp_path):
    photo, beside = tmp_path / "a.png", tmp_path / "b.png"
    photo.touch()
    beside.touch()
    hard, soft = tmp_path / "hard.png", tmp_path / "soft.png"
    hard.hardlink_to(photo)
    soft.symlink_to(photo)
    for target in (photo, hard, soft, tmp_path / "x" / ".." / "a.png"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=r"a\.png: would be replaced by the output") as error:
            refuse_replacing([tmp_path / "new.png", target], [beside, photo])
        assert error.value.exit_code == EXIT_USAGE
    refuse_replacing([tmp_path / "new.png", tmp_path / "A.jpg"], [photo, beside])


def test_hugging_face_opens_names_that_it_takes_for_splits(tmp_path, monkeypatch):
    """It looks for "test" or "val" in file names; `data_files` switches that off."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    for i, key in enumerate(["test_1", "val/2", "train 3", "x"]):
        write_image(tmp_path / "lr" / f"{key}.png", photo(i, 8, 8))
        write_image(tmp_path / "hr" / f"{key}.png", photo(i, 16, 16))
    data = tmp_path / "data"
    adopt_folders(tmp_path / "lr", tmp_path / "hr", data)
    write_image(data / "report" / "test.png", photo(9, 8, 8))
    opened = datasets.load_dataset(
        "imagefolder",
        data_dir=str(data),
        data_files="**",
        split="train",
        cache_dir=str(tmp_path / "hf"),
    )
    assert sorted(opened["key"]) == ["test_1", "train 3", "val/2", "x"]
    assert all(row["hr"].size == (16, 16) and row["lr"].size == (8, 8) for row in opened)
