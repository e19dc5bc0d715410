"""Checkpoints: weights as safetensors, everything else beside them, and a JSON file that vouches for both.

`checkpoints/00000500.safetensors` holds the weights and, in its header, what is needed to rebuild the
network; it is the one file to hand on. `00000500.state.pt` holds optimisers and random state, for
resuming. `00000500.json` is written last, with the SHA-256 of both: without it a checkpoint does not
exist, and with it no flipped byte goes unnoticed.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Required, TypedDict

import torch
from torch import Tensor, nn

from realdeg.atomic import write_bytes, write_text
from realdeg.errors import EXIT_MISSING_RESOURCE, UserError
from realdeg.identity import file_hash
from realdeg.typed import Mistyped, checked, parsed, read_json

EMA_SUFFIX = "_average"  # of the name of a network's average in a checkpoint
FOLDER = "checkpoints"
KEPT = 2
HEADER = "realdeg"


class About(TypedDict, total=False):
    """What a program stores of itself; further keys of its own are kept."""

    kind: Required[str]
    scale: Required[int]
    settings: Required[dict[str, Any]]
    data: str
    pairs: str
    stages: list[int]


class _Header(About, total=False):
    step: Required[int]


class _Voucher(_Header, total=False):
    weights_sha256: Required[str]
    state_sha256: Required[str]


class Stateful(Protocol):
    """A network, an optimiser, or anything else that can be stored and restored."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, strings and containers of them."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """Inverse of `state_dict`."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was found whole.

    Attributes:
        step: number of finished steps.
        about: what the program stored of itself: kind, scale, settings.
        weights: the safetensors file.
        state: file of the rest, or None where only the weights were handed on.
        within: beginning of the names of its tensors, where it lies inside another checkpoint.
    """

    step: int
    about: dict[str, Any]
    weights: Path
    state: Path | None
    within: str = ""

    def inner(self, name: str) -> Checkpoint:
        """A model that this one was built on and holds: `about[name]` tells of it, "NAME.net" are its nets.

        Raises:
            UserError: it holds no such model.
        """
        if name not in self.about:
            raise UserError(self.weights, f"holds no model {name!r}", "it was made by another version")
        try:
            about = checked(self.about[name], About, more=True)
        except Mistyped as error:
            problem = f"its header tells nothing of the model {name!r} ({error})"
            raise UserError(self.weights, problem, "use another checkpoint") from None
        return Checkpoint(self.step, dict(about), self.weights, None, f"{self.within}{name}.")

    def load_weights(self, parts: Mapping[str, nn.Module]) -> None:
        """Put the stored weights into networks by name.

        Raises:
            UserError: the file lacks a network's weights, or holds others, or what is not finite.
        """
        stored = _tensors(self.weights)
        for name, part in parts.items():
            own = f"{self.within}{name}."
            mine = {key.removeprefix(own): t for key, t in stored.items() if key.startswith(own)}
            problem = _unlike(part.state_dict(), mine)
            try:
                if not problem:
                    part.load_state_dict(mine)
            except RuntimeError as error:
                problem = str(error).splitlines()[-1].strip()
            if problem:
                problem = f"does not fit the network {name!r} ({problem})"
                raise UserError(self.weights, problem, "it was made by another version, or is damaged")

    def restore(self, parts: Mapping[str, Stateful]) -> None:
        """Put weights, optimisers and random state back as they were after `step`.

        Raises:
            UserError: the checkpoint holds weights alone, or other parts.
        """
        if self.state is None:
            raise UserError(self.weights, "holds weights only", "start a new run")
        self.load_weights({name: part for name, part in parts.items() if isinstance(part, nn.Module)})
        try:
            stored = torch.load(self.state, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError):
            problem = "holds something other than tensors and numbers, and was not run"
            raise UserError(self.state, problem, "do not trust its origin; start a new run") from None
        for name, part in parts.items():
            if isinstance(part, nn.Module):
                continue
            if name not in stored["parts"]:
                if hasattr(part, "load_without_state"):  # earlier versions had no such part
                    part.load_without_state(self.step)
                    continue
                raise UserError(self.state, f"holds no state of {name!r}", "start a new run")
            part.load_state_dict(stored["parts"][name])
        torch.set_rng_state(stored["rng"])
        if "rng_cuda" in stored and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(stored["rng_cuda"])


