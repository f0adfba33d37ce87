"""Random houses of three sizings to judge a policy by: no two alike, all plausible.

The choices of an installer are random: rooms, radiators and their places, the phase of each wire,
the appliances and the times of their use. Two things are fixed: the ratio of heaters to contract,
and that appliances alone stay below the limit, because no shedder can help a house that trips on
its kettles.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import chain
from random import Random
from typing import Final

from jph.sim.physics.appliances import Appliance, Draw, Habit, Stage, plan
from jph.sim.physics.spec import DESIGN_DIFFERENCE_K, PHASES, VOLTS, HeaterSpec, HouseSpec, RoomSpec
from jph.sim.physics.weather import Weather

HEATERS: Final = 24
FEWEST_A_PHASE: Final = 6
MOST_A_PHASE: Final = 10
RATED_W: Final = (500.0, 750.0, 1000.0, 1000.0, 1250.0, 1500.0, 1500.0, 2000.0)
SMALLEST_W: Final = 300.0
LARGEST_W: Final = 2600.0

APPLIANCES_SHARE: Final = 0.85
"""Appliances alone stay below this part of the subscribed current."""

AT_HOME: Final = 0.9
"""The share of a room's further heaters that hang on the phase of its first."""

RESERVES: Final = (0.6, 1.6)
"""Spread of the reserve between rooms."""

UNEQUAL_PRIORITIES: Final = 0.3
"""Share of houses with unequal priorities of rooms."""


class Sizing(Enum):
    """How undersized a contract is.

    Rated heaters of a phase over the subscribed current (from, to); the installer's reserve over
    the losses of the coldest day; the mean temperature outside, °C.
    """

    LIGHT = (0.8, 1.0, 1.8, -3.0)
    TIGHT = (1.3, 1.6, 1.9, -2.5)
    BRUTAL = (2.0, 2.4, 2.2, -3.0)

    @property
    def ratio(self) -> tuple[float, float]:
        """Rated heaters of a phase over the subscribed current: from, to."""
        return self.value[0], self.value[1]


def generate(
    sizing: Sizing,
    seed: int = 0,
    subscribed_a: int = 30,
    obey_s: tuple[float, float] = (1.0, 2.0),
) -> HouseSpec:
    """Return a house of 24 heaters; the same arguments, the same house.

    Its heaters take between `obey_s` to obey, each its own time.
    """
    random = Random(f"house {sizing.name} {seed}")
    areas = _areas(random)
    heaters = _heaters(sizing, areas, subscribed_a, obey_s, random)
    _, _, reserve, outdoor_c = sizing.value
    rooms = tuple(
        RoomSpec(name, area, _rated(heaters, name) / _loss_of(reserve, random))
        for name, area in areas.items()
    )
    weather = Weather(
        mean_c=outdoor_c + random.gauss(0.0, 1.0), daily_k=random.uniform(1.5, 4.5), seed=seed
    )
    belongings = _belongings(subscribed_a, seed, random)
    return HouseSpec(rooms, heaters, belongings, weather, subscribed_a)


def _loss_of(reserve: float, random: Random) -> float:
    return DESIGN_DIFFERENCE_K * reserve * random.uniform(*RESERVES)


def _rated(heaters: Iterable[HeaterSpec], room: str) -> float:
    return sum(heater.watts for heater in heaters if heater.room == room)


def _areas(random: Random) -> dict[str, float]:
    names = ["Living room", "Kitchen", "Main bedroom", "Bathroom", "Hall", "Study", "Laundry"]
    names += [f"Bedroom {number}" for number in range(2, 3 + random.randrange(4))]
    return {
        name: round(random.uniform(26, 42) if name == "Living room" else random.uniform(7, 20), 1)
        for name in names
    }


