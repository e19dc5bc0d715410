"""The pages' templates, style sheet and scripts."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from realdeg.report.colours import legend_stops
from realdeg.report.folder import Folder
from realdeg.settings import versions

ASSETS = ("report.css", "compare.js", "table.js", "viewer.js", "marks.js")


class Templates:
    """Renders pages with what all of them share.

    Args:
        title: of the report.
        source: name of the dataset.
    """

    def __init__(self, title: str, source: str) -> None:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup

        self._environment = Environment(
            loader=PackageLoader("realdeg.report", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["svg"] = Markup  # only for drawings of our own
        self._shared = {
            "report": title,
            "source": source,
            "version": versions().split(",")[0].removeprefix("realdeg "),
            "stops": legend_stops(),
        }

    def render(self, name: str, **values: Any) -> str:
        """A page; a name that the template needs and is not given is an error."""
        return self._environment.get_template(name).render(**self._shared, **values)

    def write_assets(self, folder: Folder) -> None:
        """Write the style sheet and the scripts beside the pages.

        Raises:
            UserError: the folder cannot be written.
        """
        for name in ASSETS:
            text = (files("realdeg.report") / "assets" / name).read_text(encoding="utf-8")
            folder.text(name, text)
