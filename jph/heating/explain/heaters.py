"""Explains in sentences what a heater and its phase do, and why. Pure."""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Final

from jph.heating.explain.facts import Cause, HeaterFacts, PhaseFacts
from jph.heating.explain.sentences import Say, When, clock, english, span
from jph.heating.orders.coding import Order

_STATIC: Final = frozenset({Order.COMFORT, Order.OFF, Order.FROST, Order.ECO})
_SHED: Final[frozenset[int]] = frozenset({Order.OFF, Order.FROST, Order.ECO})
"""What a heater that is held back may have: a small shed lowers to eco, where that is enough."""


def explain(
    facts: HeaterFacts,
    now_ms: float,
    names: Mapping[str, str] | None = None,
    *,
    with_phase: bool = True,
    say: Say = english,
    zone: tzinfo | None = None,
) -> list[str]:
    """Return the sentences about one heater; `names` are those of codifiers.

    `with_phase` adds the sentence about its phase, which is the same for all heaters of one.
    Times of day are those of `zone`, without it of this machine.
    """

    def when(timestamp_ms: float) -> str:
        return clock(timestamp_ms, now_ms, say, zone)

    facts = _with_names(facts, names or {})
    sentences = [_headline(facts, say), _ordered(facts, now_ms, names or {}, say, when)]
    sentences.append(_ends(facts, say, when))
    if facts.shed:
        sentences += why_shed(facts, now_ms, say=say, zone=zone)
    if with_phase:
        sentences.append(explain_phase(facts.phase, say))
    sentences += [_watts(facts, say), _fallback(facts, say), _carried(facts, say)]
    return [sentence for sentence in sentences if sentence]


def explain_phase(phase: PhaseFacts, say: Say = english) -> str:
    """Return the sentence about a phase now."""
    number = phase.phase
    if not phase.shedder:
        return say("No shedder watches phase {phase}.", phase=number)
    if phase.current_a is None:
        if phase.last_a is None or phase.age_s is None:
            return say("What phase {phase} draws now is not known.", phase=number)
        text = "What phase {phase} draws now is not known: {current} A is {time} old."
        last = {"current": f"{phase.last_a:g}", "time": span(phase.age_s, say)}
        return say(text, phase=number, **last)
    limit = (
        say("its limit is not known")
        if phase.limit_a is None
        else say("its limit is {limit} A", limit=f"{phase.limit_a:g}")
    )
    current = f"{phase.current_a:g}"
    text = say("Phase {phase} draws {current} A now, ", phase=number, current=current) + limit
    if phase.seconds_left is None:
        return text + say("; how near it is to a trip is not known.")
    if phase.seconds_left < 0:
        return text + say("; no trip is near.")
    return text + say("; as it goes on it trips in {time}.", time=span(phase.seconds_left, say))


def order_name(order: int, say: Say = english) -> str:
    """Return the word for an order as it travels on the bus."""
    try:
        return say(Order(order).word)
    except ValueError:
        return say("order {number}", number=order)


def why_shed(
    facts: HeaterFacts,
    now_ms: float,
    names: Mapping[str, str] | None = None,
    *,
    say: Say = english,
    zone: tzinfo | None = None,
) -> list[str]:
    """Return why a heater that is shed is so, and when it comes back."""
    facts = _with_names(facts, names or {})
    shedder, cause = facts.phase.shedder or say("the shedder"), facts.cause
    if cause is None:
        text = "Why, and until when, is not known: {shedder} does not report it."
        return [say(text, shedder=shedder)]
    since = ""
    if cause.since_ms is not None:
        since = say(" since {time}", time=clock(cause.since_ms, now_ms, say, zone))
        if cause.since_ms <= now_ms:
            since += say(", for {time}", time=span((now_ms - cause.since_ms) / 1000, say))
    because = _because(facts.phase.phase, cause, say)
    held = say("{shedder} holds it off", shedder=shedder)
    return [f"{held}{since}{because}.", _back(cause, say)]


def _with_names(facts: HeaterFacts, names: Mapping[str, str]) -> HeaterFacts:
    """Return the facts with the names of card and shedder in place of their codifiers."""
    shedder = names.get(facts.phase.shedder) or facts.phase.shedder
    card = names.get(facts.card) or facts.card
    return facts._replace(card=card, phase=facts.phase._replace(shedder=shedder))


def _headline(facts: HeaterFacts, say: Say) -> str:
    label = facts.label
    if facts.order is None:
        state = say(", and it is shed") if facts.shed else ""
        text = "{label}: its order is not known, {card} sends nothing"
        return say(text, label=label, card=facts.card) + f"{state}."
    ordered = say("{label}: ordered {order}", label=label, order=order_name(facts.order, say))
    if facts.shed is None:
        return ordered + say("; whether it is shed is not known.")
    if facts.shed:
        held = (facts.phase.shed or {}).get(facts.codifier, Order.OFF)
        text = ", but shed: it gets {order}." if held is Order.OFF else _AT_MOST
        return ordered + say(text, order=order_name(held, say))
    return ordered + say(", and not shed.")


SOON_S: Final = 30.0
"""Below this the beginning of the range of returns is now."""

_AT_MOST: Final = ", but shed: it gets {order} at most."


def _ordered(
    facts: HeaterFacts, now_ms: float, names: Mapping[str, str], say: Say, when: When
) -> str:
    if facts.order is None:
        return ""
    if not facts.by and facts.at_ms is None:
        if facts.reported:
            return say("No order was given since it was set up.")
        text = "Who gave the order, and when, is not known: {card} does not report it."
        return say(text, card=facts.card)
    name = names.get(facts.by, "")
    who = (f"{facts.by} ({name})" if name else facts.by) or say("an unknown program")
    if facts.at_ms is None:
        return say("The order is from {who}; when it came is not known.", who=who)
    ago = _ago(facts.at_ms, now_ms, say)
    return say("The order is from {who}, at {time}", who=who, time=when(facts.at_ms)) + f"{ago}."


