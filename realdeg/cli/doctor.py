"""`realdeg doctor`: what is installed, what works, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from realdeg.cli.common import cores
from realdeg.errors import EXIT_MISSING_RESOURCE, EXIT_OK, EXIT_SOME_FAILED
from realdeg.options import command
from realdeg.output import Output

CORE = {
    "click": "click",
    "filelock": "filelock",
    "imagecodecs": "imagecodecs",
    "imageio": "imageio",
    "jinja2": "jinja2",
    "kornia": "kornia",
    "loky": "loky",
    "numpy": "numpy",
    "opencv-contrib-python": "cv2",
    "pandas": "pandas",
    "pillow": "PIL",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "rawpy": "rawpy",
    "rich": "rich",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "simplejpeg": "simplejpeg",
    "threadpoolctl": "threadpoolctl",
    "tifffile": "tifffile",
    "torch": "torch",
}
"""Distribution and import name of everything that realdeg needs."""
EXTRAS = {
    "heif": {"pillow-heif": "pillow_heif"},
    "video": {"av": "av"},
    "track": {"tensorboard": "tensorboard"},
    "dev": {"pytest": "pytest", "hypothesis": "hypothesis"},
}
WEIGHTS = ("vgg19-dcbb9e9d.pth", "vgg16-397923af.pth", "alexnet-owt-7be5be79.pth")
"""Files of torchvision's pretrained networks that perceptual losses and LPIPS can use."""
CGROUP = Path("/sys/fs/cgroup")

State = Literal["ok", "note", "missing", "failed"]


@dataclass(frozen=True)
class Finding:
    """One line of what was found.

    `missing`: a core part does not work; `failed`: it does, but work done with it went wrong; `note`:
    something optional is absent. `seconds`: that a piece of work took.
    """

    group: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    seconds: float | None = None


@command(dry_run=False)
@click.option("--quick", is_flag=True, help="Leave the tiny jobs out, which take half a minute.")
def doctor(output: Output, quick: bool) -> int:
    """Say what is installed and works here, and how to get the rest.

    Looks at libraries, processors, memory, codecs (by trying them), RAW support, pretrained weights and
    disk space; then runs a tiny job of each kind in a temporary folder, each checked by what it made: align,
    degrade with two processes, kernels, noise, tile, report, two steps of training, upscale. Nothing is
    downloaded or left behind. Exit code 3 when a core part is missing or broken, 1 when a job failed.

    Examples:
      realdeg doctor
      realdeg doctor --quick --json
    """
    findings = list(examine())
    started, tried = time.monotonic(), []
    if not any(one.state == "missing" for one in findings):
        tried = list(_work(quick=quick))
    seconds = time.monotonic() - started
    findings += tried
    failed = [one for one in tried if one.state == "failed"]
    broken = [one for one in findings if one.state == "missing"]
    told = {"ok": not (broken or failed), "findings": [asdict(one) for one in findings]}
    lines = [*_shown(findings), "\n" + _verdict(broken, tried, failed, seconds)]
    output.result({**told, "seconds": round(seconds, 2)}, *lines)
    return EXIT_MISSING_RESOURCE if broken else EXIT_SOME_FAILED if failed else EXIT_OK


def _verdict(broken: list[Finding], tried: list[Finding], failed: list[Finding], seconds: float) -> str:
    """The last line: what was really run, or why nothing was."""
    if broken:
        parts = f"{len(broken)} core part{'s' * (len(broken) != 1)} missing or broken: see above"
        return f"{parts}; no work was tried"
    names = ", ".join(one.name for one in tried)
    if failed:
        wrong = ", ".join(one.name for one in failed)
        return f"run here in {seconds:.1f} s: {names}; failed: {wrong}, see above"
    return f"run here in {seconds:.1f} s, with the results that were due: {names}"


def examine() -> Iterator[Finding]:
    """All findings, in the order in which they are shown."""
    yield from _installation()
    yield from _libraries()
    yield from _machine()
    yield from _codecs()
    yield from _weights()


def _shown(findings: list[Finding]) -> Iterator[str]:
    group = ""
    width = max(len(one.name) for one in findings)
    for one in findings:
        if one.group != group:
            group = one.group
            yield f"\n{group}"
        remedy = f"; {one.remedy}" if one.remedy else ""
        took = f" ({one.seconds:.1f} s)" if one.seconds is not None else ""
        yield f"  {one.state:<8}{one.name:<{width + 2}}{one.detail}{remedy}{took}"


