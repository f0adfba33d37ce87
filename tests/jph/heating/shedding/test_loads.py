"""Switches and chargers beside the heaters: need, sun, off-peak hours, overruns, hands, energy."""

from collections.abc import Iterable
from typing import Any

import pytest

from jph.config.house.loads import Load, Wiring
from jph.config.house.shedder import PhaseSettings, SheddingSettings
from jph.config.house.steered import LoadSort, SteeredLoadSettings
from jph.heating.shedding import Decision, Readings, Rules, SheddingPolicy
from jph.heating.shedding.bus.load_bus import LoadSorter, state_of
from jph.heating.shedding.loads.steering import HAND_S, RESEND_S, LoadSteering
from jph.heating.shedding.rules import LoadReadings
from jph.wire.codec import Quality, Reading
from tests.jph.heating.shedding.shedhouse import FRAME_S, LIMIT, heater

WATER: dict[str, Any] = {"codifier": "WH", "watts": 2300.0, "hours": 4.0, "by": "06:00"}
CAR: dict[str, Any] = {"codifier": "EV", "sort": LoadSort.CHARGER, "kwh": 20.0, "by": "07:00"}


class LoadHouse:
    """One phase with heaters of 5 A that always want heat, and loads that obey at once."""

    def __init__(
        self, *loads: dict[str, Any], heaters: Iterable[Load] = (), hour: float = 12.0
    ) -> None:
        self.heaters = tuple(heaters)
        settings = [SteeredLoadSettings(**load) for load in loads]
        steering = LoadSteering(settings, volts=230.0, margin_a=0.6, import_a=0.5)
        self.policy = SheddingPolicy(Wiring(self.heaters), [1], Rules(), steering)
        self.now_s, self.of_day_s = 1000.0, 3600.0 * hour
        self.base_a = self.sun_a = 0.0
        self.off_peak: bool | None = None
        self.obeys = True
        self.values = dict.fromkeys(steering.loads, 0.0)
        self.sent: list[tuple[str, float]] = []
        self.mask = 0
        self.said: list[str] = []
        self.step(Readings(limits={1: LIMIT}))

    @property
    def loads_a(self) -> float:
        """What the loads draw on phase 1."""
        return sum(
            value if self.policy.steering.loads[code].charger else 10.0 * value
            for code, value in self.values.items()
        )

    @property
    def net_a(self) -> float:
        """What phase 1 draws; fed in below 0."""
        on = sum(not self.mask >> heater_.bit & 1 for heater_ in self.heaters)
        return self.base_a + 5.0 * on + self.loads_a - self.sun_a

    def step(self, readings: Readings) -> Decision:
        local = (1 + int(self.of_day_s // 86_400), self.of_day_s % 86_400)
        decision = self.policy.step(self.now_s, readings, local=local)
        self.mask = decision.masks[1]
        self.said += decision.changes
        for code, value in self.policy.steering.orders(self.now_s):
            self.sent.append((code, value))
            if self.obeys:
                self.values[code] = value
        return decision

    def live(self, seconds: float, frame_s: float = FRAME_S) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += frame_s
            self.of_day_s += frame_s
            fed_in = {1: max(0.0, -self.net_a)} if self.sun_a else {}
            loads = LoadReadings(dict(self.values), {}, fed_in, self.off_peak)
            current = {1: float(round(max(0.0, self.net_a)))}
            self.step(Readings(currents=current, loads=loads))

    def reason(self, code: str) -> str:
        return self.policy.steering.loads[code].reason


def three_heaters(**more: Any) -> list[Load]:
    return [heater(f"1{bit + 1}", bit, **more) for bit in range(3)]


def test_a_load_without_conditions_runs_where_it_fits() -> None:
    house = LoadHouse(WATER, heaters=three_heaters())
    house.live(60)
    assert house.values == {"WH": 1.0}
    house.base_a = 20.0
    house.live(6)
    assert house.values == {"WH": 0.0}
    assert house.said[-1] == "load WH: off, overrun"
    assert house.net_a == 35.0 - 5.0 * house.mask.bit_count()


def test_at_an_overrun_loads_that_can_wait_give_way_before_any_heater() -> None:
    house = LoadHouse(WATER, heaters=three_heaters())
    house.live(60)
    house.base_a = 9.0
    house.live(20)
    assert house.values == {"WH": 0.0}
    assert house.mask == 0


def test_a_charger_gives_what_is_missing_and_no_more() -> None:
    house = LoadHouse(CAR, heaters=three_heaters())
    house.live(60)
    assert house.values["EV"] == 13.0
    house.base_a = 5.0
    house.live(4)
    assert house.mask == 0
    assert 6 <= house.values["EV"] <= 9
    house.base_a = 0.0
    house.live(60)
    assert house.values["EV"] == 13.0
    house.base_a = 12.0
    house.live(30)
    assert house.values["EV"] == 0.0
    assert house.mask == 0


def test_wanting_heaters_go_before_a_load_that_can_wait() -> None:
    house = LoadHouse(WATER | {"priority": 1}, heaters=three_heaters())
    house.base_a = 20.0
    house.live(200)
    assert house.mask
    house.base_a = 0.0
    house.live(2)
    assert house.reason("WH") == "heaters go first"
    house.live(600)
    assert house.mask == 0
    assert house.values == {"WH": 1.0}


def test_heaters_take_turns_with_a_load_that_must_run_now() -> None:
    house = LoadHouse(
        WATER | {"off_peak": True},
        heaters=[heater(f"1{bit + 1}", bit) for bit in range(5)],
        hour=1.5,
    )
    house.live(60)
    assert house.values == {"WH": 1.0}
    assert house.mask
    assert house.reason("WH") == "needed by its time"
    held = house.policy.report(house.now_s)[1].shed.values()
    assert {tuple(each.turn_of) for each in held} == {("WH",)}
    assert house.net_a <= LIMIT


def test_off_peak_hours_are_waited_for_and_a_silent_tariff_is_not() -> None:
    house = LoadHouse(WATER | {"off_peak": True}, hour=20.0)
    house.live(60)
    assert house.values == {"WH": 0.0}
    house.off_peak = True
    house.live(60)
    assert house.values == {"WH": 1.0}
    assert house.reason("WH") == "off-peak"
    house.off_peak = False
    house.live(400)
    assert house.values == {"WH": 0.0}


def test_the_need_is_met_once_a_day() -> None:
    house = LoadHouse(WATER | {"hours": 0.5}, hour=2.0)
    house.live(3000)
    assert house.values == {"WH": 0.0}
    load = house.policy.steering.loads["WH"]
    assert 1800 <= load.on_s < 1810
    house.of_day_s = 6 * 3600.0 - 1
    house.live(60)
    assert house.values == {"WH": 1.0}


def test_a_charger_takes_the_sun_and_lets_clouds_pass() -> None:
    house = LoadHouse(CAR | {"kwh": None, "surplus": True})
    house.base_a, house.sun_a = 2.0, 12.0
    house.live(50)
    assert house.values["EV"] == 0.0
    house.live(30)
    assert house.values["EV"] == 10.0
    house.sun_a = 15.0
    house.live(30)
    assert house.values["EV"] in (12.0, 13.0)
    house.sun_a = 5.0
    house.live(30)
    assert house.values["EV"] == 6.0
    house.live(400)
    assert house.values["EV"] == 0.0


def test_a_water_heater_starts_in_the_sun_only_when_it_fits_into_it() -> None:
    house = LoadHouse(WATER | {"hours": None, "surplus": True})
    house.sun_a = 8.0
    house.live(200)
    assert house.values == {"WH": 0.0}
    house.sun_a = 10.0
    house.live(100)
    assert house.values == {"WH": 1.0}
    assert house.reason("WH") == "sun"


def test_an_order_is_sent_again_until_its_load_reports_it() -> None:
    house = LoadHouse(WATER)
    house.obeys = False
    house.live(4 * RESEND_S)
    assert house.sent.count(("WH", 1.0)) >= 3
    assert [load.settings.codifier for load in house.policy.steering.unanswered(house.now_s)] == [
        "WH"
    ]
    house.obeys = True
    house.live(4 * RESEND_S)
    count = len(house.sent)
    house.live(4 * RESEND_S)
    assert len(house.sent) == count
    assert house.policy.steering.unanswered(house.now_s) == []


def test_a_load_that_does_not_obey_leads_to_the_heaters() -> None:
    house = LoadHouse(WATER, heaters=three_heaters())
    house.live(60)
    house.obeys = False
    house.base_a = 9.0
    house.live(20)
    assert house.mask
    assert house.net_a <= LIMIT


def test_a_persons_hand_is_left_alone() -> None:
    house = LoadHouse(WATER)
    house.live(60)
    house.values["WH"] = 0.0
    house.live(HAND_S - 60, 10.0)
    assert house.values == {"WH": 0.0}
    assert house.reason("WH") == "set by hand"
    house.live(200)
    assert house.values == {"WH": 1.0}


def test_no_load_stays_on_while_the_meter_is_silent() -> None:
    house = LoadHouse(CAR)
    house.live(60)
    assert house.values["EV"] > 0
    for _ in range(25):
        house.now_s += 1
        house.step(Readings())
    assert house.values["EV"] == 0.0
    assert house.reason("EV") == "meter silent"


def test_watts_and_energy_are_learned_and_survive() -> None:
    house = LoadHouse(WATER | {"watts": None}, heaters=three_heaters())
    house.live(3600)
    load = house.policy.steering.loads["WH"]
    assert load.watts == pytest.approx(2300, rel=0.05)
    assert load.known
    memory = house.policy.memory(house.now_s, 0.0)
    assert memory.energy["11"][0] == pytest.approx(1150, rel=0.1)
    after = LoadHouse(WATER | {"watts": None}, heaters=three_heaters())
    after.policy.recall(memory, after.now_s, 0.0)
    again = after.policy.steering.loads["WH"]
    assert again.watts == load.watts
    assert again.wh == pytest.approx(2300, rel=0.1)
    content = state_of(after.policy)
    today = content["today"]
    assert isinstance(today, dict)
    assert today["11"][0] == pytest.approx(1.15, rel=0.1)
    assert today["WH"][0] == pytest.approx(2.3, rel=0.1)
    assert today["@@"][0] == pytest.approx(3 * 1.15 + 2.3, rel=0.1)


def reading(code: str, value: float | str, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(1, 1, 0, "s" if isinstance(value, str) else "f", code, "@@", 1, quality, value)


def test_what_the_bus_says_of_loads() -> None:
    phase = PhaseSettings(phase=1, codifier="S1", current="I1", limit=30.0, fed_in="X1")
    loads = (SteeredLoadSettings(**WATER, power="PW"), SteeredLoadSettings(**CAR))
    sorter = LoadSorter(SheddingSettings(phases=(phase,), loads=loads, off_peak="TP"))
    batch = [reading("WH", 1), reading("PW", 2210), reading("X1", 4.5), reading("TP", "HC..")]
    assert sorter.sort(batch) == LoadReadings({"WH": 1}, {"WH": 2210}, {1: 4.5}, True)
    assert sorter.sort([reading("TP", "HP.."), reading("EV", 900)]) == LoadReadings(off_peak=False)
    assert sorter.sort([reading("WH", 1, Quality.STALE), reading("I1", 3)]) is None
