"""A small house for the gateway's tests: one meter, a shedder, two cards, two rooms."""

from typing import Any

Document = dict[str, Any]
LATE_MS = 900_000


def node(codifier: str, kind: str, name: str = "", **more: Any) -> Document:
    """Return the entry of a node."""
    return {"Codifier": codifier, "Type": kind, "Name": name or kind, "TimeoutWarning": 10} | more


def element(codifier: str, parent: str, name: str = "", symbol: str = "", **more: Any) -> Document:
    """Return the entry of an element."""
    return {
        "Codifier": codifier,
        "Type": "Proxy",
        "ShortName": name,
        "Name": name,
        "Symbol": symbol,
        "TimeoutWarning": 10,
        "Sensor": {"Codifier": parent},
    } | more


def meter(*fields: tuple[str, str]) -> list[Document]:
    """Return a meter that publishes (codifier, label) and its elements."""
    proxies = [{"Codifier": code, "Field": label} for code, label in fields]
    settings = {"Device": "/dev/null", "Proxy": proxies}
    entry = node("TI", "Teleinfo", "Meter", KeepAliveInterval=1, Sensor=settings)
    return [entry, *(element(code, "TI", label, "A") for code, label in fields)]


def card(codifier: str, phase: int, *wires: tuple[str, str]) -> list[Document]:
    """Return a pilot card with a heater for each (codifier, room)."""
    table = [
        {"Codifier": code, "Wire": wire, "Phase": phase, "Room": room, "Name": "Wall"}
        for wire, (code, room) in enumerate(wires, start=1)
    ]
    settings = {"Bus": 1, "Address": 0x20 + phase - 1, "Wires": table}
    settings["Shed"] = {str(phase): f"S{phase}"}
    entry = node(codifier, "PilotCard", f"Card {phase}", Sensor=settings)
    return [entry, *(element(code, codifier, f"{room} heater") for code, room in wires)]


def shedder(*phases: int) -> list[Document]:
    """Return a shedder of these phases, limited by the meter's IS, and its masks."""
    table = [{"Phase": n, "Codifier": f"S{n}", "Current": f"I{n}"} for n in phases]
    entry = node("SH", "Shedding", Sensor={"Phases": table, "Subscribed": "IS"})
    return [entry, *(element(f"S{n}", "SH", f"Shed {n}") for n in phases)]


def with_a_late_card(entries: list[Document]) -> list[Document]:
    """Return them with a card P2 that is late, not dead, for a quarter of an hour more."""
    return [
        each | {"TimeoutWarning": 600} if each["Codifier"] == "P2" else each for each in entries
    ]


def house(gateway: Document | None = None) -> list[Document]:
    """Return the whole house; `gateway` are the gateway's settings."""
    return [
        *meter(("I1", "IINST1"), ("I2", "IINST2"), ("IS", "ISOUSC"), ("TP", "PTEC")),
        *card("P1", 1, ("11", "Kitchen"), ("12", "Hall")),
        *card("P2", 2, ("21", "Kitchen")),
        *shedder(1, 2),
        node("C1", "TempLinux", "Processor", Symbol="C", Sensor={"Pipe": "/dev/null"}),
        element("RA", "C1", "Kitchen", "°C"),
        node("R1", "jphRedis", "Cache"),
        node("CF", "Gateway", "Page", Sensor=gateway or {"Port": 0, "Public": "read"}),
        node("CC", "ControlProgram", "Console"),
    ]