def _heaters(
    sizing: Sizing,
    areas: dict[str, float],
    subscribed_a: int,
    obey_s: tuple[float, float],
    random: Random,
) -> tuple[HeaterSpec, ...]:
    names = list(areas)
    unequal = random.random() < UNEQUAL_PRIORITIES
    priorities = {name: random.randint(1, 3) if unequal else 1 for name in names}
    counts = _counts(random)
    places = iter(_places(areas, counts, random))
    heaters: list[HeaterSpec] = []
    for phase, count in zip(PHASES, counts, strict=True):
        ratio = random.uniform(*sizing.ratio)
        for wire, watts in enumerate(_watts(count, ratio * subscribed_a * VOLTS, random)):
            room = next(places)
            heaters.append(
                HeaterSpec(
                    codifier=f"{phase}{wire}",
                    phase=phase,
                    room=room,
                    watts=watts,
                    obey_s=random.uniform(*obey_s),
                    sensor_error_k=random.gauss(0.0, 0.03),
                    wake_s=random.uniform(5.0, 50.0),
                    band_k=random.uniform(0.05, 0.15),
                    priority=priorities[room],
                )
            )
    return tuple(heaters)


def _places(areas: dict[str, float], counts: Sequence[int], random: Random) -> list[str]:
    """Return the room of each heater, phase by phase; most rooms are wired from one phase."""
    names = list(areas)
    random.shuffle(names)
    homes = [names[index :: len(PHASES)] for index in range(len(PHASES))]
    places: list[str] = []
    for home, count in zip(homes, counts, strict=True):
        mine = home[:]
        while len(mine) < count:
            near = home if random.random() < AT_HOME else names
            mine += random.choices(near, [areas[name] for name in near])
        random.shuffle(mine)
        places += mine
    return places


def _counts(random: Random) -> tuple[int, ...]:
    while True:
        counts = (random.randint(FEWEST_A_PHASE, MOST_A_PHASE), random.randint(6, MOST_A_PHASE))
        last = HEATERS - sum(counts)
        if FEWEST_A_PHASE <= last <= MOST_A_PHASE:
            return (*counts, last)


def _watts(count: int, total_w: float, random: Random) -> list[float]:
    """Return ratings that add up to about `total_w`, none absurd."""
    shares = random.choices(RATED_W, k=count)
    while True:
        watts = [float(round(share * total_w / sum(shares))) for share in shares]
        if min(watts) >= SMALLEST_W and max(watts) <= max(LARGEST_W, 1.1 * total_w / count):
            return watts
        # Each round the ratings come nearer to each other, so this ends.
        shares = [share + sum(shares) / count / 4 for share in shares]


def _belongings(subscribed_a: int, seed: int, random: Random) -> tuple[Appliance, ...]:
    """Return appliances, wired so that they stay below their limit in the first two days."""
    limit_w = APPLIANCES_SHARE * subscribed_a * VOLTS
    while True:
        owned = tuple(
            make(random.choice(PHASES), random)
            for make, share in _CATALOGUE
            if random.random() < share
        )
        draws = list(chain(plan(owned, seed, -1), plan(owned, seed, 0), plan(owned, seed, 1)))
        if all(_peak_w(draws, phase) <= limit_w for phase in PHASES):
            return owned


def _peak_w(draws: Sequence[Draw], phase: int) -> float:
    edges = sorted(
        edge
        for draw in draws
        if draw.phase == phase
        for edge in ((draw.start_s, draw.watts), (draw.end_s, -draw.watts))
    )
    now = peak = 0.0
    for _, watts in edges:
        now += watts
        peak = max(peak, now)
    return peak


def _always(name: str, low_w: float, high_w: float, on_s: float = 1.0) -> "_Maker":
    def make(phase: int, random: Random) -> Appliance:
        period_s = on_s * random.uniform(2.0, 3.5) if on_s > 1 else 1.0
        stage = Stage(float(round(random.uniform(low_w, high_w))), (1440.0, 1440.0), on_s, period_s)
        return Appliance(name, phase, (stage,), (Habit(0.0, 0.0),))

    return make


def _used(name: str, stages: Sequence[Stage], *habits: Habit) -> "_Maker":
    """Return a maker of appliances that differ a little in power and pulse."""

    def make(phase: int, random: Random) -> Appliance:
        power, pulse = random.uniform(0.8, 1.15), random.uniform(0.7, 1.4)
        mine = tuple(
            Stage(float(round(s.watts * power)), s.minutes, s.on_s * pulse, s.period_s * pulse)
            if s.period_s > s.on_s
            else Stage(float(round(s.watts * power)), s.minutes)
            for s in stages
        )
        return Appliance(name, phase, mine, habits)

    return make


