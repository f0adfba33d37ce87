"""`seal`: makes a house sealed, signs its config, and shows the state of the seal."""

from pathlib import Path
from typing import Any

import click

from jph.cli.sealing import house as houses
from jph.cli.sealing.asking import ask_passphrase, passphrase_options, unlock
from jph.cli.sealing.changes import changes
from jph.cli.sealing.local import local_nodes, remote_nodes
from jph.cli.sealing.spread import reload_all
from jph.cli.terminal.context import App, json_option
from jph.cli.terminal.output import echo_json, table
from jph.config import last_good
from jph.config.model import Network, parse, state_dir
from jph.errors import SealError
from jph.seal.document import with_keys
from jph.seal.identity import HouseKey, has_keys
from jph.seal.roster import Rights, Roster, fingerprint
from jph.seal.trust import load_trust, trust_path
from jph.util.statedir import claim, private_files


@click.group(invoke_without_command=True)
@click.option("--demand", "level", flag_value="demand", help="Refuse what is not sealed.")
@click.option("--watch", "level", flag_value="watch", help="Only report what would be refused.")
@passphrase_options
@json_option
@click.pass_context
def seal(
    ctx: click.Context,
    level: str | None,
    house_key: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    r"""Make a sealed house of an open one, or change its level.

    \b
      control.py seal             makes the house key, enrols the nodes of this machine; level watch
      control.py enrol PI P1 P2   lets another machine in, with its nodes P1 and P2
      control.py seal status      who is a member, and whether the config is signed
      control.py seal --demand    from now on messages without a seal are refused
      control.py seal sign        after each edit of the config

    In "watch" every message is accepted, and nodes report those that "demand" would refuse. The
    house key signs the config. Keep a copy of it and its passphrase away from this machine: a new
    one means that every machine joins again.

    Without a terminal the passphrase comes from JPH_HOUSE_PASSPHRASE or --passphrase-file.
    """
    if ctx.invoked_subcommand is not None:
        return
    app: App = ctx.find_object(App) or ctx.obj
    private_files()
    claim(state_dir())
    if load_trust(state_dir()).house is None:
        _begin(app, level or "watch", house_key, passphrase_file, as_json)
    elif level is None:
        raise SealError("this house is sealed: --demand or --watch changes the level")
    else:
        _set_level(app, level, house_key, passphrase_file, as_json)


def _begin(
    app: App, level: str, key_path: Path | None, passphrase_file: Path | None, as_json: bool
) -> None:
    state = state_dir()
    config = houses.config_file(app.url)
    if config.roster is not None:
        raise SealError("the config is of a sealed house; control.py join LINE adds this machine")
    network = parse(config.document, app.url)
    path = key_path or houses.house_key_path(state)
    if path.exists():
        key = unlock(path, passphrase_file)
    else:
        key = HouseKey.new()
        key.save(path, ask_passphrase(path, passphrase_file, new=True))
    roster = houses.first_roster(key)
    local = local_nodes(network, app.console)
    roster, codes = houses.with_local_nodes(roster, key, local, state)
    reload = reload_all(app)
    houses.publish(config, key, roster, state, {"Seal": level})
    reloaded = reload()
    others = remote_nodes(network, codes)
    if as_json:
        echo_json(
            {
                "house": fingerprint(roster.house),
                "level": level,
                "members": codes,
                "to_enrol": others,
                "house_key": str(path),
                "reloaded": reloaded,
            }
        )
        return
    click.echo(f"house {fingerprint(roster.house)} is sealed, level {level}; house key: {path}")
    click.echo(f"members: {' '.join(codes)}")
    for host, missing in others.items():
        click.echo(f"next: control.py enrol {host} {' '.join(missing)}")
    if level == "watch":
        click.echo("when `seal status` and the page show no refusals: control.py seal --demand")


def _set_level(
    app: App, level: str, key_path: Path | None, passphrase_file: Path | None, as_json: bool
) -> None:
    state = state_dir()
    config, roster = houses.signed_config(app.url, state)
    key = unlock(key_path or houses.house_key_path(state), passphrase_file)
    houses.check_house(key, roster)
    reload = reload_all(app)
    following = houses.next_serial(roster, load_trust(state))
    houses.publish(config, key, following, state, {"Seal": level})
    reloaded = reload()
    if as_json:
        echo_json({"level": level, "serial": following.serial, "reloaded": reloaded})
    else:
        click.echo(f"level {level}, serial {following.serial}; {_told(reloaded)}")


@seal.command()
@passphrase_options
@json_option
@click.pass_obj
def sign(app: App, house_key: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Sign the config as it is now, after an edit.

    Shows what the edit changed since the last signature. Nodes of this machine that are new in the
    config become members. Exit status 1 if the passphrase is wrong, 2 if the config has mistakes.
    """
    state = state_dir()
    private_files()
    config, known = houses.config_file(app.url), load_trust(state)
    roster = config.roster
    if roster is None or known.house is None:
        raise SealError("this house is open: control.py seal makes it a sealed one")
    network = parse(config.document, app.url)
    copy = last_good.copy_path(app.url)
    found = changes(copy.read_bytes() if copy.exists() else None, config.document)
    new = [node for node in local_nodes(network, app.console) if _is_new(node.codifier, config)]
    if config.signed_by(known.house) and not new:
        if as_json:
            echo_json({"serial": roster.serial, "changes": [], "new": []})
        else:
            click.echo(f"signed already, serial {roster.serial}")
        return
    if not as_json:
        for line in found:
            click.echo(f"  {line}")
    key = unlock(house_key or houses.house_key_path(state), passphrase_file)
    houses.check_house(key, roster)
    roster, added = houses.with_local_nodes(houses.next_serial(roster, known), key, new, state)
    reload = reload_all(app)
    houses.publish(config, key, roster, state)
    reloaded = reload()
    if as_json:
        echo_json({"serial": roster.serial, "changes": found, "new": added, "reloaded": reloaded})
        return
    if added:
        click.echo(f"new members: {' '.join(added)}")
    click.echo(f"signed, serial {roster.serial}; {_told(reloaded)}")


def _is_new(code: str, config: houses.ConfigFile) -> bool:
    roster = config.roster
    return roster is not None and code not in roster.members


def _told(reloaded: list[str]) -> str:
    if reloaded:
        return f"read again by {' '.join(reloaded)}"
    return "no node answered: those that run read it when they hear of it"


@seal.command("open")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def open_house(app: App, yes: bool) -> None:
    """Make this machine belong to an open house again, and take the seal out of the config.

    Anyone on the network may then command the house. Each machine needs this command. Keys stay.
    """
    if not yes:
        click.confirm("Anyone on the network may then command this house. Go on?", abort=True)
    config = houses.config_file(app.url)
    path = trust_path(state_dir())
    config.path.write_bytes(with_keys(config.document, {"Roster": None, "Seal": None}))
    path.unlink(missing_ok=True)
    click.echo("this machine belongs to an open house; restart its nodes")


@seal.command()
@json_option
@click.pass_obj
def status(app: App, as_json: bool) -> None:
    """Show the house, its members and their rights, and whether the config is signed.

    Exit status 1 if the config is not signed as it is now.
    """
    state = state_dir()
    known = load_trust(state)
    config = houses.config_file(app.url)
    if known.house is None or config.roster is None:
        if as_json:
            echo_json({"sealed": False, "level": "open"})
        else:
            click.echo("open: anyone on the network may command this house (control.py seal)")
        return
    signed = config.signed_by(known.house)
    network = parse(config.document, app.url)
    facts = _facts(state, known.house, config.roster, network)
    if as_json:
        echo_json({**facts, "signed": signed})
    else:
        _print(facts, config.roster, signed)
    if not signed:
        raise SealError("the config is not signed as it is now: control.py seal sign")


def _facts(state: Path, house: bytes, roster: Roster, network: Network) -> dict[str, Any]:
    """Return the level of a sealed house, its members and rights, and the nodes without keys."""
    members = [
        {
            "codifier": code,
            "keys_here": has_keys(state, code),
            "set": list(member.may.set),
            "run": list(member.may.run),
            "drill": member.may.drill,
        }
        for code, member in roster.members.items()
    ]
    nodes = {node.codifier for node in network.nodes()}
    return {
        "sealed": True,
        "house": fingerprint(house),
        "level": network.seal or "watch",
        "serial": roster.serial,
        "generation": roster.generation,
        "members": members,
        "without_keys": sorted(nodes - {*roster.members, *network.open}),
    }


def _print(facts: dict[str, Any], roster: Roster, signed: bool) -> None:
    """Print the facts of a sealed house, a line for each member."""
    click.echo(
        f"house {facts['house']}, level {facts['level']}, serial {facts['serial']}, "
        f"generation {facts['generation']}; config {'signed' if signed else 'NOT SIGNED'}"
    )
    cells = [
        (each["codifier"], "yes" if each["keys_here"] else "", *_rights(member.may))
        for each, member in zip(facts["members"], roster.members.values(), strict=True)
    ]
    for line in table(("node", "keys here", "may set", "may run", "drill"), cells):
        click.echo(line)
    if missing := facts["without_keys"]:
        click.echo(f"no members: {' '.join(missing)} (control.py enrol)")


def _rights(may: Rights) -> tuple[str, str, str]:
    return " ".join(may.set), " ".join(may.run), "yes" if may.drill else ""
