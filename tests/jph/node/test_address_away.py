"""Nodes on one machine whose interface loses its address, or its link, and gets it back."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jph.config.model import Network
from tests.jph.node.test_node import EAR, MOUTH, Ear, Mouth, plug_in
from tests.support import ended, ip, network_namespace, until

CABLE: dict[str, Any] = {"Interfaces": {"*": "cable0"}, "TTL": 1}


@pytest.mark.parametrize("multicast", [CABLE, {"TTL": 1}], ids=["named", "by route"])
async def test_nodes_on_one_machine_hear_each_other_while_the_address_is_away(
    network: Callable[..., Network], multicast: dict[str, Any]
) -> None:
    made = network(EAR, MOUTH, Multicast={"Interfaces": {}, **multicast})
    with network_namespace():
        plug_in()
        ip("route", "add", "default", "via", "192.0.2.254")
        ear, mouth = Ear("EA", made), Mouth("MO", made)
        tasks = [asyncio.create_task(node.run()) for node in (ear, mouth)]
        await until(lambda: ear.values("MO"))
        for change in (
            ("address", "flush", "dev", "cable0"),
            ("address", "add", "192.0.2.9/24", "dev", "cable0"),
        ):
            ip(*change)
            for node in (ear, mouth):
                await until(lambda b=node.bus.data: b.is_open)
            heard = len(ear.values("MO"))
            await until(lambda n=heard: len(ear.values("MO")) > n + 3)
        await ended((ear, mouth), tasks)
