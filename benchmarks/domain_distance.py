"""Does the domain distance find the recipe whose LR is nearest to the real LR by pixels?

    python benchmarks/domain_distance.py --pairs FOLDER [--pairs FOLDER ...] [--prefix TEXT ...]
        [--noise-pool POOL] [--draws 10]

FOLDER holds registered pairs in LR/ and HR/, x4 (RealSR, DRealSR); with --prefix, files that begin with TEXT
are a set of their own (Canon, Nikon). LR is made of each HR by the presets, by Gaussians of eight widths, two
of them with noise and JPEG, and by kernels that were fitted to the pairs of each other set.

Truth: PSNR to the real LR of the same scene after the best gain and offset of each channel.
The distance sees what a user has: half of the real LR, and synthetic LR of the other half, other scenes. Over
random halves, each used both ways: Spearman's correlation of distance and PSNR (of each half, and of the mean
distance over halves), and by how many dB the nearest recipe falls short of the best one. Baselines in the
same run: a recipe chosen at random, and each part of the distance alone. "null" is the distance of the real
LR of the other half.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from matched import matched_psnr
from scipy.stats import spearmanr

from realdeg.dataset.adopt import adopt_folders
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.settings import DegradeSettings
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.kernels.folder import estimate_pairs
from realdeg.kernels.settings import KernelSettings
from realdeg.layout import pair_paths
from realdeg.metrics.domain import WEIGHTS, domain_distance
from realdeg.metrics.photo_statistics import PhotoStatistics, describe
from realdeg.seeds import stream

SCALE = 4
SIGMAS = (0.6, 1.0, 1.4, 1.8, 2.2, 2.6, 3.0, 3.6)  # HR px
NOISY = (1.4, 2.2)
PRESETS = ("bicubic", "samsung", "bsrgan", "bsrgan_plus", "realesrgan")
GAUSSIAN = """name = "{name}"
[[steps]]
op = "reduce"
kind = "isotropic"
size = 25
sigma = {sigma}
"""
NOISE = """[[steps]]
op = "noise"
law = "gaussian"
sigma = 2
[[steps]]
op = "codec"
format = "jpeg"
quality = 90
"""


def link(pairs: Path, prefix: str, out: Path) -> None:
    """Collect the pairs of a set in out/LR and out/HR."""
    for side in ("LR", "HR"):
        (out / side).mkdir(parents=True)
        for found in find_images(pairs / side):
            if found.path.name.startswith(prefix):
                shutil.copyfile(found.path, out / side / found.path.name)


def recipes(work: Path, others: dict[str, Path], noise: Path | None) -> dict[str, DegradeSettings]:
    """Settings by name: presets, Gaussians, kernels of the other sets' pairs."""
    made = {name: DegradeSettings(SCALE, recipe=name) for name in PRESETS}
    for sigma, more in [(s, "") for s in SIGMAS] + [(s, NOISE) for s in NOISY]:
        name = f"gauss {sigma}" + (" + noise" if more else "")
        file = work / f"{name.replace(' ', '_')}.toml"
        file.write_text(GAUSSIAN.format(name=name, sigma=sigma) + more)
        made[name] = DegradeSettings(SCALE, recipe=str(file))
    made |= {f"pairs of {name}": DegradeSettings(SCALE, pool) for name, pool in others.items()}
    if noise:
        made["bicubic_noise"] = DegradeSettings(SCALE, noise_pool=noise, recipe="bicubic_noise")
        for name, pool in list(others.items())[:1]:
            made[f"pairs of {name} + noise"] = DegradeSettings(SCALE, pool, noise, recipe="realsr")
    return made


def report(name: str, psnrs: dict[str, float], parts: np.ndarray, null: np.ndarray) -> None:
    """Print a set's table and correlations; parts: (halves, recipes, parts)."""
    weights = np.array(list(WEIGHTS.values()))
    truth, whole = np.array(list(psnrs.values())), parts @ weights
    print(f"\n## {name}\n\n| recipe | PSNR, dB | distance | {' | '.join(WEIGHTS)} |\n|{'---|' * 7}")
    for i in np.argsort(-truth):
        figures = " | ".join(f"{v:.2f}" for v in (whole.mean(0)[i], *parts.mean(0)[i]))
        print(f"| {list(psnrs)[i]} | {truth[i]:.2f} | {figures} |")
    print(f"| null |  | {' | '.join(f'{v:.2f}' for v in ((null @ weights).mean(), *null.mean(0)))} |")
    print("\n| by | Spearman, of halves | of the mean | dB short, of halves | of the mean | nearest |")
    print("|---|---|---|---|---|---|")
    ways = {"distance": whole, **{part: parts[..., i] for i, part in enumerate(WEIGHTS)}}
    for way, found in ways.items():
        each = -np.mean([spearmanr(row, truth).statistic for row in found])
        mean = -spearmanr(found.mean(0), truth).statistic
        short = (truth.max() - truth[found.argmin(1)]).mean()
        nearest = int(found.mean(0).argmin())
        print(f"| {way} | {each:.2f} | {mean:.2f} | {short:.2f} | {truth.max() - truth[nearest]:.2f} "
              f"| {list(psnrs)[nearest]} |")  # fmt: skip
    print(f"| at random | 0 | 0 | {(truth.max() - truth).mean():.2f} | | |")


def main() -> None:
    """Parse, make all LR, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=Path, action="append", required=True)
    parser.add_argument("--prefix", action="append", default=[])
    parser.add_argument("--noise-pool", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sets = {}
        for pairs in args.pairs:
            stems = [found.path.name for found in find_images(pairs / "LR")]
            for prefix in [p for p in args.prefix if pairs == args.pairs[0]] or [""]:
                if any(stem.startswith(prefix) for stem in stems):
                    src = work / f"src{len(sets)}"
                    link(pairs, prefix, src)
                    sets[prefix or pairs.name] = src
        pools = {}
        for name, src in sets.items() if len(sets) > 1 else ():
            adopt_folders(src / "LR", src / "HR", src / "pairs", scale=SCALE)
            pools[name] = src / "kernels.npz"
            estimate_pairs(src / "pairs", pools[name], KernelSettings(SCALE, max_error=9))
        for name, src in sets.items():
            photos = find_images(src / "LR")
            real = [read(one.path).as_float() for one in photos]
            others = {other: pool for other, pool in pools.items() if other != name}
            psnrs: dict[str, float] = {}
            made: dict[str, list[PhotoStatistics]] = {}
            for number, (recipe, settings) in enumerate(recipes(work, others, args.noise_pool).items()):
                out = src / f"made{number}"
                degrade_folder(src / "HR", out, settings)
                images = [read(out / pair_paths(one.key)[0]).as_float() for one in photos]
                psnrs[recipe] = float(
                    np.mean([matched_psnr(a, b) for a, b in zip(images, real, strict=True)])
                )
                made[recipe] = [describe(image) for image in images]
            described = [describe(image) for image in real]
            rng, parts, null = stream(0, name, "halves"), [], []
            for _ in range(args.draws):
                order = rng.permutation(len(real))
                for one, other in (np.array_split(order, 2), np.array_split(order, 2)[::-1]):
                    a = [described[i] for i in one]
                    rows = [domain_distance(a, [many[i] for i in other]) for many in made.values()]
                    parts.append([[getattr(row, part) for part in WEIGHTS] for row in rows])
                    held = domain_distance(a, [described[i] for i in other])
                    null.append([getattr(held, part) for part in WEIGHTS])
            report(f"{name}: {len(real)} pairs", psnrs, np.array(parts), np.array(null))


if __name__ == "__main__":
    main()
