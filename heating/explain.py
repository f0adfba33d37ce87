"""Why a heater does what it does, in plain words: facts in, sentences out. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from heating.facts import Cause, HeaterFacts, PhaseFacts
from heating.orders import Order

_DAY_S: Final = 86_400
_STATIC: Final = frozenset({Order.COMFORT, Order.OFF, Order.FROST, Order.ECO})
_SHED: Final[frozenset[int]] = frozenset({Order.OFF, Order.FROST, Order.ECO})
"""What a heater that is held back may have: a small shed lowers to eco, where that is enough."""


def explain(
    facts: HeaterFacts,
    now_ms: float,
    names: Mapping[str, str] | None = None,
    *,
    with_phase: bool = True,
) -> list[str]:
    """Return the sentences about one heater; `names` are those of codifiers, for who ordered.

    `with_phase` adds the sentence about its phase, which is the same for all heaters of one.
    """
    sentences = [_headline(facts), _ordered(facts, now_ms, names or {})]
    if facts.shed:
        sentences += _why_shed(facts, now_ms)
    if with_phase:
        sentences.append(explain_phase(facts.phase))
    sentences += [_watts(facts), _fallback(facts), _carried(facts)]
    return [sentence for sentence in sentences if sentence]


def explain_phase(phase: PhaseFacts) -> str:
    """Return the sentence about a phase now."""
    if not phase.shedder:
        return f"Nobody watches phase {phase.phase}."
    if phase.current_a is None:
        return f"What phase {phase.phase} draws now is not known."
    limit = (
        "its limit is not known" if phase.limit_a is None else f"its limit is {phase.limit_a:g} A"
    )
    text = f"Phase {phase.phase} draws {phase.current_a:g} A now, {limit}"
    if phase.seconds_left is None:
        return f"{text}; how near it is to a trip is not known."
    if phase.seconds_left < 0:
        return f"{text}; no trip is near."
    return f"{text}; as it goes on it trips in {span(phase.seconds_left)}."


def order_name(order: int) -> str:
    """Return the word for an order as it travels on the bus."""
    try:
        return Order(order).name.lower().replace("_", "-")
    except ValueError:
        return f"order {order}"


def clock(timestamp_ms: float, now_ms: float) -> str:
    """Return the local time of day, with the date where it is not within the last 12 hours."""
    try:
        then = datetime.fromtimestamp(timestamp_ms / 1000).astimezone()
    except (ValueError, OverflowError, OSError):
        return "a time that cannot be"
    near = abs(now_ms - timestamp_ms) < _DAY_S * 500
    return f"{then:%H:%M:%S}" if near else f"{then:%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * _DAY_S:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / _DAY_S:.0f} days"


def _headline(facts: HeaterFacts) -> str:
    if facts.order is None:
        state = ", and it is shed" if facts.shed else ""
        return f"{facts.label}: its order is not known, {facts.card} says nothing{state}."
    ordered = f"{facts.label}: ordered {order_name(facts.order)}"
    if facts.shed is None:
        return f"{ordered}; whether it is shed is not known."
    if facts.shed:
        held = (facts.phase.shed or {}).get(facts.codifier, Order.OFF)
        at_most = "" if held is Order.OFF else " at most"
        return f"{ordered}, but shed: it gets {order_name(held)}{at_most}."
    return f"{ordered}, and not shed."


def _ordered(facts: HeaterFacts, now_ms: float, names: Mapping[str, str]) -> str:
    if facts.order is None:
        return ""
    if not facts.by and facts.at_ms is None:
        if facts.told:
            return "Nobody has ordered anything since it was set up."
        return f"Who gave the order, and when, is not known: {facts.card} does not tell."
    name = names.get(facts.by, "")
    who = (f"{facts.by} ({name})" if name else facts.by) or "somebody unknown"
    if facts.at_ms is None:
        return f"The order is from {who}; when it came is not known."
    when = clock(facts.at_ms, now_ms)
    return f"The order is from {who}, at {when}{_ago(facts.at_ms, now_ms)}."


def _ago(then_ms: float, now_ms: float) -> str:
    """Return how long ago, unless a stepped clock makes it the future."""
    return f", {span((now_ms - then_ms) / 1000)} ago" if then_ms <= now_ms else ""


def _why_shed(facts: HeaterFacts, now_ms: float) -> list[str]:
    shedder, cause = facts.phase.shedder, facts.cause
    if cause is None:
        return [f"Why, and until when, is not known: {shedder or 'the shedder'} does not tell."]
    since = ""
    if cause.since_ms is not None:
        since = f" since {clock(cause.since_ms, now_ms)}"
        if cause.since_ms <= now_ms:
            since += f", for {span((now_ms - cause.since_ms) / 1000)}"
    because = _because(facts.phase.phase, cause)
    return [f"{shedder} holds it off{since}{because}.", _back(cause)]


def _because(phase: int, cause: Cause) -> str:
    reason = f" ({cause.reason})" if cause.reason else ""
    if cause.current_a is None:
        return f": {cause.reason}" if reason else "; it does not tell why"
    limit = "" if cause.limit_a is None else f", its limit {cause.limit_a:g} A"
    return f": phase {phase} drew {cause.current_a:g} A{limit}{reason}"


def _back(cause: Cause) -> str:
    if cause.restore_s is None or cause.restore_s < 0:
        return "It comes back when there is room; nobody can tell when yet."
    return f"It is expected back in about {span(cause.restore_s)}."


def _watts(facts: HeaterFacts) -> str:
    rated = "" if facts.rated_watts is None else f"{facts.rated_watts:g} W are declared"
    if facts.watts is None:
        return f"What it really draws is not learned; {rated or 'nothing is declared'}."
    return f"It draws {facts.watts:.0f} W, as learned{f'; {rated}' if rated else ''}."


def _fallback(facts: HeaterFacts) -> str:
    if not facts.fallback:
        return ""
    shedder = facts.phase.shedder or "the shedder"
    why = {
        "masks": f"{facts.card} hears no masks of {shedder}",
        "meter": f"The meter of phase {facts.phase.phase} is silent, {facts.card} cannot trust "
        f"the masks of {shedder}",
    }.get(facts.silent, f"{facts.card} hears no masks, or nothing of the meter")
    return (
        f"{why} and goes by its fallback ({facts.fallback}): it may hold the heater back by itself."
    )


def _carried(facts: HeaterFacts) -> str:
    """Say where the wire differs from what it should carry."""
    applied, verified = facts.applied, facts.verified
    if applied is None:
        return ""
    if facts.order is not None and applied not in _expected(facts.order, facts):
        why = "it is shed" if facts.shed else "nobody tells of a shed"
        return f"{facts.card} carries {order_name(applied)} on its wire, though {why}."
    if verified is not None and verified != applied:
        return (
            f"{facts.card} set {order_name(applied)} but reads back {order_name(verified)}: "
            "chip or wire is at fault."
        )
    return ""


def _expected(order: int, facts: HeaterFacts) -> frozenset[int]:
    """Return what may be on the wire; some orders are carried out by switching between two."""
    static = frozenset({order} if order in _STATIC else {order, Order.COMFORT, Order.ECO})
    if facts.shed is None or facts.fallback:
        return static | _SHED
    return _SHED if facts.shed else static
