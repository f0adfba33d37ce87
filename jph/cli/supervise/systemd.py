"""Makes the systemd units of the nodes of this machine. Pure, but for reading the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Final

from jph.errors import ConfigError

UNITS: Final = PurePosixPath("etc/systemd/system")
SYSUSERS: Final = PurePosixPath("etc/sysusers.d/jph.conf")
NODE: Final = UNITS / "jph@.service"
GROUP: Final = UNITS / "jph-group.service"
TARGET: Final = UNITS / "jph.target"
_HOMES: Final = ("/home/", "/root/", "/run/user/")


@dataclass(frozen=True)
class Installation:
    """How nodes start here: the command as `ExecStart` has it, the config, user and nodes."""

    program: tuple[str, ...]
    config: str
    user: str
    nodes: tuple[str, ...]
    group: bool = False

    def units(self) -> tuple[str, ...]:
        """Return the units to enable, apart from the target."""
        return (GROUP.name,) if self.group else tuple(f"jph@{code}.service" for code in self.nodes)


def unit_files(wanted: Installation) -> dict[PurePosixPath, str]:
    """Return the text of each file by its path below `/`.

    Raises:
        ConfigError: a path or a name contains what a unit file cannot carry.
    """
    for text in (*wanted.program, wanted.config, wanted.user):
        if not text or any(c in text for c in "\n\"'\\$%") or not text.isprintable():
            raise ConfigError(f"{text!r} cannot stand in a unit file: use a plain path or name")
    quoted = (f'"{part}"' if " " in part else part for part in wanted.program)
    in_home = any(text.startswith(_HOMES) for text in (*wanted.program, wanted.config))
    values = {
        "PROGRAM": " ".join(quoted),
        "CONFIG": wanted.config,
        "USER": wanted.user,
        "NODES": " ".join(wanted.nodes),
        "HOME": "read-only" if in_home else "yes",
    }
    node = {**values, "DESCRIPTION": "jph node %i", "START": "%i"}
    group = {**values, "DESCRIPTION": "jph: all nodes of this machine", "START": "$JPH_NODES"}
    return {
        NODE: _filled("jph.service.in", node),
        GROUP: _filled("jph.service.in", group),
        TARGET: _filled("jph.target", {}),
        SYSUSERS: _filled("sysusers.conf.in", values),
    }


def commands(wanted: Installation) -> Sequence[str]:
    """Return what to run once after the files are written, in order."""
    return (
        "systemd-sysusers",
        "systemctl daemon-reload",
        f"systemctl enable --now jph.target {' '.join(wanted.units())}",
    )


def _filled(name: str, values: Mapping[str, str]) -> str:
    text = (files("jph.cli.supervise") / "units" / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text
