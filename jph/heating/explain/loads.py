"""Explains in sentences what a load beside the heaters does, and why. Pure."""

from typing import Final

from jph.heating.explain.facts import EnergyShares, LoadFacts
from jph.heating.explain.sentences import Say, english, span

_BECAUSE: Final = {
    "overrun": "Its phase had too much, and it can wait.",
    "needed by its time": "It must run now to have what it needs by {by}.",
    "sun": "It takes what would be fed in.",
    "off-peak": "It has not had what it needs, and these are off-peak hours.",
    "needed today": "It has not had what it needs, and it fits below the limit.",
    "heaters go first": "It waits: heaters whose rooms want heat go first.",
    "no room below the limit": "It does not fit below the limit now.",
    "meter silent": "The meter is silent, and no load stays on unseen.",
    "set by hand": "A person set it; the shedder leaves it as it is for an hour.",
    "nothing is needed": "It needs nothing now, or waits for sun or off-peak hours.",
}
"""Sentences for the reasons as they travel (`jph.heating.shedding.loads.steering`)."""

NEEDED: Final = "needed by its time"


def explain_load(facts: LoadFacts, say: Say = english) -> list[str]:
    """Return the sentences about one load."""
    if not facts.reported or facts.ordered is None:
        return [say("{label}: its shedder does not tell of it.", label=facts.label)]
    sentences = [_headline(facts, say), say(_BECAUSE.get(facts.reason, facts.reason), by=facts.by)]
    if facts.turn_of:
        rooms = ", ".join(facts.turn_of)
        text = "Held off for it: {rooms}." if facts.reason == NEEDED else "It waits for: {rooms}."
        sentences.append(say(text, rooms=rooms))
    if facts.value is None:
        sentences.append(say("What it does is not known: it reports nothing."))
    elif abs(facts.value - facts.ordered) > 1e-6:
        sentences.append(say("It does not report that it obeys."))
    if facts.missing_s:
        time = span(facts.missing_s, say)
        sentences.append(say("It still needs {time} by {by}.", time=time, by=facts.by))
    sentences.append(_energy(facts, say))
    return [sentence for sentence in sentences if sentence]


def explain_shares(shares: EnergyShares, say: Say = english) -> str:
    """Return the sentence about the energy of the day."""
    rest = max(0.0, 1.0 - shares.heating - sum(shares.loads.values()))
    parts = [(say("heating"), shares.heating), *shares.loads.items(), (say("the rest"), rest)]
    return say(
        "Since midnight {kwh} kWh: {parts} (± {error} %).",
        kwh=f"{shares.kwh:.1f}",
        parts=", ".join(f"{name} {100 * part:.0f} %" for name, part in parts),
        error=f"{100 * shares.error:.0f}",
    )


def _headline(facts: LoadFacts, say: Say) -> str:
    if facts.charger and facts.ordered:
        current = f"{facts.ordered:g}"
        return say("{label}: ordered {current} A.", label=facts.label, current=current)
    text = "{label}: ordered on." if facts.ordered else "{label}: ordered off."
    return say(text, label=facts.label)


def _energy(facts: LoadFacts, say: Say) -> str:
    if facts.kwh is None or facts.error_kwh is None:
        return ""
    text = "It has taken {kwh} kWh (± {error}) since {by}."
    return say(text, kwh=f"{facts.kwh:.1f}", error=f"{facts.error_kwh:.1f}", by=facts.by)
