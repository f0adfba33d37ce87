import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.energy.energy import (
    NOTHING,
    Address,
    Amount,
    Event,
    Heard,
    Hours,
    Register,
    Seen,
    State,
    Step,
)
from collector.statistics.local_days import HOUR_MS, LocalDays
from tests.support import SHARED_DATA

PARIS = ZoneInfo("Europe/Paris")
START_MS = int(datetime(2026, 10, 24, tzinfo=PARIS).timestamp() * 1000)
SEQUENCES = SHARED_DATA / "field" / "index-sequences.json"
LIMIT_VA = 9000
SECOND = 1000


def spread(steps: Iterable[Step], after_ms: int = 0) -> dict[int, Amount]:
    hours = Hours(LocalDays(PARIS), after_ms)
    for step in steps:
        hours.add(step)
    return hours.amounts


def at(hours: float, wh: int, *, doubted: bool = False) -> Heard:
    return Heard(START_MS + round(hours * HOUR_MS), wh, doubted)


def follow(*heard: Heard | Address, state: State = NOTHING) -> tuple[Register, list[Step]]:
    register = Register(state)
    return register, list(register.follow(heard, LIMIT_VA))


def events(register: Register) -> list[tuple[str, int | None, int | None]]:
    return [(event.kind, event.from_wh, event.to_wh) for event in register.events]


def energies(amounts: dict[int, Amount]) -> list[int]:
    return [amounts[end].wh for end in sorted(amounts)]


def test_energy_is_the_difference_of_the_index() -> None:
    register, steps = follow(at(0, 5000), at(0.5, 5600), at(1, 6000), at(1.25, 6100))
    assert energies(spread(steps)) == [1000, 100]
    assert register.events == []


def test_beyond_32_and_53_bits_no_wh_is_lost() -> None:
    far = 2**62
    _, steps = follow(at(0, far), at(1, far + 1), at(2, far + 3))
    assert energies(spread(steps)) == [1, 2]


def test_a_gap_is_spread_over_its_hours_and_marked() -> None:
    _, steps = follow(at(0.5, 100), at(3.5, 1000), at(4, 1000))
    amounts = spread(steps)
    assert energies(amounts) == [150, 300, 300, 150]
    assert [amounts[end].estimated for end in sorted(amounts)] == [150, 300, 300, 150]
    assert [amounts[end].index for end in sorted(amounts)] == [250, 550, 850, 1000]
    assert sum(amount.known_ms for amount in amounts.values()) == 3.5 * HOUR_MS


def test_the_25_hours_of_a_day() -> None:
    midnight, later = at(24, 0), at(49, 2500)
    _, steps = follow(midnight, later)
    amounts = spread(steps)
    assert energies(amounts) == [100] * 25
    assert {amount.day for amount in amounts.values()} == {date(2026, 10, 25)}


def test_an_index_that_falls_once_is_not_believed() -> None:
    register, steps = follow(at(0, 5000), at(0.1, 50), at(0.2, 5100), at(0.3, 5200))
    assert events(register) == [("fell", 5000, 50)]
    assert sum(energies(spread(steps))) == 200


def test_an_index_that_jumps_once_is_not_believed() -> None:
    register, steps = follow(at(0, 5000), at(0.1, 999_999), at(0.2, 5100))
    assert events(register) == [("jumped", 5000, 999_999)]
    assert sum(energies(spread(steps))) == 100


def test_a_reset_index_is_believed_from_its_first_value_on() -> None:
    register, steps = follow(at(0, 5000), at(1, 10), at(1.1, 20), at(1.2, 40), at(1.3, 90))
    assert events(register) == [("fell", 5000, 10), ("new index", 5000, 10)]
    assert energies(spread(steps)) == [80]


def test_what_the_meter_node_marked_is_never_believed_by_itself() -> None:
    doubted = [at(hour / 10, 100 + hour, doubted=True) for hour in range(1, 9)]
    register, steps = follow(at(0, 100), *doubted)
    assert steps == []
    assert events(register) == [("implausible", 100, 101)]
    _, steps = follow(at(1, 200), state=register.state)
    assert steps == [Step(Seen(*at(0, 100)[:2]), Seen(*at(1, 200)[:2]))]


def test_the_meter_node_tells_that_a_marked_index_was_right() -> None:
    """It marks two values and believes the third, see devices.tic.plausibility."""
    marked = [at(0.1, 10, doubted=True), at(0.2, 20, doubted=True)]
    register, steps = follow(at(0, 5000), *marked, at(0.3, 30))
    assert events(register) == [("fell", 5000, 10), ("new index", 5000, 10)]
    assert sum(energies(spread(steps))) == 20


