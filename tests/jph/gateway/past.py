"""A history for the gateway's tests: made by the collector's own store and calculator."""

import contextlib
from collections.abc import Callable
from typing import Any

from collector.db.location import zone_of
from collector.ingest.buffer import Batch
from collector.ingest.writer import Store
from collector.statistics.buckets import MINUTE_US
from collector.statistics.calculator import Calculator
from jph.config.model import Network
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading, Value
from tests.jph.gateway.houses import element, house, node
from tests.jph.gateway.stage import now_ms

STEP_MS = 10_000
SPIKE = 40.0
Document = dict[str, Any]


def home(network: Callable[..., Network], sql: Document, redis_url: str) -> Network:
    """Return the house with a collector, its history in `sql`, readable by any client."""
    sensors = [*house({"Port": 0, "Public": "read"}), element("PA", "TI", "Power", "VA")]
    collector = node("Q1", "jphPostgreSQL")
    return network(*sensors, collector, SQL=sql, Redis={"URL": redis_url})


def fill(sql: Document, network: Network, *, hours: int = 26) -> int:
    """Store `hours` of I1, RA and PA up to now, ten seconds a reading, and what is computed of it.

    I1 has one spike, `SPIKE`, and one hole of 30 minutes. Return the ms of now.
    """
    dsn = f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}"
    end_ms = now_ms()
    start_ms = end_ms - hours * 3_600_000
    moments = range(start_ms, end_ms, STEP_MS)
    hole = range(len(moments) // 2, len(moments) // 2 + 180)
    store = Store("Q1")
    store.open(dsn, end_ms)
    readings = [
        *_readings("RA", moments, lambda n: 18 + n % 360 / 100),
        *_readings("PA", moments, lambda n: 2000.0 + n % 90),
        *(r for r in _readings("I1", moments, _current) if r.sequence not in hole),
    ]
    lost = Gap("I1", 7, hole.start, 180, Cause.NETWORK, moments[hole.start - 1], moments[hole.stop])
    store.write(Batch(readings, [lost]), end_ms)
    store.write(
        Batch([_reading("TP", n, moments[n], f"H{'CP'[n % 2]}..") for n in range(4)]), end_ms
    )
    orders = [_reading("11", n, moments[-1] - 60_000 * (9 - n), n % 4) for n in range(9)]
    store.write(Batch(orders, []), end_ms)
    store.close()
    with contextlib.closing(Calculator(dsn, "Q2", zone_of(network))) as calculator:
        calculator.expect({"I1": 30.0, "RA": 30.0, "PA": 30.0}, 0)
        calculator.advance(1000 * end_ms - 5 * MINUTE_US)
        while calculator.work() is not None:
            pass
    return end_ms


def store_reading(sql: Document, code: str, number: int, at_ms: int, value: Value) -> None:
    """Store one reading of any time."""
    store = Store("Q1")
    store.open(f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}", at_ms)
    store.write(Batch([_reading(code, number, at_ms, value)], []), at_ms)
    store.close()


def _current(number: int) -> float:
    return SPIKE if number == 1000 else float(number % 7)


def _readings(code: str, moments: range, value: Callable[[int], float]) -> list[Reading]:
    return [_reading(code, n, at_ms, value(n)) for n, at_ms in enumerate(moments)]


def _reading(code: str, number: int, at_ms: int, value: Value) -> Reading:
    flag = {str: "s", int: "i"}.get(type(value), "d")
    return Reading(number, 7, at_ms, flag, code, "@@", 1, Quality.GOOD, value)
