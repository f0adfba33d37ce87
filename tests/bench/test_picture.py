"""The picture of the measurements: whole, and every system on it."""

from typing import Any
from xml.etree import ElementTree

from bench.picture import draw

SVG = "{http://www.w3.org/2000/svg}"


def test_each_system_has_its_bars() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "jph", "messages_per_s": 4_000_000, "p50_us": 20.0},
        {"name": "a & b", "messages_per_s": 250_000},
        {"name": "slow", "p50_us": 250.0},
        {"name": "not installed", "messages_per_s": None},
    ]
    tree = ElementTree.fromstring(draw(rows))
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts.count("jph") == 2
    assert {"a & b", "slow", "4.00 M", "0.25 M", "250 µs"} <= set(texts)
    assert "not installed" not in texts
    bars = {rect.get("class"): float(rect.get("width", 0)) for rect in tree.iter(f"{SVG}rect")}
    assert bars["bar"] > 0
    assert bars["ours"] > 0


def test_nothing_measured_is_still_a_picture() -> None:
    tree = ElementTree.fromstring(draw([]))
    assert not list(tree.iter(f"{SVG}rect"))
