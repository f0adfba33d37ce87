"""The pinned house key and the highest serial of a machine; decides which config it may use.

The files are `house.json` in the folder `seal` of the state directory. Nothing else about the seal
is written while a house runs.
"""

import base64
from pathlib import Path
from typing import Final, NamedTuple

from jph.errors import SealError
from jph.seal.document import is_signed, roster_in
from jph.seal.roster import Roster, fingerprint
from jph.util import durable

FOLDER: Final = "seal"
SIGN_HINT: Final = "control.py seal sign, on the machine of the house key, accepts it"


class Trust(NamedTuple):
    """The pinned house key, None on a machine of an open house, and the highest serial seen."""

    house: bytes | None = None
    serial: int = 0
    generation: int = 0

    def admit(self, document: bytes, signature: bytes | None) -> Roster | None:
        """Return the roster of a config that this machine may use; None in an open house.

        Raises:
            SealError: the config is of another house, not signed as it is, or older than another.
        """
        if self.house is None and b'"Roster"' not in document:
            return None
        roster = roster_in(document)
        if self.house is None:
            if roster is None:
                return None
            raise SealError(
                f"the config is of the sealed house {fingerprint(roster.house)}, and this machine "
                "is no member: control.py enrol there, then control.py join LINE here"
            )
        if roster is None:
            raise SealError(
                "the config has no Roster, but this machine belongs to the sealed house "
                f"{fingerprint(self.house)}: control.py seal open ends that"
            )
        if signature is None:
            raise SealError(f"the config has no signature (config.json.sig): {SIGN_HINT}")
        if not is_signed(document, signature, self.house):
            raise SealError(f"the config is not signed as it is now: {SIGN_HINT}")
        if roster.house != self.house:
            raise SealError("the Roster of the config names another house key than its signature")
        if roster.serial < self.serial:
            raise SealError(
                f"the config is old: its serial is {roster.serial}, this machine has seen "
                f"{self.serial}; {SIGN_HINT}"
            )
        return roster


def trust_path(state: Path) -> Path:
    """Return the file of the pinned house key."""
    return state / FOLDER / "house.json"


def load_trust(state: Path) -> Trust:
    """Return what this machine knows of its house.

    Raises:
        StoreError, SealError: the file is damaged.
    """
    path = trust_path(state)
    content = durable.load(path)
    if not content:
        return Trust()
    try:
        house = base64.b64decode(str(content["House"]), validate=True)
        serial, generation = content["Serial"], content["Generation"]
        if not (isinstance(serial, int) and isinstance(generation, int) and len(house) == 32):
            raise ValueError("a value has the wrong form")
    except (KeyError, ValueError) as error:
        raise SealError(f"{path} is damaged: {error!r}; join the house again") from error
    return Trust(house, serial, generation)


def save_trust(state: Path, trust: Trust) -> None:
    """Write what this machine knows of its house.

    Raises:
        StoreError: the disk refuses.
    """
    house = base64.b64encode(trust.house or b"").decode()
    content = {"House": house, "Serial": trust.serial, "Generation": trust.generation}
    durable.save(trust_path(state), content)


def remember(state: Path, roster: Roster) -> None:
    """Note the serial of a config that this machine uses now, if it is new.

    Raises:
        StoreError: the disk refuses.
    """
    known = load_trust(state)
    if known.house == roster.house and roster.serial > known.serial:
        save_trust(state, Trust(roster.house, roster.serial, roster.generation))
