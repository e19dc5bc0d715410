"""Hosts by name, as the command line knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from train.nets.edsr import edsr_host, srresnet_host
from train.nets.host import Host
from train.nets.imdn import imdn_host
from train.nets.rcan import rcan_host
from train.nets.rdn import rdn_host
from train.nets.rrdb import rrdb_host
from train.nets.vdsr import vdsr_host


class Size(Protocol):
    """How large a host is; each takes of it what it has."""

    @property
    def width(self) -> int:
        """Channels."""
        ...

    @property
    def groups(self) -> int:
        """Groups of blocks."""
        ...

    @property
    def blocks(self) -> int:
        """Blocks, of a group where there are any."""
        ...

    @property
    def growth(self) -> int:
        """Channels that a dense layer adds."""
        ...


HOSTS: dict[str, Callable[[int, Size], Host]] = {
    "rcan": lambda scale, n: rcan_host(scale, n.width, n.groups, n.blocks),
    "srresnet": lambda scale, n: srresnet_host(scale, n.width, n.blocks),
    "vdsr": lambda scale, n: vdsr_host(scale, n.width, n.blocks),
    "rrdb": lambda scale, n: rrdb_host(scale, n.width, n.blocks, n.growth),
    "rdn": lambda scale, n: rdn_host(scale, n.width, n.groups, n.blocks, n.growth),
    "edsr": lambda scale, n: edsr_host(scale, n.width, n.blocks),
    "imdn": lambda scale, n: imdn_host(scale, n.width, n.blocks),
}