_Maker = Callable[[int, Random], Appliance]

_MORNING: Final = Habit(6.3, 8.0, 0.9)
_NOON: Final = Habit(11.6, 12.8, 0.6)
_EVENING: Final = Habit(18.3, 20.0, 0.9)

_CATALOGUE: Final[tuple[tuple[_Maker, float], ...]] = (
    (
        _used(
            "kettle",
            [Stage(2200, (1.5, 4.0))],
            _MORNING,
            Habit(7.0, 9.5, 0.6),
            Habit(9.5, 11.0, 0.5),
            Habit(13.0, 14.0, 0.4),
            Habit(15.5, 17.0, 0.7),
            Habit(20.5, 22.5, 0.7),
        ),
        1.0,
    ),
    (_used("coffee machine", [Stage(1300, (2.0, 6.0))], _MORNING, Habit(13.0, 14.0, 0.6)), 0.8),
    (_used("toaster", [Stage(900, (2.0, 4.0))], _MORNING), 0.7),
    (_used("microwave", [Stage(1400, (1.0, 5.0))], _MORNING, _NOON, _EVENING), 0.8),
    (
        _used(
            "oven", [Stage(2500, (8.0, 12.0)), Stage(2500, (25.0, 45.0), 40, 110)], _NOON, _EVENING
        ),
        0.9,
    ),
    (
        _used("hob", [Stage(2000, (3.0, 6.0)), Stage(1800, (10.0, 30.0), 12, 30)], _NOON, _EVENING),
        1.0,
    ),
    (_used("second ring", [Stage(1500, (4.0, 20.0), 10, 25)], _NOON, _EVENING), 0.7),
    (
        _used(
            "washing machine",
            [
                Stage(80, (5.0, 8.0)),
                Stage(2000, (12.0, 20.0)),
                Stage(200, (40.0, 60.0), 20, 35),
                Stage(450, (6.0, 10.0)),
            ],
            Habit(8.0, 21.0, 0.7),
        ),
        0.95,
    ),
    (
        _used("dryer", [Stage(2300, (30.0, 60.0), 240, 300)], Habit(10.0, 21.0, 0.6)),
        0.5,
    ),
    (
        _used(
            "dishwasher",
            [
                Stage(60, (10.0, 15.0)),
                Stage(2000, (10.0, 15.0)),
                Stage(60, (30.0, 40.0)),
                Stage(2000, (8.0, 12.0)),
            ],
            Habit(12.5, 14.5, 0.4),
            Habit(20.0, 22.0, 0.8),
        ),
        0.8,
    ),
    (_used("hair dryer", [Stage(1600, (3.0, 9.0))], Habit(6.5, 8.0), Habit(20.0, 22.0, 0.4)), 0.8),
    (_used("iron", [Stage(2200, (15.0, 40.0), 15, 50)], Habit(9.0, 21.0, 0.4)), 0.7),
    (_used("vacuum cleaner", [Stage(800, (8.0, 25.0))], Habit(9.0, 18.0, 0.6)), 0.9),
    (_used("water heater", [Stage(2400, (150.0, 260.0))], Habit(22.5, 23.3)), 0.8),
    (_used("car", [Stage(2600, (60.0, 300.0))], Habit(18.0, 23.0, 0.7)), 0.3),
    (_used("lights", [Stage(180, (180.0, 300.0))], Habit(6.3, 7.2), Habit(16.5, 18.0)), 1.0),
    (_used("television", [Stage(150, (90.0, 200.0))], Habit(17.8, 20.5, 0.9)), 0.9),
    (
        _used("computers", [Stage(220, (120.0, 300.0))], Habit(8.0, 10.0, 0.6), Habit(17.0, 18.4)),
        0.9,
    ),
    (_always("fridge", 80, 140, on_s=900.0), 1.0),
    (_always("freezer", 90, 150, on_s=1100.0), 0.8),
    (_always("standby", 40, 140), 1.0),
    (_always("ventilation", 30, 80), 0.8),
    (_always("box and boards", 30, 90), 1.0),
)
"""Possible appliances of a household, with their probability."""
