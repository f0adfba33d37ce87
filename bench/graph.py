"""A graph of three codifiers over a year: how long its answer takes, and how it moves on a screen.

The gateway runs as a program of its own and is asked over HTTP. Beside it, turn by turn: the bare
SQL for what the answer is made of, an indexed SELECT a codifier and table through psycopg2 on a
connection that is open.

    a year               in points for 1,200 px, up to yesterday: days, as the page asks
    a year up to now     and the running day: its 10 minutes, and the readings of the last ones
    a year of hours      the 8,760 hours of each looked at, joined to 1,200 points
    quiet                the ratio of the quickest call of each
    points               of the longest line, for each pixel of its width
    frames               of the browser from a key or a turn of the wheel to the line that moved,
                         and how long the drawing took; needs Chromium and the package playwright

    python -m bench.graph [--trials 60] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import shutil
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.lab.servers import ROOT, postgres, program, short_directory
from bench.report import Row, keep
from collector.db.connecting import query
from collector.db.schema import create_months, migrate

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CODES: Final = ("I1", "I2", "I3")
PIXELS: Final = 1200
TRIALS: Final = 60
STEPS: Final = 40
DAY_MS: Final = 86_400_000
YEAR_MS: Final = 365 * DAY_MS
AIM: Final = 1.5
LIMIT_S: Final = 20.0
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


def main() -> None:
    """Measure, print, and keep the figures where asked."""
    parser = argparse.ArgumentParser(description="A graph of three codifiers over a year.")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with short_directory() as directory, postgres(directory) as dsn:
        import psycopg2

        with contextlib.closing(psycopg2.connect(dsn)) as connection:
            fill(connection)
            connection.autocommit = True
            port = free_port(socket.SOCK_STREAM)
            config = directory / "config.json"
            config.write_text(json.dumps(configuration(port, dsn)))
            with program(["control.py", "run", "CF"], config):
                rows = measure(connection, port, options.trials)
                rows += asyncio.run(moved(port))
    keep(options.json, "graph", rows)


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


def measure(connection: "connection", port: int, trials: int) -> list[Row]:
    """Ask over HTTP and by bare SQL, turn by turn."""
    wait_for(port)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    rows = []
    head = f"{'':20}{'bare SQL ms':>13}{'HTTP ms':>10}{'×':>7}{'quiet':>7}"
    print(f"{head}{'p99 ×':>7}{'points':>8}{'kB':>7}")
    now_ms = time.time_ns() // 1_000_000
    midnight_ms = now_ms - now_ms % DAY_MS
    over_ms = midnight_ms - DAY_MS  # in no zone does this lie in the day that runs
    year, until_now = (over_ms - YEAR_MS, over_ms), (now_ms - YEAR_MS, now_ms)
    today = partial(fetched, connection, _BARE.format(width="10min"), (midnight_ms, now_ms))
    since = partial(fetched, connection, _SINCE, (now_ms,))
    days = partial(fetched, connection, _BARE.format(width="day"))
    hours = partial(fetched, connection, _BARE.format(width="hour"))
    cases = {
        "a year": (year, "", [partial(days, year)]),
        "a year up to now": (until_now, "", [partial(days, until_now), today, since]),
        "a year of hours": (year, "&every=hour", [partial(hours, year)]),
    }
    calls: list[Callable[[], object]] = []
    for between, every, parts in cases.values():
        calls.append(partial(sum_of, parts))
        calls.append(partial(ask, client, history(*between) + every))
    calls.append(partial(ask, client, "/healthz"))
    *times, alone = turns(calls, trials)
    for place, (name, (between, every, parts)) in enumerate(cases.items()):
        body = ask(client, history(*between) + every)
        rows.append(row(name, times[2 * place : 2 * place + 2], body, sum_of(parts)))
    client.close()
    alone_ms = 1000 * statistics.median(alone)
    print(f"HTTP alone: {alone_ms:.2f} ms for an answer of a few words")
    return [*rows, {"name": "HTTP alone", "http_ms": alone_ms}]


def fetched(connection: "connection", statement: str, between: tuple[int, ...]) -> int:
    """Fetch the rows of each codifier, and return how many there were."""
    return sum(len(query(connection, statement, (code, *between))) for code in CODES)


def sum_of(parts: Sequence[Callable[[], int]]) -> int:
    """Fetch every part, and return how many rows there were."""
    return sum(part() for part in parts)


def turns(each: Sequence[Callable[[], object]], trials: int) -> list[list[float]]:
    """Return the seconds of each call of each, called in turn."""
    times: list[list[float]] = [[] for _ in each]
    for trial in range(trials + 5):
        for place, call in enumerate(each):
            began = time.perf_counter()
            call()
            if trial >= 5:
                times[place].append(time.perf_counter() - began)
    return times


def row(name: str, times: list[list[float]], body: bytes, rows: int) -> Row:
    """Print and return what was measured of one answer; `times` are of the bare SQL and of it."""
    bare, asked = times
    ms = [1000 * statistics.median(each) for each in (bare, asked)]
    tail = 1000 * sorted(asked)[int(0.99 * (len(asked) - 1))]
    points = max(len(series["t"]) for series in json.loads(body)["series"])
    ratio = ms[1] / ms[0]
    quiet = quietest(asked) / quietest(bare)
    print(
        f"{name:20}{ms[0]:13.2f}{ms[1]:10.2f}{ratio:7.2f}{quiet:7.2f}{tail / ms[0]:7.2f}{points:8}"
        f"{len(body) / 1000:7.0f}   aim {AIM} ×: {'met' if ratio <= AIM else 'missed'}; "
        f"{points / PIXELS:.2f} points a pixel"
    )
    return {
        "name": name,
        "bare_sql_ms": ms[0],
        "http_ms": ms[1],
        "ratio": ratio,
        "quiet_ratio": quiet,
        "p99_ratio": tail / ms[0],
        "sql_rows": rows,
        "points_a_line": points,
        "points_a_pixel": points / PIXELS,
        "answer_bytes": len(body),
    }


def quietest(times: list[float]) -> float:
    """Return what the quickest call took: others use this machine too."""
    return min(times)


async def moved(port: int) -> list[Row]:
    """Move the graph in a browser and return how many frames that took; none without a browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        program = None
    if program is None:
        print("no browser here: Chromium and the package playwright are needed")
        return []
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=program, args=options)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        now = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() - 60 * 86_400))
        then = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() - 120 * 86_400))
        codes = ",".join(CODES)
        async with page.expect_response("**/api/history*"):
            address = f"/graphs?codes={codes}&from={then}&to={now}"
            await page.goto(f"http://127.0.0.1:{port}{address}")
        await page.wait_for_load_state("load")
        await settled(page)
        rows = []
        for name, target, kind in (("pan", ".plots", "key"), ("zoom", ".u-over", "wheel")):
            found = await page.evaluate(_MOVE, [target, kind, STEPS])
            rows.append(told(name, found))
            await settled(page)
        await browser.close()
    return rows


