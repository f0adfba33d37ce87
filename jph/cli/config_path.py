"""Path of the configuration that control.py reads when neither option nor environment names one."""

from pathlib import Path
from typing import Final

_USUAL: Final = Path("static") / "config.json"
_BESIDE: Final = Path(__file__).resolve().parents[2] / _USUAL


def default_config() -> str:
    """Return `static/config.json` in the working directory, else the one beside control.py."""
    return str(_BESIDE if _BESIDE.exists() and not _USUAL.exists() else _USUAL)
