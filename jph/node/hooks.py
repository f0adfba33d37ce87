"""Hooks: what a kind of node declares and overrides; `Node` does the rest."""

from collections.abc import Sequence
from typing import Any, ClassVar

from jph.config.model import Network, Sensor
from jph.config.settings import Settings
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.retransmit import Gap
from jph.wire.codec import Control, Reading
from jph.wire.edits import DocumentEdit


class Hooks:
    """Base of `Node`: what a kind may override."""

    types: ClassVar[tuple[str, ...]] = ()
    settings_type: ClassVar[type[Settings]] = Settings
    halts: ClassVar[bool] = True
    """Whether it obeys `H`; consoles, gateways, caches and collectors do not."""
    announces: ClassVar[bool] = True
    """Whether it sends `N` and `I`; several consoles share one codifier and do not."""
    repairs: ClassVar[bool] = False
    """Whether it must not lose a reading: missing ones are requested, duplicates are dropped."""
    hears_itself: ClassVar[bool] = False
    """Whether it receives its own messages, as a kind that stores or shows everything must."""

    is_device: ClassVar[bool] = False
    """Whether its codifiers are devices of the house, which the page Devices shows."""

    at_start: ClassVar[tuple[str, ...]] = ()
    """Fields of its settings that only a restart applies."""
    replaced: ClassVar[str] = ""
    """For a kind that can no longer work: why, and what replaces it; `config check` shows it."""

    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules of `jph.extras` without which it cannot run."""

    settings: Any

    def __init_subclass__(
        cls,
        type: str | tuple[str, ...] = (),  # noqa: A002
        settings: type[Settings] | None = None,
        **rest: Any,  # noqa: ANN401
    ) -> None:
        super().__init_subclass__(**rest)
        if type:
            cls.types = (type,) if isinstance(type, str) else type
        if settings is not None:
            cls.settings_type = settings

    @classmethod
    def check_installed(cls) -> None:
        """Make sure that its libraries are there.

        Raises:
            JphError: one is not; says what to install.
        """
        if cls.libraries:
            # Imported here: most kinds need none.
            from jph.extras import need

            need(cls.types[0], *cls.libraries)

    @property
    def longest_turn_s(self) -> float:
        """Longest time that `on_timer` may take; the watchdog of a service restarts the node later.

        A kind's `Timeout` doubles it: a request may wait for another one.
        """
        return max(60.0, 2 * float(getattr(self.settings, "timeout", 0.0)))

    async def open(self) -> None:
        """Start, before the node announces itself. Must not wait for a device."""

    async def close(self) -> None:
        """Stop."""

    async def on_timer(self, now_ms: int) -> None:
        """Act every `SensorInterval` seconds while active; the first time at once."""

    def on_control(self, message: Control) -> None:
        """Take a control message.

        That is `A` and `E` to this node or an element of it, if it has `Control`, and each other
        message on the bus, for any node.
        """

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take the readings of one batch, while active. A kind without this does not join the bus.

        Readings of one source without a gap may be a `jph.wire.columns.Readings`: a kind that takes
        very many can read its columns.
        """

    def on_announcement(self, announcement: Reading) -> None:
        """Take the announcement `n` of a source: it starts a new sequence here, while active."""

    def on_gaps(self, holes: list[Gap]) -> None:
        """Take gaps that will never be filled; called for kinds with `repairs` only."""

    def on_edit(self, edit: DocumentEdit) -> None:
        """Take an edit of the node's document, if its entry has `"Control": "enabled"`."""

    def on_reload(self) -> None:
        """Take the new settings: the config was read again and is valid."""

    @classmethod
    def check_settings(cls, entry: Sensor) -> Settings:
        """Read an entry's own settings.

        Raises:
            ConfigError: with every mistake in them.
        """
        problems: list[Problem] = []
        path = f"Sensors[{entry.codifier}].Sensor"
        settings = read_struct(cls.settings_type, entry.sensor, path, problems)
        if settings is None:
            raise ConfigError(f"{entry.codifier} ({entry.type}) cannot start:", problems)
        return settings

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Return contradictions between the entries of this kind and others."""
        return ()
