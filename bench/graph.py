"""A graph of three codifiers over a year: delay of the answer, and frames until a browser drew it.

The gateway runs as a program of its own and answers over HTTP. Beside it, in turns: the bare SQL
for the rows of the answer, one indexed SELECT a codifier and table through psycopg2 on an open
connection.

    a year               in points for 1,200 px, up to yesterday: days, as the page requests
    a year up to now     and the current day: its 10 minutes, and the readings of the last ones
    a year of hours      all 8,760 hours are read and joined to 1,200 points
    quiet                the ratio of the fastest call of each
    points               of the longest line, for each pixel of its width
    frames               of the browser from a key or a turn of the wheel to the moved line, and the
                         time of the drawing; needs Chromium and the package playwright

    python -m bench.graph [--trials 60] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.harness import network, report
from bench.harness.processes import postgres, program, short_directory
from bench.harness.timing import in_turns, median, percentile
from collector.db.connecting import query
from collector.db.schema import create_months, migrate

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CODES: Final = ("I1", "I2", "I3")
PIXELS: Final = 1200
TRIALS: Final = 60
WARM_UP: Final = 5
STEPS: Final = 40
DAY_MS: Final = 86_400_000
YEAR_MS: Final = 365 * DAY_MS
AIM: Final = 1.5
LIMIT_S: Final = 20.0
TABLE: Final = (
    ("bare_sql_ms", "bare SQL ms", "13.2f"),
    ("http_ms", "HTTP ms", "10.2f"),
    ("ratio", "×", "7.2f"),
    ("quiet_ratio", "quiet", "7.2f"),
    ("p99_ratio", "p99 ×", "7.2f"),
    ("points_a_line", "points", "8"),
    ("points_a_pixel", "a pixel", "9.2f"),
    ("answer_bytes", "bytes", "10,"),
)
MOVES: Final = (
    ("frames_a_step", "frames a step", "15.2f"),
    ("most_frames", "most", "6"),
    ("drawings_a_step", "drawings", "10.2f"),
    ("drawing_ms", "ms", "7.1f"),
    ("longest_drawing_ms", "longest", "9.1f"),
    ("questions", "requests", "10"),
)
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_BARE: Final = f"""
    SELECT {_MS}, mean, min, max FROM statistic_{{width}}
    WHERE codifier = %s AND timestamp > to_timestamp(%s / 1000.0)
        AND timestamp <= to_timestamp(%s / 1000.0) ORDER BY timestamp
"""
_SINCE: Final = f"""
    SELECT {_MS}, value_real FROM reading WHERE codifier = %s
        AND timestamp > (SELECT timestamp FROM statistics_until)
        AND timestamp <= to_timestamp(%s / 1000.0) ORDER BY timestamp
"""
_BUCKETS: Final = """
    INSERT INTO statistic_{width} (codifier, timestamp, mean, mode, median, max, min, stdev,
        coverage, time_mean, count)
    SELECT code, moment, level, NULL, level, level + 9 * random(), level * random(), random(), 1,
        level, {seconds}
    FROM unnest(%s) AS code, LATERAL (SELECT moment, 4 + 20 * random() AS level FROM
        generate_series(date_trunc('day', now()) - interval '{back}',
            date_trunc('{to}', now()), interval '{seconds} s') AS moment) AS made
"""
_READINGS: Final = """
    INSERT INTO reading (codifier, timestamp, epoch, sequence, value_real, quality)
    SELECT code, moment, 7, row_number() OVER (), 20 * random(), 0 FROM unnest(%s) AS code,
        generate_series(now() - interval '10 minutes', now(), interval '1 s') AS moment
