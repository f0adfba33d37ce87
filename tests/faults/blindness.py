"""Breaks one part of a house at a time and measures what the five surfaces say.

    python -m tests.faults.blindness [--minutes 60] [--step 60] [--fault NAME]… [--table FILE]

A fault lasts until every surface was asked after the limit of 10 s, then it is mended, and the
house must recover. At the end nothing may be lost, no program may have restarted but those that a
fault killed, and the logs must be small. Without `--minutes` each fault happens once.
"""

import argparse
import contextlib
import itertools
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg2

from tests.faults.broken_house import INTERFACE, BrokenHouse, broken_house, own_interface
from tests.faults.claims import CLAIMS, Claims
from tests.faults.surfaces import SURFACES, Watcher, first_match, watching, without_digits
from tests.house.conftest import eventually
from tests.support import LIMIT_S, ip

SAID_WITHIN_S = 10.0
FALSE_FOR_S = 5.0
"""Surfaces are read for this time after the limit."""
HEALTHY_S = 6.0
LOG_LIMIT_BYTES = 1_000_000
Step = Callable[[BrokenHouse], object]


class Fault(NamedTuple):
    """The steps that break a part, repeat while it is broken, and mend it."""

    break_it: Step
    mend: Step
    repeat: Step = lambda _house: None


class Cell(NamedTuple):
    """One fault on one surface: when it was said (s after the fault), the line, a false line."""

    said_s: float | None
    said: str
    false: str

    @property
    def good(self) -> bool:
        """Whether the surface said the fault in time, and nothing false later."""
        return self.said_s is not None and self.said_s <= SAID_WITHIN_S and not self.false


Results = dict[str, dict[str, Cell]]


def _signals(part: str, number: signal.Signals) -> Step:
    return lambda house: house.signal(part, number)


def frozen(part: str) -> Fault:
    """Return the fault of a program that does not run, but has not ended."""
    return Fault(_signals(part, signal.SIGSTOP), _signals(part, signal.SIGCONT))


def halted(node: str) -> Fault:
    """Return the fault of a node that a command has halted."""
    return Fault(
        lambda house: house.command("halt", node), lambda house: house.command("start", node)
    )


def paused(repeating: Callable[[BrokenHouse], object]) -> Fault:
    """Return the fault of an input of the house that stops."""

    def pause(house: BrokenHouse, on: bool) -> None:
        repeating(house).paused = on  # type: ignore[attr-defined]

    return Fault(lambda house: pause(house, True), lambda house: pause(house, False))


def _lose_thermometer(house: BrokenHouse) -> None:
    house.heating.paused = True
    house.thermometer.unlink(missing_ok=True)


def _refuse_inserts(house: BrokenHouse) -> None:
    house.sql(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$"
    )
    house.sql(
        "CREATE TRIGGER refuse BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION refuse()"
    )


def _kill_without_config(house: BrokenHouse) -> None:
    house.server.stop()
    before = house.house.pid("SH")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: house.house.pid("SH") != before, 2 * LIMIT_S)


FAULTS = {
    "meter line dead": paused(lambda house: house.relay.copying),
    "meter halted": halted("TI"),
    "meter frozen": frozen("TI"),
    "shedder halted": halted("SH"),
    "shedder frozen": frozen("SH"),
    "card frozen": frozen("P2"),
    "Redis refuses": Fault(
        lambda house: house.redis().replicaof("127.0.0.1", "1"),
        lambda house: house.redis().replicaof("NO", "ONE"),
    ),
    "Redis frozen": frozen("redis-server"),
    "PostgreSQL refuses": Fault(
        _refuse_inserts, lambda house: house.sql("DROP TRIGGER refuse ON reading")
    ),
    "PostgreSQL frozen": frozen("postgres"),
    "thermometer gone": Fault(
        _lose_thermometer, lambda house: setattr(house.heating, "paused", False)
    ),
    "cache frozen": frozen("R1"),
    "current forged": Fault(
        lambda house: house.forge(), lambda _house: None, lambda house: house.forge()
    ),
    "clock ahead": Fault(
        lambda house: house.set_clock("TI", 86_400), lambda house: house.set_clock("TI", 0)
    ),
    "files cannot grow": Fault(
        lambda house: house.limit_files(0), lambda house: house.limit_files(-1)
    ),
}


