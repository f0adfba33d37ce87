"""Names in several languages: `"Name": {"en": "Kitchen", "fr": "Cuisine"}`. Pure.

The first name, English where there is one, is the name everywhere: in commands, logs and targets.
The others are translations for the pages.
"""

from typing import Any, Final

NAMED: Final = frozenset({"Name", "ShortName", "Room"})
"""Keys whose value may be one name for each language."""
_BETWEEN: Final = " \u00b7 "


def with_plain_names(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a document with one name each, and the others in `Translations`."""
    found: dict[str, dict[str, str]] = {}
    plain = _plain(raw.get("Sensors"), found)
    if not found:
        return raw
    known = raw.get("Translations")
    return {**raw, "Sensors": plain, "Translations": {**(known or {}), **found}}


def translated(text: str, language: str, translations: dict[str, dict[str, str]]) -> str:
    """Return a name, or several with a middle dot between them, in a language."""
    names = text.split(_BETWEEN)
    return _BETWEEN.join(translations.get(name, {}).get(language, name) for name in names)


def _plain(value: Any, found: dict[str, dict[str, str]]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_plain(each, found) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _first(each, found) if key in NAMED and _is_name(each) else _plain(each, found)
        for key, each in value.items()
    }


def _is_name(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(k, str) and len(k) == 2 and isinstance(v, str) for k, v in value.items())
    )


def _first(names: dict[str, str], found: dict[str, dict[str, str]]) -> str:
    name = names.get("en") or next(iter(names.values()))
    found[name] = names
    return name
