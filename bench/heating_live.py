"""The live programs beside the policy alone, on the same simulated houses.

In process, as `bench.heating` judges: the policy is called with the readings of the meter. Live, in
real time: `control.py run P1 P2 P3 TI SH` reads the meter from a pty at the pace of the line, sends
on buses of its own on the loopback interface, and writes the chips over the I2C socket. The same
scorer accounts for both.

    python -m bench.heating_live [--minutes 8] [--house tight]... [--seed N] [--houses 3]
                                 [--hour 7] [--apart] [--json FILE]

No two runs are the same: the position of the meter in its frame when a heater wakes decides which
heater is shed. So the policy alone runs many times; each time the first frame of the meter begins a
little later. docs/bench/heating.md holds the results.
"""

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, pstdev
from typing import Final

from bench.footprint import node_program
from bench.harness import network, report
from bench.harness.processes import spent
from bench.harness.report import Row
from bench.harness.timing import percentile
from bench.judge.case import Case
from bench.judge.day import judge
from bench.judge.figures import summarise
from bench.judge.neighbourhood import Sizing
from bench.judge.policies import ours
from bench.judge.realtime import NODES, JudgedHouse, configuration
from bench.judge.scorer import DayScore

OPTIONS: Final[dict[str, report.Option]] = {
    "minutes": (8.0, "length of the stretch"),
    "house": ([sizing.name.lower() for sizing in Sizing], "sizing; may be repeated"),
    "seed": (0, "of the first house"),
    "houses": (3, "number of seeds, all at once"),
    "hour": (7.0, "hour of the day at which the stretch begins"),
    "apart": (False, "each node in a process of its own"),
}
SHIFTS: Final = 20
"""Runs of the policy alone on each stretch."""

FRAME_S: Final = 1.9
"""About the length of a long frame; the first frame begins at a random moment of it."""

HEARD_S: Final = 2.0
"""After this time every node has received a frame."""

NAMES: Final = {
    "trips": "trips",
    "over_as": "A·s over the limit",
    "longest_s": "longest over, s",
    "median_s": "back under, p50, s",
    "p99_s": "back under, p99, s",
    "switchings": "switchings a heater",
    "cold": "degree-hours, mean",
    "coldest": "degree-hours, worst",
    "energy_kwh": "heating, kWh",
    "share": "share of the bound",
}


Scores = dict[Case, DayScore]


@dataclass
class LiveResults:
    """Results of live houses: scores, lateness of the meter's groups (s), CPU of programs (s)."""

    scores: Scores = field(default_factory=dict)
    late_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


def measure(options: argparse.Namespace) -> list[Row]:
    """Run the houses live, judge the same stretches in process, and print both."""
    sizings = [Sizing[name.upper()] for name in options.house or ["tight"]]
    cases = [
        Case(
            sizing=sizing,
            seed=seed,
            faults=False,
            hours=options.minutes / 60,
            start_s=options.hour * 3600,
        )
        for sizing in sizings
        for seed in range(options.seed, options.seed + options.houses)
    ]
    found = asyncio.run(live(cases, apart=options.apart))
    rows = compare(cases, found.scores)
    show(rows)
    late = [1e3 * late_s for late_s in found.late_s]
    print(
        f"\n{options.houses} houses of each, {options.minutes:g} min from {options.hour:g} h; the "
        f"meters' groups late by {percentile(late, 50):.1f} ms (p50), "
        f"{percentile(late, 99):.1f} ms (p99), {max(late):.0f} ms at most; the programs used "
        f"{found.cpu_s / len(cases) * 60 / options.minutes:.0f} CPU s an hour and house"
    )
    return rows


async def live(cases: Sequence[Case], *, apart: bool = False) -> LiveResults:
    """Run all houses at once, each with programs of its own; `apart`: a process for each node."""
    lived, starting = LiveResults(), asyncio.Lock()
    with tempfile.TemporaryDirectory(prefix="jph-heating-") as directory:
        async with asyncio.TaskGroup() as group:
            for number, case in enumerate(cases):
                place = Path(directory) / str(number)
                group.create_task(_live(case, place, lived, starting, apart=apart))
    return lived