def _ago(then_ms: float, now_ms: float, say: Say) -> str:
    """Return how long ago, unless a stepped clock makes it the future."""
    if then_ms > now_ms:
        return ""
    return say(", {time} ago", time=span((now_ms - then_ms) / 1000, say))


def _ends(facts: HeaterFacts, say: Say, when: When) -> str:
    if facts.until_ms is None:
        return ""
    if facts.then is None:
        return say("It ends by itself at {time}.", time=when(facts.until_ms))
    then = order_name(facts.then, say)
    text = "It ends by itself at {time}; then {order}."
    return say(text, time=when(facts.until_ms), order=then)


def _because(phase: int, cause: Cause, say: Say) -> str:
    if cause.turn_of:
        return say("; it waits for the turn of {rooms}", rooms=", ".join(cause.turn_of))
    reason = say(cause.reason) if cause.reason else ""
    if cause.current_a is None:
        return f": {reason}" if reason else say("; it does not report why")
    limit = (
        "" if cause.limit_a is None else say(", its limit {limit} A", limit=f"{cause.limit_a:g}")
    )
    drew = say(": phase {phase} drew {current} A", phase=phase, current=f"{cause.current_a:g}")
    return drew + limit + (f" ({reason})" if reason else "")


def _back(cause: Cause, say: Say) -> str:
    early_s, late_s = cause.restore_s, cause.restore_by_s
    if early_s is None or early_s < 0:
        return say("It comes back when there is room; when is not known yet.")
    if late_s is None or late_s < early_s:
        return say("It is expected back in about {time}.", time=span(early_s, say))
    if early_s < SOON_S:
        return say("It is expected back within {time}.", time=span(late_s, say))
    times = {"early": span(early_s, say), "late": span(late_s, say)}
    return say("It is expected back in {early} to {late}.", **times)


def explain_sheds(phase: PhaseFacts, heaters: Iterable[HeaterFacts], say: Say = english) -> str:
    """Return the one sentence about all heaters of a phase that are shed, empty if none is.

    `heaters` are those of the phase, or of all phases.
    """
    if phase.shed is None:
        return say("What is shed on phase {phase} is not known.", phase=phase.phase)
    shed = [h for h in heaters if h.phase.phase == phase.phase and h.codifier in phase.shed]
    if not shed:
        return ""
    rooms = ", ".join(dict.fromkeys(h.room or h.codifier for h in shed))
    named = {"phase": phase.phase, "count": len(shed), "rooms": rooms}
    lates = [h.cause.restore_by_s for h in shed if h.cause and h.cause.restore_by_s is not None]
    if not lates:
        text = "Phase {phase} holds back {count} heaters: {rooms}."
        if len(shed) == 1:
            text = "Phase {phase} holds back 1 heater: {rooms}."
        return say(text, **named)
    text = "Phase {phase} holds back {count} heaters: {rooms}; all are expected back within {time}."
    if len(shed) == 1:
        text = "Phase {phase} holds back 1 heater: {rooms}; it is expected back within {time}."
    return say(text, **named, time=span(max(lates), say))


def _watts(facts: HeaterFacts, say: Say) -> str:
    rated = ""
    if facts.rated_watts is not None:
        rated = say("{watts} W are declared", watts=f"{facts.rated_watts:g}")
    if facts.watts is None:
        known = rated or say("nothing is declared")
        return say("What it really draws is not learned; {known}.", known=known)
    learned = say("It draws {watts} W, as learned", watts=f"{facts.watts:.0f}")
    return f"{learned}; {rated}." if rated else f"{learned}."


def _fallback(facts: HeaterFacts, say: Say) -> str:
    if not facts.fallback:
        return ""
    named = {"card": facts.card, "shedder": facts.phase.shedder or say("the shedder")}
    why = {
        "masks": "{card} hears no masks of {shedder}",
        "meter": "The meter of phase {phase} is silent, {card} cannot trust the masks of {shedder}",
    }.get(facts.silent, "{card} hears no masks, or nothing of the meter")
    by_itself = " and goes by its fallback ({stage}): it may hold the heater back by itself."
    said = say(why, phase=facts.phase.phase, **named)
    return said + say(by_itself, stage=say(facts.fallback))


def _carried(facts: HeaterFacts, say: Say) -> str:
    """Return the sentence about a wire that differs from what it should carry."""
    applied, verified, card = facts.applied, facts.verified, facts.card
    if applied is None:
        return ""
    if facts.order is not None and applied not in _expected(facts.order, facts):
        text = "{card} carries {order} on its wire, though it is shed."
        if not facts.shed:
            text = "{card} carries {order} on its wire, though no shed is reported."
        return say(text, card=card, order=order_name(applied, say))
    if verified is not None and verified != applied:
        text = "{card} set {order} but reads back {read}: chip or wire is at fault."
        orders = {"order": order_name(applied, say), "read": order_name(verified, say)}
        return say(text, card=card, **orders)
    return ""


def _expected(order: int, facts: HeaterFacts) -> frozenset[int]:
    """Return what may be on the wire; some orders are carried out by switching between two."""
    static = frozenset({order} if order in _STATIC else {order, Order.COMFORT, Order.ECO})
    if facts.shed is None or facts.fallback:
        return static | _SHED
    return _SHED if facts.shed else static
