"""Damage to texts and arrays: bytes, and single values of JSON, YAML, TOML, CSV, .npz, .mat and safetensors.

Each function takes a random generator and a file's bytes, and gives other bytes. What a value becomes is
drawn from `ODD`: what JSON allows and nobody expects.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

ODD = (
    *("null", "true", "false", "0", "1", "-1", "2", "1.5", "-0.0", "1e400", "-1e400", "NaN", "Infinity"),
    *('"x"', '""', '"1"', '"../../x"', '"/etc/passwd"', '"\\u0000"', '"nan"', '"\\ud800"', '"a\\nb"'),
    *("[]", "{}", "[null]", '["x"]', "[[1]]", '{"x": 1}', "[1, 2, 3]", '[1, "x", null]', '{"op": "blur"}'),
    *("5000", "100000", "3000000000", "[100000, 100000]", "[0, 0]", "[-1, 5]"),
    *("9" * 400, "-" + "9" * 30, "9" * 5000, "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000),
    *('"' + "y" * 200_000 + '"', "[" + "0," * 20_000 + "0]", "18446744073709551616", "1e-400", "1e308"),
)
ODD_YAML = (
    *ODD,
    *(".nan", "-.inf", "1e400", "2024-01-01", "~", "yes", "0x10", "1_000", "!!binary aGk=", "!!set {a, b}"),
    *("!!python/object/apply:os.system [true]", "*missing", "&a [*a]", "{? [1]: 2}", "@", "'", "- - - -"),
)
ODD_TOML = (
    *("0", "-1", "1.5", "1e400", "nan", "inf", "true", '"x"', '""', "[]", "[1]", "[3, 1]", "[[1]]", "{}"),
    *("{ choice = [] }", "{ log10 = [300, 400] }", "{ reciprocal = [0, 1] }", '"1 / (s - 2)"', '"s / 0"'),
    *("{ integers = [0.5, 2] }", "{ either = [1] }", "{ sqrt = [-4, 2] }", "9" * 300, "9" * 5000, "[" * 2000),
    *('"' + "1+" * 3000 + '1"', '"' + "(" * 500 + "s" + ")" * 500 + '"', "1979-05-27", "07:32:00", "'''"),
    *('"9e999 * s"', '"s * s * s * 1e300"', "{ odd = [2, 2] }", "[nan, 1]", '["x", 2]', "[-1, 0]", "[0, 0]"),
    *("{ choice = [1], weights = [0] }", "[1e300, 1e308]", '"-s"', "{ choice = [1, 2], weights = [nan, 1] }"),
)
ODD_CELLS = (
    *("", "x", "-1", "0", "1.5", "1e400", "nan", "inf", "99999999999999999999", "9" * 5000, "../x", "/x"),
    *("\0", "a\nb", '"', "\r", "ok", "failed", "train", "[]", "{}", "null", "[1]", '{"x": 1}', "y" * 140_000),
    *("[" * 3000, "\ufeff", "\u0661", "\u00b2", "\u2028", "1 2 3", ",", ";", "True", "x2", "17", "\ud7ff"),
)
MARK = "@@the mutated value@@"
Mutator = Callable[[random.Random, bytes], bytes]


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Other bytes: flipped, cut out, cut off, put in, repeated, or zeros."""
    whole = bytearray(data)
    kind = rng.randrange(7)
    at = rng.randrange(max(1, len(whole)))
    length = min(len(whole) - at, rng.choice((1, 2, 4, 16, 200, 4000)))
    if kind <= 1:
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            place = rng.randrange(max(1, len(whole)))
            whole[place : place + 1] = bytes([whole[place] ^ (1 << rng.randrange(8))]) if whole else b"x"
    elif kind == 2:
        del whole[at : at + length]
    elif kind == 3:
        del whole[at:]
    elif kind == 4:
        whole[at:at] = rng.randbytes(length)
    elif kind == 5:
        whole[at:at] = whole[at : at + length]
    else:
        whole[at : at + length] = bytes(length)
    return bytes(whole)


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here]
    if isinstance(value, dict):
        for name, one in value.items():
            found += _paths(one, (*here, name))
    elif isinstance(value, list):
        for place, one in enumerate(value[:40]):
            found += _paths(one, (*here, place))
    return found