INTERFACE_DOWN = "interface down"
ROUNDS = {
    **FAULTS,
    INTERFACE_DOWN: Fault(
        lambda _house: ip("link", "set", INTERFACE, "down"),
        lambda _house: restore_interface(),
    ),
    "config server down": Fault(_kill_without_config, lambda house: house.server.start()),
}
"""All faults of an hour; those without claims must only be recovered from."""
KILLED = {"SH"}


def restore_interface() -> None:
    """Bring the interface up again, with the route that the kernel dropped."""
    ip("link", "set", INTERFACE, "up")
    ip("route", "replace", "224.0.0.0/4", "dev", INTERFACE)


def measure(
    house: BrokenHouse,
    watcher: Watcher,
    name: str,
    limit_s: float = SAID_WITHIN_S,
    longest_s: float = 0.0,
) -> dict[str, Cell]:
    """Break and mend one part; return what each concerned surface said, false after `limit_s`.

    A machine without time may be given up to `longest_s` until all of them have said it.
    """
    fault, claims = ROUNDS[name], CLAIMS.get(name)
    healthy = _healthy(watcher)
    fault.break_it(house)
    started_s = time.monotonic()  # a command that halts a node takes its time
    with contextlib.ExitStack() as mending:
        mending.callback(fault.mend, house)
        while time.monotonic() < started_s + longest_s:
            cells = _cells(watcher, claims, started_s, limit_s, healthy)
            if all(cell.said_s is not None for cell in cells.values()):
                break
            fault.repeat(house)
            time.sleep(0.5)
        limit_s = max(limit_s, time.monotonic() - started_s) if longest_s else limit_s
        end_s = started_s + limit_s + FALSE_FOR_S
        while time.monotonic() < end_s or not _all_asked(watcher, started_s + limit_s):
            assert time.monotonic() < end_s + 2 * LIMIT_S, "a surface does not answer"
            fault.repeat(house)
            time.sleep(0.5)
        return _cells(watcher, claims, started_s, limit_s, healthy)


def _cells(
    watcher: Watcher,
    claims: Claims | None,
    started_s: float,
    limit_s: float,
    healthy: frozenset[str],
) -> dict[str, Cell]:
    return {
        surface: _cell(watcher, claims, surface, started_s, limit_s, healthy)
        for surface in SURFACES
        if claims is not None and surface in claims.false
    }


def _healthy(watcher: Watcher) -> frozenset[str]:
    begin_s = time.monotonic()
    deadline_s = begin_s + 2 * LIMIT_S
    while time.monotonic() < begin_s + HEALTHY_S or not _all_asked(watcher, begin_s):
        assert time.monotonic() < deadline_s, "a surface does not answer"
        time.sleep(0.5)
    return frozenset(
        line if surface == "/metrics" else without_digits(line)
        for surface in SURFACES
        for reading in watcher.since(surface, begin_s)
        for line in reading.lines
    )


def _all_asked(watcher: Watcher, after_s: float) -> bool:
    return all(watcher.since(surface, after_s) for surface in SURFACES)


def _cell(
    watcher: Watcher,
    claims: Claims,
    surface: str,
    started_s: float,
    limit_s: float,
    healthy: frozenset[str],
) -> Cell:
    readings = watcher.since(surface, started_s)
    said = first_match(readings, lambda reading: claims.said(reading, healthy))
    late = watcher.since(surface, started_s + limit_s)
    false = first_match(late, claims.untrue)
    return Cell(
        None if said is None else said[0] - started_s,
        "" if said is None else said[1],
        "" if false is None else false[1],
    )


def recovered(house: BrokenHouse) -> bool:
    """Return whether every node runs, the history stores, and nothing is unknown any more."""
    time.sleep(0.5)
    metrics = house.address.lines("/metrics")
    ages = [line for line in metrics if line.startswith('jph_age_seconds{code="I1"}')]
    down = [line for line in metrics if line.startswith("jph_node_up") and line.endswith(" 0.0")]
    known = "jph_cache_up 1.0" in metrics and bool(ages) and float(ages[0].split()[-1]) < 5
    well = "status = ok" in house.address.lines("/healthz")
    return known and well and not down and stored(house)


