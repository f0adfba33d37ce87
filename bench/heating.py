"""How good a shedding policy is: winter days of simulated houses, beside other rules and the bound.

    python -m bench.heating [--days N] [--policy NAME]... [--house NAME]... [--json FILE]
                            [--mode historique|no-adir|standard] [--slow] [--opens-at X]
                            [--no-faults] [--watts] [--processes N]

docs/bench/heating.md says what is measured and how.
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.judge.case import Case
from bench.judge.day import judge
from bench.judge.figures import Figures, summarise
from bench.judge.neighbourhood import Sizing
from bench.judge.pace import Mode
from bench.judge.policies import POLICIES
from bench.judge.scorer import DayScore
from bench.report import keep
from jph.sim.physics.protection import OPENS_AT

DAYS: Final = 20
PROCESSES: Final = 2
SLOW_S: Final = (3.0, 8.0)
USUAL_S: Final = (1.0, 2.0)
BOUND: Final = "bound"

Job = tuple[str, Case]
Table = dict[tuple[str, Sizing], Figures]


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge, and print a table."""
    options = _options(arguments)
    started_s = time.monotonic()
    sizings = [Sizing[name.upper()] for name in options.house or [s.name for s in Sizing]]
    policies = options.policy or list(POLICIES)
    jobs = [
        (policy, _case(options, sizing, seed))
        for seed in range(options.first, options.first + options.days)
        for sizing in sizings
        for policy in (*policies, BOUND)
    ]
    table = run(jobs, options.processes)
    show(table)
    print(f"\n{options.days} days each, {time.monotonic() - started_s:.0f} s")
    rows = [
        {"name": f"{policy}, {sizing.name.lower()}", **figures.as_dict()}
        for (policy, sizing), figures in table.items()
    ]
    keep(options.json, "heating", rows)


def run(jobs: Sequence[Job], processes: int = PROCESSES) -> Table:
    """Return the figures of every (policy, sizing) among the jobs; the bound must be there."""
    scores: dict[tuple[str, Sizing], list[DayScore]] = {}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for (policy, case), score in zip(jobs, pool.imap(work, jobs), strict=True):
            scores.setdefault((policy, case.sizing), []).append(score)
    return {
        (policy, sizing): summarise(days, scores[BOUND, sizing])
        for (policy, sizing), days in scores.items()
    }


def work(job: Job) -> DayScore:
    """Judge one policy on one day."""
    policy, case = job
    return judge(case, POLICIES.get(policy))


def show(table: Table) -> None:
    """Print one line a policy and house."""
    print(
        f"{'policy':14} {'house':7} {'trips':>6} {'A·s over':>9} {'longest':>8} {'p50':>5} "
        f"{'p99':>6} {'switch':>8} {'cold':>6} {'worst':>6} {'kWh':>6} {'bound':>7} {'CPU s':>6}"
    )
    for (policy, sizing), f in sorted(table.items(), key=lambda row: _place(*row[0])):
        print(
            f"{policy:14} {sizing.name.lower():7} {f.trips:6.2f} {f.over_as:9.0f} "
            f"{f.longest_s:8.1f} {f.median_s:5.2f} {f.p99_s:6.2f} {f.switchings:8.1f} "
            f"{f.cold:6.2f} {f.coldest:6.2f} {f.energy_kwh:6.1f} {f.share:7.2%} {f.cpu_s:6.2f}"
        )


def _place(policy: str, sizing: Sizing) -> tuple[int, int]:
    names = [*POLICIES, BOUND]
    return names.index(policy), list(Sizing).index(sizing)


def _case(options: argparse.Namespace, sizing: Sizing, seed: int) -> Case:
    return Case(
        sizing=sizing,
        seed=seed,
        mode=Mode(options.mode),
        faults=not options.no_faults,
        obey_s=SLOW_S if options.slow else USUAL_S,
        opens_at=options.opens_at,
        watts=options.watts,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.heating")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--first", type=int, default=0, help="seed of the first day")
    parser.add_argument("--policy", action="append", choices=list(POLICIES))
    parser.add_argument("--house", action="append", choices=[s.name.lower() for s in Sizing])
    parser.add_argument("--mode", default=Mode.HISTORIQUE.value, choices=[m.value for m in Mode])
    parser.add_argument("--slow", action="store_true", help="heaters take 3 to 8 s to obey")
    parser.add_argument("--opens-at", type=float, default=OPENS_AT, metavar="X")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--watts", action="store_true", help="tell the policy the heaters' plates")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