def changed(rng: random.Random, value: Any, odd: tuple[str, ...], dump: Callable[[Any], str]) -> str:
    """The text of a value, in which one value is another, gone, there twice, or under another name."""
    path = rng.choice(_paths(value))
    if not path:
        return rng.choice(odd)
    parent = value
    for part in path[:-1]:
        parent = parent[part]
    kind = rng.randrange(8)
    last = path[-1]
    if kind == 0:
        del parent[last]
        return dump(value)
    if kind == 1 and isinstance(parent, dict):
        parent[rng.choice((f"{last}x", "", "\u0000", "key", "kind"))] = parent.pop(last)
        return dump(value)
    text = rng.choice(odd)
    if kind == 2 and isinstance(parent, dict):
        parent[MARK] = 1
        return dump(value).replace(json.dumps(MARK), json.dumps(str(last)), 1).replace(MARK, str(last), 1)
    if kind == 3 and isinstance(parent, list):
        parent.insert(last, MARK)
    else:
        parent[last] = MARK
    return dump(value).replace(json.dumps(MARK), text, 1).replace(f"'{MARK}'", text, 1).replace(MARK, text, 1)


def json_text(rng: random.Random, data: bytes) -> bytes:
    """One value of a JSON text."""
    dump = lambda value: json.dumps(value, ensure_ascii=False)  # noqa: E731
    return changed(rng, json.loads(data), ODD, dump).encode("utf-8", "replace")


def json_lines(rng: random.Random, data: bytes) -> bytes:
    """One value of one line; or a line gone, or there twice."""
    lines = data.decode().rstrip("\n").split("\n")
    place = rng.randrange(len(lines))
    kind = rng.randrange(12)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(rng.randrange(len(lines)), lines[place])
    else:
        lines[place] = json_text(rng, lines[place].encode()).decode("utf-8", "replace")
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def yaml_text(rng: random.Random, data: bytes) -> bytes:
    """One value of a YAML text; its heading stays."""
    import yaml

    heading = "".join(line + "\n" for line in data.decode().split("\n") if line.startswith("#"))
    value = yaml.safe_load(data)
    dump = lambda value: yaml.safe_dump(value, sort_keys=False, allow_unicode=True)  # noqa: E731
    return (heading + changed(rng, value, ODD_YAML, dump)).encode("utf-8", "replace")


def toml_text(rng: random.Random, data: bytes) -> bytes:
    """One value of a TOML text, or one number or word inside of it; or a line gone or there twice."""
    lines = data.decode().split("\n")
    told = [place for place, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    place = rng.choice(told)
    kind = rng.randrange(6)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(place, lines[place])
    elif kind == 2:
        at = rng.choice([at for at, letter in enumerate(lines[place]) if letter == "="])
        lines[place] = f"{lines[place][:at]}= {rng.choice(ODD_TOML)}"
    else:
        import re

        values = list(re.finditer(r'(?<== )(\[[^\]]*\]|"[^"]*"|[\w.+-]+)', lines[place]))
        if values:
            one = rng.choice(values)
            lines[place] = lines[place][: one.start()] + rng.choice(ODD_TOML) + lines[place][one.end() :]
    return "\n".join(lines).encode()


def csv_text(rng: random.Random, data: bytes) -> bytes:
    """One cell, or one value of JSON in a cell; or a column or a row gone, there twice or renamed."""
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    structured = [
        (r, c) for r in range(1, len(rows)) for c, cell in enumerate(rows[r]) if cell[:1] in "[{" and cell
    ]
    kind = rng.randrange(10)
    if kind <= 3 and structured:
        row, column = rng.choice(structured)
        rows[row][column] = json_text(rng, rows[row][column].encode()).decode("utf-8", "replace")
    elif kind == 4:
        for one in rows:
            del one[column]
    elif kind == 5:
        for one in rows:
            one.insert(column, one[column])
    elif kind == 6:
        rows.insert(row, list(rows[row]))
    elif kind == 7:
        del rows[row][column]
    else:
        rows[row][column] = rng.choice(ODD_CELLS)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))).writerows(
        rows
    )
    return text.getvalue().encode("utf-8", "replace")


