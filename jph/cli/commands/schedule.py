"""`schedule`: wishes of rooms, absences and schedules, through the Schedule node."""

import contextlib
import datetime
import getpass
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from jph.cli.commands.drill import Duration
from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json
from jph.client import plan
from jph.config.house.loads import Load, wiring
from jph.config.house.rooms import Room, rooms_of
from jph.config.model import Network
from jph.errors import ConfigError, JphError
from jph.extras import advice
from jph.heating.orders.coding import plain
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.document.original_yaml import document_of
from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.settings import ScheduleSettings
from jph.node.outbox import now_ms
from nodes.schedule import Schedule

_DAY_S: Final = 86_400.0
_LAYERS: Final = {
    "hand": "by hand",
    "absence": "away",
    "schedule": "by the schedule",
    "default": "its default",
    "range": "the room's Minimum and Maximum",
    "at most": "capped by a rule",
    "window": "a window is open",
    "frost floor": "frost floor",
}

_LIMITS: Final = frozenset({"at most", "window", "frost floor"})
"""Layers that change a wish."""


@click.group()
def schedule() -> None:
    r"""Wishes of rooms, absences and schedules.

    \b
      control.py schedule list                     every room: its wish, why, and what comes next
      control.py schedule set bathroom 21 --for 2h
      control.py schedule boost bathroom           3 °C more for an hour
      control.py schedule away 2026-12-27T18:00    warm again by then
      control.py schedule undo                     takes back the last change
    """


def _ask(app: App, verb: str, params: object) -> dict[str, Any]:
    """Send an edit as the user of this terminal, and return the answer."""
    author = f"{getpass.getuser()} (console)"

    async def work() -> dict[str, Any]:
        async with app.session(data=True) as session:
            return await plan.edit(
                session.client, app.network, app.console.codifier, verb, params, author
            )

    plan.schedule_node(app.network)
    return run_async(work())


def _room(app: App, text: str) -> Room:
    """Return the room of a name or codifier; capitals and accents do not matter."""
    rooms = rooms_of(app.network, wiring(app.network).heaters)
    wanted = plain(text)
    for room in rooms:
        if wanted == plain(room.codifier) or wanted in map(plain, room.settings.names):
            return room
    known = ", ".join(room.name for room in rooms) or "the config has no Rooms"
    raise ConfigError(f"there is no room {text!r}; known: {known}")


def _value(text: str) -> float | str:
    """Read a temperature, with a point or a comma, or the word of an order."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def _zone() -> ZoneInfo:
    """Return the zone of the plan: 22:00 is its evening, wherever the command runs."""
    app = click.get_current_context().find_object(App)
    assert app is not None
    settings = Schedule.check_settings(plan.schedule_node(app.network))
    assert isinstance(settings, ScheduleSettings)
    return ZoneInfo(settings.time_zone)


def _moment(text: str) -> int:
    """Read a time of today or tomorrow (22:00), or a date and time, as ms since 1970."""
    zone = _zone()
    now = datetime.datetime.now(zone)
    try:
        if len(text) <= 5 and ":" in text:
            time = datetime.time.fromisoformat(text)
            found = now.replace(hour=time.hour, minute=time.minute, second=0, microsecond=0)
            found += datetime.timedelta(days=1) if found <= now else datetime.timedelta()
        else:
            found = datetime.datetime.fromisoformat(text)
            found = found if found.tzinfo else found.replace(tzinfo=zone)
    except ValueError:
        expected = f"expected 22:00, 2026-12-27 or 2026-12-27T18:00, found {text!r}"
        raise click.BadParameter(expected) from None
    return round(found.timestamp() * 1000)


def _clock(at_ms: float) -> str:
    at = datetime.datetime.fromtimestamp(at_ms / 1000, _zone())
    near = at_ms - now_ms() < _DAY_S * 1000
    return at.strftime("%H:%M" if near else "%a %d %b %H:%M")


def _degrees(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g} °C"


@schedule.command("list")
@json_option
@click.pass_obj
def list_rooms(app: App, as_json: bool) -> None:
    """Show every room: its wish, the layer that decides it, and its next change."""
    result = _ask(app, "explain", {"hours": 24})["result"]
    if as_json:
        echo_json(result)
        return
    for line in _lines(result):
        click.echo(line)


@schedule.command()
@click.argument("room", required=False)
@click.option("--next", "hours", type=Duration(), default="24h", help="How far to look ahead.")
@json_option
@click.pass_obj
def explain(app: App, room: str | None, hours: float, as_json: bool) -> None:
    """Show each layer of a room's wish, and every change to come."""
    result = _ask(app, "explain", {"hours": hours / 3600})["result"]
    if room is not None:
        name = _room(app, room).name
        result["rooms"] = {name: result["rooms"][name]}
        result["coming"] = [each for each in result["coming"] if each["room"] == name]
    if as_json:
        echo_json(result)
        return
    for name, each in result["rooms"].items():
        click.echo(f"{name}: {_degrees(each['wish'])}")
        for step in each["layers"]:
            mark = "→" if step["decides"] else " "
            wish = step["wish"]
            parts = [_LAYERS[step["layer"]], _degrees(wish["value"])]
            parts += [f"until {_clock(wish['end_ms'])}"] if wish["end_ms"] else []
            parts += [wish[key] for key in ("source", "author") if wish[key]]
            click.echo(f"  {mark} {', '.join(parts)}")
        if warm_up := each.get("warm_up"):
            click.echo(f"    {_rate(warm_up)}")
        for change in result["coming"]:
            if change["room"] == name:
                why = _LAYERS[change["by"]]
                click.echo(f"    {_clock(change['at_ms'])} {_degrees(change['wish'])}, {why}")


