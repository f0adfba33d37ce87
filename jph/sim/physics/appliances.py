"""Appliances: every use is a few stages of constant power on one phase, planned by day."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from jph.sim.physics.weather import DAY_S, HOUR_S


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a use: watts for a random time (min), pulsed `on_s` of every `period_s`."""

    watts: float
    minutes: tuple[float, float]
    on_s: float = 1.0
    period_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Habit:
    """A use that starts between two hours of the day with a probability."""

    from_h: float
    to_h: float
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Appliance:
    """An appliance on a phase (1–3), the stages of one use, and its times of use."""

    name: str
    phase: int
    stages: tuple[Stage, ...]
    habits: tuple[Habit, ...]


class Draw(NamedTuple):
    """A constant power on a phase (1–3) from one house time to another, s."""

    start_s: float
    end_s: float
    phase: int
    watts: float
    name: str


def plan(appliances: tuple[Appliance, ...], seed: int, day: int) -> list[Draw]:
    """Return all draws that start on a day (0, 1, …); the same seed and day, the same plan."""
    random = Random(f"day {seed} {day}")
    draws: list[Draw] = []
    for appliance in appliances:
        for habit in appliance.habits:
            start_s = day * DAY_S + random.uniform(habit.from_h, habit.to_h) * HOUR_S
            if random.random() < habit.probability:
                draws.extend(_use(appliance, start_s, random))
    return draws


def _use(appliance: Appliance, start_s: float, random: Random) -> Iterator[Draw]:
    for stage in appliance.stages:
        end_s = start_s + random.uniform(*stage.minutes) * 60
        on_s = stage.on_s if stage.on_s < stage.period_s else end_s - start_s
        while start_s < end_s:
            until_s = min(start_s + on_s, end_s)
            yield Draw(start_s, until_s, appliance.phase, stage.watts, appliance.name)
            start_s = end_s if on_s >= end_s - start_s else start_s + stage.period_s
        start_s = end_s


_EVENING = Habit(18.55, 19.6, 0.9)

HOUSEHOLD: Final = (
    Appliance(
        "kettle",
        1,
        (Stage(2200, (2.0, 4.0)),),
        (
            Habit(6.8, 7.6),
            Habit(9.5, 11.0, 0.5),
            Habit(15.5, 17.0, 0.7),
            Habit(18.52, 18.6),
            Habit(20.5, 21.5, 0.6),
        ),
    ),
    Appliance(
        "oven",
        2,
        (Stage(2500, (8.0, 12.0)), Stage(2500, (25.0, 45.0), 40, 110)),
        (Habit(11.5, 12.2, 0.4), _EVENING),
    ),
    Appliance(
        "hob",
        3,
        (Stage(2000, (3.0, 6.0)), Stage(1800, (15.0, 30.0), 12, 30)),
        (Habit(11.8, 12.6, 0.7), Habit(18.6, 19.8)),
    ),
    Appliance(
        "second ring",
        3,
        (Stage(1500, (4.0, 20.0), 10, 25),),
        (Habit(12.0, 12.6, 0.4), Habit(18.8, 19.9, 0.7)),
    ),
    Appliance(
        "washing machine",
        1,
        (
            Stage(80, (5.0, 8.0)),
            Stage(2000, (12.0, 20.0)),
            Stage(200, (40.0, 60.0), 20, 35),
            Stage(450, (6.0, 10.0)),
        ),
        (Habit(9.0, 19.5, 0.6),),
    ),
    Appliance(
        "dishwasher",
        2,
        (
            Stage(60, (10.0, 15.0)),
            Stage(2000, (10.0, 15.0)),
            Stage(60, (30.0, 40.0)),
            Stage(2000, (8.0, 12.0)),
        ),
        (Habit(20.3, 22.0, 0.8),),
    ),
    Appliance("water heater", 3, (Stage(2400, (150.0, 260.0)),), (Habit(22.5, 22.55),)),
    Appliance("fridge", 1, (Stage(110, (1440.0, 1440.0), 900, 2700),), (Habit(0.0, 0.0),)),
    Appliance("freezer", 2, (Stage(140, (1440.0, 1440.0), 1100, 3100),), (Habit(0.0, 0.0),)),
    Appliance("standby", 1, (Stage(90, (1440.0, 1440.0)),), (Habit(0.0, 0.0),)),
    Appliance("ventilation", 2, (Stage(60, (1440.0, 1440.0)),), (Habit(0.0, 0.0),)),
    Appliance("box and boards", 3, (Stage(70, (1440.0, 1440.0)),), (Habit(0.0, 0.0),)),
    Appliance(
        "lights",
        1,
        (Stage(180, (180.0, 300.0)),),
        (Habit(6.5, 7.0), Habit(17.0, 18.0)),
    ),
    Appliance("television", 2, (Stage(150, (90.0, 200.0)),), (Habit(17.8, 20.5, 0.9),)),
    Appliance(
        "computers",
        3,
        (Stage(220, (120.0, 300.0)),),
        (Habit(8.0, 10.0, 0.6), Habit(17.0, 18.4, 0.8)),
    ),
)
"""A household of four."""
