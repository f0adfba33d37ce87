from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.cache.state import ADDED, FIELDS, CacheState, Hash
from jph.wire.codec import Control, Quality, Reading, encode_data
from jph.wire.columns import Readings, decode_readings
from jph.wire.sequence import SequenceTable
from tests.support import fail


def reading(value: float | str, sequence: int = 1, **fields: object) -> Reading:
    flag = "s" if isinstance(value, str) else "d"
    plain = Reading(sequence, 7, 1000 + sequence, flag, "TI", "@@", 1, Quality.GOOD, value)
    return plain._replace(**fields)  # type: ignore[arg-type]


def control(flag: str, number: float = 0.0, **fields: object) -> Control:
    plain = Control(5, 7, 2000, flag, "TI", "@@", 1, number, True)
    return plain._replace(**fields)  # type: ignore[arg-type]


def changes(state: CacheState, data_lost: int = 0, control_lost: int = 0) -> dict[str, Hash]:
    return state.changes(lambda _: data_lost, lambda _: control_lost)


def hear(*messages: Control | Reading) -> Hash:
    state = CacheState()
    for message in messages:
        if isinstance(message, Reading):
            state.hear_data([message])
        else:
            state.hear_control(message)
    return changes(state)["TI"]


def test_a_reading_is_written_as_the_original_would() -> None:
    assert hear(reading(21.5)) == {
        "Codifier": "TI",
        "Value": "21.5",
        "DTimestamp": "1001",
        "DPacketsLost": "0",
        "DResetTime": "1001",
        "Flag": "d",
        "Quality": "0",
        "Epoch": "7",
        "Version": "1",
    }


def test_values_are_text_as_sent() -> None:
    assert hear(reading(3, flag="i"))["Value"] == "3"
    assert hear(reading("HP..", flag="s"))["Value"] == "HP.."
    assert hear(reading('{"value": 1}', flag="j"))["Value"] == '{"value": 1}'
    assert hear(reading(1.0, flag="f"))["Value"] == "1.0"


def test_each_control_flag_has_its_fields() -> None:
    common = {"Codifier": "TI", "CPacketsLost": "0", "CResetTime": "2000"}
    expected = {
        "N": {},
        "P": {"PTimestamp": "2000", "PRequest": "1500.0"},
        "T": {"TTimestamp": "2000", "TRequest": "1500.0", "TDuration": "500.0"},
        "H": {"HTimestamp": "2000"},
        "S": {"STimestamp": "2000"},
        "I": {"ITimestamp": "2000", "IsActive": "True"},
        "C": {"CTimestamp": "2000"},
        "A": {},
    }
    for flag, fields in expected.items():
        assert hear(control(flag, 1500.0)) == common | fields, flag
    assert hear(control("I", active=False))["IsActive"] == "False"


def test_only_the_newest_of_many_is_written() -> None:
    state = CacheState()
    state.hear_data([reading(float(i), i) for i in range(1, 100)])
    state.hear_data([reading(1.5, 1, source="HO")])
    told = changes(state)
    assert (told["TI"]["Value"], told["HO"]["Value"]) == ("99.0", "1.5")
    assert not state.pending
    assert changes(state) == {}


def test_only_what_changed_is_told_again() -> None:
    state = CacheState()
    state.hear_data([reading(1.0, 1)])
    changes(state)
    state.hear_data([reading(1.0, 2)])
    assert changes(state) == {"TI": {"DTimestamp": "1002"}}
    state.hear_data([reading(1.0, 3)])
    assert changes(state, data_lost=4) == {"TI": {"DTimestamp": "1003", "DPacketsLost": "4"}}


def test_a_reading_sent_again_does_not_replace_a_newer_one() -> None:
    state = CacheState()
    state.hear_data([reading(2.0, 2**31 - 1), reading(3.0, 0), reading(2.0, 2**31 - 2)])
    assert changes(state)["TI"]["Value"] == "3.0"


def test_a_clock_stepped_back_does_not_stop_the_present() -> None:
    state = CacheState()
    state.hear_data([reading(1.0, 1, timestamp_ms=9_000_000)])
    state.hear_data([reading(2.0, 2, timestamp_ms=5_400_000)])
    assert changes(state)["TI"]["Value"] == "2.0"