def _rate(warm_up: dict[str, Any]) -> str:
    """Return how fast a room warms up, and how sure that is."""
    rate = f"warms up by {warm_up['k_per_h']:g} °C an hour"
    if not warm_up["rises"]:
        return f"{rate} (assumed, nothing learned yet)"
    return f"{rate} (learned from {warm_up['rises']}, confidence {warm_up['confidence']:.0%})"


def room_lines(name: str, result: dict[str, Any]) -> list[str]:
    """Return a room's wish with the layer that decides it, and what comes next."""
    room = result["rooms"][name]
    deciding = next(step for step in reversed(room["layers"]) if step["decides"])
    wish = deciding["wish"]
    parts = [_LAYERS[deciding["layer"]], *(wish[key] for key in ("source", "author") if wish[key])]
    parts += [f"until {_clock(wish['end_ms'])}"] if wish["end_ms"] else []
    lines = [f"{name}: the wish is {_degrees(room['wish'])}, {', '.join(parts)}."]
    coming = next((each for each in result["coming"] if each["room"] == name), None)
    if coming is None:
        return [*lines, "No change is planned within a day."]
    then = f"{_degrees(coming['wish'])} at {_clock(coming['at_ms'])}, {_LAYERS[coming['by']]}"
    return [*lines, f"Next: {then}."]


def heaters_of(app: App, text: str) -> list[Load]:
    """Return the heaters of a room of `Rooms` in any of its names; nothing for other texts."""
    try:
        return list(_room(app, text).heaters)
    except ConfigError:
        return []


def why_room(app: App, text: str) -> list[str]:
    """Return what the plan says of a room; nothing without a Schedule node or such a room."""
    try:
        room = _room(app, text)
        plan.schedule_node(app.network)
    except ConfigError:
        return []
    try:
        return room_lines(room.name, _ask(app, "explain", {"hours": 24})["result"])
    except JphError as error:
        return [f"{room.name}: the wish is not known: {error}"]


def _lines(result: dict[str, Any]) -> Iterator[str]:
    away = result["away"]
    if away is not None:
        end = f" until {_clock(away['until_ms'])}" if away["until_ms"] else ""
        yield f"away{end}, {_degrees(away['value'])}"
    for name, each in result["rooms"].items():
        coming = next((c for c in result["coming"] if c["room"] == name), None)
        then = f"; {_clock(coming['at_ms'])} {_degrees(coming['wish'])}" if coming else ""
        yield f"{name}: {_degrees(each['wish'])}, {_LAYERS[each['by']]}{then}"
    if result["unconfirmed"]:
        yield f"no answer from heaters {' '.join(result['unconfirmed'])}"


