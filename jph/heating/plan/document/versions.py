"""The versions of the document: what changed, by whom, and how to take it back. Pure."""

from typing import Any, Final

import msgspec

from jph.heating.plan.document.check import Tree

MOST_VERSIONS: Final = 50


class Change(msgspec.Struct, frozen=True):
    """One change of the document.

    Attributes:
        at_ms: when, ms since 1970.
        author: the user, page, console, app or rule.
        what: the change in words, such as `boost Bathroom 22 °C`.
        before: the document before it.
        text: the template of the change for pages; empty in files of earlier versions.
        values: what the template says.
    """

    at_ms: int
    author: str
    what: str
    before: Tree
    text: str = ""
    values: dict[str, Any] = {}


class Versions(msgspec.Struct, frozen=True):
    """The document and how it came to be.

    Attributes:
        document: the newest one.
        number: how many changes there have been, for editors that ask whether theirs is the newest.
        changes: the newest changes, oldest first.
    """

    document: Tree
    number: int = 0
    changes: tuple[Change, ...] = ()

    def with_change(
        self,
        document: Tree,
        at_ms: int,
        author: str,
        what: str,
        worded: tuple[str, dict[str, Any]] = ("", {}),
    ) -> "Versions":
        """Return the versions after a change; `worded` are its template and values."""
        change = Change(at_ms, author, what, self.document, *worded)
        changes = (*self.changes, change)[-MOST_VERSIONS:]
        return Versions(document, self.number + 1, changes)

    def undone(self) -> tuple["Versions", Change] | None:
        """Return the versions without the newest change, and that change; None without one."""
        if not self.changes:
            return None
        *kept, last = self.changes
        return Versions(last.before, self.number + 1, tuple(kept)), last

    def as_stored(self) -> Any:  # noqa: ANN401 - JSON
        """Return JSON that `from_stored` reads."""
        return msgspec.to_builtins(self)


def from_stored(stored: object) -> Versions:
    """Return stored versions; `msgspec.ValidationError` if they are damaged."""
    return msgspec.convert(stored, Versions)


def empty_document(devices: list[Tree]) -> Tree:
    """Return a document without schedules and wishes."""
    scheduler: Tree = {
        "settings": {"manual_mode_reset_event": "setpoint_change"},
        "active_schedule": None,
        "temperature_sets": [],
        "schedules": [],
    }
    return {"devices": devices, "scheduler": scheduler, "hand": {}, "absence": None}
