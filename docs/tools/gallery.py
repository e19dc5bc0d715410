"""Write the gallery's pictures: `python docs/tools/gallery.py`, half a minute; equal input, equal pictures.

All of them are made by realdeg from the bundled sample; docs/gallery.md says what they show.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

import realdeg

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
OUT = ROOT / "docs" / "gallery"
MOST_BYTES = 1_000_000  # of all pictures together
PRESETS = ("bicubic", "mild", "samsung", "bsrgan", "bsrgan_plus", "realesrgan")
NARROW, WIDE = 18, 26  # letters of pictures of 600 and of 850 px: to be read on a telephone
BY_BRIGHTNESS = """
name = "by_brightness"
[[steps]]
op = "resize"
method = "matlab_bicubic"
[[steps]]
op = "inject"
match = "level"
"""
Pixels = npt.NDArray[np.uint8]


def main() -> None:
    """Write every picture, and refuse to end with more bytes than the repository should carry."""
    OUT.mkdir(parents=True, exist_ok=True)
    for draw in (recipes, registration, kernels, noise, shipped_model):
        save(draw(), draw.__name__)
    total = sum(path.stat().st_size for path in OUT.glob("*.webp"))
    print(f"{OUT}: {total / 1e6:.2f} MB")
    assert total <= MOST_BYTES


def recipes() -> Image.Image:
    """One picture under six presets, three draws each: LR at x4, each pixel a square."""
    hr = realdeg.read(SAMPLE / "clean" / "chelsea.png").pixels[20:276, 100:356]
    rows = []
    for preset in PRESETS:
        recipe = realdeg.Recipe.load(preset)
        draws = [recipe(hr, seed=seed, key="gallery", scale=4).lr for seed in range(3)]
        rows.append(labelled(np.hstack([squares(lr, 3) for lr in draws]), preset))
    return Image.fromarray(np.vstack(rows))


def registration() -> Image.Image:
    """LR against HR, before and after: what is left between them, eight times."""
    wide, tele = (realdeg.read(SAMPLE / side / "coffee.jpg").pixels for side in ("wide", "tele"))
    found = realdeg.register(wide, tele, scale=2)
    assert found
    lr, hr = found.pair()
    size = hr.shape[1::-1]
    plain = np.asarray(Image.fromarray(tele).resize(size, Image.Resampling.BICUBIC))
    part = np.asarray(Image.fromarray(lr).resize(size, Image.Resampling.BICUBIC)).astype(float)
    window = np.s_[40:320, 150:430]
    columns = [labelled(np.asarray(Image.fromarray(lr).resize(size))[window], "LR", WIDE)]
    for name, other in (("before", plain), ("registered", hr)):
        left = np.clip(128 + 8 * (other.astype(float) - part).mean(2), 0, 255).astype(np.uint8)
        columns.append(labelled(np.repeat(left[window][:, :, None], 3, 2), name, WIDE))
    return Image.fromarray(np.hstack(columns))


def kernels() -> Image.Image:
    """Kernels that the estimator reads from the four bundled photos, and eight of USRNet's for comparison."""
    photos = [realdeg.estimate_kernel(path, 4) for path in sorted((SAMPLE / "captures").glob("*.jpg"))]
    own = [found.kernel for found in photos if found]
    pool = realdeg.KernelPool.load(SAMPLE / "kernels" / "kernels_12.mat", scale=4)
    published = [pool.kernels[i] for i in range(8)]
    rows = [np.hstack([tile(k) for k in row]) for row in (published[:4], published[4:])]
    first = labelled(np.hstack([tile(k) for k in own]), "read from the four bundled photos")
    return Image.fromarray(np.vstack([first, labelled(np.vstack(rows), "of USRNet, as published")]))


def noise() -> Image.Image:
    """Noise of the bundled photos, laid by brightness onto a clean picture, and alone."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "noise.npz"
        command = [sys.executable, "-m", "realdeg", "noise", str(SAMPLE / "captures"), "-o", str(made), "-q"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        pool = realdeg.NoisePool.load(made)
        file = Path(folder) / "by_brightness.toml"
        file.write_text(BY_BRIGHTNESS, encoding="utf-8")
        recipe = realdeg.Recipe.load(file)
    clean = realdeg.read(SAMPLE / "clean" / "coffee.png").pixels[:384, :512]
    noisy = recipe(clean, seed=0, key="gallery", scale=2, noises=pool).lr
    plain = realdeg.Recipe.load("bicubic")(clean, seed=0, key="gallery", scale=2).lr
    left = np.clip(128 + 6 * (noisy.astype(float) - plain.astype(float)), 0, 255).astype(np.uint8)
    names, window = ("bicubic", "with noise", "noise x 6"), np.s_[20:160, 60:200]
    shown = zip((plain, noisy, left), names, strict=True)
    return Image.fromarray(np.hstack([labelled(squares(x[window], 2), name, WIDE) for x, name in shown]))


def shipped_model() -> Image.Image:
    """LR, bicubic, the model that comes with realdeg, and the truth; a picture that it was not trained on."""
    import train

    hr = realdeg.read(SAMPLE / "clean" / "chelsea.png").pixels[:300, :448]
    made = realdeg.Recipe.load("mild")(hr, seed=3, key="gallery", scale=4)
    model = train.load(device="cpu")
    size = made.hr.shape[1::-1]
    bicubic = np.asarray(Image.fromarray(made.lr).resize(size, Image.Resampling.BICUBIC))
    y, x = 60, 150
    columns = []
    for name, image in (
        ("LR", squares(made.lr, 4)),
        ("bicubic", bicubic),
        ("shipped model", model(made.lr)),
        ("truth", made.hr),
    ):
        columns.append(labelled(squares(image[y : y + 144, x : x + 144], 2), name))
    return Image.fromarray(np.vstack([np.hstack(columns[:2]), np.hstack(columns[2:])]))


def squares(image: Pixels, times: int) -> Pixels:
    """Each pixel as a square of `times` px."""
    return image.repeat(times, 0).repeat(times, 1)


def tile(kernel: npt.NDArray[np.floating]) -> Pixels:
    """A kernel as a grey tile of 160 px; square root, so that the tails show."""
    positive = np.clip(kernel, 0, None)
    grey = (255 * np.sqrt(positive / positive.max())).astype(np.uint8)
    picture = Image.fromarray(grey).resize((160, 160), Image.Resampling.NEAREST).convert("RGB")
    return np.pad(np.asarray(picture), ((4, 4), (4, 4), (0, 0)), constant_values=90)


def labelled(image: Pixels, text: str, size: int = NARROW) -> Pixels:
    """The image with a strip of text above, `size` px high letters, and a thin border."""
    strip = Image.new("RGB", (image.shape[1], size + 11), (32, 36, 40))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(strip).text((6, 4), text, fill=(235, 235, 235), font=font)
    whole = np.vstack([np.asarray(strip), image])
    return np.pad(whole, ((2, 2), (2, 2), (0, 0)), constant_values=32)


def save(picture: Image.Image, name: str) -> None:
    """As WebP; its bytes are a function of the pixels."""
    picture.save(OUT / f"{name}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