"""
_MOVE: Final = """
async ([selector, make, steps]) => {
  const graph = document.getElementById("graph");
  const target = document.querySelector(selector);
  const frames = [], drawings = [], draws = [];
  const asked = performance.getEntriesByType("resource").length;
  for (let at = 0; at < steps; at++) {
    let drawn = 0, done = 0, began = 0;
    requestAnimationFrame(() => { began = performance.now(); });
    const count = () => { drawn += 1; done = performance.now(); };
    graph.addEventListener("drawn", count);
    const box = target.getBoundingClientRect();
    target.dispatchEvent(make === "key"
      ? new KeyboardEvent("keydown", { key: at % 2 ? "ArrowRight" : "ArrowLeft", bubbles: true })
      : new WheelEvent("wheel", { deltaY: at % 2 ? 60 : -60, clientX: box.left + box.width / 2,
          clientY: box.top + 50, bubbles: true, cancelable: true }));
    let passed = 0;
    do {
      await new Promise((ended) => requestAnimationFrame(() => setTimeout(ended)));
      passed += 1;
    } while (!drawn && passed < 60);
    graph.removeEventListener("drawn", count);
    frames.push(passed);
    drawings.push(done - began);
    draws.push(drawn);
  }
  const now = performance.getEntriesByType("resource").slice(asked);
  const asks = now.filter((each) => each.name.includes("/api/history")).length;
  return { frames, drawings, draws, asked: asks };
}
"""


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Fill a history, run the gateway, and print both tables."""
    with short_directory() as directory, postgres(directory) as dsn:
        import psycopg2

        with contextlib.closing(psycopg2.connect(dsn)) as connection:
            fill(connection)
            connection.autocommit = True
            port = network.free_port()
            where = dict(part.split("=", 1) for part in dsn.split())
            document = network.demonstration(
                {"Gateway": {"Port": port, "Public": "read"}},
                SQL={"User": where["user"], "Host": where["host"], "Database": where["dbname"]},
                Redis={"URL": f"unix://{where['host']}/none"},
            )
            config = network.write(document, directory)
            with program(["control.py", "run", "CF"], config):
                network.wait_for_port(port)
                rows = answers(connection, port, options.trials)
                return rows + asyncio.run(moves(port))


def fill(connection: "connection") -> None:
    """Store a year of three codifiers, computed up to the hour, and the readings since."""
    migrate(connection)
    this = time.gmtime()
    create_months(connection, [this.tm_year * 12 + this.tm_mon - 1])
    widths = [("10min", 600, "10 days", "minute"), ("hour", 3600, "368 days", "hour")]
    with connection, connection.cursor() as cursor:
        for width, seconds, back, to in [*widths, ("day", 86_400, "368 days", "day")]:
            statement = _BUCKETS.format(width=width, seconds=seconds, back=back, to=to)
            cursor.execute(statement, (list(CODES),))
        cursor.execute(_READINGS, (list(CODES),))
        cursor.execute("UPDATE statistics_until SET timestamp = now() - interval '10 minutes'")
    connection.autocommit = True
    query(connection, "ANALYZE; SELECT 1")