def _installation() -> Iterator[Finding]:
    from importlib import metadata

    group = "Installation"
    python = f"{platform.python_version()} ({platform.machine()}, {platform.system()} {platform.release()})"
    try:
        version = metadata.version("realdeg")
    except metadata.PackageNotFoundError:
        version = "run from a checkout, not installed"
    yield Finding(group, "realdeg", "ok", f"{version}, from {Path(__file__).resolve().parents[1]}")
    yield Finding(group, "Python", "ok", python)


def _libraries() -> Iterator[Finding]:
    from importlib import metadata

    group = "Libraries"
    for name, module in CORE.items():
        problem = _import_problem(module)
        if problem is None:
            yield Finding(group, name, "ok", _version(name, module))
        else:
            yield Finding(group, name, "missing", problem, _remedy(name, problem))
    opencvs = sorted({d.name for d in metadata.distributions() if str(d.name).lower().startswith("opencv")})
    if len(opencvs) > 1:
        remedy = "uninstall all of them, then install opencv-contrib-python"
        yield Finding(group, "opencv", "note", f"{' and '.join(opencvs)} overwrite each other", remedy)
    for extra, modules in EXTRAS.items():
        absent = [name for name, module in modules.items() if importlib.util.find_spec(module) is None]
        detail = f"lacks {', '.join(absent)}" if absent else ", ".join(modules)
        remedy = f"pip install 'realdeg[{extra}]'" if absent else ""
        yield Finding(group, f"extra: {extra}", "note" if absent else "ok", detail, remedy)
    if importlib.util.find_spec("torchvision") is not None and (problem := _import_problem("torchvision")):
        remedy = "realdeg does not use it; other tools will fail until it matches torch"
        yield Finding(group, "torchvision", "note", problem, remedy)


