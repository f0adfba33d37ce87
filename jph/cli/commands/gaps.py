"""`gaps`: readings that the history does not have, and the causes."""

from datetime import datetime, tzinfo
from typing import Final

import click

from collector.db.location import zone_of
from collector.history.gaps import Gaps, RecordedGap, read_gaps
from jph.cli.terminal.context import App, codifier, json_option
from jph.cli.terminal.database import history_dsn, parse_moment
from jph.cli.terminal.output import echo_json, table

_HEAD: Final = ("code", "from", "to", "messages", "cause")


@click.command()
@click.argument("code", required=False, type=codifier)
@click.option(
    "--since", metavar="today|2h|7d|DATE", help="Only gaps that reach beyond this.  [default: all]"
)
@json_option
@click.pass_obj
def gaps(app: App, code: str | None, since: str | None, as_json: bool) -> None:
    """Show which readings the history lacks, of CODE or of all: from, to, how many, why.

    Causes: network, overflow (this machine was too slow), gone (the source kept it no longer),
    source gone, spool full, disk full, damaged, refused, restored (by an older backup). A gap lies
    between the times shown.
    """
    if code is not None:
        app.network.sensor(code)
    zone = zone_of(app.network)
    after = parse_moment(since, datetime.now(zone), zone) if since else None
    found = read_gaps(history_dsn(app), code, after)
    if as_json:
        asked = {"asked": found.asked, "gaps": [gap._asdict() for gap in found.recorded]}
        echo_json(asked)
    else:
        for line in show(found, zone):
            click.echo(line)


def show(found: Gaps, zone: tzinfo | None = None) -> list[str]:
    """Lay gaps out as lines."""
    lines = []
    if found.recorded:
        cells = [_cells(gap, zone) for gap in found.recorded]
        lines += [*table(_HEAD, cells, right="messages"), ""]
    lost = sum(gap.messages or 0 for gap in found.recorded)
    many = len(found.recorded)
    lines.append(f"{lost} messages lost in {many} gap{'s' * (many > 1)}" if many else "no gaps")
    if found.asked:
        each = ", ".join(f"{count} of {code}" for code, count in found.asked.items())
        lines.append(f"still asked for: {each}")
    return lines


def _cells(gap: RecordedGap, zone: tzinfo | None) -> tuple[str, ...]:
    count = "?" if gap.messages is None else str(gap.messages)
    return gap.codifier, _moment(gap.from_time, zone), _moment(gap.to_time, zone), count, gap.cause


def _moment(moment: datetime | None, zone: tzinfo | None) -> str:
    if moment is None:
        return "?"
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