def test_another_meter_begins_anew() -> None:
    register, steps = follow(
        Address(START_MS, "0217"),
        at(0, 5000),
        at(1, 5100),
        Address(START_MS + HOUR_MS, "0217"),
        Address(START_MS + HOUR_MS + 1, "0621"),
        at(1.5, 5200),  # plausible, but another meter's
        at(2, 5250),
    )
    assert register.events == [Event(START_MS + HOUR_MS + 1, "new meter", 5100, None, "0621")]
    assert energies(spread(steps)) == [100, 50]
    assert register.state.address == "0621"


def test_an_index_that_falls_and_comes_back_loses_nothing() -> None:
    """288 steps of 100 Wh in a day; three values of 0 are confirmed, and were a fault."""
    for faults in (1, 2, 3, 5, 40):
        heard = [
            at(n / 12, 0 if 144 <= n < 144 + faults else 39_339_412 + 100 * n) for n in range(289)
        ]
        register, steps = follow(*heard)
        amounts = spread(steps)
        assert sum(energies(amounts)) == 28_800
        kinds = [kind for kind, *_ in events(register)]
        assert ("came back" in kinds) == (faults >= 3), faults
        assert (sum(amount.estimated for amount in amounts.values()) > 0) == (faults >= 3)


def test_what_a_wrong_index_counted_is_not_counted_twice() -> None:
    wrong = [at(1 + n / 10, 10 + 50 * n) for n in range(5)]
    register, steps = follow(
        at(0, 5000), at(0.9, 5400), *wrong, at(1.6, 6000), at(1.7, 6050), at(1.8, 6100)
    )
    assert sum(energies(spread(steps))) == 1100
    assert register.state.left is None


def test_an_address_that_is_heard_cut_once_is_no_other_meter() -> None:
    """167 Wh each 10 minutes; at noon the address is cut."""
    heard: list[Heard | Address] = []
    for n in range(145):
        moment = START_MS + n * HOUR_MS // 6
        heard.append(Address(moment, "0300004" if n == 72 else "031861000004"))
        heard.append(Heard(moment, 5_000_000 + 167 * n))
    register, steps = follow(*heard)
    assert sum(energies(spread(steps))) == 24_048
    assert register.events == []
    assert register.state.pending is None


@pytest.mark.parametrize("address", [False, True])
@pytest.mark.parametrize("new", [7, 28_000_000, 5_009_018 + 30_000])
def test_an_exchange_counts_what_both_meters_counted(new: int, address: bool) -> None:
    """The old one until 9:00, the new one from 11:30 on; nothing is guessed between."""
    heard: list[Heard | Address] = []
    for n in range(145):
        moment = START_MS + n * HOUR_MS // 6
        if 54 < n < 69:
            continue
        if address:
            heard.append(Address(moment, "031861000004" if n <= 54 else "041976000007"))
        heard.append(Heard(moment, 5_000_000 + 167 * n if n <= 54 else new + 167 * (n - 69)))
    _, steps = follow(*heard)
    assert sum(energies(spread(steps))) == 21_543


@pytest.mark.skipif(not SEQUENCES.exists(), reason="no field data beside this checkout")
def test_the_sequences_of_the_field() -> None:
    """Those of one register; `test_money` has contract change and clock changes."""
    kept = json.loads(SEQUENCES.read_text("utf-8"))
    glitch = kept["glitch"]
    step, start = glitch["rise_each"], glitch["start"]
    for faults, wh in zip((1, 5), glitch["variants"].values(), strict=True):
        heard = [at(n / 12, 0 if 144 <= n < 144 + faults else start + step * n) for n in range(289)]
        assert sum(energies(spread(follow(*heard)[1]))) == wh == glitch["expected_wh"]
    replaced = kept["meter replaced"]
    for new in replaced["new from 11:30"]:
        begin = new if isinstance(new, int) else 5_000_000 + 54 * 167 + 30_000
        values = [at(n / 6, 5_000_000 + 167 * n) for n in range(55)]
        values += [at(n / 6, begin + 167 * (n - 69)) for n in range(69, 145)]
        wh = round(1000 * replaced["expected_kwh_of_the_day"])
        assert sum(energies(spread(follow(*values)[1]))) == wh
    noon, cut, whole = START_MS + 12 * HOUR_MS, "0300004", "031861000004"
    mixed: list[Heard | Address] = []
    for n in range(145):
        each = at(n / 6, 5_000_000 + 167 * n)
        mixed += [Address(each.at_ms, cut if each.at_ms == noon else whole), each]
    assert sum(energies(spread(follow(*mixed)[1]))) == kept["address cut once"]["expected_wh"]


def test_the_first_address_is_no_change() -> None:
    register, steps = follow(at(0, 5000), Address(START_MS + 1, "0217"), at(1, 5100))
    assert register.events == []
    assert sum(energies(spread(steps))) == 100


