"""CurrentCost messages, P1 telegrams, lines in pieces: what is read and what is skipped."""

import random

import pytest

from jph.devices.serial.currentcost import read_messages
from jph.devices.serial.p1 import MAX_TELEGRAM, TelegramReader
from jph.util.crc16 import crc16
from jph.values.forms import read_xml
from jph.values.lines import MAX_LINE, Lines
from tests.support import SHARED_DATA

GOOD = (
    "<msg><src>CC128-v1.31</src><dsb>01300</dsb><time>15:47:39</time><tmpr>26.4</tmpr>"
    "<sensor>3</sensor><id>00077</id><type>1</type><ch1><watts>00723</watts></ch1></msg>"
)
CLASSIC = (
    "<msg><date><dsb>00030</dsb><hr>00</hr></date><src><name>CC02</name><id>00077</id>"
    "<sver>1.06</sver></src><ch1><watts>00168</watts></ch1><ch2><watts>00000</watts></ch2>"
    "<tmpr>  .0</tmpr><hist><hrs><h02>000.0</h02></hrs></hist></msg>"
)
TELEGRAM = (
    b"/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n1-0:1.8.1(123456.789*kWh)\r\n"
    b"1-0:1.7.0(01.193*kW)\r\n0-0:96.13.0()\r\n"
    b"0-1:24.2.1(101209112500W)(12785.123*m3)\r\n!"
)


def test_messages_of_a_display() -> None:
    (found,) = read_messages(f"\ufffd{GOOD}\r")
    assert found == {
        "sensor3": {"ch1": "00723", "watts": "00723", "temperature": "26.4", "id": "00077"}
    }
    (classic,) = read_messages(CLASSIC)
    assert classic["sensor0"] == {"ch1": "00168", "ch2": "00000", "watts": "00168", "id": "00077"}
    (pulses,) = read_messages(
        "<msg><sensor>9</sensor><type>2</type><imp>0000012345</imp><ipu>1000</ipu></msg>"
    )
    assert pulses["sensor9"] == {"pulses": "0000012345", "pulses_per_unit": "1000"}


@pytest.mark.parametrize(
    "line",
    ["", GOOD[:-3], GOOD[5:], GOOD.replace("<sensor>3<", "<sensor>p<"),
     "<msg><time>1</time><hist><data><sensor>0</sensor><h2>1</h2></data></hist></msg>"],
)  # fmt: skip
def test_no_message(line: str) -> None:
    assert list(read_messages(line)) == []


def test_a_cut_message_before_a_good_one() -> None:
    assert len(list(read_messages(GOOD[:40] + GOOD))) == 1


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the captures are not here")
@pytest.mark.parametrize("name", ["mdunschen-mirrored000", "mdunschen-mirrored001"])
def test_captures_of_a_display(name: str) -> None:
    lines = Lines()
    raw = (SHARED_DATA / "currentcost" / f"{name}.raw").read_bytes()
    found = [
        record
        for start in range(0, len(raw), 61)
        for line in lines.feed(raw[start : start + 61])
        for record in read_messages(line)
    ]
    expected = raw.count(b"</ch1></msg>")
    assert expected - 1 <= len(found) <= expected
    for record in found:
        assert 0 < float(record["sensor0"]["watts"]) < 20_000
        assert 0 < float(record["sensor0"]["temperature"]) < 40


def test_the_check_is_that_of_the_standard() -> None:
    assert crc16(b"123456789") == 0xBB3D


def with_crc(telegram: bytes) -> bytes:
    return telegram + b"%04X\r\n" % crc16(telegram)


def test_telegrams_in_pieces() -> None:
    reader, found = TelegramReader(), []
    stream = b"8.1(1*kWh)\r\n!ABCD\r\n" + with_crc(TELEGRAM) * 2
    for start in range(0, len(stream), 7):
        found += reader.feed(stream[start : start + 7])
    assert len(found) == 2
    assert found[0] == {
        "1-3:0.2.8": "50",
        "1-0:1.8.1": "123456.789",
        "1-0:1.7.0": "01.193",
        "0-0:96.13.0": "",
        "0-1:24.2.1": "12785.123",
        "0-1:24.2.1@time": "101209112500W",
    }


def test_a_wrong_check_is_no_telegram() -> None:
    reader = TelegramReader()
    assert reader.feed(TELEGRAM + b"\r\n")  # an old meter has no CRC
    assert reader.feed(with_crc(TELEGRAM))
    assert reader.feed(TELEGRAM + b"\r\n") == []  # this one has
    assert reader.feed(with_crc(TELEGRAM).replace(b"01.193", b"91.193")) == []
    assert reader.bad == 2
    assert reader.feed(TELEGRAM[:60] + b"\r\n" + with_crc(TELEGRAM))  # cut, then whole
    assert reader.feed(b"/" + b"x" * MAX_TELEGRAM) == []
    assert reader.feed(with_crc(TELEGRAM))


def test_mutated_telegrams_are_never_taken() -> None:
    source, good = random.Random(3), with_crc(TELEGRAM)
    reader = TelegramReader()
    reader.feed(good)
    start = good.index(b"1-0")
    for _ in range(10_000):
        changed = bytearray(good)
        changed[source.randrange(start, len(TELEGRAM) - 1)] ^= 1 << source.randrange(7)
        assert all(found == reader.feed(good)[0] for found in reader.feed(bytes(changed)))


def test_mutated_messages_never_crash() -> None:
    source = random.Random(4)
    for _ in range(10_000):
        changed = bytearray(GOOD.encode())
        for _ in range(3):
            changed[source.randrange(len(changed))] = source.randrange(256)
        for record in read_messages(changed.decode("utf-8", "replace")):
            assert len(record) == 1


def test_lines_are_bounded() -> None:
    lines = Lines()
    assert lines.feed(b"a\nb") == ["a"]
    assert lines.feed(b"c\r\n\n") == ["bc"]
    assert lines.feed(b"x" * (MAX_LINE + 1)) == []
    assert lines.feed(b"x" * MAX_LINE) == []
    assert lines.feed(b"x\nnext\n") == ["next"]


def test_xml_as_objects() -> None:
    assert read_xml("<a><b>1</b><b>2</b><c d='3'>4</c></a>") == {
        "a": {"b": ["1", "2"], "c": {"@d": "3", "#text": "4"}}
    }
    for wrong in (
        "",
        "<a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a>" * 500 + "</a>" * 500,
    ):
        with pytest.raises(ValueError, match="XML"):
            read_xml(wrong)
