"""Plain values by MQTT, in and out."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.mqtt.door import Order, Publish, Refused, Send
from jph.mqtt.values import InSettings, OutSettings, ValuesDoor, matches
from jph.wire.codec import Quality, Reading

NOW_MS = 1_796_000_000_000


def door() -> ValuesDoor:
    taken = [
        {"Codifier": "MH", "Topic": "weather/+/out", "Path": "main.humidity"},
        {"Codifier": "MT", "Topic": "weather/+/out", "Path": "main.temp", "Filter": [{"Round": 1}]},
        {"Codifier": "MS", "Topic": "shed/door"},
    ]
    given = [{"Codifier": "I1", "Topic": "jph/I1"}, {"Codifier": "21", "Set": "jph/21/set"}]
    types = {"MS": "string"}
    return ValuesDoor(
        msgspec.convert(taken, list[InSettings]),
        msgspec.convert(given, list[OutSettings]),
        lambda code: types.get(code, "float"),
    )


def hear(made: ValuesDoor, topic: str, payload: object, retained: bool = False) -> list[object]:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    assert made.takes(topic)
    return list(made.on_message(topic, content, retained=retained, now_ms=NOW_MS))


def test_one_message_feeds_several_elements() -> None:
    found = hear(door(), "weather/north/out", {"main": {"humidity": 41, "temp": 12.34}})
    assert found == [
        Send("MH", 41.0, Quality.GOOD, NOW_MS),
        Send("MT", 12.3, Quality.GOOD, NOW_MS),
    ]


def test_text_that_is_no_json_is_a_value_too() -> None:
    assert hear(door(), "shed/door", b"open") == [Send("MS", "open", Quality.GOOD, NOW_MS)]


def test_a_retained_value_is_stale_until_a_new_one_comes() -> None:
    made = door()
    (first,) = hear(made, "weather/a/out", {"main": {"temp": 3}}, retained=True)
    (second,) = hear(made, "weather/a/out", {"main": {"temp": 4}})
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert (first.quality, second.quality) == (Quality.STALE, Quality.GOOD)


def test_a_value_that_is_none_is_refused_and_the_others_are_taken() -> None:
    found = hear(door(), "weather/a/out", {"main": {"humidity": None, "temp": 4}})
    assert [type(each) for each in found] == [Refused, Send]


def test_orders_are_taken_but_not_retained_ones() -> None:
    assert hear(door(), "jph/21/set", b"3") == [Order("A", "21", 3.0)]
    for payload in (b"warm", b"nan", b"1e300", b"\xff"):
        (refused,) = hear(door(), "jph/21/set", payload)
        assert isinstance(refused, Refused)
    (refused,) = hear(door(), "jph/21/set", b"3", retained=True)
    assert isinstance(refused, Refused)


def test_readings_are_published_and_again_after_a_connect() -> None:
    made = door()
    known = Reading(0, 1, NOW_MS, "i", "I1", "@@", 1, Quality.GOOD, 7)
    message = Publish("jph/I1", b"7", retain=True, merge=True)
    assert list(made.on_readings([known], NOW_MS)) == [message]
    assert made.on_connect(NOW_MS) == [message]
    (unknown,) = made.on_readings([known._replace(quality=Quality.STALE)], NOW_MS)
    assert isinstance(unknown, Publish)
    assert unknown.payload == b"null"


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("+/b", "a/c", False),
        ("a/b", "a", False),
    ],
)
def test_filters(pattern: str, topic: str, expected: bool) -> None:
    assert matches(pattern, topic) is expected


@given(payload=st.binary(max_size=300), retained=st.booleans())
def test_any_message_is_taken_or_refused(payload: bytes, retained: bool) -> None:
    for topic in ("weather/x/out", "shed/door", "jph/21/set"):
        for effect in SHARED.on_message(topic, payload, retained=retained, now_ms=NOW_MS):
            assert isinstance(effect, Send | Order | Refused)


SHARED = door()


def test_a_topic_is_needed() -> None:
    with pytest.raises(msgspec.ValidationError, match="Topic is missing"):
        msgspec.convert({"Codifier": "MH"}, InSettings)
