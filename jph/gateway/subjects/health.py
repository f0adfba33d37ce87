"""State of the house for monitoring: `/healthz` and `/metrics`."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from jph.gateway.live.board import Row, announces
from jph.gateway.platform.services import Services
from jph.gateway.view.unknown import is_blind, unknown_of
from jph.net import seals
from jph.util.freshness import State
from jph.version import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Health(msgspec.Struct, frozen=True):
    """State of the house as the gateway sees it.

    `status` is `ok` or `blind`. `unknown` are the parts that are not known: meter, shedder, card,
    cache, history, disk, sensor, current, clock. `redis` is whether the cache answers,
    `clients` the number of streams.
    """

    status: str
    redis: bool
    clients: int
    unknown: list[str]


BLIND: Final = ResponseSpec(Health, description="The house is blind", generate_examples=False)


def handlers(services: Services) -> list[Any]:
    """Return both addresses."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(Measures(services))

    @get(
        "/healthz",
        sync_to_thread=False,
        summary="Whether the house is seen and stored",
        security=[{}],
        responses={
            503: ResponseSpec(Health, description="The house is blind", generate_examples=False)
        },
    )
    def health() -> Response[Health]:
        """Answer 200 while everything is known that the house needs, else 503.

        A house is blind if its meter, shedder, card, cache or history is not known: a current that
        is not of now, a protection that is halted or silent, a cache or a database that does not
        store what is sent, a disk that is full. A wrong clock, a sensor that does not answer and a
        current that is not believed are reported, but do not fail.
        """
        board = services.hub.board
        board.settle(time.monotonic())
        found = unknown_of(board)
        blind = is_blind(found)
        parts = list(dict.fromkeys(each.part for each in found))
        content = Health("blind" if blind else "ok", board.cache_here, services.hub.clients, parts)
        return Response(content, status_code=503 if blind else 200)

    @get(
        "/metrics",
        sync_to_thread=False,
        media_type="text/plain",
        summary="Measures for Prometheus, in its text format",
    )
    def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [health, metrics]


class Measures:
    """Measures of the board for Prometheus, made when it asks."""

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
        unknown = GaugeMetricFamily(
            "jph_unknown", "Parts of the house that are not known", labels=["part", "code"]
        )
        for each in unknown_of(hub.board):
            unknown.add_metric([each.part, each.code], 1.0)
        yield unknown
        yield InfoMetricFamily("jph_build", "This gateway", value={"version": __version__})
        yield GaugeMetricFamily(
            "jph_cache_up", "Whether Redis answers", float(hub.board.cache_here)
        )
        away = self._services.history.away or (hub.board.history is not None and holes.gaps is None)
        away = away or any(each.part == "history" for each in hub.board.blind)
        if hub.board.history is not None:
            yield GaugeMetricFamily("jph_history_up", "Whether the history stores", float(not away))
        if (sealing := seals.current()) is not None:
            refused = CounterMetricFamily(
                "jph_seal_refused", "Messages that the seal refuses", labels=["cause", "code"]
            )
            for cause, node, count in sealing.refusals():
                refused.add_metric([cause, node], count)
            yield refused
        yield GaugeMetricFamily("jph_gateway_clients", "Streams of changes open", hub.clients)
        yield CounterMetricFamily(
            "jph_gateway_clients_dropped",
            "Streams ended because the client took nothing",
            hub.dropped,
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
        for node in nodes:
            name = node.short_name or node.name
            up.add_metric([node.codifier, name], float(board.is_up(node.codifier)))
        yield from (states, up)

    def _codifiers(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        board = self._services.hub.board
        labels = ["code", "name", "unit"]
        value = GaugeMetricFamily(
            "jph_value", "The value of now; left out while it is not known", labels=labels
        )
        age = GaugeMetricFamily("jph_age_seconds", "Age of the value's reading", labels=["code"])
        lost = CounterMetricFamily(
            "jph_messages_lost", "Messages the cache missed", labels=["code"]
        )
        for codifier in board.codifiers:
            row, sensor = board.row(codifier), board.network.sensor(codifier)
            if row.number is not None and row.state == State.ALIVE and not is_doubted(row):
                name = sensor.short_name or sensor.name
                value.add_metric([codifier, name, sensor.symbol], row.number)
            if row.age is not None:
                age.add_metric([codifier], row.age)
            lost.add_metric([codifier], row.losses)
        yield from (value, age, lost)


def is_doubted(row: Row) -> bool:
    """Whether the sender calls its value stale or implausible."""
    return row.quality in ("stale", "implausible")
