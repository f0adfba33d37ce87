"""`why`: explains the state of a heater from the messages on the bus."""

import time
from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from jph.cli.commands.schedule import heaters_of, why_room
from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json
from jph.cli.terminal.zone import local_zone
from jph.client.evidence import gather
from jph.config.house.loads import Load
from jph.config.model import Network
from jph.errors import ConfigError, JphError
from jph.heating.explain.clocks import Clocks
from jph.heating.explain.facts import Evidence
from jph.heating.explain.heaters import explain, explain_phase, explain_sheds
from jph.heating.explain.loads import explain_load, explain_shares
from jph.node.outbox import now_ms

_MARGIN_S: Final = 0.5
_LONGEST_WAIT_S: Final = 12.0


@click.command()
@click.argument("what", nargs=-1, metavar="[HEATER|ROOM|PHASE]")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long to listen at most.  [default: the longest SensorInterval of the nodes asked, "
    f"at most {_LONGEST_WAIT_S:g} s]",
)
@json_option
@click.pass_obj
def why(app: App, what: tuple[str, ...], wait_s: float | None, as_json: bool) -> None:
    r"""Explain why a heater is on or off: its order, its author, what sheds it, until when.

    \b
      control.py why 21             a heater
      control.py why living room    every heater of a room, its wish, and what comes next
      control.py why phase 2        every heater of a phase; 2 will do
      control.py why water heater   a load beside the heaters
      control.py why                what is shed now, a line for each phase

    It listens on the bus until every node concerned has answered, and names what stays unknown.
    Exit status 1 if no node answers at all.
    """
    evidence = Evidence(app.network)
    if loads := loads_called(evidence, " ".join(what)):
        _why_loads(app, evidence, loads, wait_s, as_json)
        return
    chosen = heaters_of(app, " ".join(what)) or choose(evidence, " ".join(what))
    if wait_s is None:
        wait_s = _patience(app.network, evidence, chosen) * app.patience
    clocks = Clocks(app.network)
    planned = why_room(app, " ".join(what)) if what else []
    run_async(_listen(app, evidence, chosen, wait_s, clocks))
    if not evidence.heard:
        raise JphError(f"no node reports heaters or phases within {wait_s:g} s")
    if not what:
        chosen = [h for h in chosen if evidence.heater(h.codifier, time.monotonic()).shed]
    doubts = [each.words() for each in evidence.doubts(clocks.offsets, time.monotonic())]
    if as_json:
        _show_json(app.network, evidence, chosen, bool(what), doubts)
        return
    for line in (*doubts, *planned):
        click.echo(line)
    _show(app.network, evidence, chosen, bool(what))


def loads_called(evidence: Evidence, what: str) -> list[str]:
    """Return the loads beside the heaters of a codifier or a name; `loads` are all."""
    wanted = what.casefold().strip()
    if wanted == "loads":
        return list(evidence.loads)
    return [code for code, label in evidence.loads.items() if wanted in _called(code, label)]


def _called(code: str, label: str) -> tuple[str, str]:
    return code.casefold(), label.removeprefix(f"{code} ").strip("()").casefold()


def _why_loads(
    app: App, evidence: Evidence, loads: Sequence[str], wait_s: float | None, as_json: bool
) -> None:
    """Explain loads beside the heaters."""
    evidence.loads_asked = set(loads)
    shedders = {evidence.shedder_of(code) for code in loads}
    if wait_s is None:
        slowest = max(app.network.sensor(node).sensor_interval for node in shedders)
        wait_s = min(5 * slowest + _MARGIN_S, _LONGEST_WAIT_S) * app.patience

    async def listen() -> None:
        async with app.session(data=True) as session:
            clocks = Clocks(app.network)
            await gather(session.client, evidence, (), shedders, wait_s or 0.0, clocks)

    run_async(listen())
    facts = [evidence.load(code, time.monotonic()) for code in loads]
    if as_json:
        echo_json({"loads": [each._asdict() | {"why": explain_load(each)} for each in facts]})
        return
    for each in facts:
        click.echo("\n  ".join(explain_load(each)))
    if shares := evidence.shares(time.monotonic()):
        click.echo(explain_shares(shares))


