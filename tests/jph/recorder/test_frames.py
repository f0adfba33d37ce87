"""A recording comes back as it was, and damaged as far as it goes."""

from hypothesis import given
from hypothesis import strategies as st

from jph.recorder.frames import (
    END,
    MAGIC,
    RecordDamage,
    RecordedDatagram,
    RecordedEvent,
    RecordEnd,
    RecordEntry,
    find_events,
    pack_datagram,
    pack_event,
    unpack,
)
from jph.wire.codec import Control, Reading, encode_control, encode_data

READING = Reading(7, 1, 1000, "d", "I1", "@@", 1, 0, 21.5)
CONTROL = Control(8, 1, 1000, "A", "CC", "21", 1, 3.0, True)
HEARD = RecordedDatagram("data", 1_000_000, "192.168.1.2", 7002, encode_data(READING))
TOLD = RecordedDatagram("control", 1_000_001, "fe80::1", 7001, encode_control(CONTROL))
EVENT = RecordedEvent("shed", 1_000_002, "phase 1: 11 shed")

entries = st.one_of(
    st.builds(
        RecordedDatagram,
        st.sampled_from(["control", "data"]),
        st.integers(0, 2**64 - 1),
        st.ip_addresses().map(str),
        st.integers(0, 65_535),
        st.binary(max_size=60),
    ),
    st.builds(RecordedEvent, st.text(max_size=8), st.integers(0, 2**64 - 1), st.text(max_size=40)),
)


def pack(entry: RecordedDatagram | RecordedEvent) -> bytes:
    return pack_datagram(entry) if isinstance(entry, RecordedDatagram) else pack_event(entry)


def file_of(*packed: RecordedDatagram | RecordedEvent) -> bytes:
    return MAGIC + b"".join(pack(entry) for entry in packed) + END


def good(content: bytes) -> list[RecordEntry]:
    return [entry for entry in unpack(content) if not isinstance(entry, RecordDamage | RecordEnd)]


def test_what_was_heard_is_read_again() -> None:
    found = list(unpack(file_of(HEARD, TOLD, EVENT)))
    assert found[:3] == [HEARD, TOLD, EVENT]
    assert isinstance(found[3], RecordEnd)
    assert [e.message() for e in found if isinstance(e, RecordedDatagram)] == [READING, CONTROL]


def test_a_sender_without_address_and_one_with_a_scope() -> None:
    odd = [HEARD._replace(address=""), TOLD._replace(address="fe80::1%eth0")]
    found = good(file_of(*odd))
    assert [e.address for e in found if isinstance(e, RecordedDatagram)] == ["", "fe80::1"]


@given(st.lists(entries, max_size=8))
def test_any_recording_comes_back(packed: list[RecordedDatagram | RecordedEvent]) -> None:
    found = list(unpack(file_of(*packed)))
    assert found[:-1] == packed
    assert isinstance(found[-1], RecordEnd)
    assert list(find_events(file_of(*packed))) == [
        e for e in packed if isinstance(e, RecordedEvent)
    ]


@given(st.lists(entries, min_size=1, max_size=6), st.data())
def test_a_cut_file_is_read_as_far_as_it_goes(
    packed: list[RecordedDatagram | RecordedEvent], data: st.DataObject
) -> None:
    whole = file_of(*packed)
    cut = data.draw(st.integers(len(MAGIC), len(whole) - 1))
    found = list(unpack(whole[:cut]))
    read = [entry for entry in found if not isinstance(entry, RecordDamage)]
    assert read == packed[: len(read)]
    told = sum(len(pack(e)) for e in read if isinstance(e, RecordedDatagram | RecordedEvent))
    lost = cut - len(MAGIC) - told
    assert found[len(read) :] == ([RecordDamage(cut - lost, lost)] if lost else [])


@given(st.lists(entries, min_size=3, max_size=6), st.data())
def test_one_bad_byte_costs_one_entry(
    packed: list[RecordedDatagram | RecordedEvent], data: st.DataObject
) -> None:
    hit = data.draw(st.integers(0, len(packed) - 1))
    before = len(MAGIC) + sum(len(pack(entry)) for entry in packed[:hit])
    offset = before + data.draw(st.integers(0, len(pack(packed[hit])) - 1))
    content = bytearray(file_of(*packed))
    content[offset] ^= data.draw(st.integers(1, 255))
    found = list(unpack(bytes(content)))
    assert RecordDamage(before, len(pack(packed[hit]))) in found
    assert good(bytes(content)) == packed[:hit] + packed[hit + 1 :]


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_accounted_for(content: bytes) -> None:
    for before in (b"", MAGIC):
        damaged = sum(e.size for e in unpack(before + content) if isinstance(e, RecordDamage))
        assert damaged <= len(before + content)
        assert list(find_events(content)) == []


def test_an_empty_file_holds_nothing() -> None:
    assert list(unpack(b"")) == []
    assert list(unpack(MAGIC)) == []
