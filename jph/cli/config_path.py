"""Paths of configuration and state that neither options nor environment name."""

import os
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
_USUAL: Final = Path("static") / "config.json"
_BESIDE: Final = _ROOT / _USUAL
_STATE: Final = Path("var")


def default_config() -> str:
    """Return `static/config.json` in the working directory, else the one beside control.py."""
    return str(_BESIDE if _BESIDE.exists() and not _USUAL.exists() else _USUAL)


def default_state(url: str) -> Path | None:
    """Return the state directory of the house beside control.py, None for any other house.

    `make run` keeps its state there; a command in another directory finds it by the same
    configuration.
    """
    beside = _ROOT / _STATE
    if _STATE.exists() or not beside.exists() or Path(url).absolute() != _BESIDE:
        return None
    return beside


def state_is_new() -> Path | None:
    """Return the state directory if no program has used it and `JPH_STATE` does not name it."""
    here = _STATE.absolute()
    return None if os.environ.get("JPH_STATE") or here.exists() else here
