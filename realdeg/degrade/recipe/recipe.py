"""Recipes of degradation: a TOML file with every operation, range, probability and order; checked, drawn.

A recipe is a value. `Recipe.draw` makes the plan of one image (`realdeg.degrade.plan`), which
`realdeg.degrade.apply.image` applies to an image and `realdeg.degrade.apply.batch` to a batch of tensors.
Called on an image, a recipe does all of it at once.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, fields, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from realdeg import inputs, ipp
from realdeg.arraytypes import Image
from realdeg.degrade.apply.image import apply
from realdeg.degrade.apply.prepare import prepare_hr
from realdeg.degrade.ops.context import DrawContext, Op
from realdeg.degrade.ops.distribution import Mixture, Number, RecipeError, parse, parse_names, suggest
from realdeg.degrade.ops.light import Grey, Light
from realdeg.degrade.ops.noise import InjectOp
from realdeg.degrade.ops.order import Sequence, draw_all
from realdeg.degrade.ops.registry import OPS
from realdeg.degrade.plan import Plan, size_in_words
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.border import BORDERS
from realdeg.imaging.depth import to_float
from realdeg.inputs import ImageLike, PathLike
from realdeg.io.save import to_uint
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import fingerprint

COLOURS = ("gamma", "linear")
KEYS = ("name", "about", "source", "colour", "border", "hr", "define", "steps")
LARGEST = 128 << 10  # letters of a file: Real-ESRGAN's has 3 kB
LONGEST = 2000  # letters of a line: a name of many parts takes tomllib the square of their number
MAX_DEPTH = 12
MAX_OPS = 2000  # with all that `use` brings in: no recipe needs them, and a bomb would


@dataclass(frozen=True)
class Degraded:
    """A pair, and how it was made; unpacks as `lr, plan`.

    Attributes:
        lr: (h, w, 3) of the source's type.
        hr: (s h, s w, 3) what LR was made of: the source after the recipe's clean-up, cut to whole LR pixels.
        plan: what was done to HR.
    """

    lr: Image
    hr: Image
    plan: Plan

    def __iter__(self) -> Iterator[Any]:
        """LR and the plan."""
        yield self.lr
        yield self.plan


@dataclass(frozen=True)
class Recipe:
    """What is done to HR to make LR.

    Attributes:
        name: short.
        about: for a person.
        source: paper and equation or section, code, what was filled in.
        colour: "gamma": blur, resizing and noise by laws act on sRGB values; "linear": on linear light.
            Codecs, sharpening and stored noise always act on sRGB values.
        border: beyond the image's edge, where an operation does not say otherwise.
        cleanup: HR is its source reduced so many times by MATLAB's bicubic before all else, which removes
            noise and artefacts (RealSR reduces by 2); 1 = not at all.
        ops: the operations.
        text: the file.
        content: hash of what the file says to do.
    """

    name: str
    ops: tuple[Op, ...]
    about: str = ""
    source: str = ""
    colour: str = "gamma"
    border: str = "symmetric"
    cleanup: int = 1
    text: str = ""
    content: str = ""

    @cached_property
    def digest(self) -> str:
        """Content hash of what it does; name and description are not part of it."""
        return fingerprint(self.content)

    def pools(self) -> set[str]:
        """Pools that it may draw from: "kernel", "noise"."""
        found: set[str] = set()
        for op in self.ops:
            found |= op.pools()
        return found

    def by_level(self) -> bool:
        """Whether noise of a pool is injected by brightness."""
        every = (op for op, _ in _everywhere(self.ops, "steps"))
        return any(isinstance(op, InjectOp) and "level" in op.match.names for op in every)

    def without(self, kind: str) -> Recipe:
        """The recipe less its top-level operations of one kind ("inject", say)."""
        ops = tuple(op for op in self.ops if op.op != kind)
        return replace(self, ops=ops, content=f"{self.content} without {kind}")

    def cleaned_up(self, by: int) -> Recipe:
        """The recipe with another clean-up factor for HR."""
        return replace(self, cleanup=by, content=f"{self.content} clean-up {by}")

    def check(self, scale: int) -> None:
        """Refuse a recipe that no image of this scale can use.

        Raises:
            UserError: names the step and the setting, or what is not installed.
        """
        for op, where in _everywhere(self.ops, "steps"):
            op.ready()
            try:
                op.check(scale)
            except RecipeError as error:
                raise _wrong(self.name, f"{where}.{error}") from None

    def draw(
        self,
        seed: int,
        key: str,
        hr_size: tuple[int, int],
        scale: int,
        *,
        kernels: KernelPool | None = None,
        noises: NoisePool | None = None,
        group: str = "",
        grey: bool = False,
    ) -> Plan:
        """Draw what is done to one image: a function of the arguments alone.

        Args:
            seed: of the run.
            key: of the image.
            hr_size: (H, W) of HR, multiples of scale.
            scale: HR size / LR size.
            kernels, noises: pools, where the recipe draws from any.
            group: images of one group share order and sizes, so that they fit into one batch.
            grey: HR has no colours; LR then has none either.

        Returns:
            What to do, with every number; its last step gives an image of LR's size.

        Raises:
            UserError: HR's size is no multiple of the scale, a pool is missing, or the recipe does not end at
                LR's size.
        """
        height, width = hr_size
        hr_size, lr_size = (int(height), int(width)), (int(height) // scale, int(width) // scale)
        if min(lr_size) < 1 or hr_size != (lr_size[0] * scale, lr_size[1] * scale):
            problem = f"HR of {size_in_words(hr_size)} is no multiple of the scale {scale}"
            raise UserError(key or "HR", problem, "cut it by prepare_hr or mod_crop first")
        d = DrawContext(
            seed, key, group, scale, hr_size, lr_size, kernels, noises,
            self.border, self.colour == "linear", grey, s=float(scale),
        )  # fmt: skip
        draw_all(self.ops, d, "steps")
        if d.in_linear:
            d.steps.append(Light(to="gamma"))
        if grey:
            d.steps.append(Grey())
        if d.size != lr_size:
            size = f"{d.size[1]}x{d.size[0]} px, LR {lr_size[1]}x{lr_size[0]}"
            raise _wrong(self.name, f"its last step gives {size}", 'end with { op = "resize" }')
        return Plan(tuple(d.steps), hr_size, scale, self.cleanup)

    @classmethod
    def load(cls, name: PathLike) -> Recipe:
        """A preset by name, or a recipe file.

        Args:
            name: "realesrgan", "bsrgan" and so on (`realdeg recipes` lists them), or the path of a TOML file.

        Raises:
            BadInput: no name and no path.
            UserError: neither a preset nor a file, or not a recipe.

        Example:
            >>> import realdeg
            >>> realdeg.Recipe.load("bicubic").name
            'bicubic'
            >>> realdeg.Recipe.load("realesgran")
            Traceback (most recent call last):
            ...
            realdeg.errors.UserError: realesgran: is no preset and no file; did you mean 'realesrgan'?
        """
        return read_recipe(inputs.path(name, "name"))

    @ipp.without()  # as in jobs: the same pixels on every processor
    def __call__(
        self,
        image: ImageLike,
        *,
        seed: int,
        key: str = "",
        scale: int = 4,
        kernels: KernelPool | None = None,
        noises: NoisePool | None = None,
        grey: bool | None = None,
    ) -> Degraded:
        """A pair of an image: HR prepared, a plan drawn, and applied.

        The same arguments give the same pair as `realdeg degrade` gives the image of this key.

        Args:
            image: the source, (H, W, 3) uint8, uint16, or float in [0, 1]; RGB, sRGB-encoded. Grey,
                `realdeg.Photo`, pictures of Pillow and paths are taken as well.
            seed: of the run.
            key: of the image; other keys, other draws.
            scale: HR size / LR size.
            kernels, noises: pools, where the recipe draws from any.
            grey: the image has no colours, so LR gets none; None: as it was given.

        Returns:
            LR, HR and the plan; unpacks as `lr, plan`. Images are of the source's type (float32 for floats,
            which are degraded with 16 bits); HR is cut to whole LR pixels.

        Raises:
            BadInput: an argument that cannot be used.
            UserError: the recipe is wrong at this scale, the image is too small, or a pool is missing or does
                not fit.

        Example:
            >>> import realdeg
            >>> recipe = realdeg.Recipe.load("realesrgan")
            >>> lr, plan = recipe("data/sample/clean/chelsea.png", seed=0, key="chelsea", scale=4)
            >>> lr.shape, plan.hr_size
            ((75, 112, 3), (300, 448))
        """
        seed, scale = inputs.whole(seed, "seed"), inputs.scale(scale)
        if not isinstance(key, str):
            raise inputs.BadInput("key", f"is of type {type(key).__name__}", "give a text")
        self.check(scale)
        opened = inputs.opened(image, "image")
        source = inputs.image(opened, "image")
        colourless = inputs.is_grey(opened) if grey is None else bool(grey)
        exact = source if source.dtype != np.float32 else to_uint(source, np.uint16)
        hr = prepare_hr(exact, scale, self.cleanup)
        size = hr.shape[0], hr.shape[1]
        plan = self.draw(seed, key, size, scale, kernels=kernels, noises=noises, grey=colourless)
        lr = apply(plan, hr, kernels=kernels, noises=noises)
        if source.dtype == np.float32:
            return Degraded(to_float(lr), to_float(hr), plan)
        return Degraded(lr, hr, plan)


def read_recipe(name: str | Path) -> Recipe:
    """A preset by name, or a recipe file.

    Raises:
        UserError: neither (with the nearest preset), or not a recipe: where, what is wrong, what is meant.
    """
    if str(name) in PRESETS:
        text = (resources.files("realdeg.degrade.recipe") / "shipped" / f"{name}.toml").read_text(
            encoding="utf-8"
        )
        return from_text(text, str(name))
    path = Path(name)
    try:
        with path.open(encoding="utf-8") as file:
            return from_text(file.read(LARGEST + 1), str(path))
    except (FileNotFoundError, NotADirectoryError):
        problem = "is no preset and no file"
        raise UserError(str(name), problem, suggest(str(name), PRESETS), exit_code=EXIT_USAGE) from None
    except UnicodeDecodeError:
        raise _wrong(str(path), "is not text in UTF-8") from None
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", exit_code=EXIT_USAGE) from None


def from_text(text: str, where: str) -> Recipe:
    """A recipe from its text.

    Args:
        text: TOML.
        where: named in messages.

    Raises:
        UserError: not TOML, an unknown key or name (with the nearest known one), a value that is not meant.
    """
    if len(text) > LARGEST or max(map(len, text.split("\n"))) > LONGEST:
        most = f"more than {LARGEST >> 10} kB, or a line of more than {LONGEST:,} letters"
        raise _wrong(where, f"is not TOML that is read: {most}")
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise _wrong(where, f"is not TOML ({error})") from None
    for key in raw:
        if key not in KEYS:
            raise _wrong(where, f"unknown key {key!r}", suggest(key, KEYS))
    for key in ("name", "about", "source"):
        if not isinstance(raw.get(key, ""), str):
            raise _wrong(where, f"{key}: text is meant")
    for key, known in (("colour", COLOURS), ("border", BORDERS)):
        if raw.get(key, known[0]) not in known:
            raise _wrong(where, f"{key} {raw[key]!r} is unknown", suggest(str(raw[key]), known))
    try:
        ops = _ops(raw.get("steps"), "steps", _Defined(raw.get("define", {})), 0)
    except RecipeError as error:
        raise _wrong(where, str(error)) from None
    does = {key: raw.get(key) for key in KEYS[3:]}
    return Recipe(
        name=raw.get("name", Path(where).stem),
        ops=ops,
        about=raw.get("about", ""),
        source=raw.get("source", ""),
        colour=raw.get("colour", COLOURS[0]),
        border=raw.get("border", BORDERS[0]),
        cleanup=_cleanup(raw.get("hr", {}), where),
        text=text,
        content=fingerprint(does),
    )


def _cleanup(section: Any, where: str) -> int:
    if not isinstance(section, dict) or any(key != "cleanup" for key in section):
        raise _wrong(where, "[hr] has one key, cleanup", "write [hr] and below it cleanup = 2")
    value = section.get("cleanup", 1)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 16:
        raise _wrong(where, f"hr.cleanup {value!r}: a whole number from 1 to 16 is meant")
    return value


@dataclass
class _Defined:
    """Parts by name, and how many operations may still be made of them."""

    parts: Any
    left: int = MAX_OPS


def _ops(tables: Any, where: str, define: _Defined, depth: int) -> tuple[Op, ...]:
    if not isinstance(tables, list) or not tables:
        raise RecipeError(f"{where}: a list of operations is meant")
    if depth > MAX_DEPTH:
        raise RecipeError(
            f"{where}: operations inside of operations, {MAX_DEPTH} deep; does `use` use itself?"
        )
    made: list[Op] = []
    for place, table in enumerate(tables):
        here = f"{where}[{place}]"
        if not isinstance(table, dict):
            raise RecipeError(f"{here}: a table with `op` is meant")
        if "use" in table:
            used = table["use"]
            parts = define.parts if isinstance(define.parts, dict) else {}
            if not isinstance(used, str) or used not in parts:
                remedy = suggest(str(used), list(parts)) if parts else "nothing is"
                raise RecipeError(f"{here}: {used!r} is not defined; {remedy}")
            inner = _ops(parts[used], f"define.{used}", define, depth + 1)
            rest = {name: value for name, value in table.items() if name != "use"}
            made += [_of_settings(Sequence, rest, here, {"inner": inner})] if rest else inner
        else:
            made.append(_op(table, here, define, depth))
    return tuple(made)


def _op(table: dict[str, Any], where: str, define: _Defined, depth: int) -> Op:
    define.left -= 1
    if define.left < 0:
        raise RecipeError(f"{where}: more than {MAX_OPS} operations")
    kind = table.get("op")
    if not isinstance(kind, str) or kind not in OPS:
        if kind is None:
            raise RecipeError(f"{where}: op is missing; known: {', '.join(OPS)}")
        raise RecipeError(f"{where}.op: {kind!r} is unknown; {suggest(str(kind), list(OPS))}")
    where = f"{where} ({kind})"
    values = {name: value for name, value in table.items() if name != "op"}
    known, also = _names_of(OPS[kind])
    for name in values:
        if name not in known and name not in also:
            raise RecipeError(f"{where}: unknown setting {name!r}; {suggest(name, [*also, *known])}")
    made: dict[str, Any] = {}
    if kind in ("sequence", "shuffle"):
        made["inner"] = _ops(values.pop("steps", None), f"{where}.steps", define, depth + 1)
    if kind == "one_of":
        branches = values.pop("branches", None)
        if not isinstance(branches, list) or not branches:
            raise RecipeError(f"{where}.branches: a list of lists of operations is meant")
        made["branches"] = tuple(
            _ops(branch, f"{where}.branches[{i}]", define, depth + 1) for i, branch in enumerate(branches)
        )
        made["cumulative"] = _weights(values.pop("weights", None), len(branches), where)
    if kind == "shuffle":
        made["keep_order"] = tuple(_texts(values.pop("keep_order", []), f"{where}.keep_order"))
    return _of_settings(OPS[kind], values, where, made)


def _of_settings(kind: type[Op], values: dict[str, Any], where: str, made: dict[str, Any]) -> Op:
    """An operation of what its table says besides operations inside of it (`made`)."""
    known, _ = _names_of(kind)
    for name, value in values.items():
        if name not in known:
            raise RecipeError(f"{where}: unknown setting {name!r}; {suggest(name, list(known))}")
        try:
            made[name] = _value(value, known[name].metadata)
        except RecipeError as error:
            raise RecipeError(f"{where}.{name}: {error}") from None
    return kind(**made)


def _names_of(kind: type[Op]) -> tuple[dict[str, Field[Any]], list[str]]:
    """Settings of an operation by name, and what it has of operations inside of it."""
    inside = {"inner": "steps", "branches": "branches", "cumulative": "weights"}
    plain = {one.name: one for one in fields(kind) if one.metadata}
    return plain, [inside.get(one.name, one.name) for one in fields(kind) if not one.metadata]


def _value(value: Any, meta: Mapping[str, Any]) -> Any:
    if meta.get("distribution"):
        if meta.get("word") and value == meta["word"]:
            return None
        drawn_from = parse(value)
        if meta.get("fixed") and not isinstance(drawn_from, Number):
            raise RecipeError("one number is meant, or an expression in s")
        return drawn_from
    if "names" in meta:
        return parse_names(value, meta["names"])
    if meta.get("flag"):
        if not isinstance(value, bool):
            raise RecipeError(f"{value!r}: true or false is meant")
        return value
    if meta.get("whole"):
        if not isinstance(value, list) or not all(type(one) is int and one > 0 for one in value):
            raise RecipeError(f"{value!r}: a list of whole numbers is meant")
        return tuple(value)
    if meta.get("numbers"):
        plain = isinstance(value, list) and all(type(one) in (int, float) for one in value)
        if not plain or not all(math.isfinite(one) for one in value):
            raise RecipeError(f"{value!r}: a list of numbers is meant")
        return tuple(value)
    if not isinstance(value, str) or not value or "/" in value or "#" in value:
        raise RecipeError(f"{value!r}: a word without / and # is meant")
    return value


def _weights(weights: Any, count: int, where: str) -> tuple[float, ...]:
    try:
        mixture = parse({"choice": [0] * count, **({} if weights is None else {"weights": weights})})
    except RecipeError as error:
        raise RecipeError(f"{where}.weights: {error}") from None
    assert isinstance(mixture, Mixture)
    return mixture.cumulative


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise RecipeError(f"{where}: a list of names is meant")
    return value


def _everywhere(ops: tuple[Op, ...], where: str) -> list[tuple[Op, str]]:
    found = []
    for place, op in enumerate(ops):
        here = f"{where}[{place}] ({op.op})"
        found += [(op, here), *_everywhere(tuple(op.parts()), here)]
    return found


def _wrong(where: str, problem: str, remedy: str = "") -> UserError:
    return UserError(where, problem, remedy, exit_code=EXIT_USAGE)