async def settled(page: Any) -> None:  # noqa: ANN401 - playwright's, if it is there
    """Wait until the neighbours of what is seen are loaded."""
    script = """() => {
        const asked = performance.getEntriesByType("resource")
            .filter((each) => each.name.includes("/api/history"));
        return asked.length && performance.now() - asked.at(-1).responseEnd > 700;
    }"""
    await page.wait_for_function(script, timeout=1000 * LIMIT_S)


def told(name: str, found: dict[str, Any]) -> Row:
    """Print and return how a graph moved."""
    frames, drawings = found["frames"], sorted(found["drawings"])
    late = sum(each > 1 for each in frames)
    print(
        f"{name}: {statistics.mean(frames):.2f} frames a step (most {max(frames)}), "
        f"{late} of {len(frames)} later than the first; {statistics.mean(found['draws']):.2f} "
        f"drawings a step, median {statistics.median(drawings):.1f} ms, "
        f"most {drawings[-1]:.1f} ms; {found['asked']} questions meanwhile"
    )
    return {
        "name": name,
        "frames_a_step": statistics.mean(frames),
        "most_frames": max(frames),
        "drawings_a_step": statistics.mean(found["draws"]),
        "drawing_ms": statistics.median(drawings),
        "longest_drawing_ms": drawings[-1],
        "questions": found["asked"],
    }


def history(start_ms: int, end_ms: int) -> str:
    """Return what the page asks for three codifiers."""
    codes = ",".join(CODES)
    return f"/api/history?codes={codes}&from={start_ms}&to={end_ms}&points={PIXELS}"


def ask(client: http.client.HTTPConnection, address: str) -> bytes:
    """Return the answer of the gateway; anything but 200 ends the measurement."""
    client.request("GET", address)
    response = client.getresponse()
    body = response.read()
    assert response.status == 200, body
    return body


def wait_for(port: int) -> None:
    """Wait until the gateway serves."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise TimeoutError("the gateway does not serve")


def configuration(port: int, dsn: str) -> dict[str, Any]:
    """Return the demo's configuration on buses of its own, with this history and no cache."""
    config: dict[str, Any] = json.loads((ROOT / "static" / "config.json").read_text())
    for channel in ("Control-Channel", "Data-Channel"):
        config["Multicast"][channel]["Port"] = free_port(socket.SOCK_DGRAM)
    where = dict(part.split("=", 1) for part in dsn.split())
    config["SQL"] = {"User": where["user"], "Host": where["host"], "Database": where["dbname"]}
    config["Redis"] = {"URL": f"unix://{where['host']}/none"}
    for sensor in config["Sensors"]:
        if sensor["Type"] == "Gateway":
            sensor["Sensor"] = {**sensor["Sensor"], "Port": port, "Public": "read"}
    return config


def free_port(kind: int) -> int:
    """Return a port that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
