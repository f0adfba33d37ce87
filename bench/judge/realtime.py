"""A house of the judge in real time: the real programs read its meter and drive its chips.

House, meter line and chips are those of `jph.sim.live`; the scorer is that of the judge. The house
stands still until `start`: the programs run and have received a frame when its power comes back.
"""

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Final

from bench.harness import network
from bench.harness.network import Json
from bench.judge.case import Case, wiring
from bench.judge.scorer import Scorer
from jph.config.house.card import FIRST_ADDRESS
from jph.config.house.loads import Wiring
from jph.heating.orders.coding import WIRES
from jph.sim.blueprint import Blueprint
from jph.sim.chips.i2cbus import Outputs
from jph.sim.live import LONGEST_DELAY_S, METER_ADDRESS, LiveHouse
from jph.sim.meter.frames import with_parity
from jph.sim.meter.line import MeterLine, duration_s
from jph.sim.meter.register import Register
from jph.sim.physics import SimulatedHouse
from jph.sim.physics.protection import Protection
from jph.sim.physics.spec import PHASES

CARDS: Final = ("P1", "P2", "P3")
NODES: Final = (*CARDS, "TI", "SH")
"""The programs of a house; the shedder last, because a frame must follow its start soon."""

NOT_BASE: Final = frozenset({"HCHP", "HHPHC"})
"""Labels that a meter of the base tariff does not send; `bench.judge.pace` is such a meter."""


class BaseLine(MeterLine):
    """The line of a meter of the base tariff (HCHC replaces BASE, which is as long)."""

    def _next_frame(self, now_s: float) -> tuple[str, ...]:
        return tuple(label for label in super()._next_frame(now_s) if label not in NOT_BASE)


class JudgedHouse(LiveHouse):
    """A house of a case with a scorer, in a directory of its own.

    `late_s` holds the delay of each group against a real line, s.
    """

    def __init__(self, case: Case, directory: Path) -> None:
        spec = case.house()
        state = directory / "state.json"
        first = SimulatedHouse(spec, seed=case.seed, start_s=case.start_s, indoor_c=case.indoor_c())
        kept = {
            "house": {**first.snapshot(), "heaters": {}},  # they wake one by one
            "meter": Register(METER_ADDRESS, spec.subscribed_a).snapshot(),
        }
        state.write_text(json.dumps(kept), encoding="utf-8")
        plan = Blueprint(spec, places(wiring(spec)))
        log = logging.getLogger(__name__)
        super().__init__(plan, state, seed=case.seed, thermal_speed=1.0, log=log)
        self.late_s: list[float] = []
        self._end_s = case.end_s
        self._begun = False
        self._switchings = 0
        self.scorer = Scorer(self.house, Protection(spec.subscribed_a, opens_at=case.opens_at))
        self.house.watch = self._changed
        self.register.observe(self.house.time_s, self.house.amps, 0.0)

    def start(self) -> None:
        """Let the power come back now."""
        self._stepped_s = time.monotonic()
        self._begun = True

    async def run(self) -> None:
        """Send group after group until the case ends; then the house stands still again."""
        line = BaseLine(self.register)
        due_s = time.monotonic()
        while self.house.time_s < self._end_s:
            self.advance()
            now_s = time.monotonic()
            characters = line.next(now_s)
            due_s = max(due_s, now_s - LONGEST_DELAY_S) + duration_s(characters)
            await asyncio.sleep(due_s - now_s)
            self.late_s.append(time.monotonic() - due_s)
            if self.scorer.dead_until_s is None:
                self._port.write(with_parity(characters))
        self._begun = False
        self.scorer.score.switchings = self._switchings / len(self.house.heaters)

    def advance(self) -> None:
        """Advance a started house to now, and account for it."""
        if not self._begun:
            return
        super().advance()
        self.scorer.account()
        dead_until_s = self.scorer.dead_until_s
        if dead_until_s is not None and self.house.time_s >= dead_until_s:
            self.scorer.rearm()

    def _changed(self) -> bool:
        self.scorer.account()
        return False

    def _obey(self, address: int, outputs: Outputs) -> None:
        before = [heater.given for heater in self.house.heaters.values()]
        super()._obey(address, outputs)
        after = [heater.given for heater in self.house.heaters.values()]
        self._switchings += sum(was is not now for was, now in zip(before, after, strict=True))


def places(table: Wiring) -> dict[tuple[int, int], str]:
    """Return the heater of each wire of each chip; one card after the other is filled."""
    return {
        (FIRST_ADDRESS + index // WIRES, index % WIRES + 1): codifier
        for index, codifier in enumerate(table.heaters)
    }


def configuration(case: Case, meter: Path, i2c: Path) -> Json:
    """Return a config of meter, shedder and cards with the knowledge that a policy has."""
    spec = case.house()
    table = wiring(spec)
    fields = {f"I{n}": f"CURRENT_{n}" for n in PHASES} | {f"W{n}": f"WARNING_{n}" for n in PHASES}
    proxies = [{"Codifier": code, "Field": field} for code, field in fields.items()]
    phases = [
        {
            "Phase": n,
            "Codifier": f"S{n}",
            "Current": f"I{n}",
            "Warning": f"W{n}",
            "Limit": spec.subscribed_a,
        }
        for n in PHASES
    ]
    nodes = [
        _node("TI", "Teleinfo", 10, {"Device": str(meter), "Mode": "historique", "Proxy": proxies}),
        _node("SH", "Shedding", 1, {"Phases": phases}),
    ]
    parents = dict.fromkeys(fields, "TI") | {f"S{n}": "SH" for n in PHASES}
    for number, card in enumerate(CARDS):
        address = FIRST_ADDRESS + number
        mine = {wire: c for (at, wire), c in places(table).items() if at == address}
        nodes.append(_node(card, "PilotCard", 5, _card(table, address, mine, i2c)))
        parents |= dict.fromkeys(mine.values(), card)
    return network.config([*nodes, *network.proxies(parents)])


def _card(table: Wiring, address: int, wires: dict[int, str], i2c: Path) -> Json:
    heaters = {wire: table.heaters[codifier] for wire, codifier in wires.items()}
    phases = sorted({heater.phase for heater in heaters.values()})
    return {
        "Bus": f"unix:{i2c}",
        "Address": address,
        "Wires": [
            {
                "Codifier": heater.codifier,
                "Wire": wire,
                "Phase": heater.phase,
                "Room": heater.room,
                "Priority": heater.priority,
            }
            for wire, heater in heaters.items()
        ],
        "Shed": {str(phase): f"S{phase}" for phase in phases},
        "Meter": {str(phase): f"I{phase}" for phase in phases},
    }


def _node(codifier: str, kind: str, interval_s: float, settings: Json) -> Json:
    return {
        "Codifier": codifier,
        "Type": kind,
        "KeepAliveInterval": 10,
        "SensorInterval": interval_s,
        "Sensor": settings,
    }