def test_what_lies_before_is_left_out() -> None:
    _, steps = follow(at(0, 0), at(0.5, 50), at(3, 300))
    after_ms = START_MS + 2 * HOUR_MS
    assert energies(spread(steps, after_ms)) == [100]
    assert spread(steps, START_MS + HOUR_MS * 4) == {}


rises = st.lists(
    st.tuples(st.integers(0, 8 * HOUR_MS), st.integers(0, 12)), min_size=1, max_size=40
)


def house(rises: list[tuple[int, int]], wh: int = 0) -> list[Heard]:
    """Turn times in ms, and tenths of the contract drawn in them, into an index."""
    times = accumulate((time for time, _ in rises), initial=START_MS)
    drawn = (LIMIT_VA * tenths * time // (10 * HOUR_MS) for time, tenths in rises)
    return [Heard(*each) for each in zip(times, accumulate(drawn, initial=wh), strict=True)]


@given(rises)
def test_hours_add_up_to_days_and_months_and_the_whole(rises: list[tuple[int, int]]) -> None:
    heard = house(rises)
    register, steps = follow(*heard)
    amounts = spread(steps)
    assert register.events == []
    by_day: Counter[date] = Counter()
    by_month: Counter[tuple[int, int]] = Counter()
    for end_ms, amount in amounts.items():
        local = datetime.fromtimestamp((end_ms - 1) // 1000, PARIS)
        assert amount.day == local.date()
        by_day[amount.day] += amount.wh
        by_month[amount.day.year, amount.day.month] += amount.wh
    whole = heard[-1].wh - heard[0].wh
    assert by_day.total() == by_month.total() == sum(energies(amounts)) == whole
    assert sum(each.known_ms for each in amounts.values()) == heard[-1].at_ms - heard[0].at_ms
    for end_ms, amount in amounts.items():
        assert 0 <= amount.estimated <= amount.wh
        assert 0 <= amount.known_ms <= HOUR_MS
        assert amount.index <= heard[-1].wh
        assert end_ms % HOUR_MS == 0


@given(rises, st.data())
def test_a_later_cut_gives_the_same_hours(
    rises: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Going on from a state gives what going through everything gives."""
    heard = house(rises)
    whole, steps = follow(*heard)
    cut = data.draw(st.integers(0, len(heard)))
    first, before = follow(*heard[:cut])
    second, after = follow(*heard[cut:], state=first.state)
    assert (second.state, [*before, *after]) == (whole.state, steps)


@given(rises, rises, st.integers(0, 3))
def test_after_a_reset_nothing_is_counted_twice(
    before: list[tuple[int, int]], after: list[tuple[int, int]], wh: int
) -> None:
    old = house(before, 10**9)
    shift = old[-1].at_ms - START_MS + SECOND
    new = [Heard(each.at_ms + shift, each.wh) for each in house(after, wh)]
    register, steps = follow(*old, *new)
    drawn = old[-1].wh - old[0].wh
    if len(new) >= 3:
        drawn += new[-1].wh - new[0].wh
        assert [kind for kind, *_ in events(register)] == ["fell", "new index"]
    assert sum(energies(spread(steps))) == drawn


@given(
    st.lists(st.tuples(st.integers(0, HOUR_MS), st.integers(0, 10**6), st.booleans()), max_size=40)
)
def test_whatever_comes_energy_is_never_negative_nor_beyond_the_contract(
    noise: list[tuple[int, int, bool]],
) -> None:
    times = accumulate((time for time, *_ in noise), initial=START_MS)
    heard = [Heard(at_ms, wh, d) for at_ms, (_, wh, d) in zip(times, noise, strict=False)]
    register, steps = follow(*heard)
    for start, end, _ in steps:
        time_ms = end.at_ms - start.at_ms
        assert time_ms >= 0
        assert 0 <= end.wh - start.wh <= 3 * 100 + 1.5 * LIMIT_VA * time_ms / HOUR_MS
    for one, other in pairwise(steps):
        assert one.end.at_ms <= other.start.at_ms
    assert len(register.events) <= 2 * len(heard)


@pytest.mark.parametrize(
    ("rise", "time_ms", "good"),
    [
        (100, 0, True),
        (101, 0, False),
        (13_600, HOUR_MS, True),
        (13_601, HOUR_MS, False),
        (24_400, 2 * HOUR_MS, True),
        (24_401, 2 * HOUR_MS, False),
    ],
)
def test_the_contract_s_limit(rise: int, time_ms: int, good: bool) -> None:
    """100 Wh and half as much again as 9 kVA draw in an hour; a fifth more in later hours."""
    assert Seen(0, 0).leads_to(Seen(time_ms, rise), LIMIT_VA) is good
