"""Rules with hysteresis, notices that wait, and the forms that services take."""

import itertools
import json
import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from jph.alerts import services
from jph.alerts.notices import MOST_WAITING, Notice, Outbox, QuietHours, notice_of
from jph.alerts.rules import RULES, Alert, AlertBook, Condition
from jph.alerts.settings import AlertsSettings, RuleSettings

NOW_MS = 1_795_000_000_000
QUIET = QuietHours("22:00-07:00")


def condition(rule: str, subject: str = "1") -> Condition:
    return Condition(rule, subject, "Phase {phase} is over.", {"phase": subject})


def events(book: AlertBook, rule: str, wrong: Iterator[bool]) -> list[Alert]:
    """Return what happens when a condition is wrong or not, second by second."""
    found: list[Alert] = []
    for second, now in enumerate(wrong):
        conditions = [condition(rule)] if now else []
        found += book.update(conditions, float(second), NOW_MS + 1000 * second)
    return found


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.clear_s])
def test_an_event_makes_one_alert_and_one_end_though_it_flaps(rule: str) -> None:
    after_s, clear_s, _ = RULES[rule]
    chance = random.Random(rule)
    flaps = [chance.random() < 0.5 for _ in range(300)]
    # Flapping before it holds, while it is open and while it goes.
    pieces = [flaps, [True] * int(after_s + 2), flaps, [False] * int(clear_s + 2), flaps[:60]]
    found = events(AlertBook(), rule, (wrong for piece in pieces for wrong in piece))
    if after_s > 10:
        assert [bool(alert.ended_ms) for alert in found] == [False, True]
        assert found[0].number == found[1].number
        assert found[0].began_ms < found[1].ended_ms
    else:  # a short delay lets chance open it earlier or again: ends and alerts still alternate
        ends = [bool(alert.ended_ms) for alert in found]
        assert ends[:2] == [False, True]
        assert all(a != b for a, b in itertools.pairwise(ends))


def test_what_does_not_hold_for_long_enough_is_no_alert() -> None:
    assert events(AlertBook(), "cold", iter([True] * 1700 + [False] * 10 + [True] * 1700)) == []


def test_subjects_are_alerts_of_their_own() -> None:
    book = AlertBook()
    both = [condition("overrun", "1"), condition("overrun", "2")]
    assert book.update(both, 0.0, NOW_MS) == []
    begun = book.update(both, 5.0, NOW_MS)
    assert [alert.subject for alert in begun] == ["1", "2"]
    assert begun[0].words() == "Phase 1 is over."
    book.update(both[1:], 6.0, NOW_MS)
    ended = book.update(both[1:], 66.0, NOW_MS + 66_000)
    assert [(alert.subject, alert.ended_ms) for alert in ended] == [("1", NOW_MS + 66_000)]
    assert list(book.open) == [("overrun", "2")]


def test_after_a_restart_an_open_alert_is_not_sent_again_and_ends() -> None:
    book = AlertBook()
    (begun,) = events(book, "disk", iter([True] * 62))
    again = AlertBook(RULES, book.open.values(), book.next_number)
    assert events(again, "disk", iter([True] * 200)) == []
    (ended,) = again.update([], 300.0, NOW_MS) or again.update([], 360.0, NOW_MS)
    assert (ended.number, ended.rule) == (begun.number, "disk")


def test_a_rule_that_is_switched_off_ends_its_alerts() -> None:
    book = AlertBook()
    events(book, "disk", iter([True] * 62))
    book.rules = {}
    assert [alert.rule for alert in book.update([condition("disk")], 99.0, NOW_MS)] == ["disk"]


def notice(number: int, *, urgent: bool = False, end: bool = False) -> Notice:
    return Notice(number, "cold", "cold", f"It is cold {number}.", urgent, end, NOW_MS)


def test_quiet_hours_pass_midnight() -> None:
    night = datetime(2026, 11, 20, 22, 0)
    inside = [QUIET.include(night + timedelta(hours=hour)) for hour in range(24)]
    assert inside == [True] * 9 + [False] * 15
    assert not any(QuietHours("").include(night + timedelta(hours=hour)) for hour in range(24))
    assert QuietHours("12:30-13:00").include(datetime(2026, 1, 1, 12, 45))
    for wrong in ("22-7", "25:00-07:00", "22:00-07:61"):
        with pytest.raises(ValueError, match="Quiet"):
            QuietHours(wrong)


