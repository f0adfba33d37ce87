"""Refusals of an edit or an import, with the ids and paths of the heating control app. Pure."""

from enum import StrEnum
from typing import Any

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


class PlanRefusedError(JphError):
    """An edit or a document that is refused.

    Attributes:
        id: the kind.
        path: the place in the document.
        node_key: the entry of a list at that place, if it has a name.
        more: further keys of the answer, by kind.
    """

    def __init__(
        self, kind: RefusalId, path: str, sentence: str, node_key: str | None = None, **more: object
    ) -> None:
        self.id = kind
        self.path = path
        self.node_key = node_key
        self.more = more
        self.sentence = sentence
        super().__init__(f"{path}: {sentence}" if path else sentence)

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


def missing(path: str, names: list[str], key: str | None = None) -> PlanRefusedError:
    """Refuse an object that lacks keys."""
    sentence = f"Missing: {', '.join(names)}"
    return PlanRefusedError(RefusalId.MISSING_NODES, path, sentence, key, missing_children=names)


def bad_value(path: str, value: object, sentence: str, key: str | None = None) -> PlanRefusedError:
    """Refuse a value. The app shows the value, and takes nothing but a text."""
    shown = value if isinstance(value, str) else "" if value is None else str(value)
    return PlanRefusedError(RefusalId.BAD_VALUE, path, sentence, key, value=shown)


def bad_reference(
    path: str, name: object, what: str, key: str | None = None, **more: object
) -> PlanRefusedError:
    """Refuse the name of something that does not exist."""
    sentence = f"There is no {what} called {name}"
    return PlanRefusedError(
        RefusalId.BAD_REFERENCE, path, sentence, key, reference=str(name), **more
    )


def duplicate(path: str, name: object, what: str, key: str | None = None) -> PlanRefusedError:
    """Refuse a name that is taken."""
    sentence = f"There are two of {what} {name}"
    return PlanRefusedError(RefusalId.DUPLICATE_UNIQUE_KEY, path, sentence, key, key=str(name))
