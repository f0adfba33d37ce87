"""A recording is played in its order and intervals, with the chosen times and epochs."""

from jph.recorder.exports import COLUMNS, pcap, rows
from jph.recorder.frames import RecordDamage, RecordedDatagram, RecordEntry
from jph.recorder.replay import Due, Playback
from jph.wire.codec import (
    Control,
    Flag,
    Json,
    Reading,
    decode_control,
    decode_data,
    encode_control,
    encode_data,
)

AT_MS = 1_795_000_000_000
HOUSE = ("127.0.0.1", 7002)


def reading(code: str, value: float, after_ms: int, sequence: int = 5) -> RecordedDatagram:
    message = Reading(sequence, 9, AT_MS + after_ms, "d", code, "@@", 1, 0, value)
    return RecordedDatagram("data", (AT_MS + after_ms) * 1000, *HOUSE, encode_data(message))


def command(flag: str, after_ms: int) -> RecordedDatagram:
    message = Control(3, 9, AT_MS + after_ms, flag, "CC", "P1", 1, 3.0, True)
    return RecordedDatagram("control", (AT_MS + after_ms) * 1000, *HOUSE, encode_control(message))


TAPE: list[RecordEntry] = [
    reading("I1", 10.0, 0),
    RecordDamage(1, 2),
    command(Flag.SET, 100),
    reading("I2", 20.0, 500),
    reading("I1", 11.0, 2000, 6),
    command(Flag.ALIVE, 3000),
]


def played(playback: Playback) -> list[Due]:
    return list(playback.due(playback.chosen(TAPE)))


def test_order_and_intervals_are_those_of_the_recording() -> None:
    assert [due.after_s for due in played(Playback())] == [0.0, 0.5, 2.0, 3.0]
    assert [due.after_s for due in played(Playback(speed=100))] == [0.0, 0.005, 0.02, 0.03]
    assert Playback(speed=2).length_s(Playback(speed=2).chosen(TAPE)) == 1.5


def test_commands_are_left_out_unless_they_are_wanted() -> None:
    flags = [decode_control(d.datagram).flag for d in played(Playback()) if d.bus == "control"]
    assert flags == [Flag.ALIVE]
    assert len(played(Playback(commands=True))) == 5


def test_only_some_codifiers_and_a_later_start() -> None:
    only = played(Playback(sources={"I1"}))
    assert [decode_data(due.datagram).value for due in only] == [10.0, 11.0]
    later = played(Playback(skip_s=1.0, sources={"I1"}))
    assert [(due.after_s, decode_data(due.datagram).value) for due in later] == [(0.0, 11.0)]
    assert played(Playback(skip_s=99.0)) == []


def test_times_end_now_with_their_intervals_and_epochs_are_new() -> None:
    now_ms = AT_MS + 86_400_000
    found = played(Playback(speed=100, end_ms=now_ms, salt=4, sources={"I1", "CC"}))
    messages = [decode_data(due.datagram) for due in found if due.bus == "data"]
    assert [message.timestamp_ms for message in messages] == [now_ms - 3000, now_ms - 1000]
    assert {message.epoch for message in messages} == {9 ^ 4}
    assert [message.sequence for message in messages] == [5, 6]


def test_kept_times_keep_all_of_a_message() -> None:
    assert [due.datagram for due in played(Playback(commands=True))] == [
        entry.datagram for entry in TAPE if isinstance(entry, RecordedDatagram)
    ]


def test_a_clock_that_was_stepped_back_does_not_stop_the_play() -> None:
    tape = [reading("I1", 1.0, 5000), reading("I1", 2.0, 0), reading("I1", 3.0, 6000)]
    playback = Playback()
    assert [due.after_s for due in playback.due(playback.chosen(tape))] == [0.0, 0.0, 1.0]


def test_rows_have_what_a_message_has() -> None:
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows(TAPE)]
    assert [row["source"] for row in found] == ["I1", "CC", "I2", "I1", "CC"]
    assert found[0]["value"] == 10.0
    assert found[0]["quality"] == 0
    assert (found[1]["bus"], found[1]["quality"], found[1]["destination"]) == (
        "control",
        None,
        "P1",
    )
    state = Reading(1, 9, AT_MS, "j", "X1", "@@", 1, 0, Json('{"value": 1}'))
    heard = RecordedDatagram("data", 0, "", 0, encode_data(state))
    assert [row[COLUMNS.index("value")] for row in rows([heard])] == ['{"value": 1}']


def test_packets_are_sound_udp_over_ipv4_and_ipv6() -> None:
    groups = {"control": ("239.192.0.1", 4001), "data": ("239.192.0.2", 4002)}
    head, first, *others = pcap(TAPE, groups)
    assert head[:4] == b"\xd4\xc3\xb2\xa1"
    packet = first[16:]
    datagram = TAPE[0].datagram if isinstance(TAPE[0], RecordedDatagram) else b""
    assert packet[28:] == datagram
    assert packet[12:20] == bytes([127, 0, 0, 1, 239, 192, 0, 2])
    assert int.from_bytes(packet[22:24], "big") == 4002
    assert _sum(packet[:20]) == 0xFFFF
    pseudo = packet[12:20] + (17).to_bytes(4, "big") + len(packet[20:]).to_bytes(4, "big")
    assert _sum(pseudo + packet[20:]) == 0xFFFF
    assert len(others) == 4
    six = list(pcap(TAPE[:1], {"data": ("ff15::2", 4002)}))[1][16:]
    assert (six[0] >> 4, len(six)) == (6, 40 + 8 + len(datagram))


def _sum(data: bytes) -> int:
    total = sum(
        int.from_bytes((data[i : i + 2] + b"\0")[:2], "big") for i in range(0, len(data), 2)
    )
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
