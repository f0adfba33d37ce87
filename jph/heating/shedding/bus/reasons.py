"""The reasons of a phase as they travel on the bus: JSON of the element `Explain`. Pure."""

import math
from typing import Final

from jph.heating.shedding.rules import Report

NO_TRIP: Final = -1
"""Value of the element when no trip is near."""


def reasons_of(report: Report, start_ms: float, volts: float) -> dict[str, object]:
    """Return a report as it travels; `start_ms` is the wall clock at monotonic zero."""
    return {
        "value": NO_TRIP if math.isinf(report.trip_s) else round(report.trip_s, 1),
        "current": report.current_a,
        "silent_s": None if math.isinf(report.silent_s) else round(report.silent_s, 1),
        "limit": report.limit_a,
        "shed": {
            codifier: {
                "since_ms": round(start_ms + held.since_s * 1000),
                "current": held.current_a,
                "limit": held.limit_a,
                "reason": held.cause,
                "turn_of": list(held.turn_of),
                "watts": _watts(report.amperes.get(codifier), volts),
                "restore_s": round(held.restore_s),
                "restore_by_s": round(held.restore_by_s),
            }
            for codifier, held in report.shed.items()
        },
        "watts": {code: _watts(amperes, volts) for code, amperes in report.amperes.items()},
    }


def _watts(amperes: float | None, volts: float) -> int | None:
    return None if amperes is None else round(amperes * volts)