def _import_problem(module: str) -> str | None:
    """Why a module cannot be imported; broken binaries raise RuntimeError, OSError and others."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return "is not installed" if error.name == module else f"is broken ({_line(error)})"
    except Exception as error:
        return f"is broken ({_line(error)})"
    return None


def _version(name: str, module: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # another build of the same module, e.g. headless OpenCV
        return str(getattr(sys.modules[module], "__version__", "version unknown"))


def _remedy(name: str, problem: str) -> str:
    if "libGL" in problem or "libgthread" in problem:
        return "apt-get install libgl1 libglib2.0-0, or install opencv-contrib-python-headless"
    return f"pip install {name}" if problem == "is not installed" else f"pip install --force-reinstall {name}"


def _machine() -> Iterator[Finding]:
    import tempfile

    group = "Machine"
    quota = _cgroup_cores()
    limit = f"; a container limits them to {quota:g}" if quota and quota < cores() else ""
    yield Finding(group, "processors", "ok", f"{cores()} of {os.cpu_count()} cores may be used{limit}")
    yield Finding(group, "memory", "ok", _memory())
    for name, folder in (("disk, here", Path.cwd()), ("disk, temporary", Path(tempfile.gettempdir()))):
        with suppress(OSError):
            free = shutil.disk_usage(folder).free
            few = free < 2e9
            remedy = "a dataset of 100 photos takes about 2 GB" if few else ""
            yield Finding(
                group, name, "note" if few else "ok", f"{free / 1e9:.1f} GB free in {folder}", remedy
            )
    yield from _devices()


def _devices() -> Iterator[Finding]:
    group = "Machine"
    try:
        import torch

        if not torch.cuda.is_available():
            mps = getattr(torch.backends, "mps", None)
            other = "Apple GPU (mps)" if mps and mps.is_available() else "none"
            remedy = "" if other != "none" else "training uses the processor; align and degrade need no GPU"
            yield Finding(group, "GPU", "note" if other == "none" else "ok", other, remedy)
            capability = torch.backends.cpu.get_cpu_capability()
            yield Finding(group, "torch on CPU", "ok", f"{capability}, {torch.get_num_threads()} threads")
            return
        for i in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(i)
            bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
            detail = f"{card.name}, {card.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}, {bf16}"
            yield Finding(group, f"GPU cuda:{i}", "ok", detail)
    except Exception as error:  # a driver that does not match shows itself in many ways
        yield Finding(group, "GPU", "note", f"cannot be asked ({_line(error)})", "check torch and the driver")


def _cgroup_cores() -> float | None:
    """Processor quota of a container (cgroup v2, then v1)."""
    with suppress(OSError, ValueError):
        quota, period = (CGROUP / "cpu.max").read_text(encoding="utf-8").split()
        return float(quota) / float(period) if quota != "max" else None
    with suppress(OSError, ValueError):
        quota_us = int((CGROUP / "cpu/cpu.cfs_quota_us").read_text(encoding="utf-8"))
        period_us = int((CGROUP / "cpu/cpu.cfs_period_us").read_text(encoding="utf-8"))
        return quota_us / period_us if quota_us > 0 else None
    return None


def _memory() -> str:
    parts = []
    with suppress(OSError, ValueError, AttributeError):
        parts.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB")
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        free = next(line for line in lines if line.startswith("MemAvailable"))
        parts.append(f"{int(free.split()[1]) / 2**20:.1f} GiB available")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((CGROUP / name).read_text(encoding="utf-8"))
            if limit < 1 << 50:  # version 1 says "no limit" with a huge number
                parts.append(f"a container limits it to {limit / 2**30:.1f} GiB")
    return ", ".join(parts) or "unknown on this system"


def _codecs() -> Iterator[Finding]:
    """Write and read a tiny picture through the same doors as every job does."""
    import tempfile

    group = "Codecs"
    try:
        from realdeg.io.trial import OPTIONAL, TRIALS
    except Exception as error:
        yield Finding(
            group, "all", "missing", f"cannot be tried ({_line(error)})", "mend the libraries above"
        )
        return
    with tempfile.TemporaryDirectory(prefix="realdeg-doctor-") as name:
        for what, attempt in TRIALS.items():
            try:
                yield Finding(group, what, "ok", attempt(Path(name)))
            except Exception as error:
                yield Finding(
                    group, what, "missing", f"fails ({_line(error)})", "reinstall the libraries above"
                )
        for what, (attempt, remedy) in OPTIONAL.items():
            try:
                yield Finding(group, what, "ok", attempt(Path(name)))
            except Exception as error:
                yield Finding(group, what, "note", f"cannot be read ({_line(error)})", remedy)


def _work(*, quick: bool = False) -> Iterator[Finding]:
    """Small jobs as users run them, each checked; a failure names its remedy."""
    import tempfile

    from realdeg.cli.trial_run import JOBS, QUICK

    group = "Work"
    try:
        with tempfile.TemporaryDirectory(prefix="realdeg-doctor-", ignore_cleanup_errors=True) as name:
            for what, (attempt, remedy) in (QUICK if quick else QUICK | JOBS).items():
                began = time.monotonic()
                state: State = "ok"
                try:
                    detail, remedy = attempt(Path(name)), ""
                except Exception as error:
                    remedy = getattr(error, "remedy", "") or remedy
                    state, detail = "failed", getattr(error, "problem", "") or _line(error)
                yield Finding(group, what, state, detail, remedy, round(time.monotonic() - began, 2))
    except OSError as error:
        remedy = "set TMPDIR to a folder that can be written"
        yield Finding(group, "temporary folder", "failed", _line(error), remedy)


def _weights() -> Iterator[Finding]:
    """Where pretrained networks are looked for; nothing here reaches for the network."""
    group = "Pretrained weights (optional)"
    given = os.environ.get("REALDEG_WEIGHTS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    hub = Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"
    if given is None:
        yield Finding(
            group, "REALDEG_WEIGHTS", "note", "not set", "name the folder that holds your .pth files"
        )
    elif not Path(given).is_dir():
        yield Finding(
            group, "REALDEG_WEIGHTS", "note", f"{given} is not a folder", "set it to your .pth files' folder"
        )
    else:
        yield Finding(group, "REALDEG_WEIGHTS", "ok", given)
    yield Finding(
        group, "torch's cache", "ok" if hub.is_dir() else "note", str(hub) + " (absent)" * (not hub.is_dir())
    )
    for name in WEIGHTS:
        places = [folder for folder in ([Path(given)] if given else []) + [hub] if (folder / name).is_file()]
        detail = f"found in {places[0]}" if places else "not found; only perceptual losses and LPIPS need it"
        yield Finding(group, name, "ok" if places else "note", detail)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
