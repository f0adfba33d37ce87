"""The passphrase of the house key: from the environment, a file or the terminal."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from jph.errors import SealError
from jph.seal.identity import HouseKey
from jph.util.secrets import remember

VARIABLE: Final = "JPH_HOUSE_PASSPHRASE"

_key_option = click.option(
    "--house-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the house key.  [default: seal/house.key in the state directory]",
)
_passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Read the passphrase from the first line of this file ({VARIABLE} holds it itself).",
)


def passphrase_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--house-key` and `--passphrase-file`."""
    return _key_option(_passphrase_option(command))


def ask_passphrase(path: Path, file: Path | None, *, new: bool = False) -> str:
    """Return the passphrase of a house key.

    Raises:
        SealError: the file cannot be read, or there is no terminal to ask on.
    """
    if file is not None:
        try:
            found = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, ValueError) as error:
            raise SealError(f"the passphrase cannot be read from {file}: {error}") from error
    elif not (found := os.environ.get(VARIABLE, "")):
        try:
            found = click.prompt(
                f"Passphrase of {path}", hide_input=True, confirmation_prompt=new, err=True
            )
        except click.Abort as error:
            raise SealError(f"no passphrase: set {VARIABLE} or use --passphrase-file") from error
    remember(found)
    return found


def unlock(path: Path, file: Path | None) -> HouseKey:
    """Return the house key of a file.

    Raises:
        SealError: there is none, or the passphrase is wrong.
    """
    if not path.exists():
        raise SealError(f"the house key is not on this machine ({path}): --house-key names it")
    return HouseKey.load(path, ask_passphrase(path, file))