def odd_array(rng: random.Random, array: Any) -> Any:
    """An array of another type, shape or content."""
    shape = array.shape
    ways: tuple[Callable[[], Any], ...] = (
        lambda: np.float64(1.0),
        lambda: np.zeros(0),
        lambda: np.zeros((0, 3)),
        lambda: array[None],
        lambda: array.reshape(-1),
        lambda: array.T,
        lambda: array[:1] if array.ndim else array,
        lambda: np.repeat(array[None], 2, 0),
        lambda: np.zeros((*shape, 1)),
        lambda: np.full(shape, np.nan),
        lambda: np.full(shape, np.inf),
        lambda: np.full(shape, -1e308),
        lambda: np.zeros(shape),
        lambda: np.full(shape, 1 / max(array.size, 1)),
        lambda: np.ones(shape, bool),
        lambda: np.ones(shape, np.int64),
        lambda: np.ones(shape, np.complex128),
        lambda: np.full(shape, "x"),
        lambda: np.full(shape, b"x"),
        lambda: np.zeros(shape, "M8[s]"),
        lambda: np.zeros(shape, [("a", "f4"), ("b", "O")]),
        lambda: np.zeros(shape, [("a", "f4"), ("b", "i2")]),
        lambda: np.full(shape, None, object),
        lambda: array.astype(">f8") if array.dtype.kind in "fiu" else array,
        lambda: np.asfortranarray(array),
        lambda: np.zeros((3000, 3000), np.uint8),
        lambda: np.zeros(300_000, np.uint8),
        lambda: np.zeros((1,) * 32, np.float32),
    )
    return rng.choice(ways)()


def npy(array: Any) -> bytes:
    """An array as .npy, also one that has to be pickled."""
    data = io.BytesIO()
    np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=True)
    return data.getvalue()


def lying_npy(rng: random.Random, shape: tuple[int, ...] | None = None) -> bytes:
    """An .npy whose header claims more than there is, or what is no array at all."""
    claimed = shape or rng.choice(
        [(10**6, 10**6), (2**63,), (-1,), (10**9,), (10**400,), (0, 10**18), (3, 4.5)]
    )
    kind = rng.choice(
        ["'<f8'", "'|O'", "'<f8, <f8'", "'|V9999999'", "'<U999999999'", "__import__('os')", "None"]
    )
    order = rng.choice(["False", "True", "None"])
    text = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {claimed!r}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1") + b"\0" * 64


