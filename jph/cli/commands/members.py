"""`enrol`, `join`, `revoke` and `rotate`: members of a sealed house come and go."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from jph.cli.sealing import enrolling
from jph.cli.sealing import house as houses
from jph.cli.sealing.asking import passphrase_options, unlock
from jph.cli.sealing.spread import reload_all
from jph.cli.terminal.context import App, codifier, json_option, run_async
from jph.cli.terminal.output import echo_json
from jph.config.model import Network, parse, state_dir
from jph.config.sealed import Signed, signature_url
from jph.errors import SealError
from jph.seal.enrolment import LIFE_S, Line, Offer, read_line
from jph.seal.identity import HouseKey, PublicKeys
from jph.seal.roster import Roster, fingerprint
from jph.seal.trust import load_trust
from jph.util.statedir import claim, private_files


@click.command()
@click.argument("name")
@click.argument("codes", nargs=-1, required=True, type=codifier)
@click.option("--address", help="Address of this machine as the new one reaches it.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port to wait on.")
@click.option("--minutes", type=click.FloatRange(0, 60, min_open=True), default=LIFE_S / 60)
@passphrase_options
@json_option
@click.pass_obj
def enrol(
    app: App,
    name: str,
    codes: tuple[str, ...],
    address: str | None,
    port: int,
    minutes: float,
    house_key: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    r"""Let the machine NAME into the sealed house, with its nodes CODES.

    \b
      control.py enrol pi-cellar P1 P2      here; prints a line, and the line as a QR code
      control.py join JPH:…                 on pi-cellar

    The line works once and for 10 minutes. Who reads it meanwhile can join in its place: do not
    show it around. The keys of a node that is a member already are replaced. Exit status 1 if no
    machine joins in time.
    """
    state = state_dir()
    private_files()
    config, roster = houses.signed_config(app.url, state)
    network = parse(config.document, app.url)
    _check_codes(network, name, codes)
    key = unlock(house_key or houses.house_key_path(state), passphrase_file)
    houses.check_house(key, roster)
    towards = address or enrolling.own_address(network.multicast.control.address)
    offer = Offer(roster.house, name, sorted(set(codes)))
    reload = reload_all(app)

    def accept(public: Mapping[str, PublicKeys]) -> Signed:
        return _let_in(app, key, public)

    async def wait() -> str:
        enroller = enrolling.Enroller(offer, accept)
        _show(await enroller.open(towards, port), name, minutes, as_json)
        return await enroller.wait(60 * minutes)

    joined = run_async(wait())
    _show_joined(app, offer, joined, reload(), as_json)


def _check_codes(network: Network, name: str, codes: tuple[str, ...]) -> None:
    """Refuse elements, which have no keys; warn of nodes that the config gives another machine."""
    for code in codes:
        if (node := network.sensor(code)).parent:
            raise SealError(f"{code} is an element that {node.parent} sends: enrol {node.parent}")
    if network.hosts and not {*codes} <= {*network.hosts.get(name, [])}:
        click.echo(f"control.py: Hosts.{name} of the config does not name all of them", err=True)


def _show_joined(
    app: App, offer: Offer, address: str, reloaded: Sequence[str], as_json: bool
) -> None:
    """Print who joined, the serial of the roster now, and the nodes that read it again."""
    after = houses.config_file(app.url).roster
    serial = after.serial if after else 0
    name, codes = offer.name, offer.codes
    if as_json:
        echo_json({"joined": name, "address": address, "codes": codes, "serial": serial})
    else:
        heard = f"; read again by {' '.join(reloaded)}" if reloaded else ""
        click.echo(f"{name} ({address}) joined with {' '.join(codes)}, serial {serial}{heard}")


def _let_in(app: App, key: HouseKey, public: Mapping[str, PublicKeys]) -> Signed:
    """Add members to the config as it is now, and return it signed."""
    state = state_dir()
    config, roster = houses.signed_config(app.url, state)
    network = parse(config.document, app.url)
    entries = {code: network.sensor(code) for code in public}
    new = {
        code: (keys, houses.rights_of(entries[code].type, entries[code].sensor))
        for code, keys in public.items()
    }
    following = houses.next_serial(houses.with_members(roster, key, new), load_trust(state))
    houses.publish(config, key, following, state)
    written = houses.config_file(app.url)
    return Signed(written.document, written.signature, following)


def _show(line: Line, name: str, minutes: float, as_json: bool) -> None:
    """Print the line, and as a QR code for a person."""
    if as_json:
        echo_json({"line": str(line), "minutes": minutes})
        return
    import segno  # only this command draws

    click.echo(f"on {name}, within {minutes:g} minutes:\n\n  control.py join {line}\n")
    segno.make(str(line), error="m").terminal(compact=True)


@click.command()
@click.argument("line")
@click.option("--force", is_flag=True, help="Leave the house that this machine belongs to.")
@json_option
@click.pass_obj
def join(app: App, line: str, force: bool, as_json: bool) -> None:
    """Let this machine join a sealed house with the LINE that `enrol` printed there.

    The keys of its nodes are made here and stay here. The signed config comes back and replaces the
    file of --config; another one that was there is renamed. Exit status 1 if the line is used up,
    too old or mistyped.
    """
    state = state_dir()
    private_files()
    claim(state)
    parts = read_line(line)
    known = load_trust(state)
    stranger = known.house is not None and fingerprint(known.house) != parts.fingerprint
    if stranger and not force:
        raise SealError("this machine belongs to another sealed house: --force leaves that")
    config = Path(app.url.removeprefix("file:")).expanduser()
    if "://" in str(app.url):
        raise SealError("--config must be a path: the signed config is written there")
    joined = run_async(enrolling.join(parts, config, state))
    if as_json:
        echo_json(joined)
        return
    if joined.kept:
        click.echo(f"the config that was here is now {joined.kept}")
    click.echo(
        f"joined house {joined.fingerprint} with {' '.join(joined.codes)}; config {joined.path} "
        f"and {signature_url(joined.path)}, serial {joined.serial}"
    )
    click.echo("next: control.py up")


@click.command()
@click.argument("code", type=codifier)
@passphrase_options
@json_option
@click.pass_obj
def revoke(
    app: App, code: str, house_key: Path | None, passphrase_file: Path | None, as_json: bool
) -> None:
    """Exclude the node CODE from the sealed house, as after a theft.

    All other members get a new generation key; messages with the old one are refused at once. A
    machine that has several nodes needs the command once for each. To let a node in again: enrol.
    """
    _renew(app, code, house_key, passphrase_file, as_json)


@click.command()
@passphrase_options
@json_option
@click.pass_obj
def rotate(app: App, house_key: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Give every member a new generation key.

    Messages with the old key are accepted for 10 more minutes, so no reading is lost.
    """
    _renew(app, None, house_key, passphrase_file, as_json)


def _renew(
    app: App, without: str | None, key_path: Path | None, passphrase_file: Path | None, json: bool
) -> None:
    state = state_dir()
    private_files()
    config, roster = houses.signed_config(app.url, state)
    key = unlock(key_path or houses.house_key_path(state), passphrase_file)
    houses.check_house(key, roster)
    reload = reload_all(app)
    following = houses.next_generation(roster, without=without)
    houses.publish(config, key, following, state)
    reloaded = reload()
    if json:
        echo_json(_as_json(following, without, reloaded))
        return
    what = f"{without} is revoked" if without else "rotated"
    heard = f"read again by {' '.join(reloaded)}" if reloaded else "no node answered"
    click.echo(f"{what}: generation {following.generation}, serial {following.serial}; {heard}")


def _as_json(roster: Roster, without: str | None, reloaded: list[str]) -> dict[str, object]:
    return {
        "revoked": without,
        "generation": roster.generation,
        "serial": roster.serial,
        "reloaded": reloaded,
    }
