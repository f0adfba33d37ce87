"""Write two old days into the history of a running house, through the collector's own store.

It runs with the code of 0.1.0 only; what it writes is in the backup beside it.
"""

import os
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from collector.buffer import Batch
from collector.store import Store
from jph.repair import Cause, Hole
from jph.stores import postgres_dsn

from jph import kinds
from jph.wire import Quality, Reading, Value

START_MS = int(datetime(2026, 11, 17, tzinfo=ZoneInfo("Europe/Paris")).timestamp() * 1000)
STEP_MS = 120_000
DAYS = 2
COUNT = DAYS * 86_400_000 // STEP_MS
LOST = range(500, 520)
FLAGS = {str: "s", int: "q", float: "d"}


def value(code: str, n: int) -> Value:
    """What `code` said n steps after the first midnight."""
    off_peak = (n // 30) % 24 < 7 or (n // 30) % 24 == 23  # 30 steps an hour
    said: dict[str, Value] = {
        "I1": n % 31,
        "RA": 18 + n % 300 / 100,
        "PA": 2000 + n % 90,
        "X1": 8_000_000 + n * 20,
        "X2": 21_000_000 + n * 30,
        "TP": "HC" if off_peak else "HP",
        "S1": 1 if n % 60 < 3 else 0,
        "11": 3 if n % 60 >= 3 else 0,
        "C1": float("nan") if n % 100 == 7 else n % 8 / 4,
        "E1": f'{{"mask":{int(n % 60 < 3)}}}',
    }
    return said[code]


def reading(code: str, n: int) -> Reading:
    said = value(code, n)
    flag = "j" if code == "E1" else FLAGS[type(said)]
    quality = Quality.STALE if code == "RA" and n % 97 == 0 else Quality.GOOD
    return Reading(n, 7, START_MS + n * STEP_MS, flag, code, "@@", 1, quality, said)


network = kinds.load(os.environ["JPH_CONFIG"])
store = Store("Q1")
now_ms = time.time_ns() // 1_000_000
store.open(postgres_dsn(network), now_ms)
for code in ("I1", "RA", "PA", "X1", "X2", "TP", "S1", "11", "C1", "E1"):
    step = 10 if code in ("TP", "C1", "E1") else 1
    numbers = range(0, COUNT, step)
    good = [reading(code, n)._replace(sequence=i) for i, n in enumerate(numbers)]
    holes = []
    if code == "I1":
        good = [r for r in good if r.sequence not in LOST]
        times = START_MS + 499 * STEP_MS, START_MS + 520 * STEP_MS
        holes = [Hole("I1", 7, LOST.start, len(LOST), Cause.NETWORK, *times)]
    store.write(Batch(good, holes), now_ms)
store.close()
