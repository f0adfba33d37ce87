"""The judge: its accounting against independent sums, and a bound that no policy beats."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.judge.case import Case, wiring
from bench.judge.day import judge
from bench.judge.faults import Faults
from bench.judge.figures import quantile, summarise
from bench.judge.neighbourhood import Sizing, generate
from bench.judge.pace import Mode
from bench.judge.policies import POLICIES, CommercialRule, Nothing, RadiatorRule
from bench.judge.scorer import OUTAGE_S, DayScore, Scorer
from jph.config.house.loads import Wiring
from jph.heating.shedding import Decision, Readings
from jph.sim.physics import SimulatedHouse
from jph.sim.physics.protection import Protection
from tests.support import REPOSITORY

MORNING = Case(sizing=Sizing.BRUTAL, seed=3, hours=2.0, faults=False)


class Everything:
    """Sheds every heater from the first current on."""

    def __init__(self, table: Wiring) -> None:
        self._off = {phase: (1 << len(heaters)) - 1 for phase, heaters in table.phases.items()}
        self._masks = dict.fromkeys(table.phases, 0)

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        if readings.currents:
            self._masks = self._off
        return Decision(self._masks, (), ())


def sums(case: Case) -> tuple[float, float, list[float]]:
    """Return A·s over the limit, kWh and overruns of a house without shedding, in small steps."""
    spec = case.house()
    house = SimulatedHouse(spec, seed=case.seed, start_s=0.0, indoor_c=case.indoor_c())
    over_as, watt_s, overs, dt = 0.0, 0.0, [0.0, 0.0, 0.0], 0.25
    lasted: list[float] = []
    for _ in range(int(case.hours * 3600 / dt)):
        for index, amps in enumerate(house.amps):
            over_as += max(0.0, amps - spec.subscribed_a) * dt
            if amps > spec.subscribed_a:
                overs[index] += dt
            elif overs[index]:
                lasted.append(overs[index])
                overs[index] = 0.0
        watt_s += sum(heater.watts for heater in house.heaters.values()) * dt
        house.step(dt)
    return over_as, watt_s / 3.6e6, lasted + [over for over in overs if over]


def test_the_books_agree_with_sums_in_small_steps() -> None:
    case = replace(MORNING, sizing=Sizing.TIGHT, hours=2.0, opens_at=99.0)
    score = judge(case, Nothing)
    if score.trips:
        pytest.fail(f"a house that trips cannot be summed so simply: {score.trips}")
    over_as, kwh, lasted = sums(case)
    assert score.over_as == pytest.approx(over_as, rel=0.02, abs=5.0)
    assert score.energy_kwh == pytest.approx(kwh, rel=0.002)
    assert sum(score.overs) == pytest.approx(sum(lasted), rel=0.02, abs=2.0)
    assert score.switchings == 0


@pytest.mark.parametrize("sizing", Sizing)
def test_no_policy_beats_the_bound_and_it_never_exceeds(sizing: Sizing) -> None:
    case = Case(sizing=sizing, seed=11, hours=4.0, opens_at=1.13)
    best = judge(case, None)
    assert best.trips == {}
    assert best.over_as == 0.0
    assert best.overs == []
    for make in (RadiatorRule, CommercialRule, POLICIES["ours"]):
        score = judge(case, make)
        # Thermostats stop with the rooms anywhere in their bands: a little may be stored.
        assert score.energy_kwh < best.energy_kwh * 1.005
        assert sum(score.cold) > sum(best.cold) * 0.9


def test_a_house_without_shedding_trips_and_stays_dark() -> None:
    score = judge(MORNING, Nothing)
    assert 10 < sum(score.trips.values()) < MORNING.hours * 3600 / OUTAGE_S
    assert max(score.overs) < 120


def test_a_breaker_that_opens_early_opens_before_the_other() -> None:
    usual, early = judge(MORNING, Nothing), judge(replace(MORNING, opens_at=1.13), Nothing)
    assert set(early.trips) == {"meter"}
    assert early.overs[0] < usual.overs[0]


def test_masks_reach_the_heaters_and_are_counted() -> None:
    score = judge(replace(MORNING, hours=1.0), Everything)
    assert score.switchings == 1.0
    assert score.energy_kwh < 0.2
    assert min(score.cold) > 0


def test_slow_heaters_and_slow_meters_cost_reaction() -> None:
    usual = judge(MORNING, RadiatorRule)
    slow = judge(replace(MORNING, obey_s=(3.0, 8.0)), RadiatorRule)
    late = judge(replace(MORNING, mode=Mode.NO_ADIR), RadiatorRule)
    assert slow.over_as > usual.over_as
    assert quantile(sorted(late.overs), 0.5) > quantile(sorted(usual.overs), 0.5)


def test_the_same_day_twice_is_the_same() -> None:
    case = Case(sizing=Sizing.TIGHT, seed=5, hours=2.0)
    one, two = judge(case, RadiatorRule), judge(case, RadiatorRule)
    assert replace(one, cpu_s=0.0) == replace(two, cpu_s=0.0)


def test_faults_silence_the_line_for_a_minute_and_are_the_same_for_all() -> None:
    one, two = Faults(3, 24.0), Faults(3, 24.0)
    heard = [one.heard(second) for second in range(86_400)]
    assert heard == [two.heard(second) for second in range(86_400)]
    lost = "".join("x" if known else "." for known in heard).split("x")
    assert 55 <= max(len(run) for run in lost) <= 120
    assert 0.98 < sum(heard) / len(heard) < 1.0


def test_a_policy_is_told_the_wiring_and_the_watts_only_if_asked() -> None:
    spec = generate(Sizing.TIGHT, 4)
    blind, informed = wiring(spec), wiring(spec, watts=True)
    assert {h.watts for h in blind.heaters.values()} == {None}
    for heater in spec.heaters:
        mine = informed.heaters[heater.codifier]
        assert mine.watts == pytest.approx(heater.watts, rel=0.06)
        assert (mine.phase, mine.priority, mine.room) == (
            heater.phase,
            heater.priority,
            heater.room,
        )
    for phase, heaters in blind.phases.items():
        assert [h.bit for h in heaters] == list(range(len(heaters)))
        assert list(blind.held(phase, 1)) == [heaters[0].codifier]


def test_an_outage_is_booked_as_cold_and_without_energy() -> None:
    house = SimulatedHouse(generate(Sizing.LIGHT, 1), seed=1, start_s=0.0)
    scorer = Scorer(house, Protection(30))
    house.step(300.0)
    scorer.account()
    house.cut()
    before = house.heating_joules()
    for _ in range(120):
        house.step(60.0)
        scorer.account()
    score = scorer.finish()
    assert house.heating_joules() == before
    assert min(score.cold) > 1.0  # two hours, and cooling


def test_figures_are_means_of_days_and_quantiles_of_all_overruns() -> None:
    one = DayScore({"meter": 1}, 10.0, [1.0, 2.0, 9.0], 4.0, [1.0, 3.0], 99.0)
    two = DayScore({}, 30.0, [3.0], 8.0, [0.0, 2.0], 97.0)
    best = DayScore(energy_kwh=100.0)
    figures = summarise([one, two], [best, best])
    assert (figures.trips, figures.over_as, figures.switchings) == (0.5, 20.0, 6.0)
    assert (figures.longest_s, figures.median_s, figures.p99_s) == (9.0, 2.0, 9.0)
    assert (figures.cold, figures.coldest, figures.share) == (1.5, 2.5, 0.98)


def test_the_program_prints_a_table_and_writes_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "bench.heating", "--days", "1", "--policy", "none"]
    done = subprocess.run(
        [*command, "--house", "light", "--json", str(path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bound" in done.stdout
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert {row["name"] for row in rows} == {"none, light", "bound, light"}
    assert rows[0]["trips"] == 0