def answers(connection: "connection", port: int, trials: int) -> list[report.Row]:
    """Ask over HTTP and by bare SQL, in turns; print and return the times."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    now_ms = time.time_ns() // 1_000_000
    midnight_ms = now_ms - now_ms % DAY_MS
    over_ms = midnight_ms - DAY_MS  # no time zone counts this moment to the current day
    year, until_now = (over_ms - YEAR_MS, over_ms), (now_ms - YEAR_MS, now_ms)
    today = partial(fetched, connection, _BARE.format(width="10min"), (midnight_ms, now_ms))
    since = partial(fetched, connection, _SINCE, (now_ms,))
    days = partial(fetched, connection, _BARE.format(width="day"))
    hours = partial(fetched, connection, _BARE.format(width="hour"))
    cases: dict[str, tuple[str, list[Callable[[], int]]]] = {
        "a year": (request(*year), [partial(days, year)]),
        "a year up to now": (request(*until_now), [partial(days, until_now), today, since]),
        "a year of hours": (request(*year) + "&every=hour", [partial(hours, year)]),
    }
    calls: list[Callable[[], object]] = []
    for address, parts in cases.values():
        calls += [partial(sum_of, parts), partial(ask, client, address)]
    calls.append(partial(ask, client, "/healthz"))
    *times, alone = in_turns(calls, trials, WARM_UP)
    rows = [
        compared(name, times[2 * place], times[2 * place + 1], ask(client, address), sum_of(parts))
        for place, (name, (address, parts)) in enumerate(cases.items())
    ]
    client.close()
    report.table(rows, TABLE, 20)
    worst = max(row["ratio"] for row in rows)
    alone_ms = 1000 * median(alone)
    print(f"{worst:.2f} × the bare SQL at most (aim {AIM}): {report.met(worst <= AIM)}")
    print(f"HTTP alone: {alone_ms:.2f} ms for a short answer")
    return [*rows, {"name": "HTTP alone", "http_ms": alone_ms}]


def fetched(connection: "connection", statement: str, between: tuple[int, ...]) -> int:
    """Fetch the rows of each codifier, and return their number."""
    return sum(len(query(connection, statement, (code, *between))) for code in CODES)


def sum_of(parts: Sequence[Callable[[], int]]) -> int:
    """Fetch every part, and return the number of rows."""
    return sum(part() for part in parts)


def compared(
    name: str, bare: list[float], asked: list[float], body: bytes, rows: int
) -> report.Row:
    """Return the row of one answer from the seconds of the bare SQL and of the requests."""
    points = max(len(series["t"]) for series in json.loads(body)["series"])
    return {
        "name": name,
        "bare_sql_ms": 1000 * median(bare),
        "http_ms": 1000 * median(asked),
        "ratio": median(asked) / median(bare),
        "quiet_ratio": min(asked) / min(bare),
        "p99_ratio": percentile(asked, 99) / median(bare),
        "sql_rows": rows,
        "points_a_line": points,
        "points_a_pixel": points / PIXELS,
        "answer_bytes": len(body),
    }


async def moves(port: int) -> list[report.Row]:
    """Move the graph in a browser; print and return the frames it took; none without a browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        program = None
    if program is None:
        print("no browser: Chromium and the package playwright are needed")
        return []
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=program, args=options)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        start, end = (
            time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() - days * 86_400))
            for days in (120, 60)
        )
        async with page.expect_response("**/api/history*"):
            address = f"/graphs?codes={','.join(CODES)}&from={start}&to={end}"
            await page.goto(f"http://127.0.0.1:{port}{address}")
        await page.wait_for_load_state("load")
        await settled(page)
        rows = []
        for name, target, kind in (("pan", ".plots", "key"), ("zoom", ".u-over", "wheel")):
            rows.append(moved(name, await page.evaluate(_MOVE, [target, kind, STEPS])))
            await settled(page)
        await browser.close()
    report.table(rows, MOVES, 20)
    return rows


async def settled(page: Any) -> None:  # noqa: ANN401 - playwright's, if it is there
    """Wait until the data on both sides of the visible range is loaded."""
    script = """() => {
        const asked = performance.getEntriesByType("resource")
            .filter((each) => each.name.includes("/api/history"));
        return asked.length && performance.now() - asked.at(-1).responseEnd > 700;
    }"""
    await page.wait_for_function(script, timeout=1000 * LIMIT_S)


def moved(name: str, found: dict[str, Any]) -> report.Row:
    """Return the row of one way to move the graph."""
    return {
        "name": name,
        "frames_a_step": statistics.mean(found["frames"]),
        "most_frames": max(found["frames"]),
        "drawings_a_step": statistics.mean(found["draws"]),
        "drawing_ms": median(found["drawings"]),
        "longest_drawing_ms": max(found["drawings"]),
        "questions": found["asked"],
    }


def request(start_ms: int, end_ms: int) -> str:
    """Return the address that the page requests for three codifiers."""
    codes = ",".join(CODES)
    return f"/api/history?codes={codes}&from={start_ms}&to={end_ms}&points={PIXELS}"


def ask(client: http.client.HTTPConnection, address: str) -> bytes:
    """Return the answer of the gateway; any status but 200 ends the measurement."""
    client.request("GET", address)
    response = client.getresponse()
    body = response.read()
    assert response.status == 200, body
    return body


if __name__ == "__main__":
    report.run("graph", __doc__, measure, {"trials": (TRIALS, "calls of each kind")})
