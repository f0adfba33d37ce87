"""Time series at the original's address."""

from collections.abc import Callable
from typing import Any

import httpx

from jph.config.model import Network
from jph.gateway.node import Gateway
from tests.jph.gateway import past
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running


async def test_a_series_of_several(
    network: Callable[..., Network], sql: dict[str, Any], redis: RedisProcess
) -> None:
    home = past.home(network, sql, redis.url)
    end_ms = past.fill(sql, home)
    page = Gateway("CF", home)
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as client:
        times = {"from": end_ms - 3_600_000, "to": end_ms}
        answer = await client.get("/sensorts/I1,RA", params=times)
        current, room = answer.raise_for_status().json()
        assert (current["target"], room["target"]) == ("I1", "RA")
        moments = [at for _, at in current["datapoints"]]
        assert moments == sorted(moments)
        assert len(moments) > 100
        assert end_ms - 3_600_000 < moments[0] <= moments[-1] <= end_ms
        assert (await client.get("/sensorts/I1;x", params=times)).status_code == 400
        wrong = {"from": end_ms, "to": end_ms - 1}
        assert (await client.get("/sensorts/I1", params=wrong)).status_code == 400
