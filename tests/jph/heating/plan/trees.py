"""Documents that the tests of plans share: made up, in the form of the heating control app."""

from typing import Any

Tree = dict[str, Any]
DEVICES = ["Salon", "Chambre", "Bain"]


def slot(start: str, tempset: str) -> Tree:
    """Return a slot."""
    return {"start_time": start, "temperature_set": tempset}


def tempset(alias: str, **setpoints: float | str) -> Tree:
    """Return a temperature set."""
    listed = [{"device_name": name, "setpoint": value} for name, value in setpoints.items()]
    return {"alias": alias, "devices": listed}


def item(*devices: str, days: str = "1234567", **slots: list[Tree]) -> Tree:
    """Return an item with one set of slots."""
    return {"devices": list(devices), "timeslots_sets": [{"dates": list(days), **slots}]}


def week(alias: str, *items: Tree, **more: Any) -> Tree:
    """Return a schedule."""
    return {"alias": alias, "schedule_items": list(items), **more}


def scheduler(*schedules: Tree, active: str | None = None, **more: Any) -> Tree:
    """Return the scheduler part of a document, with three sets that all schedules know."""
    sets = [
        tempset("Night", Salon=16.0, Chambre=17.0, Bain=15.0),
        tempset("Day", Salon=19.5, Chambre=18.0, Bain=21.0),
        tempset("Bath", Bain=23.0),
    ]
    found = {"active_schedule": active, "temperature_sets": sets, "schedules": list(schedules)}
    return found | more


def document(*schedules: Tree, active: str | None = None) -> Tree:
    """Return a document with three devices."""
    devices = [{"name": name, "srventity": f"climate_{name.lower()}"} for name in DEVICES]
    return {"devices": devices, "scheduler": scheduler(*schedules, active=active)}


WORKDAY = week(
    "Workday",
    item("Salon", "Chambre", timeslots=[slot("00:00", "Night"), slot("06:30", "Day")]),
)
