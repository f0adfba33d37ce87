"""Changes to the signed config of a house, on the machine that holds the house key."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from jph.config import last_good
from jph.config.fetch import is_remote
from jph.config.model import Network, Sensor
from jph.config.sealed import Signed, signature_url
from jph.errors import SealError
from jph.node import kinds
from jph.seal.document import is_signed, roster_in, signature_line, with_keys
from jph.seal.generation import KEY_BYTES, added, open_for_house, renewed
from jph.seal.identity import FOLDER, HouseKey, PublicKeys, load_or_create_keys
from jph.seal.roster import GRACE_S, Rights, Roster, usual_rights
from jph.seal.trust import Trust, load_trust, save_trust

KEY_NAME: Final = "house.key"
_COMMANDED: Final = {"Expression": ("Outputs", "Set"), "Shedding": ("Loads", "Codifier")}
"""Kinds that set what their settings name: the list, and the key in each of its entries."""


class ConfigFile(NamedTuple):
    """The config of the house as a file, and its signature, None if there is none."""

    path: Path
    document: bytes
    signature: bytes | None

    @property
    def roster(self) -> Roster | None:
        """The roster in it, whether it is signed or not."""
        return roster_in(self.document)

    def signed_by(self, house: bytes) -> bool:
        """Whether the file is as the house signed it."""
        return self.signature is not None and is_signed(self.document, self.signature, house)


def config_file(url: str) -> ConfigFile:
    """Read the config that a command changes.

    Raises:
        SealError: it is not a file of this machine.
    """
    if is_remote(url):
        raise SealError("the config is on a server: use --config with its file, on that machine")
    path = Path(url.removeprefix("file:")).expanduser()
    beside = Path(signature_url(str(path)))
    try:
        return ConfigFile(path, path.read_bytes(), beside.read_bytes() if beside.exists() else None)
    except OSError as error:
        raise SealError(f"the config {path} cannot be read: {error}") from error


def house_key_path(state: Path) -> Path:
    """Return the usual file of the house key."""
    return state / FOLDER / KEY_NAME


def publish(
    config: ConfigFile,
    house: HouseKey,
    roster: Roster,
    state: Path,
    others: Mapping[str, Any] | None = None,
) -> Network:
    """Write the config with a new roster and `others` as further keys, and sign it.

    Raises:
        ConfigError: the config has mistakes; nothing is written then.
        StoreError: the disk refuses.
    """
    document = with_keys(config.document, {"Roster": roster, **(others or {})})
    network = kinds.parse(document, str(config.path))
    signature = signature_line(house, document)
    last_good.keep_pair(config.path, document, signature)
    save_trust(state, Trust(roster.house, roster.serial, roster.generation))
    last_good.keep(str(config.path), Signed(document, signature, roster))
    return network


def first_roster(house: HouseKey) -> Roster:
    """Return the roster of a house without members, with a new generation key."""
    public = house.public
    empty = Roster(serial=0, generation=1, house=public.sign, wrap=public.wrap, key=b"")
    return renewed(empty, os.urandom(KEY_BYTES))


def with_local_nodes(
    roster: Roster, house: HouseKey, nodes: Iterable[Sensor], state: Path
) -> tuple[Roster, list[str]]:
    """Return the roster with the nodes of this machine that are no members yet, and their codes.

    Raises:
        SealError, StoreError: a file of keys cannot be used.
    """
    new = {
        node.codifier: (
            load_or_create_keys(state, node.codifier).public,
            rights_of(node.type, node.sensor),
        )
        for node in nodes
        if node.codifier not in roster.members
    }
    return with_members(roster, house, new), sorted(new)


def with_members(
    roster: Roster, house: HouseKey, new: Mapping[str, tuple[PublicKeys, Rights]]
) -> Roster:
    """Return the roster with these members, each with the generation key wrapped for it."""
    key = open_for_house(roster, house)
    for code, (public, rights) in new.items():
        roster = added(roster, key, code, public, rights)
    return roster


def rights_of(node_type: str, settings: Mapping[str, Any]) -> Rights:
    """Return the rights that a new member gets by its kind and settings."""
    part, key = _COMMANDED.get(node_type, ("", ""))
    listed = settings.get(part)
    entries = listed if isinstance(listed, list) else []
    named = {str(entry[key]) for entry in entries if isinstance(entry, dict) and key in entry}
    return Rights(set=tuple(sorted(named))) if named else usual_rights(node_type)


def next_serial(roster: Roster, known: Trust) -> Roster:
    """Return the roster with a serial above all that were signed before."""
    return msgspec.structs.replace(roster, serial=max(roster.serial, known.serial) + 1)


def next_generation(roster: Roster, *, without: str | None = None) -> Roster:
    """Return the roster with a new generation key, and without a member that is revoked.

    Raises:
        SealError: there is no such member.
    """
    if without is None:
        return renewed(roster, os.urandom(KEY_BYTES), new_generation=True, grace_s=GRACE_S)
    if without not in roster.members:
        members = ", ".join(sorted(roster.members))
        raise SealError(f"{without} is no member of the house; its members are {members}")
    rest = {code: member for code, member in roster.members.items() if code != without}
    fewer = msgspec.structs.replace(roster, members=rest)
    return renewed(fewer, os.urandom(KEY_BYTES), new_generation=True)


def signed_config(url: str, state: Path) -> tuple[ConfigFile, Roster]:
    """Return the config of a sealed house as it was signed, for a command that changes its roster.

    Raises:
        SealError: this house is open, or the file was edited and not signed.
    """
    config = config_file(url)
    known = load_trust(state)
    roster = config.roster
    if roster is None or known.house is None:
        raise SealError("this house is open: control.py seal makes it a sealed one")
    if not config.signed_by(known.house):
        raise SealError(f"{config.path} was edited: control.py seal sign first")
    serial = max(roster.serial, known.serial)  # an older signed config may have come back
    return config, msgspec.structs.replace(roster, serial=serial)


def check_house(house: HouseKey, roster: Roster) -> None:
    """Refuse a house key that is not the one of the config.

    Raises:
        SealError: it is another one.
    """
    if house.public.sign != roster.house:
        raise SealError("this house key is not the one that signed the config")
