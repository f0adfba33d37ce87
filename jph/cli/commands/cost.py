"""`cost`: the bill of a day, a week, a month or a year."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from collector.db.connecting import connect, transaction
from collector.energy import money
from collector.energy.account import (
    FIRST_YEAR,
    Account,
    Span,
    choose_meter,
    has_meters,
    make_account,
)
from collector.energy.cost import IN_NO_INDEX, INJECTED, Bill, Wh, month_of
from collector.energy.meters import has_periods, read_tariffs
from collector.energy.tariff import Tariff
from collector.statistics.local_days import ONE_DAY
from jph.cli.terminal.context import App, json_option
from jph.cli.terminal.database import history_dsn
from jph.cli.terminal.output import echo_json, table
from jph.config.model import Network
from jph.errors import ConfigError

_HEAD: Final = ("", "kWh")
_DAYS_BACK: Final = {"today": 0, "yesterday": 1}
_WORDS: Final = {
    "BASE": "all hours",
    "HC": "off-peak",
    "HP": "peak",
    "HN": "normal",
    "PM": "moving peak",
    "HCJB": "blue, off-peak",
    "HPJB": "blue, peak",
    "HCJW": "white, off-peak",
    "HPJW": "white, peak",
    "HCJR": "red, off-peak",
    "HPJR": "red, peak",
    INJECTED: "fed in",
}


@click.command()
@click.option("--day", metavar="2026-10-05", help="One local day; also today, yesterday.")
@click.option("--week", metavar="2026-W41", help="One week, Monday to Sunday.")
@click.option("--month", metavar="2026-10", help="One month.  [default: the running one]")
@click.option("--year", metavar="2026", help="One year: the sum of its months.")
@click.option("--meter", metavar="CODE", help="Of this meter, where there are several.")
@click.option(
    "--tariffs",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What it would have cost with the Tariffs of this file.",
)
@click.option("--rebuild", is_flag=True, help="Count all energy and hours anew first.")
@json_option
@click.pass_obj
def cost(
    app: App,
    day: str | None,
    week: str | None,
    month: str | None,
    year: str | None,
    meter: str | None,
    path: Path | None,
    rebuild: bool,
    as_json: bool,
) -> None:
    """Show what electricity cost, by tariff period, to the cent.

    Each line is computed exactly for each calendar month and rounded once, half a cent up. The
    forecast of the running month continues the mean so far.
    """
    network = app.network
    days = money.local_days(network)
    now = datetime.now(days.zone)
    chosen = {"day": day, "week": week, "month": month, "year": year}
    span = parse_span({key: text for key, text in chosen.items() if text}, now.date())
    tariffs = _tariffs(network, path)
    code, of_meter = choose_meter(network, tariffs, meter)
    connection = connect(history_dsn(app), "cost")
    try:
        if rebuild:
            with transaction(connection) as cursor:
                money.rebuild(cursor, network, round(now.timestamp() * 1000))
        with transaction(connection) as cursor:
            total = not has_periods(network, code)
            read = money.read_energy(cursor, code, span.first, span.after, total=total)
    finally:
        connection.close()
    account = make_account(span, code, of_meter, read.within(days.zone), days, now)
    if as_json:
        echo_json(as_document(account))
    else:
        for line in show(account):
            click.echo(line)


def parse_span(chosen: dict[str, str], today: date) -> Span:
    """Return the days that the options mean; the running month if there are none.

    Raises:
        click.UsageError: more than one is given, one cannot be read, or no meter has its days.
    """
    if len(chosen) > 1:
        raise click.UsageError("give one of --day, --week, --month and --year")
    kind, text = next(iter(chosen.items()), ("month", f"{today:%Y-%m}"))
    if kind == "day" and text in _DAYS_BACK:
        text = (today - timedelta(days=_DAYS_BACK[text])).isoformat()
    shape, start = {
        "day": (r"\d{4}-\d\d-\d\d", "{}"),
        "week": (r"\d{4}-W\d\d", "{}-1"),
        "month": (r"\d{4}-\d\d", "{}-01"),
        "year": (r"\d{4}", "{}-01-01"),
    }[kind]
    try:
        if not re.fullmatch(shape, text):
            raise ValueError
        first = date.fromisoformat(start.format(text))
        after = {
            "day": first + ONE_DAY,
            "week": first + timedelta(days=7),
            "month": month_of(first)[1],
            "year": date(first.year + 1, 1, 1),
        }[kind]
    except (ValueError, OverflowError):
        raise click.UsageError(f"--{kind}: there is no {kind} {text!r}") from None
    if not has_meters(after - ONE_DAY, today):
        raise click.UsageError(
            f"--{kind} {text}: expected a {kind} from {FIRST_YEAR} to {today.year + 1}"
        )
    return Span(text, first, after)


def show(account: Account) -> list[str]:
    """Lay a bill out as lines."""
    span, drawn = account.span, account.drawn
    first, last = account.bill.first, account.bill.after - ONE_DAY
    lines = [f"{span.name}, meter {account.meter}: {first} to {last}", ""]
    if drawn.since is None:
        hint = "it is counted every 10 minutes, --rebuild counts now"
        return [*lines, f"nothing is known of the energy in this time ({hint})"]
    rows = [*_rows(account.bill), ("total", _kwh(account.bill.wh), _money(account.bill.cents))]
    lines += table((*_HEAD, account.currency), rows, right=f"kWh {account.currency}")
    return [*lines, "", *_notes(account)]


def as_document(account: Account) -> dict[str, Any]:
    """Return a bill as JSON; amounts are decimal texts, energy whole Wh."""
    billed, drawn, expected = account.bill, account.drawn, account.expected
    return {
        "meter": account.meter,
        "from": billed.first,
        "until": account.bill.after - ONE_DAY,
        "currency": account.currency,
        "lines": [
            {
                "tariff": line.tariff,
                "what": line.what,
                "wh": None if line.wh is None else round(line.wh),
                "amount": None if line.cents is None else _money(line.cents),
            }
            for line in billed.lines
        ],
        "wh": round(billed.wh),
        "amount": _money(billed.cents),
        "subscription": _money(billed.subscription_cents),
        "injected_wh": sum(drawn.injected.values()) if drawn.injected else None,
        "estimated_wh": drawn.estimated,
        "unpriced_wh": {period: round(wh) for period, wh in billed.unpriced.items()},
        "known_from": drawn.since,
        "known_until": drawn.until,
        "expected": expected and {"wh": round(expected.wh), "amount": _money(expected.cents)},
    }


def _tariffs(network: Network, path: Path | None) -> tuple[Tariff, ...]:
    raw: Any = network.tariffs
    if path is not None:
        try:
            raw = json.loads(path.read_bytes())["Tariffs"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f'{path} is no JSON with a list "Tariffs": {error!r}') from error
    if not isinstance(raw, list) or not raw:
        hint = "examples are in static/tariffs, --tariffs FILE tries one"
        raise ConfigError(f"no Tariffs: what does a kWh cost? ({hint})")
    return read_tariffs(network, raw)


def _rows(billed: Bill) -> Iterator[tuple[str, str, str]]:
    shown = ""
    for line in billed.lines:
        if line.tariff != shown:
            shown = line.tariff
            yield (shown or "without a tariff", "", "")
        kwh = "" if line.wh is None else _kwh(line.wh)
        amount = "not priced" if line.cents is None else _money(line.cents)
        yield (f"  {_WORDS.get(line.what, line.what)}", kwh, amount)


def _notes(account: Account) -> Iterator[str]:
    drawn, expected = account.drawn, account.expected
    if expected is not None:
        forecast = f"{_money(expected.cents)} {account.currency}, {_kwh(expected.wh)} kWh"
        yield f"if it goes on so, {account.span.name} comes to {forecast}"
    if subscription := account.bill.subscription_cents:
        yield f"the subscription is {_money(subscription)} {account.currency} of it, before taxes"
    if drawn.since is not None and drawn.until is not None:
        yield f"known from {drawn.since:%Y-%m-%d %H:%M} to {drawn.until:%Y-%m-%d %H:%M}"
    if drawn.estimated:
        yield f"{_kwh(drawn.estimated)} kWh of it are estimated: no plausible reading came"
    if account.sells and not drawn.injected:
        yield "the energy fed in is not known: no INDEX_INJECTED (EAIT, standard mode only) came"
    if account.bill.first > account.span.first:
        yield f"the bill starts at the first reading, on {account.bill.first}"
    for period, wh in account.bill.unpriced.items():
        if period == IN_NO_INDEX:
            yield f"{round(wh) / 1000:.1f} kWh are in no index but that of all periods"
            continue
        yield f"not priced: {_kwh(wh)} kWh {_WORDS.get(period, period)} (no tariff has a price)"


def _kwh(wh: Wh) -> str:
    return f"{round(wh) / 1000:.3f}"


def _money(cents: int) -> str:
    return f"{'-' * (cents < 0)}{abs(cents) // 100}.{abs(cents) % 100:02}"