def test_quiet_hours_hold_all_but_urgent_notices_in_their_order() -> None:
    outbox = Outbox()
    for each in (notice(1), notice(2, urgent=True), notice(1, end=True)):
        outbox.put(each)
    assert outbox.next(0.0, quiet=True) == notice(2, urgent=True)
    outbox.sent(notice(2, urgent=True))
    assert outbox.next(0.0, quiet=True) is None
    assert outbox.next(0.0, quiet=False) == notice(1)
    outbox.sent(notice(1))
    assert outbox.next(0.0, quiet=False) == notice(1, end=True)


def test_a_service_that_is_away_for_an_hour_loses_nothing_and_is_not_flooded() -> None:
    outbox, attempts, arrived = Outbox(), 0, []
    for second in range(7200):
        if second % 60 == 0 and second < 3600:
            outbox.put(notice(second))
        if (due := outbox.next(float(second), quiet=False)) is not None:
            if second < 3600:
                attempts += 1
                outbox.failed(float(second))
            else:
                arrived.append(due.number)
                outbox.sent(due)
    assert arrived == list(range(0, 3600, 60))
    assert attempts < 60


def test_of_too_many_the_oldest_calm_ones_go_and_are_counted() -> None:
    outbox = Outbox()
    outbox.put(notice(0, urgent=True))
    for number in range(1, MOST_WAITING + 10):
        outbox.put(notice(number))
    assert len(outbox.waiting) == MOST_WAITING
    assert outbox.waiting[0].number == 0
    assert outbox.waiting[1].number == 11
    assert outbox.dropped == 10
    assert "(10 older notices" in services.body_of(notice(1), outbox.dropped)


def test_the_end_of_an_alert_says_how_long_it_was() -> None:
    alert = Alert(
        7, "cold", "T1", "It is {celsius} °C in {room}.", {"celsius": "9", "room": "Hall"}, NOW_MS
    )
    begun = notice_of(alert, urgent=False)
    assert (begun.title, begun.text, begun.end) == ("cold", "It is 9 °C in Hall.", False)
    alert = Alert(7, "cold", "T1", alert.text, alert.values, NOW_MS, NOW_MS + 600_000)
    over = notice_of(alert, urgent=False)
    assert (over.title, over.text) == ("over: cold", "Over after 10 min: It is 9 °C in Hall.")


def test_each_service_gets_its_form() -> None:
    urgent = notice(3, urgent=True)
    sent = services.ntfy("https://ntfy.sh/house", "t0ken", urgent, "Maison d'été", 0)
    headers = dict(sent.headers)
    assert (sent.method, sent.body) == ("POST", b"It is cold 3.")
    assert (headers["Priority"], headers["Authorization"]) == ("5", "Bearer t0ken")
    assert headers["Title"] == "Maison d'?t?: cold"  # a header carries ASCII only
    sent = services.gotify("https://push.example/", "app", urgent, "home", 2)
    assert sent.url == "https://push.example/message"
    assert ("X-Gotify-Key", "app") in sent.headers
    assert json.loads(sent.body or b"")["message"].endswith("(2 older notices were dropped.)")
    sent = services.webhook("https://x.example/hook", "", notice(3, end=True), "home", 0)
    content = json.loads(sent.body or b"")
    assert (content["number"], content["end"], content["rule"]) == (3, True, "cold")
    mail = services.mail("jph@example.org", ["a@example.org", "b@example.org"], urgent, "home", 0)
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Subject"] == "home: cold"
    assert mail.get_content() == "It is cold 3.\n"


def test_rules_can_be_changed_and_left_out() -> None:
    changes = {"cold": RuleSettings(after=60.0, urgent=True), "clock": RuleSettings(active=False)}
    rules = AlertsSettings(rules=changes).watched()  # type: ignore[arg-type]
    assert (rules["cold"].after_s, rules["cold"].urgent) == (60.0, True)
    assert rules["cold"].clear_s == RULES["cold"].clear_s
    assert "clock" not in rules
    assert rules["overrun"] == RULES["overrun"]
    assert not math.isinf(max(rule.after_s for rule in rules.values()))
