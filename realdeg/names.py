"""Names of files that every system can hold: which are the same to some, and which Windows cannot have.

A photo's key is its path without suffix; outputs are named by it. Two rules, here alone:

- Keys that differ only in letter case, or in how accents are composed, are one (`caseless`): Windows and Macs
  would write one file for both. They are refused on every system, so that a dataset can be copied.
- What Windows cannot have in a name (a colon opens a hidden stream of another file there, `CON.png` is the
  console, dots at the end vanish) is written as %XX there (`file_name`). Elsewhere keys name files as they
  are (`problem` says which of them Windows would refuse).

Source: "Naming Files, Paths, and Namespaces", Microsoft Learn.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import PureWindowsPath

WINDOWS = os.name == "nt"
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
"""Names of devices, also with a suffix of any kind and spaces before it."""
ESCAPED = re.compile("%(?=[0-9A-Fa-f]{2})")
CODE = re.compile("%([0-9A-Fa-f]{2})")


def caseless(key: str) -> str:
    """What keys have in common that are one file where letter case or composed accents do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", key).casefold())


def problem(key: str) -> str:
    """Why Windows cannot hold a file of this key (with "/" between folders); "" where it can."""
    *folders, _ = parts = key.split("/")
    for part in parts:
        if match := FORBIDDEN.search(part):
            return f"holds {match[0]!r}"
        if RESERVED.fullmatch(part):
            return f"{part!r} is the name of a device"
    for part in folders:  # the last part gets a suffix
        if part.endswith((".", " ")):
            return f"a folder's name ends with {part[-1]!r}"
    return ""


def leaves(path: str) -> bool:
    """Whether a path does not stay below the folder that it starts from, on this system."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        return True
    if not WINDOWS:
        return False
    there = PureWindowsPath(path)  # "C:x" and "..\\x" are plain names elsewhere
    return bool(there.anchor) or ".." in there.parts


def portable(key: str) -> str:
    """The key with %XX for each character that Windows cannot have at its place; `restored` undoes it.

    Keys that differ beyond letter case still do so afterwards. Most keys stay as they are.
    """
    *folders, last = key.split("/")
    return "/".join([*(_portable(part, ends=True) for part in folders), _portable(last, ends=False)])


def restored(name: str) -> str:
    """The key of which `portable` made a name."""
    return CODE.sub(lambda code: chr(int(code[1], 16)), name)


def file_name(key: str) -> str:
    """What files of a key are called on this system, without suffix; "/" between folders."""
    return portable(key) if WINDOWS else key


def _portable(part: str, *, ends: bool) -> str:
    text = FORBIDDEN.sub(_code, ESCAPED.sub(_code, part))
    if RESERVED.fullmatch(part):
        text = _hex(text[0]) + text[1:]
    if ends and part.endswith((".", " ")) and part not in (".", ".."):
        text = text[:-1] + _hex(text[-1])
    return text


def _code(match: re.Match[str]) -> str:
    return _hex(match[0])


def _hex(letter: str) -> str:
    return f"%{ord(letter):02X}"
