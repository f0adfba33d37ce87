"""Refusals of an edit or an import, with the ids and paths of the heating control app. Pure.

A refusal has a template and its values (`{name}`), so that a page can say it in its language.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from jph.errors import JphError


class RefusalId(StrEnum):
    """Kinds of refusal. The app shows a text of its own for some of them."""

    EXCEPTION = "EXCEPTION"
    BAD_FILE_CONTENT = "BAD_FILE_CONTENT"
    MISSING_NODES = "MISSING_NODES"
    BAD_REFERENCE = "BAD_REFERENCE"
    EXPECTED_LIST = "EXPECTED_LIST"
    DUPLICATE_UNIQUE_KEY = "DUPLICATE_UNIQUE_KEY"
    EMPTY_LIST = "EMPTY_LIST"
    BAD_VALUE = "BAD_VALUE"
    CIRCULAR_REF = "CIRCULAR_REF"
    MISSING_VALUE = "MISSING_VALUE"
    REFERENCED_NODE = "REFERENCED_NODE"


_NO_SUCH: Final = {
    "room": "There is no room called {name}",
    "device": "There is no device called {name}",
    "entity": "There is no entity called {name}",
    "schedule": "There is no schedule called {name}",
    "temperature set": "There is no temperature set called {name}",
}
_TWICE: Final = {
    "device": "There are two devices called {name}",
    "entity": "Two devices have the entity {name}",
    "schedule": "There are two schedules called {name}",
    "temperature set": "There are two temperature sets called {name}",
    "day": "The day {name} is there twice",
    "slots": "Two slots begin at {name}",
}


class PlanRefusedError(JphError):
    """An edit or a document that is refused.

    Attributes:
        id: the kind.
        path: the place in the document.
        text: the template of the sentence; its names are the keys of `values`.
        values: what the template says.
        sentence: the sentence in English.
        node_key: the entry of a list at that place, if it has a name.
        more: further keys of the answer, by kind.
    """

    def __init__(
        self,
        kind: RefusalId,
        path: str,
        text: str,
        node_key: str | None = None,
        values: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        self.id = kind
        self.path = path
        self.node_key = node_key
        self.more = more
        self.text = text
        self.values = dict(values or {})
        self.sentence = text.format_map(self.values) if self.values else text
        super().__init__(f"{path}: {self.sentence}" if path else self.sentence)

    def as_answer(self) -> dict[str, Any]:
        """Return the `error` object of the app's protocol."""
        found = {
            **self.more,
            "id": self.id.value,
            "node": self.path.rpartition("/")[2],
            "node_path": self.path,
            "generic_desc": f"{self.sentence} ({self.path})" if self.path else self.sentence,
        }
        return found | ({"node_key": self.node_key} if self.node_key else {})

    def as_report(self) -> dict[str, Any]:
        """Return the `error` object with the template and its values, for pages."""
        shown = {key: str(value) for key, value in self.values.items()}
        return self.as_answer() | {"text": self.text, "values": shown}


def missing(path: str, names: list[str], key: str | None = None) -> PlanRefusedError:
    """Refuse an object that lacks keys."""
    values = {"names": ", ".join(names)}
    return PlanRefusedError(
        RefusalId.MISSING_NODES, path, "Missing: {names}", key, values, missing_children=names
    )


def bad_value(
    path: str, value: object, text: str, key: str | None = None, **values: object
) -> PlanRefusedError:
    """Refuse a value. The app shows the value, and takes nothing but a text."""
    shown = value if isinstance(value, str) else "" if value is None else str(value)
    return PlanRefusedError(RefusalId.BAD_VALUE, path, text, key, values, value=shown)


def bad_reference(
    path: str, name: object, what: str, key: str | None = None, **more: object
) -> PlanRefusedError:
    """Refuse the name of something that does not exist."""
    return PlanRefusedError(
        RefusalId.BAD_REFERENCE,
        path,
        _NO_SUCH[what],
        key,
        {"name": name},
        reference=str(name),
        **more,
    )


def duplicate(path: str, name: object, what: str, key: str | None = None) -> PlanRefusedError:
    """Refuse a name that is taken."""
    return PlanRefusedError(
        RefusalId.DUPLICATE_UNIQUE_KEY, path, _TWICE[what], key, {"name": name}, key=str(name)
    )
