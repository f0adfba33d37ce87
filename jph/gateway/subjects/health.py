"""Whether the house is well, for whoever watches over it: `/healthz`, and `/metrics`."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response, get

from jph.gateway.live.board import announces
from jph.gateway.platform.services import Services
from jph.util.freshness import State
from jph.version import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Health(msgspec.Struct, frozen=True):
    """The gateway is there, or nothing would answer; `redis` is whether the cache is."""

    status: str
    redis: bool
    clients: int


def handlers(services: Services) -> list[Any]:
    """Return both addresses."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(Measures(services))

    @get("/healthz", sync_to_thread=False, summary="Whether the gateway is well", security=[{}])
    def health() -> Health:
        return Health("ok", services.hub.board.cache_here, services.hub.clients)

    @get("/metrics", sync_to_thread=False, include_in_schema=False)
    def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [health, metrics]


class Measures:
    """What Prometheus reads of the board, made when it asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> "Iterator[Metric]":
        """Yield every measure."""
        self._services.hub.board.settle(time.monotonic())
        yield from self._gateway()
        yield from self._nodes()
        yield from self._codifiers()

    def _gateway(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        hub, holes = self._services.hub, self._services.holes
        yield InfoMetricFamily("jph_build", "This gateway", value={"version": __version__})
        yield GaugeMetricFamily(
            "jph_cache_up", "Whether Redis answers", float(hub.board.cache_here)
        )
        away = self._services.history.away or (hub.board.history is not None and holes.gaps is None)
        if hub.board.history is not None:
            yield GaugeMetricFamily("jph_history_up", "Whether PostgreSQL answers", float(not away))
        yield GaugeMetricFamily("jph_gateway_clients", "Streams of changes open", hub.clients)
        yield CounterMetricFamily(
            "jph_gateway_clients_dropped", "Streams ended because nobody read", hub.dropped
        )

    def _nodes(self) -> "Iterator[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        board = self._services.hub.board
        states = GaugeMetricFamily("jph_nodes", "Nodes by how they are", labels=["state"])
        up = GaugeMetricFamily("jph_node_up", "Whether a node is alive", labels=["code", "name"])
        nodes = [s for s in board.network.nodes() if s.active and announces(s)]
        found = [board.row(node.codifier).state for node in nodes]
        for state in State:
            states.add_metric([state.value], found.count(state.value))
        for node, word in zip(nodes, found, strict=True):
            name = node.short_name or node.name
            up.add_metric([node.codifier, name], float(word in (State.ALIVE, State.HALTED)))
        yield from (states, up)

    def _codifiers(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        board = self._services.hub.board
        labels = ["code", "name", "unit"]
        value = GaugeMetricFamily("jph_value", "The newest value", labels=labels)
        age = GaugeMetricFamily("jph_age_seconds", "Since the last sign of life", labels=["code"])
        lost = CounterMetricFamily(
            "jph_messages_lost", "Messages the cache missed", labels=["code"]
        )
        for codifier in board.codifiers:
            row, sensor = board.row(codifier), board.network.sensor(codifier)
            if row.number is not None:
                name = sensor.short_name or sensor.name
                value.add_metric([codifier, name, sensor.symbol], row.number)
            if row.age is not None:
                age.add_metric([codifier], row.age)
            lost.add_metric([codifier], row.losses)
        yield from (value, age, lost)
