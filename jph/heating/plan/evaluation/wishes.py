"""Hand wishes and absences in the document: what people do beside the plan. Pure.

They stand in the document as `"hand": {room: [wish, …]}` and `"absence": {…} | null`, so that undo
takes them back as it takes back an edit of a schedule.
"""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from jph.heating.plan.document.check import Tree, setpoint_of
from jph.heating.plan.document.refusal import bad_reference, bad_value
from jph.heating.plan.evaluation.wish import Wish, hand_wish_at

LONGEST_HOLD_MS: Final = 366 * 86_400_000
_MOST_WISHES: Final = 4
"""Hand wishes kept for a room: a boost over a hold, and one more of each."""


class Absence(msgspec.Struct, frozen=True):
    """Everyone is away: each room holds `value` until the rooms are warm again at `until_ms`.

    Attributes:
        value: °C, or the word of an order.
        start_ms: since when, ms since 1970.
        until_ms: when people are back; None: not known.
        author: who said so.
    """

    value: float | str
    start_ms: int
    until_ms: int | None = None
    author: str = ""

    def holds(self, now_ms: int) -> bool:
        """Say whether it is running."""
        begun = self.start_ms <= now_ms
        return begun and (self.until_ms is None or now_ms < self.until_ms)

    def ends(self, wish: Wish, now_ms: int) -> bool:
        """Say whether a hand wish ended at the start of this absence: it was there before."""
        return wish.start_ms < self.start_ms <= now_ms

    def is_over(self, now_ms: int) -> bool:
        """Say whether people are back."""
        return self.until_ms is not None and now_ms >= self.until_ms


def hand_wishes(document: Tree, room: str) -> list[Wish]:
    """Return the hand wishes of a room."""
    return [msgspec.convert(each, Wish) for each in document.get("hand", {}).get(room, ())]


def absence_of(document: Tree) -> Absence | None:
    """Return the absence that was set."""
    kept = document.get("absence")
    return None if kept is None else msgspec.convert(kept, Absence)


def with_wish(document: Tree, room: str, wish: Wish, rooms: Collection[str]) -> Tree:
    """Return the document with one more hand wish; it counts from its start on.

    Raises:
        PlanRefusedError: the room is unknown, or the value or the end is wrong.
    """
    if room not in rooms:
        raise bad_reference("/rooms", room, "room")
    value = setpoint_of(wish.value, f"/hand/{room}")
    _check_end(wish.start_ms, wish.end_ms, f"/hand/{room}")
    running = [
        each
        for each in hand_wishes(document, room)
        if each.end_ms is None or each.end_ms > wish.start_ms
    ]
    # A wish without an end replaces all; one with an end goes back to what was there before.
    kept = [each for each in running if wish.end_ms is not None and each.end_ms is None]
    listed = [*kept, msgspec.structs.replace(wish, value=value)][-_MOST_WISHES:]
    hand = {**document.get("hand", {}), room: msgspec.to_builtins(listed)}
    return {**document, "hand": hand}


def without_wishes(document: Tree, rooms: Collection[str] | None = None) -> Tree:
    """Return the document without the hand wishes of some rooms, or of all."""
    hand: dict[str, Any] = document.get("hand", {})
    kept = {} if rooms is None else {room: each for room, each in hand.items() if room not in rooms}
    return {**document, "hand": kept}


def with_absence(document: Tree, absence: Absence, now_ms: int | None = None) -> Tree:
    """Return the document with an absence; its start ends all hand wishes made before it.

    Raises:
        PlanRefusedError: the value or the end is wrong.
    """
    value = setpoint_of(absence.value, "/absence/value")
    _check_end(absence.start_ms, absence.until_ms, "/absence/until")
    kept = msgspec.to_builtins(msgspec.structs.replace(absence, value=value))
    begun = now_ms is None or absence.start_ms <= now_ms
    return {**(without_wishes(document) if begun else document), "absence": kept}


def without_absence(document: Tree) -> Tree:
    """Return the document without an absence: people are at home."""
    return {**document, "absence": None}


def tidied(document: Tree, now_ms: int) -> Tree:
    """Return the document without wishes and absences that are over; the same one if none is."""
    hand: dict[str, Any] = document.get("hand", {})
    absence = absence_of(document)
    kept = {}
    for room, listed in hand.items():
        wishes = [
            each
            for each, wish in zip(listed, hand_wishes(document, room), strict=True)
            if (wish.end_ms is None or wish.end_ms > now_ms)
            and not (absence is not None and absence.ends(wish, now_ms))
        ]
        if wishes:
            kept[room] = wishes
    over = absence is not None and absence.is_over(now_ms)
    if kept == hand and not over:
        return document
    return {**document, "hand": kept, "absence": None if over else document.get("absence")}


def running_wish(document: Tree, room: str, now_ms: int) -> Wish | None:
    """Return the hand wish of a room that counts now."""
    wishes, absence = hand_wishes(document, room), absence_of(document)
    if absence is not None:
        wishes = [wish for wish in wishes if not absence.ends(wish, now_ms)]
    return hand_wish_at(wishes, now_ms)


def _check_end(start_ms: int, end_ms: int | None, path: str) -> None:
    if end_ms is None:
        return
    if not start_ms < end_ms <= start_ms + LONGEST_HOLD_MS:
        raise bad_value(path, end_ms, "The end must lie after the start, and within a year")
