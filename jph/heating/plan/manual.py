"""The three rules that end manual mode of a device that holds another value than planned. Pure."""

from typing import NamedTuple

from jph.heating.plan.evaluation.value import Scheduled

_HOUR_MS = 3_600_000


class Manual(NamedTuple):
    """A device in manual mode since `since_ms`, while the plan had `planned`."""

    since_ms: int
    planned: Scheduled


def reported(
    manual: Manual | None, value: float, planned: Scheduled | None, now_ms: int, half_step: float
) -> Manual | None:
    """Return the mode of a device after it has reported a setpoint.

    A report within half a step of the planned value is obedience, and ends manual mode.
    """
    if planned is None or not isinstance(planned.value, float):
        return None
    if abs(value - planned.value) <= half_step:
        return None
    return manual or Manual(now_ms, planned)


def ended(manual: Manual, planned: Scheduled | None, rule: str | int, now_ms: int) -> bool:
    """Say whether manual mode is over: by time, by a new slot or by a new planned value."""
    if planned is None:
        return True
    if isinstance(rule, int):
        return now_ms - manual.since_ms >= rule * _HOUR_MS
    if rule == "timeslot_change":
        return (planned.start, planned.schedule) != (manual.planned.start, manual.planned.schedule)
    return planned.value != manual.planned.value
