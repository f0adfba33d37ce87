"""Changes and refusals as templates with values, and the quiet night."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jph.heating.plan.conditions.calendar import night_after
from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.document.versions import Versions, empty_document, from_stored
from jph.heating.plan.edits.commands import Scene, answer_of, carry_out
from jph.heating.plan.edits.edit import Entities
from jph.heating.plan.evaluation.planner import Coming
from jph.heating.plan.evaluation.wish import Decision
from jph.heating.plan.evaluation.wishes import hand_wishes

NOW, HOUR = 1_800_000_000_000, 3_600_000
PARIS = ZoneInfo("Europe/Paris")
PLAN: dict[str, list[tuple[int, float]]] = {
    "Salon": [(1, 20.0), (5, 16.5), (12, 19.0)],  # by hours from now; the night is at 8
    "Bain": [],
}


def scene() -> Scene:
    """Return a scene of two rooms, of which one has a plan."""

    def coming(room: str, count: int) -> list[Coming]:
        listed = [Coming(NOW + at * HOUR, room, Decision(v, ())) for at, v in PLAN[room]]
        return listed[:count]

    return Scene(
        ("Salon", "Bain"), Entities(()), NOW, coming, lambda _: 18.0, night_ms=NOW + 8 * HOUR
    )


def start() -> Versions:
    return Versions(empty_document([{"name": "Salon", "srventity": "ZS"}]))


def test_a_quiet_night_is_the_wish_of_the_night_until_the_plan_changes_after_it() -> None:
    night = carry_out(start(), "quiet", {}, "ann", scene())
    (wish,) = hand_wishes(night.document, "Salon")
    assert (wish.value, wish.end_ms, wish.author) == (16.5, NOW + 12 * HOUR, "ann")
    assert hand_wishes(night.document, "Bain") == [], "its plan has no end of the night"
    assert night.changes[-1].values == {"count": 1}
    undone = carry_out(night, "undo", {}, "ann", scene())
    assert undone.document == start().document


@pytest.mark.parametrize(
    ("now", "night"),
    [
        ("2026-11-24 21:30", "2026-11-25 03:00"),
        ("2026-11-24 02:00", "2026-11-24 03:00"),
        ("2026-11-24 04:00", "2026-11-24 04:00"),
        ("2026-11-24 06:00", "2026-11-25 03:00"),
        ("2027-03-27 22:00", "2027-03-28 03:00"),  # 2:00 to 3:00 is skipped
        ("2026-10-24 22:00", "2026-10-25 03:00"),  # 2:00 to 3:00 is there twice
    ],
)
def test_the_middle_of_the_night(now: str, night: str) -> None:
    moments = [datetime.fromisoformat(each).replace(tzinfo=PARIS) for each in (now, night)]
    begins, expected = (round(each.timestamp() * 1000) for each in moments)
    found = night_after(begins, PARIS)
    assert datetime.fromtimestamp(found / 1000, UTC) == datetime.fromtimestamp(expected / 1000, UTC)


@pytest.mark.parametrize(
    ("verb", "params", "text", "values"),
    [
        ("wish", {"room": "Salon", "value": 21.0}, "{room}: {wish}", {"room": "Salon", "wish": 21}),
        (
            "wish",
            {"room": "Salon", "value": 21.0, "for_s": 3600, "boost": True},
            "{room}: boost, {wish} until {until}",
            {"room": "Salon", "wish": 21, "until": NOW + HOUR},
        ),
        ("away", {}, "away from {from}, {wish}", {"wish": "frost", "from": NOW}),
        ("skip", {"room": "Salon"}, "{room}: skips the next change", {"room": "Salon"}),
    ],
)
def test_a_change_has_a_template_and_its_values(
    verb: str, params: dict[str, Any], text: str, values: dict[str, Any]
) -> None:
    change = carry_out(start(), verb, params, "ann", scene()).changes[-1]
    assert (change.text, change.values) == (text, values)


def test_versions_of_an_earlier_file_have_no_templates() -> None:
    stored = carry_out(start(), "wish", {"room": "Salon", "value": 21}, "ann", scene()).as_stored()
    for change in stored["changes"]:
        del change["text"], change["values"]
    assert from_stored(stored).changes[0].text == ""


def test_a_refusal_carries_its_template_to_pages_and_its_sentence_to_all() -> None:
    with pytest.raises(PlanRefusedError) as refused:
        carry_out(start(), "wish", {"room": "Salon", "value": "warm"}, "ann", scene())
    error = answer_of("1", "wish", refused.value, 0)["error"]
    assert error["text"].format_map(error["values"]) == refused.value.sentence
    assert "comfort-1, comfort-2, eco, frost, off" in error["generic_desc"]
    assert "text" not in refused.value.as_answer(), "the app knows no templates"
    with pytest.raises(PlanRefusedError, match=r"There is no room called \{x\}"):
        carry_out(start(), "wish", {"room": "{x}", "value": 20}, "ann", scene())
