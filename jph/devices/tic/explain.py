"""Words for people: what a group means, and why a line was refused."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from jph.devices.tic.address import origin
from jph.devices.tic.fields import clean, period, tariff, tomorrow
from jph.devices.tic.labels import HORODATE, RULES, Mode
from jph.devices.tic.line import EVEN_BYTES, LONGEST, MASK, Cause, Group, checksum, has_high
from jph.devices.tic.status import RELAYS, relay_facts, status_words


class Meaning(NamedTuple):
    """What a label stands for, and the unit of its number."""

    what: str
    unit: str = ""


def _phases(label: str, what: str, unit: str) -> dict[str, Meaning]:
    """Return a label and its kin of each phase."""
    whole = {label: Meaning(what, unit)}
    return whole | {f"{label}{n}": Meaning(f"{what} of phase {n}", unit) for n in (1, 2, 3)}


def _days(label: str, what: str, unit: str) -> dict[str, Meaning]:
    """Return a label of today and its kin of yesterday, where it exists a phase too."""
    return {
        f"{name}{suffix}": Meaning(f"{meaning.what}{when}", unit)
        for name, meaning in _phases(label, what, unit).items()
        for suffix, when in (("", ", today"), ("-1", ", yesterday"))
    }


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "ADCO": Meaning("address"),
        "ADSC": Meaning("address"),
        "OPTARIF": Meaning("tariff"),
        "NGTF": Meaning("supplier's tariff"),
        "ISOUSC": Meaning("subscribed current of each phase", "A"),
        "PTEC": Meaning("tariff period"),
        "LTARF": Meaning("tariff period"),
        "NTARF": Meaning("number of the tariff period"),
        "DEMAIN": Meaning("colour of tomorrow"),
        "PEJP": Meaning("notice of moving peak", "min"),
        "HHPHC": Meaning("schedule of off-peak hours"),
        "MOTDETAT": Meaning("status word"),
        "PPOT": Meaning("voltages"),
        "BASE": Meaning("index, all hours", "Wh"),
        "HCHC": Meaning("index, off-peak hours", "Wh"),
        "HCHP": Meaning("index, peak hours", "Wh"),
        "EJPHN": Meaning("index, normal hours", "Wh"),
        "EJPHPM": Meaning("index, moving peak", "Wh"),
        "GAZ": Meaning("gas index"),
        "AUTRE": Meaning("other index"),
        "PMAX": Meaning("highest power drawn", "W"),
        "PAPP": Meaning("apparent power", "VA"),
        "ADPS": Meaning("overrun warning", "A"),
        **{f"ADIR{n}": Meaning(f"overrun warning of phase {n}", "A") for n in (1, 2, 3)},
        **_phases("IINST", "current", "A"),
        **_phases("IMAX", "highest current", "A"),
        **{
            f"BBR{hours}J{letter}": Meaning(f"index, {name} hours of {day} days", "Wh")
            for hours, name in (("HC", "off-peak"), ("HP", "peak"))
            for letter, day in (("B", "blue"), ("W", "white"), ("R", "red"))
        },
        "VTIC": Meaning("version of the link"),
        "DATE": Meaning("clock"),
        "EAST": Meaning("energy drawn, total", "Wh"),
        "EAIT": Meaning("energy injected, total", "Wh"),
        **{
            f"EASF{n:02}": Meaning(f"energy drawn, supplier's index {n}", "Wh")
            for n in range(1, 11)
        },
        **{f"EASD{n:02}": Meaning(f"energy drawn, grid's index {n}", "Wh") for n in range(1, 5)},
        **{f"ERQ{n}": Meaning(f"reactive energy, quadrant {n}", "varh") for n in (1, 2, 3, 4)},
        **_phases("IRMS", "current", "A"),
        **_phases("URMS", "voltage", "V"),
        **_phases("UMOY", "mean voltage", "V"),
        "PREF": Meaning("subscribed power", "kVA"),
        "PCOUP": Meaning("power at which the breaker opens", "kVA"),
        **_phases("SINSTS", "apparent power drawn", "VA"),
        "SINSTI": Meaning("apparent power injected", "VA"),
        **_days("SMAXSN", "highest power drawn", "VA"),
        **_days("SMAXIN", "highest power injected", "VA"),
        "CCASN": Meaning("point of the load curve, drawn", "W"),
        "CCASN-1": Meaning("point before of the load curve, drawn", "W"),
        "CCAIN": Meaning("point of the load curve, injected", "W"),
        "CCAIN-1": Meaning("point before of the load curve, injected", "W"),
        "STGE": Meaning("status"),
        **{f"DPM{n}": Meaning(f"begin of moving peak {n}") for n in (1, 2, 3)},
        **{f"FPM{n}": Meaning(f"end of moving peak {n}") for n in (1, 2, 3)},
        "MSG1": Meaning("message"),
        "MSG2": Meaning("short message"),
        "PRM": Meaning("delivery point"),
        "RELAIS": Meaning("relays"),
        "NJOURF": Meaning("day of the supplier's calendar"),
        "NJOURF+1": Meaning("next day of the supplier's calendar"),
        "PJOURF+1": Meaning("profile of the next day"),
        "PPOINTE": Meaning("profile of the next peak day"),
    }
)
"""Every label of the norms in words, after Enedis-NOI-CPT_02E and -54E."""

_SEASONS = {"E": "summer time", "H": "winter time", "e": "summer time, clock not set"} | {
    "h": "winter time, clock not set"
}


def describe(group: Group) -> str:
    """Return a group in words: ``current of phase 2: 14 A``."""
    meaning = MEANINGS.get(group.label)
    if meaning is None:
        return "no label we know"
    value = _value_text(group, meaning.unit)
    when = f", {show_horodate(group.horodate)}" if group.horodate and group.value else ""
    return f"{meaning.what}: {value}{when}" if value else f"{meaning.what}{when}"


def show_horodate(horodate: str) -> str:
    """Return ``H261120061500`` as ``2026-11-20 06:15:00 winter time``."""
    digits = horodate[1:]
    if not digits.strip("0"):
        return "never"
    year, month, day, hour, minute, second = re.findall("..", digits)
    season = _SEASONS.get(horodate[0], "")
    return f"20{year}-{month}-{day} {hour}:{minute}:{second} {season}".rstrip()


def _value_text(group: Group, unit: str) -> str:
    value = group.value
    if unit:
        return f"{group.reading} {unit}"
    match group.label:
        case "ADCO" | "ADSC":
            return _address(value)
        case "OPTARIF" | "NGTF":
            return tariff(value)
        case "PTEC" | "LTARF":
            return period(value)
        case "DEMAIN":
            return tomorrow(value) or "not known yet"
        case "DATE":
            return show_horodate(group.horodate or "")
        case "STGE":
            return "; ".join(status_words(value))
        case "RELAIS":
            closed = relay_facts(int(value))
            return " ".join(str(n) for n, name in enumerate(RELAYS, 1) if closed[name]) or "none"
        case "PPOT":
            cut = [n for n in (1, 2, 3) if int(value, 16) >> n & 1]
            return f"missing on phase {' '.join(map(str, cut))}" if cut else "on every phase"
    return clean(value)


def _address(address: str) -> str:
    whence = origin(address)
    if whence is None:
        return "shortened or made anonymous"
    words = (whence.maker or f"maker {address[:2]}", str(whence.year or "year not known"))
    return ", ".join((*words, whence.type or f"type {address[4:6]}"))


def show_line(raw: bytes) -> str:
    """Return a line's characters without bit 7, what cannot be printed as a hexadecimal escape."""
    text = raw.translate(MASK).decode("ascii")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def why(raw: bytes, cause: Cause) -> str:
    """Return the reason for the refusal of a line, as exactly as its bytes show."""
    line = raw.replace(b"\0", b"").translate(MASK)
    match cause:
        case Cause.PARITY:
            return _why_parity(raw)
        case Cause.CHECKSUM:
            given, due = line[-1:], bytes((checksum(line[: -1 if b"\t" in line else -2]),))
            return f"its checksum is {show_line(given)!r}, its characters make {show_line(due)!r}"
        case Cause.FORM:
            return _why_form(line)
        case Cause.LABEL:
            label = show_line(re.split(b"[ \t]", line, maxsplit=1)[0])
            return f"no norm has the label {label!r}: not believed unless it is repeated"
        case Cause.VALUE:
            return _why_value(line)
        case Cause.MODE:
            spoken = Mode.STANDARD if b"\t" in line else Mode.HISTORIQUE
            return f"{spoken.value} mode, where the meter speaks the other"
        case Cause.OVERFLOW:
            return f"more than {LONGEST} characters without a line end"
    return "the meter broke the frame off (EOT)"


