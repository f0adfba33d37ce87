"""Each step of a fallback is one sentence, and the recovery is another."""

from jph.heating.card.fallback_log import FallbackLog
from jph.heating.card.leases import Fallback, Stage

FALLBACK = Fallback(hold_s=60, meter_hold_s=120)


def test_each_change_is_one_sentence() -> None:
    log = FallbackLog()
    assert log.changes({1: Stage.LIVE, 2: Stage.LIVE}, {}, FALLBACK) == []
    lost = log.changes({1: Stage.SHARE, 2: Stage.SHARE}, {1: "masks", 2: "meter"}, FALLBACK)
    assert lost == [
        (True, "phase 1: no shed mask for 60 s; only the safe share of the phase may heat"),
        (True, "phase 2: no meter current for 120 s; only the safe share of the phase may heat"),
    ]
    assert log.changes({1: Stage.SHARE, 2: Stage.SHARE}, {1: "masks"}, FALLBACK) == []
    (later,) = log.changes({1: Stage.FROST}, {1: "masks"}, FALLBACK)
    assert "frost protection" in later[1]
    (back,) = log.changes({1: Stage.LIVE}, {}, FALLBACK)
    assert back == (
        False,
        "phase 1: shed masks come again; heaters return one after another",
    )