def choose(evidence: Evidence, what: str) -> list[Load]:
    """Return the heaters of a codifier, a room, a phase, or (nothing) all.

    Raises:
        ConfigError: there is nothing of that name; names what there is.
    """
    heaters = list(evidence.wiring.heaters.values())
    if not heaters:
        raise ConfigError("the configuration has no heaters: no PilotCard with Wires")
    wanted = what.casefold().strip()
    if wanted.upper() in evidence.wiring.heaters:
        return [evidence.wiring.heaters[wanted.upper()]]
    digit = wanted.removeprefix("phase").removeprefix("l").strip()
    tests = (
        lambda h: not wanted,
        lambda h: str(h.phase) == digit,
        lambda h: h.room.casefold() == wanted,
        lambda h: wanted in h.room.casefold(),
    )
    for test in tests:
        if found := [heater for heater in heaters if test(heater)]:
            return found
    rooms = ", ".join(sorted({h.room for h in heaters if h.room})) or "none are named"
    raise ConfigError(
        f"{what!r} is no heater, room or phase; rooms: {rooms}; "
        f"heaters: {' '.join(h.codifier for h in heaters)}"
    )


def _nodes(evidence: Evidence, chosen: Sequence[Load]) -> set[str]:
    """Return the cards and shedders of these heaters."""
    phases = {heater.phase for heater in chosen}
    shedders = {r.shedder for n, r in evidence.phases.items() if n in phases}
    return {heater.actuator.card for heater in chosen} | shedders


def _patience(network: Network, evidence: Evidence, chosen: Sequence[Load]) -> float:
    nodes = _nodes(evidence, chosen)
    slowest = max(network.sensor(node).sensor_interval for node in nodes)
    return min(slowest + _MARGIN_S, _LONGEST_WAIT_S)


async def _listen(
    app: App, evidence: Evidence, chosen: Sequence[Load], wait_s: float, clocks: Clocks
) -> None:
    async with app.session(data=True) as session:
        await gather(session.client, evidence, chosen, _nodes(evidence, chosen), wait_s, clocks)


def _names(network: Network) -> dict[str, str]:
    return {s.codifier: s.short_name or s.name for s in network.sensors}


def _show(network: Network, evidence: Evidence, chosen: list[Load], asked: bool) -> None:
    if not asked:
        _show_sheds(evidence, bool(chosen))
        return
    names, now, one = _names(network), now_ms(), len(chosen) == 1
    for heater in chosen:
        facts = evidence.heater(heater.codifier, time.monotonic())
        click.echo(
            "\n  ".join(explain(facts, now, names, with_phase=one, zone=local_zone(network)))
        )
        if not one:
            click.echo()
    if one:
        return
    for number in sorted({h.phase for h in chosen}):
        phase = evidence.phase(number, time.monotonic())
        if phase.shedder and phase.shed is None:
            shedder = names.get(phase.shedder) or phase.shedder
            click.echo(f"What is shed on phase {number} is not known: {shedder} sends nothing.")
        click.echo(explain_phase(phase))


def _show_sheds(evidence: Evidence, some: bool) -> None:
    """Show each phase: one line about all heaters that are shed, one about its current."""
    now_s = time.monotonic()
    heaters = [evidence.heater(code, now_s) for code in evidence.wiring.heaters]
    if not some:
        click.echo("Nothing is shed.")
    for number in sorted(evidence.wiring.phases):
        phase = evidence.phase(number, now_s)
        if (phase.shedder or phase.shed) and (said := explain_sheds(phase, heaters)):
            click.echo(said)
        click.echo(explain_phase(phase))
    if some:
        click.echo("`why HEATER`, `why ROOM` or `why PHASE` explains each.")


def _show_json(
    network: Network, evidence: Evidence, chosen: list[Load], asked: bool, doubts: list[str]
) -> None:
    names, now = _names(network), now_ms()
    phases = {h.phase for h in chosen} if asked else set(evidence.wiring.phases)
    echo_json(
        {
            "doubts": doubts,
            "heaters": [
                _as_json(evidence, h.codifier, now, names, local_zone(network)) for h in chosen
            ],
            "phases": [
                evidence.phase(number, time.monotonic())._asdict() for number in sorted(phases)
            ],
        }
    )


def _as_json(
    evidence: Evidence, codifier: str, now: float, names: dict[str, str], zone: ZoneInfo
) -> dict[str, Any]:
    facts = evidence.heater(codifier, time.monotonic())
    return {
        **facts._asdict(),
        "cause": facts.cause._asdict() if facts.cause else None,
        "phase": facts.phase.phase,
        "sentences": explain(facts, now, names, zone=zone),
    }
