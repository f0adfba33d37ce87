"""`ping`: is a node there, how fast does it answer, how far off is its clock."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from statistics import fmean
from typing import Final, NamedTuple

import click

from jph.cli.context import App, codifier_argument, json_option, run_async
from jph.cli.output import echo_json, table
from jph.config.model import Sensor
from jph.node.outbox import ping_number
from jph.wire.codec import EVERY_NODE, Control, Flag
from nodes.controlprogram import ControlProgram, on_bus

ANSWER_LIMIT_S: Final = 2.0


class Answer(NamedTuple):
    """One answer to one ping. `offset_ms` is positive when the other's clock is ahead of ours."""

    codifier: str
    round_trip_ms: float
    offset_ms: float
    active: bool


class Pinger:
    """Sends pings through a console and collects the answers to its own."""

    def __init__(self, console: ControlProgram, patience: float = 1.0) -> None:
        self._console = console
        self._patience = patience
        self._asked: dict[float, tuple[float, float]] = {}
        self._heard: Callable[[Answer], None] = lambda _: None
        console.heard = self._take

    async def ping(self, code: str, limit_s: float = ANSWER_LIMIT_S) -> Answer | None:
        """Ping one node; None if it does not answer in time."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def heard(answer: Answer) -> None:
            if answer.codifier == code and not answered.done():
                answered.set_result(answer)

        self._ask(code, heard)
        try:
            async with asyncio.timeout(limit_s * self._patience):
                return await answered
        except TimeoutError:
            return None

    async def ping_all(self, expected: set[str], limit_s: float = ANSWER_LIMIT_S) -> list[Answer]:
        """Ping everybody; return who answers, until all of `expected` have or the time is up.

        Other consoles of our own name (`up` has one) are not listed.
        """
        answers: dict[str, Answer] = {}
        everybody = asyncio.Event()

        def heard(answer: Answer) -> None:
            if answer.codifier != self._console.codifier:
                answers.setdefault(answer.codifier, answer)
            if expected <= answers.keys():
                everybody.set()

        self._ask(EVERY_NODE, heard)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s * self._patience):
                await everybody.wait()
        return sorted(answers.values())

    def _ask(self, code: str, heard: Callable[[Answer], None]) -> None:
        number = ping_number()
        self._heard = heard
        self._asked = {number: (time.perf_counter(), time.time() * 1000)}
        self._console.send_control(Flag.PING, code, number)

    def _take(self, message: Control) -> None:
        asked = self._asked.get(message.number)
        if message.flag != Flag.TIME or asked is None:
            return
        round_trip_ms = (time.perf_counter() - asked[0]) * 1000
        # A timestamp is a whole ms, cut off: on average half of one is missing.
        offset_ms = message.timestamp_ms + 0.5 - (asked[1] + round_trip_ms / 2)
        self._heard(Answer(message.source, round_trip_ms, offset_ms, message.active))


@click.command()
@codifier_argument
@click.option("-c", "--count", default=1, show_default=True, help="How often; 0 is for ever.")
@click.option(
    *("-i", "--interval"),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="From one to the next.",
)
@json_option
@click.pass_obj
def ping(app: App, code: str, count: int, interval: float, as_json: bool) -> None:
    r"""Ask whether CODE is there: round trip in ms, clock offset, loss. @@ asks everybody.

    \b
      control.py ping TI
      control.py ping I1          an element: its node is pinged
      control.py ping -c 10 -i 0.1 P1
      control.py ping @@

    Exit status 1 if nobody answers, 2 if CODE is not in the config.
    """
    if code == EVERY_NODE:
        answers = run_async(_ask_everybody(app))
        _show_everybody(app, answers, as_json)
        raise SystemExit(0 if answers else 1)
    node = app.node_of(code)
    if node.codifier != code and not as_json:
        click.echo(f"{code} is an element of {node.codifier}: pinging {node.codifier}")
    raise SystemExit(run_async(_ping_one(app, node, count, interval, as_json)))


async def _ask_everybody(app: App) -> list[Answer]:
    async with on_bus(app.make_console()) as console:
        return await Pinger(console, app.patience).ping_all(app.expected_nodes)


def _show_everybody(app: App, answers: list[Answer], as_json: bool) -> None:
    known = {s.codifier: s for s in app.network.nodes()}
    if as_json:
        echo_json([answer._asdict() for answer in answers])
        return
    rows = [
        [
            a.codifier,
            known[a.codifier].name if a.codifier in known else "(not in the config)",
            f"{a.round_trip_ms:.2f}",
            f"{a.offset_ms:+.1f}",
            "" if a.active else "halted",
        ]
        for a in answers
    ]
    if rows:
        click.echo("\n".join(table(["code", "name", "ms", "clock ms", ""], rows, "ms clock")))
    answered = {answer.codifier for answer in answers}
    absent = sorted(app.expected_nodes - answered)
    if absent:
        click.echo(f"no answer from {' '.join(absent)}", err=True)


async def _ping_one(app: App, node: Sensor, count: int, interval: float, as_json: bool) -> int:
    """Ping until `count` is reached or Ctrl-C, then sum up; return the exit status."""
    answers: list[Answer] = []
    sent = 0
    try:
        async with on_bus(app.make_console()) as console:
            pinger = Pinger(console, app.patience)
            for turn in itertools.count(1):
                began_s = time.monotonic()
                answer = await pinger.ping(node.codifier)
                sent += 1
                answers += [answer] if answer else []
                if not as_json:
                    _show_one(node, answer, ANSWER_LIMIT_S * app.patience)
                if turn == count:
                    break
                await asyncio.sleep(max(0.0, began_s + interval - time.monotonic()))
    except asyncio.CancelledError:  # Ctrl-C: what was measured is still told
        pass
    _sum_up(node, sent, answers, as_json)
    return 0 if answers else 1


def _show_one(node: Sensor, answer: Answer | None, limit_s: float) -> None:
    what = f"{node.codifier} ({node.name or node.type})"
    if answer is None:
        click.echo(f"{what} does not answer within {limit_s:g} s", err=True)
        return
    halted = "" if answer.active else "  (halted)"
    click.echo(f"{what}: {answer.round_trip_ms:.2f} ms, clock {answer.offset_ms:+.1f} ms{halted}")


def _sum_up(node: Sensor, sent: int, answers: list[Answer], as_json: bool) -> None:
    times = [answer.round_trip_ms for answer in answers]
    lost = (1 - len(times) / sent) * 100 if sent else 0.0
    if as_json:
        echo_json(
            {
                "codifier": node.codifier,
                "sent": sent,
                "answered": len(times),
                "lost_percent": round(lost, 1),
                "round_trip_ms": [round(ms, 3) for ms in times],
                "offset_ms": round(fmean(a.offset_ms for a in answers), 3) if answers else None,
            }
        )
    elif sent > 1:
        spread = f", {min(times):.2f}/{fmean(times):.2f}/{max(times):.2f} ms" if times else ""
        click.echo(
            f"{node.codifier}: {sent} sent, {len(times)} answered, {lost:.0f} % lost"
            f"{spread}{' (min/mean/max)' if times else ''}"
        )