def _why_parity(raw: bytes) -> str:
    odd = [place for place, byte in enumerate(raw) if byte not in EVEN_BYTES]
    if not odd:
        return "the character before or after it breaks even parity"
    if not has_high(raw):
        return "without parity, where the line has it"
    shown = ", ".join(f"{show_line(raw[n : n + 1])!r} at {n + 1}" for n in odd[:4])
    return f"even parity is broken by {shown}{' …' if len(odd) > 4 else ''}"


def _why_form(line: bytes) -> str:
    if len(line) < 5:
        return "too short for label, value and checksum"
    separator = b"\t" if b"\t" in line else b" "
    if line[-2:-1] != separator:
        return "no separator before its last character: cut, or its checksum lost"
    if line.count(separator) < 2:
        return "no value"
    return "more parts than label, date, value and checksum"


def _why_value(line: bytes) -> str:
    standard = b"\t" in line
    label, *parts = _parts(line[:-2], standard)
    mode = Mode.STANDARD if standard else Mode.HISTORIQUE
    rule = RULES[mode].get(label)
    if len(parts) == 2 and not HORODATE.fullmatch(parts[0]):
        return f"{parts[0]!r} is no date"
    if rule is not None and rule.dated is not (len(parts) == 2):
        return f"{label} has {'no' if rule.dated else 'a'} date, against the norm"
    return f"{label} cannot be {parts[-1]!r}"


def _parts(fields: bytes, standard: bool) -> list[str]:
    """Split a line, without its checksum, into label, date if any, and value."""
    text = fields.decode("ascii", "replace")
    return text.split("\t") if standard else text.split(" ", 1)
