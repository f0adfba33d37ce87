"""The statements that each surface must make about a fault, and those that are false by then.

A surface has *said* a fault if a line that the healthy house did not show names the subject and the
trouble. It makes a *false statement* if a line matches a pattern that the fault makes untrue.
"""

import re
from typing import NamedTuple

from tests.faults.surfaces import SurfaceReading, without_digits

METER = r"meter|téléinfo|\bTI\b|current|\bI[123]\b|Phase \d"
SHEDDER = r"shed|\bSH\b"
CARD = r"\bcard|\bP2\b|phase 2"
CACHE = r"cache|redis|\bR1\b"
HISTORY = r"history|postgres|collector|stored|storing|\bQ[12]\b"
THERMOMETER = r"\bC1\b|load"
DISK = r"disk|file|journal|write|written|cannot|state|space"
TROUBLE = (
    r"not known|unknown|no longer|\blate|silent|stale|\bold\b|halted|dead|no reading|not answer|"
    r"unheard|missing|not alive|nothing|frozen|since|\blast\b|blind|cannot|fail|refus|not stor|"
    r"not be|is away|= False|= None|unreachable|unprotected|not protected|too large|full\b|"
    r"ago\b|no answer"
)
ALL_ALIVE = r"All \d+ nodes are alive"
SAFE = r"no trip is near|draws [\d.]+ A now"
OK = r"^status = ok$|^ok = True$"


class Claims(NamedTuple):
    """Of one fault: subject and trouble in words, and patterns of false lines by surface.

    `metrics` are patterns of samples, of which one must match; a surface that is not in `false`
    has nothing to say about the fault.
    """

    subject: str
    trouble: str
    metrics: str
    false: dict[str, str]

    def said(self, reading: SurfaceReading, healthy: frozenset[str]) -> str | None:
        """Return the line of a reading that says the fault."""
        if reading.surface == "/metrics":
            return first([line for line in reading.lines if line not in healthy], self.metrics)
        fresh = [line for line in reading.lines if without_digits(line) not in healthy]
        if reading.surface == "/healthz":
            if any(re.search(OK, line) for line in reading.lines):
                return None
            return first(fresh, self.subject)
        return next(
            (
                line
                for line in fresh
                if re.search(self.subject, line, re.I) and re.search(self.trouble, line, re.I)
            ),
            None,
        )

    def untrue(self, reading: SurfaceReading) -> str | None:
        """Return a line of a reading that the fault makes false."""
        pattern = self.false[reading.surface]
        return first(reading.lines, pattern) if pattern else None


def first(lines: list[str] | tuple[str, ...], pattern: str) -> str | None:
    """Return the first line that matches."""
    return next((line for line in lines if re.search(pattern, line, re.I)), None)


def sample(subject: str, down: str = "up|known|ok|fresh|stored|storing|healthy") -> str:
    """Return the pattern of a sample that reports trouble: a gauge at 0, or a counter above 0."""
    return (
        rf"jph_\w*({down})\w*(\{{[^}}]*({subject})[^}}]*\}})? 0\.0|"
        rf"jph_\w*(problem|trouble|blind|unknown|late|refus|implausible|fail)\w*"
        rf"\{{[^}}]*({subject})[^}}]*\}} [1-9]"
    )


def aged(code: str, over: str = r"(8|9|\d\d+)") -> str:
    """Return the pattern of an age of at least 8 s."""
    return rf'jph_age_seconds\{{code="{code}"\}} {over}\.'


def young(code: str) -> str:
    """Return the pattern of an age below 5 s."""
    return rf'jph_age_seconds\{{code="{code}"\}} [0-4]\.'


def node_down(code: str) -> str:
    """Return the pattern of a node that is not up."""
    return rf'jph_node_up\{{code="{code}"[^}}]*\}} 0\.0'


def node_up(code: str) -> str:
    """Return the pattern of a node that is up."""
    return rf'jph_node_up\{{code="{code}"[^}}]*\}} 1\.0'


def alive(code: str) -> str:
    """Return the pattern of a line of `status` with a node or element that is alive."""
    return rf"^ *{code} .* alive .*"


