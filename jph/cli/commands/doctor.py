"""`doctor`: looks for faults of the installation, and names a remedy for each."""

from pathlib import Path

import click

from jph.cli.doctor.bundle import write_bundle
from jph.cli.doctor.gather import LISTEN_S, gather
from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json, paint
from jph.client.doctor.findings import Finding, findings
from jph.util.secrets import scrub


@click.command()
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a .tar.gz for support: findings, facts, config and logs without secrets.",
)
@json_option
@click.pass_obj
def doctor(app: App, bundle: Path | None, as_json: bool) -> None:
    r"""Look for faults: network, nodes, clocks, configs, stores, disks, devices.

    \b
      control.py doctor
      control.py doctor --json
      control.py doctor --bundle house.tar.gz

    It listens to the bus for three seconds, pings every node, and looks at this machine; run it on
    each machine. Each finding has a remedy. Exit status 0 without a finding, else 1.
    """
    facts = run_async(gather(app, LISTEN_S * app.patience))
    found = [Finding(*(scrub(text) for text in each)) for each in findings(facts)]  # type: ignore[arg-type]
    if bundle is not None:
        write_bundle(bundle, facts, found, app.url)
        click.echo(f"written: {bundle}", err=True)
    if as_json:
        echo_json([each._asdict() for each in found])
    else:
        _show(found, len(facts.nodes))
    raise SystemExit(1 if found else 0)


def _show(found: list[Finding], nodes: int) -> None:
    for each in found:
        level = paint(each.level, "dead" if each.level == "error" else "late")
        fact = each.fact if each.subject in each.fact else f"{each.subject}: {each.fact}"
        click.echo(f"{level}: {fact}\n    {each.remedy}")
    if not found:
        click.echo(f"nothing found; {nodes} nodes are well")