def stored(house: BrokenHouse) -> bool:
    """Return whether the history holds a reading of the last seconds."""
    try:
        ((new,),) = house.sql("SELECT max(timestamp) > now() - interval '10 s' FROM reading")
    except psycopg2.Error:  # PostgreSQL is starting, or has no table yet
        return False
    return bool(new)


def measure_all(
    house: BrokenHouse, names: Iterator[str], until_s: float | None = None, step_s: float = 0.0
) -> Results:
    """Break the parts one after the other, each `step_s` after the one before; until a time."""
    results: Results = {}
    with watching(house.address) as watcher:
        for name in names:
            if until_s is not None and time.monotonic() > until_s:
                break
            started_s = time.monotonic()
            found = measure(house, watcher, name)
            results[name] = worse(results.get(name, found), found)
            eventually(lambda: recovered(house), 3 * LIMIT_S)
            sys.stdout.write(line_of(name, found) + "\n")
            sys.stdout.writelines(wrong(name, found))
            sys.stdout.flush()
            time.sleep(max(0.0, started_s + step_s - time.monotonic()))
    return results


def worse(before: dict[str, Cell], now: dict[str, Cell]) -> dict[str, Cell]:
    """Return for each surface the worse of two results."""
    return {key: cell if before[key].good else before[key] for key, cell in now.items()}


def line_of(name: str, cells: dict[str, Cell]) -> str:
    """Return a row of the table: seconds until said, and `false` where a statement was."""

    def text(cell: Cell | None) -> str:
        if cell is None:
            return ""
        said = "not said" if cell.said_s is None else f"{cell.said_s:.1f} s"
        return f"{said}, false" if cell.false else said

    return f"| {name} | " + " | ".join(text(cells.get(surface)) for surface in SURFACES) + " |"


def wrong(name: str, cells: dict[str, Cell]) -> Iterator[str]:
    """Yield a line for each cell that is not good, with the lines found."""
    for surface, cell in cells.items():
        if not cell.good:
            yield f"  {name}, {surface}: said {cell.said!r}, false {cell.false!r}\n"


def table(results: Results) -> str:
    """Return the table of all faults, with its sums."""
    cells = [cell for row in results.values() for cell in row.values()]
    said = sum(cell.said_s is not None and cell.said_s <= SAID_WITHIN_S for cell in cells)
    false = sum(bool(cell.false) for cell in cells)
    head = "| fault | " + " | ".join(SURFACES) + " |\n|" + "---|" * (1 + len(SURFACES))
    rows = "\n".join(line_of(name, row) for name, row in results.items())
    return (
        f"{head}\n{rows}\n\nSaid within {SAID_WITHIN_S:g} s: {said} of {len(cells)}. "
        f"False statements later: {false} of {len(cells)}."
    )


def log_bytes(house: BrokenHouse) -> int:
    """Return the size of all logs of the house."""
    files = [house.log, *(house.directory / "state").rglob("*.log")]
    return sum(path.stat().st_size for path in files if path.is_file())


def lost(house: BrokenHouse) -> int:
    """Return the number of readings that the history counts as lost."""
    ((count,),) = house.sql("SELECT coalesce(sum(messages), 0) FROM gap")
    return int(count)


def main() -> None:
    """Run, print the table and write it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--step", type=float, default=0.0, help="s from fault to fault")
    parser.add_argument("--fault", action="append", choices=list(ROUNDS))
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    alone = os.geteuid() == 0 and shutil.which("ip") is not None
    names = options.fault or [name for name in ROUNDS if alone or name != INTERFACE_DOWN]
    with (
        own_interface() if alone else contextlib.nullcontext(),
        tempfile.TemporaryDirectory(prefix="jph-faults-") as directory,
    ):
        Path(directory).chmod(0o755)
        with broken_house(Path(directory)) as house:
            eventually(lambda: recovered(house), 3 * LIMIT_S)
            before = house.pids()
            until_s = time.monotonic() + 60 * options.minutes if options.minutes else None
            turns = itertools.cycle(names) if until_s else iter(names)
            results = measure_all(house, turns, until_s, options.step)
            restarted = {part for part, pid in house.pids().items() if before[part] != pid}
            text = (
                f"{table(results)}\nLost: {lost(house)}. Restarted: {sorted(restarted) or 'none'}. "
                f"Logs: {log_bytes(house) / 1000:.0f} kB."
            )
    sys.stdout.write(text + "\n")
    if options.table:
        options.table.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