_meter_metrics = f"{aged('I1')}|{node_down('TI')}|{sample('TI|I1|meter')}"
_blind_meter = {
    "House": f"{ALL_ALIVE}|{SAFE}",
    "/healthz": OK,
    "/metrics": young("I1"),
    "status": r"^ *I1 .* alive .* [0-4][.,]\d s",
    "why": SAFE,
}
_no_shedder = {
    "House": f"{ALL_ALIVE}|no trip is near",
    "/healthz": OK,
    "/metrics": "",
    "status": alive("SH"),
    "why": "no trip is near",
}
_cache = {"House": ALL_ALIVE, "/healthz": OK, "/metrics": "", "status": ""}
_history = {"House": ALL_ALIVE, "/healthz": OK, "/metrics": "", "status": ""}

CLAIMS = {
    "meter line dead": Claims(METER, TROUBLE, _meter_metrics, _blind_meter),
    "meter halted": Claims(METER, TROUBLE, _meter_metrics, _blind_meter),
    "meter frozen": Claims(METER, TROUBLE, _meter_metrics, _blind_meter),
    "shedder halted": Claims(
        SHEDDER,
        TROUBLE,
        f"{sample('SH|shed')}|{node_down('SH')}|jph_nodes.*halted.* [1-9]",
        _no_shedder,
    ),
    "shedder frozen": Claims(
        SHEDDER,
        TROUBLE,
        f"{sample('SH|shed')}|{node_down('SH')}",
        {**_no_shedder, "/metrics": node_up("SH")},
    ),
    "card frozen": Claims(
        CARD,
        TROUBLE,
        f"{sample('P2|card')}|{node_down('P2')}",
        {"House": ALL_ALIVE, "/healthz": OK, "/metrics": node_up("P2"), "status": alive("P2")},
    ),
    "Redis refuses": Claims(
        CACHE,
        TROUBLE,
        sample("R1|cache|redis") + r"|jph_cache_up 0\.0",
        _cache,
    ),
    "Redis frozen": Claims(
        CACHE,
        TROUBLE,
        sample("R1|cache|redis") + r"|jph_cache_up 0\.0",
        {**_cache, "/metrics": r"jph_cache_up 1\.0"},
    ),
    "PostgreSQL refuses": Claims(
        HISTORY,
        TROUBLE,
        sample("Q1|history|postgres") + r"|jph_history_up 0\.0",
        _history,
    ),
    "PostgreSQL frozen": Claims(
        HISTORY,
        TROUBLE,
        sample("Q1|history|postgres") + r"|jph_history_up 0\.0",
        {**_history, "/metrics": r"jph_history_up 1\.0"},
    ),
    "thermometer gone": Claims(
        THERMOMETER,
        TROUBLE,
        f"{aged('C1')}|{sample('C1')}",
        {"House": ALL_ALIVE, "/metrics": young("C1"), "status": r"^ *C1 .* alive .* [0-4][.,]\d s"},
    ),
    "cache frozen": Claims(
        CACHE,
        TROUBLE,
        sample("R1|cache|redis") + rf"|jph_cache_up 0\.0|{node_down('R1')}",
        {**_cache, "status": alive("R1")},
    ),
    "current forged": Claims(
        METER,
        r"implausible|not plausible|forged|another (epoch|source|program)|two (programs|sources)|"
        r"contradict|second program|more than|not believed",
        sample("I1|TI|meter", "plausible"),
        {
            "House": r"987[0-9] ?A(?!.*plausible)|current = 98\d\d",
            "/metrics": r'jph_value\{code="I1"[^}]*\} 98\d\d',
            "status": r"^ *I1 .* 98\d\d(?!.*implausible)",
            "why": r"98\d\d A(?!.*plausible)",
        },
    ),
    "clock ahead": Claims(
        METER + "|clock",
        r"clock|ahead|time is|wrong time",
        rf"jph_\w*(clock|offset)\w*\{{[^}}]*TI[^}}]*\}} -?[1-9]|{sample('TI|clock')}",
        {
            "House": rf"{ALL_ALIVE}|\b8[56]\d{{6}}\b",
            "/metrics": "",
            "status": r"\b8[56]\d{6}\b",
            "why": "",
        },
    ),
    "files cannot grow": Claims(
        DISK,
        TROUBLE,
        sample("P1|P2|SP|Q1|disk|file|journal"),
        {"House": ALL_ALIVE, "/healthz": OK, "/metrics": "", "status": ""},
    ),
}
"""The fifteen faults, in 64 cells."""
CELLS = sum(len(claims.false) for claims in CLAIMS.values())