async def _live(
    case: Case, directory: Path, lived: LiveResults, starting: asyncio.Lock, *, apart: bool
) -> None:
    house, config = _build(case, directory)
    with contextlib.closing(house):
        programs = contextlib.ExitStack()
        meter = asyncio.create_task(house.run())
        try:
            pids = []
            async with starting:  # one after the other: a start takes a whole core
                for codes in [(code,) for code in NODES] if apart else [NODES]:
                    begun = node_program(codes, config)
                    pid, _ = await asyncio.to_thread(programs.enter_context, begun)
                    pids.append(pid)
            before_s = sum(spent(pid)[0] for pid in pids)
            await asyncio.sleep(HEARD_S)
            house.start()
            await meter
            lived.cpu_s += sum(spent(pid)[0] for pid in pids) - before_s
        finally:
            meter.cancel()
            await asyncio.to_thread(programs.close)
    lived.scores[case] = house.scorer.finish()
    lived.late_s += house.late_s


def _build(case: Case, directory: Path) -> tuple[JudgedHouse, Path]:
    directory.mkdir()
    meter, i2c, config = (directory / name for name in ("meter", "i2c.sock", "config.json"))
    network.write(configuration(case, meter, i2c), directory)
    house = JudgedHouse(case, directory)
    house.open(meter, i2c)
    return house, config


def compare(cases: Sequence[Case], lived: Scores) -> list[Row]:
    """Return each figure in process and live, by sizing and, of several, over all.

    In process it is the mean of `SHIFTS` runs, `spread` their standard deviation.
    """
    bound = {case: judge(case, None) for case in cases}
    shifts = [FRAME_S * number / SHIFTS for number in range(SHIFTS)]
    alone = [{case: judge(replace(case, meter_s=s), ours) for case in cases} for s in shifts]
    kinds = {sizing.name.lower(): [sizing] for sizing in Sizing}
    kinds["all"] = list(Sizing)
    rows: list[Row] = []
    for kind, sizings in kinds.items():
        some = [case for case in cases if case.sizing in sizings]
        if some and (kind != "all" or len({case.sizing for case in cases}) > 1):
            rows += _rows(kind, some, alone, lived, bound)
    return rows


def _rows(
    kind: str, cases: Sequence[Case], alone: Sequence[Scores], lived: Scores, bound: Scores
) -> Iterator[Row]:
    def figures(scores: Scores) -> dict[str, float]:
        days, best = ([each[case] for case in cases] for each in (scores, bound))
        return summarise(days, best).as_dict()

    ran, there = [figures(scores) for scores in alone], figures(lived)
    for key, name in NAMES.items():
        runs = [each[key] for each in ran]
        yield {
            "name": name,
            "house": kind,
            "overs": sum(len(lived[case].overs) for case in cases),
            "in_process": fmean(runs),
            "spread": pstdev(runs),
            "lowest": min(runs),
            "highest": max(runs),
            "live": there[key],
        }


def show(rows: Sequence[Row]) -> None:
    """Print the figures side by side."""
    heads = f"{'in process':>11}{'± (1σ)':>9}{'from – to':>20}{'live':>9}{'differs':>9}"
    print(f"{'house':8}{'':22}{heads}")
    for row in rows:
        alone, there = row["in_process"], row["live"]
        differs = f"{there / alone - 1:+.1%}" if alone else "–" if there else "0"
        around = f"{_short(row['lowest'])} – {_short(row['highest'])}"
        print(
            f"{row['house']:8}{row['name']:22}{_short(alone):>11}{_short(row['spread']):>9}"
            f"{around:>20}{_short(there):>9}{differs:>9}"
        )


def _short(number: float) -> str:
    return f"{number:.{1 if number >= 100 else 2 if number >= 10 else 3}f}"


if __name__ == "__main__":
    report.run("heating_live", __doc__, measure, OPTIONS)
