"""Time zone in which commands show and read times."""

from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from jph.config.model import Network

_CALCULATORS: Final = frozenset({"postgresCalcHandler"})


def local_zone(network: Network) -> tzinfo | None:
    """Return the zone of the house, as `history` and `cost` use it; None is this machine's.

    The calculator of the statistics names it: its days are the days of the house.
    """
    if not any(sensor.type in _CALCULATORS for sensor in network.nodes()):
        return None
    from collector.db.location import zone_of

    zone: ZoneInfo = zone_of(network)
    return zone