def npz(rng: random.Random, data: bytes) -> bytes:
    """One member of a zip of arrays another, gone, there twice, too many; or the zip itself."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    kind = rng.randrange(9)
    first = np.load(io.BytesIO(members[name]), allow_pickle=False)
    if kind <= 1 and first.dtype.kind == "U" and first.ndim == 0:
        kind = 8
    if kind <= 2:
        members[name] = npy(odd_array(rng, first))
    elif kind == 3:
        del members[name]
    elif kind == 4:
        members[name] = lying_npy(rng)
    elif kind == 5:
        members[rng.choice(("extra.npy", "../out.npy", "text.txt", "a.npy/b.npy", ".npy"))] = members[name]
    elif kind == 6:
        members[name] = rng.choice((b"", b"not an array", pickle.dumps([1, 2]), members[name][:-7]))
    elif kind == 7:
        members[name] = damaged(rng, members[name])
    elif first.dtype.kind == "U" and first.ndim == 0:
        text = json_text(rng, str(first).encode()).decode("utf-8", "replace")
        members[name] = npy(np.array(text.rstrip("\0")))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for one, content in members.items():
            archive.writestr(one, content)
    return damaged(rng, whole.getvalue()) if rng.randrange(6) == 0 else whole.getvalue()


def npy_file(rng: random.Random, data: bytes) -> bytes:
    """One array."""
    if rng.randrange(3) == 0:
        return lying_npy(rng)
    return npy(odd_array(rng, np.load(io.BytesIO(data), allow_pickle=False)))


def mat(rng: random.Random, data: bytes) -> bytes:
    """One variable of a MATLAB file of another kind."""
    from scipy.io import loadmat, savemat
    from scipy.sparse import eye

    content = {k: v for k, v in loadmat(io.BytesIO(data)).items() if not k.startswith("__")}
    name = rng.choice(list(content))
    cells = np.empty((1, 3), object)
    cells[0, :] = [np.ones((3, 3)) / 9, "text", np.empty((0, 0))]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: "text",
        lambda: eye(5).tocsc(),
        lambda: {"kernel": np.ones((3, 3))},
        lambda: cells,
        lambda: np.empty((0, 0), object),
        lambda: odd_array(rng, np.ones((5, 5)) / 25),
        lambda: np.ones((5, 5), np.complex128),
        lambda: np.ones((4, 4, 4, 4)),
    )
    value = rng.choice(ways)()
    renamed = rng.choice((name, name, "x", "Kernel", "a/b"))
    if (
        not (isinstance(value, (str, dict)) or hasattr(value, "tocsc"))
        and np.asarray(value).dtype.kind in "MV"
    ):
        value = "text"
    whole = io.BytesIO()
    try:
        savemat(
            whole, {renamed: value}, do_compression=rng.random() < 0.7, format=rng.choice(("5", "5", "4"))
        )
    except Exception:  # what MATLAB has no type for
        whole = io.BytesIO()
        savemat(whole, {"x": "text"})
    return damaged(rng, whole.getvalue()) if rng.randrange(4) == 0 else whole.getvalue()


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """One value of the header, or of the JSON that the header holds as text."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    about = header.get("__metadata__", {}).get("realdeg")
    if about and rng.randrange(3):
        header["__metadata__"]["realdeg"] = json_text(rng, about.encode()).decode("utf-8", "replace")
        text = json.dumps(header).encode()
    else:
        text = json_text(rng, json.dumps(header).encode())
    claimed = rng.choice((len(text), len(text), len(text), len(text), 2**63, 0, 10**9, len(text) + 8))
    return struct.pack("<Q", claimed) + text + data[8 + size :]


def torch_file(rng: random.Random, data: bytes) -> bytes:
    """Another content in torch's format: no mapping, no tensors, other shapes, code."""
    import torch

    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("ran",)

    content = torch.load(io.BytesIO(data), weights_only=True)
    name = rng.choice(list(content))
    ways: tuple[Any, ...] = (
        [1, 2], {1: torch.ones(2)}, {**content, name: 1}, {**content, name: torch.ones(())}, "text", None,
        {**content, name: torch.full((3, 3), float("nan"))}, {**content, name: Code()}, {}, Code(),
        {**content, "extra": torch.ones(3)}, {k: v for k, v in content.items() if k != name},
        {"model": content}, {**content, name: None}, {**content, name: {"x": [1]}},
        {**content, name: torch.ones(2, dtype=torch.bool)},
    )  # fmt: skip
    whole = io.BytesIO()
    torch.save(rng.choice(ways), whole)
    return damaged(rng, whole.getvalue()) if rng.randrange(5) == 0 else whole.getvalue()


def plain_text(rng: random.Random, data: bytes) -> bytes:
    """A line another."""
    lines = data.decode().split("\n")
    lines[rng.randrange(len(lines))] = rng.choice(ODD_CELLS)
    return "\n".join(lines).encode("utf-8", "replace")


BY_KIND: dict[str, Mutator] = {
    "json": json_text, "jsonl": json_lines, "yaml": yaml_text, "toml": toml_text, "csv": csv_text, "npz": npz,
    "npy": npy_file, "mat": mat, "safetensors": safetensors, "torch": torch_file, "text": plain_text,
}  # fmt: skip


def mutant(rng: random.Random, kind: str, data: bytes) -> bytes:
    """A file of a kind, damaged: of three, two in a value and one in its bytes."""
    return damaged(rng, data) if rng.randrange(3) == 0 else BY_KIND[kind](rng, data)