@schedule.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("room")
@click.argument("wish")
@click.option("--for", "seconds", type=Duration(), help="End after this time, such as 2h.")
@click.option("--until", help="End at this moment: 22:00, or a date and time.")
@click.option("--next", "until_next", is_flag=True, help="End at the next change of the plan.")
@click.pass_obj
def set_wish(
    app: App, room: str, wish: str, seconds: float | None, until: str | None, until_next: bool
) -> None:
    """Wish a temperature (21, 19.5) or an order (eco, frost) for a room."""
    params: dict[str, Any] = {"room": _room(app, room).name, "value": _value(wish)}
    if sum((seconds is not None, until is not None, until_next)) > 1:
        raise click.UsageError("give one of --for, --until, --next")
    if seconds is not None:
        params["for_s"] = seconds
    elif until is not None:
        params["until_ms"] = _moment(until)
    elif until_next:
        params["until_ms"] = "next"
    _ask(app, "wish", params)
    _echo_wish(app, params["room"], params["value"])


def _echo_wish(app: App, room: str, value: float | str, end: str = "") -> None:
    """Print the wish that a room has now, and why it is not the one that was asked for."""
    now = _ask(app, "explain", {"hours": 1})["result"]["rooms"][room]
    click.echo(f"{room}: {_became(now, value)}{end}")


def _became(room: dict[str, Any], value: float | str) -> str:
    if room["wish"] == value:
        return _degrees(value)
    by = str(room["by"])
    why = _LAYERS[by] if by in _LIMITS else "the room's Minimum and Maximum allow no other"
    return f"{_degrees(room['wish'])}, not {_degrees(value)}: {why}"


@schedule.command()
@click.argument("room")
@click.argument("seconds", type=Duration(), default="1h", metavar="[TIME]")
@click.option("--by", "kelvin", type=float, default=3.0, help="By how much, K.")
@click.pass_obj
def boost(app: App, room: str, seconds: float, kelvin: float) -> None:
    """Warm a room for a time: its wish rises, and so does its rank in the shedder."""
    name = _room(app, room).name
    now = _ask(app, "explain", {"hours": 1})["result"]["rooms"][name]
    wish = round(now["degrees"] + kelvin, 1)
    params = {"room": name, "value": wish, "for_s": seconds, "boost": True}
    _ask(app, "wish", params)
    _echo_wish(app, name, wish, f" until {_clock(now_ms() + 1000 * seconds)}")


@schedule.command()
@click.argument("room")
@click.pass_obj
def cancel(app: App, room: str) -> None:
    """End the hand wishes of a room: its plan holds again."""
    _ask(app, "cancel", {"room": _room(app, room).name})


@schedule.command()
@click.argument("room")
@click.pass_obj
def skip(app: App, room: str) -> None:
    """Leave out the next change of a room's plan."""
    _ask(app, "skip", {"room": _room(app, room).name})


@schedule.command()
@click.argument("room")
@click.pass_obj
def advance(app: App, room: str) -> None:
    """Begin the next slot of a room's plan now."""
    _ask(app, "advance", {"room": _room(app, room).name})


@schedule.command()
@click.argument("until", required=False)
@click.option("--wish", default="frost", help="Temperature or order meanwhile.")
@click.pass_obj
def away(app: App, until: str | None, wish: str) -> None:
    """Leave: every room rests, and is warm again by UNTIL. Ends all hand wishes."""
    params: dict[str, Any] = {"value": _value(wish)}
    if until is not None:
        params["until_ms"] = _moment(until)
    _ask(app, "away", params)
    back = f" until {_clock(params['until_ms'])}" if until is not None else ""
    click.echo(f"away{back}, {_degrees(params['value'])}")
    for name, each in _ask(app, "explain", {"hours": 1})["result"]["rooms"].items():
        if each["wish"] != params["value"]:
            click.echo(f"{name}: {_became(each, params['value'])}")


@schedule.command()
@click.pass_obj
def quiet(app: App) -> None:
    """Begin the night now: every room has its wish of the night until its plan changes after it."""
    _ask(app, "quiet", {})
    for line in _lines(_ask(app, "explain", {"hours": 24})["result"]):
        click.echo(line)


@schedule.command()
@click.pass_obj
def home(app: App) -> None:
    """End the absence."""
    _ask(app, "home", {})
    click.echo("at home")


