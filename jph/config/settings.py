"""Base of every settings struct, and the description of each key: text, unit, default. Pure."""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from jph.config.validation import describe


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Base of a kind's own settings (`Sensor` in its entry): keys are the names in PascalCase."""


def described(text: str, unit: str = "", **limits: Any) -> msgspec.Meta:  # noqa: ANN401
    """Return the description of a config key, for `Annotated`; `limits` are those of msgspec.

    `text` says what the key does, `unit` is the unit of its value, empty where there is none.
    """
    return msgspec.Meta(description=text, extra={"unit": unit}, **limits)


class ConfigKey(NamedTuple):
    """One key as the reference lists it; `path` has a dot for each level.

    `default` is JSON, or None where the key must be given.
    """

    path: str
    type: str
    unit: str
    default: str | None
    text: str


def keys_of(struct: type[msgspec.Struct], path: str = "") -> Iterator[ConfigKey]:
    """Yield the keys of a settings struct, those of the structs inside it after their own."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        meta = _meta(hint)
        here = f"{path}{field.encode_name}"
        yield ConfigKey(
            here,
            describe(hint),
            str((meta.extra or {}).get("unit", "")) if meta else "",
            _default(field),
            (meta.description or "") if meta else "",
        )
        for inner, suffix in _structs(hint):
            yield from keys_of(inner, f"{here}{suffix}.")


def _meta(hint: object) -> msgspec.Meta | None:
    found = [m for m in get_args(hint)[1:] if isinstance(m, msgspec.Meta)]
    return found[-1] if get_origin(hint) is Annotated and found else None


def _default(field: msgspec.structs.FieldInfo) -> str | None:
    if field.required:
        return None
    value = field.default
    if value is msgspec.NODEFAULT:
        assert field.default_factory is not msgspec.NODEFAULT
        value = field.default_factory()
    return msgspec.json.encode(value, enc_hook=repr).decode()  # a secret shows nothing


def _structs(hint: object, suffix: str = "") -> Iterator[tuple[type[msgspec.Struct], str]]:
    """Yield the settings structs inside a type, `[]` behind those in a list."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint, suffix
        return
    inner = "[]" if get_origin(hint) in (list, tuple) else suffix
    for each in get_args(hint):
        yield from _structs(each, inner)
