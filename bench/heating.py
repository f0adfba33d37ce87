"""Quality of a shedding policy: winter days of simulated houses, beside other rules and the bound.

    python -m bench.heating [--days N] [--policy NAME]... [--house NAME]... [--json FILE]
                            [--mode historique|no-adir|standard] [--slow] [--opens-at X]
                            [--no-faults] [--watts] [--processes N]

docs/bench/heating.md describes the method.
"""

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from typing import Final

from bench.harness import report
from bench.judge.case import Case
from bench.judge.day import judge
from bench.judge.figures import Figures, summarise
from bench.judge.neighbourhood import Sizing
from bench.judge.pace import Mode
from bench.judge.policies import POLICIES
from bench.judge.scorer import DayScore
from jph.sim.physics.protection import OPENS_AT

SLOW_S: Final = (3.0, 8.0)
USUAL_S: Final = (1.0, 2.0)
BOUND: Final = "bound"
OPTIONS: Final[dict[str, report.Option]] = {
    "days": (20, "days of each house"),
    "first": (0, "seed of the first day"),
    "policy": (list(POLICIES), "only this policy; may be repeated"),
    "house": ([sizing.name.lower() for sizing in Sizing], "only this sizing; may be repeated"),
    "mode": (Mode.HISTORIQUE.value, f"of the meter: {', '.join(mode.value for mode in Mode)}"),
    "slow": (False, "heaters take 3 to 8 s to obey"),
    "opens_at": (OPENS_AT, "multiple of the contract at which the meter's breaker opens"),
    "no_faults": (False, "the meter's line loses nothing"),
    "watts": (False, "give the policy the watts on the heaters' plates"),
    "processes": (2, "that judge days"),
}
TABLE: Final = (
    ("trips", "trips", "6.2f"),
    ("over_as", "A·s over", "10.0f"),
    ("longest_s", "longest", "9.1f"),
    ("median_s", "p50", "6.2f"),
    ("p99_s", "p99", "7.2f"),
    ("switchings", "switch", "9.1f"),
    ("cold", "cold", "7.2f"),
    ("coldest", "worst", "7.2f"),
    ("energy_kwh", "kWh", "7.1f"),
    ("share", "bound", "8.2%"),
    ("cpu_s", "CPU s", "7.2f"),
)

Job = tuple[str, Case]
Table = dict[tuple[str, Sizing], Figures]


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Judge the days and print one line a policy and house."""
    started_s = time.monotonic()
    sizings = [Sizing[name.upper()] for name in options.house or [s.name for s in Sizing]]
    policies = [*(options.policy or POLICIES), BOUND]
    jobs = [
        (policy, _case(options, sizing, seed))
        for seed in range(options.first, options.first + options.days)
        for sizing in sizings
        for policy in policies
    ]
    found = run(jobs, options.processes)
    rows = [
        {"name": f"{policy}, {sizing.name.lower()}", **found[policy, sizing].as_dict()}
        for policy in policies
        for sizing in sizings
    ]
    report.table(rows, TABLE, 22, "policy, house")
    print(f"\n{options.days} days each, {time.monotonic() - started_s:.0f} s")
    return rows


def run(jobs: Sequence[Job], processes: int) -> Table:
    """Return the figures of every (policy, sizing) among the jobs, which include the bound."""
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


if __name__ == "__main__":
    report.run("heating", __doc__, measure, OPTIONS)