def save(run: Path, step: int, parts: Mapping[str, Stateful], about: Mapping[str, Any]) -> Path:
    """Write the checkpoint of `step` into `run/checkpoints`, then drop all but the newest two.

    Args:
        parts: by name; networks go into the safetensors file, all else into the state file.
        about: JSON values; at least "kind", "scale" and "settings".

    Returns:
        The safetensors file.

    Raises:
        UserError: the files cannot be written, or the disk is full; earlier checkpoints stay.
    """
    from safetensors.torch import save as as_bytes

    folder = run / FOLDER
    stem = f"{step:08d}"
    weights, state = folder / f"{stem}.safetensors", folder / f"{stem}.state.pt"
    modules = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    tensors: dict[str, Tensor] = {
        f"{name}.{key}": tensor.detach().cpu().contiguous()
        for name, part in modules.items()
        for key, tensor in part.state_dict().items()
    }
    rest: dict[str, Any] = {
        "parts": {name: part.state_dict() for name, part in parts.items() if name not in modules},
        "rng": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        rest["rng_cuda"] = torch.cuda.get_rng_state_all()
    header = {"step": step, **about}
    # Written by us: the libraries' own writers give errors of their own kinds where a disk is full.
    write_bytes(weights, as_bytes(tensors, metadata={HEADER: json.dumps(header)}))
    memory = io.BytesIO()
    torch.save(rest, memory)
    write_bytes(state, memory.getvalue())
    hashes = {"weights_sha256": file_hash(weights), "state_sha256": file_hash(state)}
    write_text(folder / f"{stem}.json", json.dumps({**header, **hashes}, indent=2) + "\n")
    stems = [int(known) for known in _stems(folder)]
    # Later steps can only be damaged ones that this run went back behind.
    later = [known for known in stems if known > step]
    for old in later + [known for known in stems if known <= step][:-KEPT]:
        # The voucher goes first: a checkpoint half deleted must not look whole.
        for suffix in (".json", ".safetensors", ".state.pt"):
            (folder / f"{old:08d}{suffix}").unlink(missing_ok=True)
    return weights


def latest(run: Path, say: Callable[[str], None] = print) -> Checkpoint | None:
    """The newest whole checkpoint of a run, or None; damaged ones are passed over with a line."""
    for tried, stem in enumerate(reversed(_stems(run / FOLDER))):
        found = _whole(run / FOLDER, stem)
        if isinstance(found, Checkpoint):
            if tried:
                say(f"going on from the checkpoint of step {found.step}")
            return found
        say(f"{found}; trying the one before")
    return None


def resume_point(run: Path) -> Checkpoint | None:
    """Where to go on: the newest whole checkpoint, or None for a run that has none yet.

    Raises:
        UserError: there are checkpoints and none is whole; to begin anew would write over them.
    """
    found = latest(run)
    if found is None and _stems(run / FOLDER):
        problem = f"has checkpoints, none of them whole ({len(_stems(run / FOLDER))} damaged)"
        raise UserError(run, problem, "bring back a copy of one, or start anew with --overwrite")
    return found


def export_weights(found: Checkpoint, path: Path, average: str = "") -> None:
    """Write the weights of a checkpoint to one file, which needs nothing beside it.

    Args:
        found: the checkpoint.
        path: safetensors file to write.
        average: ending of the names of averaged networks, which then stand in for the others.

    Raises:
        UserError: the file cannot be written.
    """
    from safetensors.torch import save as as_bytes

    stored = _tensors(found.weights)
    averaged = {key.split(".")[0] for key in stored if average and key.split(".")[0].endswith(average)}
    if averaged:
        # What was averaged makes the images, alone or on a model that it holds; all else served to learn.
        held = {name for name, value in found.about.items() if isinstance(value, dict) and "kind" in value}
        stored = {
            key.replace(average, "", 1) if key.split(".")[0] in averaged else key: tensor
            for key, tensor in stored.items()
            if key.split(".")[0] in averaged | held
        }
    header = {"step": found.step, **found.about}
    if averaged:
        header["settings"] = {**found.about["settings"], "ema": 0.0}
    write_bytes(path, as_bytes(stored, metadata={HEADER: json.dumps(header)}))


def open_run(run: Path, say: Callable[[str], None] = print) -> Checkpoint:
    """The newest whole checkpoint of a run folder.

    Raises:
        UserError: not a run folder, or no checkpoint is whole.
    """
    found = latest(run, say)
    if found is None:
        problem = "holds no whole checkpoint" if run.is_dir() else "there is no such run"
        remedy = "train one with `python -m train.d2c --data DATA -o RUN`"
        raise UserError(run, problem, remedy, exit_code=EXIT_MISSING_RESOURCE)
    return found


def open_file(path: Path) -> Checkpoint:
    """A single safetensors file, from a run's checkpoints or handed on alone.

    Raises:
        UserError: missing, damaged, or not written by `save`.
    """
    if not path.is_file():
        raise UserError(path, "there is no such checkpoint", exit_code=EXIT_MISSING_RESOURCE)
    if path.with_suffix(".json").is_file():
        found = _whole(path.parent, path.stem)
        if isinstance(found, Checkpoint) or path.with_name(f"{path.stem}.state.pt").exists():
            if isinstance(found, str):
                raise UserError(path, f"is damaged ({found})", "use another checkpoint of the run")
            return found
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(HEADER)
    except (SafetensorError, OSError):
        text = None
    remedy = "give a .safetensors file from RUN/checkpoints"
    if text is None:
        raise UserError(path, "is not a checkpoint of ours", remedy)
    try:
        about: dict[str, Any] = dict(parsed(text, _Header, more=True))
    except Mistyped as error:
        raise UserError(path, f"its header is damaged ({error})", remedy) from None
    return Checkpoint(about.pop("step"), about, path, None)


def _tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        UserError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        why = " ".join(str(error).split())[:100]
        raise UserError(path, f"is damaged ({why})", "use another checkpoint of the run") from None


def _unlike(wanted: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> str:
    """In which way stored tensors cannot be a network's, where torch would not say; "" where they may.

    Torch puts any number into any tensor: bytes that are read as another type would become weights.
    """
    for name, tensor in stored.items():
        if name not in wanted:
            continue
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            return f"{name} is {tensor.dtype}, {wanted[name].dtype} is meant".replace("torch.", "")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            return f"{name} holds other than finite numbers"
    return ""


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json") if path.stem.isdigit())


def _whole(folder: Path, stem: str) -> Checkpoint | str:
    """The checkpoint, or what is wrong with it."""
    voucher = folder / f"{stem}.json"
    weights, state = folder / f"{stem}.safetensors", folder / f"{stem}.state.pt"
    try:
        about: dict[str, Any] = dict(read_json(voucher, _Voucher, more=True))
    except (OSError, Mistyped):
        return f"{voucher} is damaged"
    hashes = {weights: about.pop("weights_sha256"), state: about.pop("state_sha256")}
    step = about.pop("step")
    for path, expected in hashes.items():
        if not path.is_file() or file_hash(path) != expected:
            return f"{path} is damaged or missing"
    return Checkpoint(step, about, weights, state)