def test_an_original_program_may_start_at_any_sequence() -> None:
    state = CacheState()
    state.hear_data([reading(1.0, 9_000, epoch=0), reading(2.0, 5, epoch=0)])
    assert changes(state)["TI"]["Value"] == "2.0"


def test_losses_are_counted_from_the_announcement() -> None:
    announced = reading(1, 41, flag="n", timestamp_ms=900)
    told = hear(announced, reading(1.0, 42))
    assert (told["DResetTime"], told["DPacketsLost"]) == ("900", "0")


def test_a_new_epoch_without_announcement_is_a_reset() -> None:
    state = CacheState()
    state.hear_data([reading(1, 1, flag="n", timestamp_ms=900), reading(1.0, 2)])
    state.hear_control(control("N"))
    changes(state)
    state.hear_data([reading(1.0, 500, epoch=8, timestamp_ms=7000)])
    state.hear_control(control("I", epoch=8, timestamp_ms=7001))
    told = changes(state)["TI"]
    assert (told["DResetTime"], told["CResetTime"]) == ("7000", "7001")


@pytest.mark.parametrize("first", [0, 1, 480, 500, 520, 900, 2**31 - 50])
@pytest.mark.parametrize("known", [(7, 500), (0, 500), (6, 500), None])
def test_a_run_is_taken_as_its_readings_would_be(first: int, known: tuple[int, int] | None) -> None:
    """Whether it follows on, is old, jumps, or begins a new start of its source."""
    for epoch in (7, 0):
        sent = [reading(n / 4, n, epoch=epoch) for n in range(first, first + 40)]
        run = decode_readings(b"".join(map(encode_data, sent)), 36, fail)
        assert isinstance(run, Readings)
        told = []
        for each in ([run], [[one] for one in sent]):
            state = CacheState()
            if known:
                state.hear_data([reading(1.0, known[1], epoch=known[0])])
                changes(state)
            for part in each:
                state.hear_data(part)
            told.append(changes(state))
        assert told[0] == told[1]


messages = st.one_of(
    st.builds(
        control,
        st.sampled_from("NIPTSHCAER"),
        st.floats(),
        source=st.sampled_from(["TI", "CC"]),
        timestamp_ms=st.integers(0, 2**64 - 1),
        epoch=st.integers(0, 2),
        active=st.booleans(),
    ),
    st.builds(
        reading,
        st.one_of(st.floats(), st.text()),
        st.integers(0, 2**31 - 1),
        source=st.sampled_from(["TI", "HO"]),
        epoch=st.integers(0, 2),
        flag=st.sampled_from("nifdqsj"),
    ),
)


@given(st.lists(st.lists(messages)))
def test_what_is_told_adds_up_to_the_whole(rounds: Iterable[Iterable[Control | Reading]]) -> None:
    state, told = CacheState(), dict[str, Hash]()
    data, controls = SequenceTable(), SequenceTable()
    for heard in rounds:
        for message in heard:
            table = data if isinstance(message, Reading) else controls
            table.observe(message.source, message.sequence, message.epoch)
            if isinstance(message, Reading):
                state.hear_data([message])
            else:
                state.hear_control(message)
        for source, fields in state.changes(data.lost, controls.lost).items():
            told.setdefault(source, {}).update(fields)
    assert told == state.whole()
    for source, fields in told.items():
        assert fields["Codifier"] == source
        assert set(fields) <= {*FIELDS, *ADDED}
        assert all(isinstance(value, str) for value in fields.values())


@pytest.mark.parametrize("ahead", [3_001, 2**30, 2**31 - 1_000])
def test_a_forged_sequence_far_ahead_changes_nothing(ahead: int) -> None:
    state = CacheState()

    def hear(sequence: int, value: int) -> str:
        state.hear_data([Reading(sequence % 2**31, 7, 5, "i", "TI", "@@", 1, 0, value)])
        state.changes(lambda source: 0, lambda source: 0)
        return state.whole()["TI"]["Value"]

    assert hear(100, 1) == "1"
    assert hear(100 + ahead, 666) == "1"
    assert hear(101, 2) == "2"
    assert hear(5_000, 3) == "2"
    assert hear(5_001, 4) == "4", "a long loss is believed when the next reading continues it"
