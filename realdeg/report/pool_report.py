"""The report of a pool: a page for any browser, as that of a dataset."""

from __future__ import annotations

from pathlib import Path

from realdeg.layout import refuse_inside
from realdeg.pools.kernel_pool import KernelPool
from realdeg.report.folder import Folder
from realdeg.report.kernel_pool import kernel_page
from realdeg.report.noise_pool import noise_page
from realdeg.report.pool_kind import read_pool
from realdeg.report.template import Templates


def build_pool_report(path: Path, out: Path | None = None, *, title: str = "") -> Path:
    """Write the report of a pool of kernels or noise.

    The same pool gives the same bytes.

    Args:
        path: file or folder of the pool.
        out: folder of the report; default NAME.report beside the pool.
        title: heading; default the pool's name.

    Returns:
        Path of index.html.

    Raises:
        UserError: no pool, or `out` cannot be written.
    """
    pool = read_pool(path)
    name = path.resolve().name
    if out is not None and path.is_dir():
        refuse_inside(out, path)
    folder = Folder(out or path.with_name(f"{path.stem}.report"))
    templates = Templates(title or name, name)
    templates.write_assets(folder)
    if isinstance(pool, KernelPool):
        html = templates.render("pool.html.j2", root="", kind="kernel", one=kernel_page(pool, folder))
    else:
        html = templates.render("pool.html.j2", root="", kind="noise", one=noise_page(pool, folder))
    index = folder.text("index.html", html)
    folder.remove_stale()
    return index
