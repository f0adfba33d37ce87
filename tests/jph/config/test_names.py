"""Names in several languages."""

import json
from pathlib import Path
from typing import Any

from jph.config.model import parse
from jph.config.names import translated, with_plain_names
from tests.support import REPOSITORY

EXAMPLE: dict[str, Any] = json.loads(
    (Path(REPOSITORY) / "static" / "config.json").read_text(encoding="utf-8")
)


def test_the_english_name_is_the_name_and_the_others_are_translations() -> None:
    kitchen = {"en": "Kitchen", "fr": "Cuisine"}
    sensors = [
        {"Codifier": "AA", "Name": kitchen, "Sensor": {"Wires": [{"Room": kitchen, "Name": "x"}]}},
        {"Codifier": "BB", "Name": {"fr": "Salon", "de": "Stube"}},
    ]
    raw = with_plain_names({"Sensors": sensors, "Translations": {"Bath": {"fr": "Bain"}}})
    assert raw["Sensors"][0]["Name"] == "Kitchen"
    assert raw["Sensors"][0]["Sensor"]["Wires"][0] == {"Room": "Kitchen", "Name": "x"}
    assert raw["Sensors"][1]["Name"] == "Salon"
    known = raw["Translations"]
    assert translated("Kitchen \u00b7 x", "fr", known) == "Cuisine \u00b7 x"
    assert translated("Kitchen", "en", known) == "Kitchen"
    assert translated("Salon", "de", known) == "Stube"
    assert translated("Bath", "fr", known) == "Bain"


def test_a_config_may_have_them_anywhere() -> None:
    document = json.loads(json.dumps(EXAMPLE))
    document["Sensors"][0]["Name"] = {"en": "Meter", "fr": "Compteur"}
    network = parse(json.dumps(document).encode())
    assert network.sensors[0].name == "Meter"
    assert network.translations["Meter"]["fr"] == "Compteur"
    plain = {"Multicast": document["Multicast"], "Sensors": [{"Codifier": "AA", "Type": "Pipe"}]}
    assert parse(json.dumps(plain).encode()).translations == {}
