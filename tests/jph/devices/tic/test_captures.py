"""Captures of real meters, where a checkout has them beside it: label by label the last values."""

import json
from typing import Any

import pytest

from jph.devices.tic import FrameReader, groups
from jph.devices.tic.capture import Capture
from tests.jph.devices.tic.frames import even
from tests.support import SHARED_DATA

CAPTURES = SHARED_DATA / "tic"
EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((CAPTURES / "expected.json").read_text())
    if (CAPTURES / "expected.json").exists()
    else {}
)

# Labels that pass the oracle's checksum and are refused here: none in these captures.
DROPPED: dict[str, set[str]] = {}

# Three voltages and three powers, though no current but the first came through.
PHASES = {"tinfo_replay-standard-base-damaged.raw": 3}

pytestmark = pytest.mark.skipif(not EXPECTED, reason="no captures beside this checkout")


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_last_values_and_counts(name: str, size: int) -> None:
    data = (CAPTURES / name).read_bytes()
    reader = FrameReader()
    events = [
        event
        for start in range(0, len(data), size)
        for event in reader.feed(data[start : start + size])
    ] + reader.flush()
    last = {
        group.label: group.value if group.horodate is None else f"{group.horodate} {group.value}"
        for group in groups(events)
    }
    expected = EXPECTED[name]
    dropped = DROPPED.get(name, set())
    assert last == {
        label: value for label, value in expected["last"].items() if label not in dropped
    }
    assert reader.groups + reader.bad == expected["groups"]
    assert reader.bad == expected["bad"] + len(dropped)
    assert reader.frames == expected["frames"]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_explanation_of_a_capture(name: str) -> None:
    told, capture = EXPECTED[name], Capture()
    capture.feed((CAPTURES / name).read_bytes())
    capture.end()
    assert {label: last.group.text for label, last in capture.last.items()} == told["last"]
    if told["last"]:
        assert (capture.mode, capture.phases) == (told["mode"], PHASES.get(name, told["phases"]))
    assert len(capture.refused) == capture.reader.bad == told["bad"]
    assert capture.reader.frames == told["frames"]


@pytest.mark.parametrize(
    "name", [name for name, told in EXPECTED.items() if told["bad"] == 0 and name.endswith("raw")]
)
def test_every_bit_flip_in_the_first_frame_is_caught_by_parity(name: str) -> None:
    data = even((CAPTURES / name).read_bytes()[:160])
    clean = {(group.label, group.horodate, group.value) for group in groups(_read(data))}
    assert clean
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            found = {(g.label, g.horodate, g.value) for g in groups(_read(bytes(damaged)))}
            assert found <= clean


def _read(data: bytes) -> list[Any]:
    reader = FrameReader()
    return reader.feed(data) + reader.flush()