@schedule.command()
@click.pass_obj
def undo(app: App) -> None:
    """Take back the last change."""
    changes = _ask(app, "explain", {"hours": 1})["result"]["changes"]
    _ask(app, "undo", {})
    last = changes[-1]
    click.echo(f"taken back: {last['what']} ({last['author']}, {_clock(last['at_ms'])})")


@schedule.command()
@click.argument("name")
@click.pass_obj
def use(app: App, name: str) -> None:
    """Make a schedule the active one; `none` for none."""
    _ask(app, "set_active_schedule", {"schedule_name": "" if name == "none" else name})
    click.echo(f"active schedule: {name}")


@schedule.command()
@click.argument("name", required=False)
@click.pass_obj
def show(app: App, name: str | None) -> None:
    """Print a schedule, or the names of all, as JSON."""
    scheduler = _ask(app, "document", {})["result"]["document"]["scheduler"]
    if name is None:
        active = scheduler["active_schedule"]
        if not scheduler["schedules"]:
            click.echo("no schedules yet: `schedule import FILE` brings some")
        for each in scheduler["schedules"]:
            click.echo(f"{each['alias']}{' (active)' if each['alias'] == active else ''}")
        return
    found = [each for each in scheduler["schedules"] if each["alias"] == name]
    if not found:
        raise ConfigError(f"there is no schedule {name!r}")
    echo_json(found[0])


@schedule.command()
@click.pass_obj
def export(app: App) -> None:
    """Print schedules and temperature sets in the form of the heating control server (JSON)."""
    document = _ask(app, "document", {})["result"]["document"]
    echo_json({key: document[key] for key in ("devices", "scheduler")})


@schedule.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def check(app: App, file: Path) -> None:
    """Check a file of schedules (as `export` prints, or of the control server); change nothing."""
    scheduler = checked(_parsed(file), app.network)
    names = [each["alias"] for each in scheduler["schedules"]]
    active = scheduler["active_schedule"] or "none"
    click.echo(f"no mistakes: {len(names)} schedules, {active} is active")


def checked(tree: object, network: Network) -> dict[str, Any]:
    """Return the scheduler of a parsed file.

    Raises:
        PlanRefusedError: the first mistake, with its place.
    """
    content = tree if isinstance(tree, dict) else {}
    if "protocols" in content:
        return dict(document_of(content)["scheduler"])
    rooms = rooms_of(network, wiring(network).heaters)
    devices = [each.get("name") for each in content.get("devices") or () if isinstance(each, dict)]
    names = [room.name for room in rooms] + [str(name) for name in devices if name]
    return check_scheduler(content.get("scheduler", tree), names)


@schedule.command()
@click.pass_obj
def edit(app: App) -> None:
    """Edit schedules and sets as JSON in $EDITOR; a mistake is shown with its place."""
    before = _ask(app, "document", {})["result"]["document"]["scheduler"]
    text = json.dumps(before, indent=2, ensure_ascii=False) + "\n"
    while True:
        found = click.edit(text, extension=".json")
        if found is None or found == text:
            click.echo("nothing changed")
            return
        text = found
        try:
            scheduler = checked({"scheduler": json.loads(text)}, app.network)
            break
        except (ValueError, PlanRefusedError) as error:
            click.echo(f"{error}", err=True)
            if not click.confirm("Edit again?", default=True):
                raise click.Abort from None
    _ask(app, "set_scheduler", {"scheduler": scheduler, "before": before})
    click.echo("the plan is changed; `schedule undo` takes it back")


@schedule.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_file(app: App, file: Path) -> None:
    """Replace schedules and sets by those of a file of the heating control server (YAML, JSON)."""
    _ask(app, "import", {"tree": _parsed(file)})


def _parsed(file: Path) -> object:
    text = file.read_text(encoding="utf-8")
    with contextlib.suppress(ValueError):
        return json.loads(text)
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise ConfigError(advice("a YAML file", ["yaml"])) from None
    loader: Any = type("FileLoader", (yaml.SafeLoader,), {})
    for tag in ("!secret", "!env"):
        loader.add_constructor(tag, lambda made, node: made.construct_scalar(node))
    try:
        found: object = yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is no YAML: {error}") from error
    return found
