"""Docstrings as the reference shows them: our `Example:` is griffe's `Examples:`, whose sessions are code."""

from __future__ import annotations

import re
from typing import Any

import griffe

SECTION = re.compile(r"^(\s*)Example:$", re.M)


class Sections(griffe.Extension):
    """Renames a section in each docstring before it is taken apart."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """For every module, class, function and attribute that has a docstring."""
        if obj.docstring is not None:
            obj.docstring.value = SECTION.sub(r"\1Examples:", obj.docstring.value)
