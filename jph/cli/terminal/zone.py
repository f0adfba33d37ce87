"""Time zone in which commands show and read times."""

from zoneinfo import ZoneInfo

from jph.config.model import Network


def local_zone(network: Network) -> ZoneInfo:
    """Return the zone of the house: that of its statistics, with a calculator or without.

    The import is late: `status` and `ping` need no store.
    """
    from collector.db.location import zone_of

    zone: ZoneInfo = zone_of(network)
    return zone
