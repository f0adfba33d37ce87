"""The live comparison: the same house and rules on both sides, and programs that shed."""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.heating_live import NAMES, compare, live, show
from bench.judge.case import Case
from bench.judge.case import wiring as policy_wiring
from bench.judge.day import judge
from bench.judge.neighbourhood import Sizing
from bench.judge.policies import ours
from bench.judge.realtime import configuration, places
from jph.config.house.loads import PilotWire, wiring
from jph.config.house.shedder import SheddingSettings
from jph.heating.shedding import Rules
from jph.heating.shedding.rules import rules_of
from jph.node import kinds
from jph.sim.physics import HouseSpec
from nodes.shedding import Shedding

SECONDS = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurried(Case):
    """A house whose heaters all wake within two seconds: too many."""

    def house(self) -> HouseSpec:
        spec = Case.house(self)
        heaters = tuple(replace(heater, wake_s=heater.wake_s / 25) for heater in spec.heaters)
        return replace(spec, heaters=heaters)


CASE = Hurried(sizing=Sizing.BRUTAL, seed=3, faults=False, hours=SECONDS / 3600, start_s=7 * 3600.0)


def test_the_nodes_are_told_what_the_policy_is(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(configuration(CASE, tmp_path / "meter", tmp_path / "i2c")))
    network = kinds.load(str(path))
    settings = Shedding.check_settings(network.sensor("SH"))
    assert isinstance(settings, SheddingSettings)
    assert rules_of(settings) == Rules()
    assert {phase.limit for phase in settings.phases} == {CASE.house().subscribed_a}
    nodes, alone = (
        {h.codifier: h._replace(actuator=PilotWire("", 0)) for h in table.heaters.values()}
        for table in (wiring(network), policy_wiring(CASE.house()))
    )
    assert nodes == alone
    assert len(set(places(policy_wiring(CASE.house())).values())) == len(alone)


def test_live_programs_shed_a_house_and_the_books_tell(capsys: pytest.CaptureFixture[str]) -> None:
    lived = asyncio.run(live([CASE]))
    score, alone = lived.scores[CASE], judge(CASE, ours)
    assert score.switchings > 0
    assert score.over_as > 0
    assert min(score.cold) > 0
    assert score.energy_kwh == pytest.approx(alone.energy_kwh, rel=0.5)
    assert lived.late_s
    rows = compare([CASE], lived.scores)
    assert [row["name"] for row in rows] == list(NAMES.values())
    show(rows)
    assert capsys.readouterr().out.count("\n") == 1 + len(NAMES)
