"""Makes msgspec structs of untyped JSON and collects every mistake. Pure."""

import enum
import types
from collections.abc import Iterator
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec.structs import FieldInfo

from jph.config.document import COMMENT, label
from jph.errors import Problem
from jph.util.secrets import Secret, scrub

StructT = TypeVar("StructT", bound=msgspec.Struct)

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def read_struct(
    struct: type[StructT], raw: object, path: str, problems: list[Problem]
) -> StructT | None:
    """Return a `struct` made of `raw`, or None with every mistake added to `problems`.

    Paths read `Sensors[TI].Sensor.BaudRate`: a list's entries are named by their `Codifier` where
    they have one.
    """
    if not isinstance(raw, dict):
        problems.append(Problem(path or "config", f"expected an object, found {_show(raw)}"))
        return None
    before = len(problems)
    hints, fields = _shape(struct)
    _unknown_keys(raw, list(fields), path, problems)
    values: dict[str, Any] = {}
    for key, field in fields.items():
        where = f"{path}.{key}" if path else key
        if key in raw:
            values[field.name] = _read(hints[field.name], raw[key], where, problems)
        elif field.required:
            expected = describe(hints[field.name])
            problems.append(Problem(where, f"missing; expected {expected}"))
    if len(problems) > before:
        return None
    try:
        return struct(**values)
    except (TypeError, ValueError) as error:  # __post_init__ refuses the whole
        problems.append(Problem(path or "config", str(error)))
        return None


@cache
def _shape(struct: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, FieldInfo]]:
    """Return the types of a struct's attributes, and its fields by their key."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    return get_type_hints(struct, include_extras=True), fields


def _read(kind: Any, raw: object, path: str, problems: list[Problem]) -> Any:  # noqa: ANN401
    """Convert one value, walking into structs and lists of them so that all mistakes are found."""
    limited, kind = kind, _bare(kind)
    if get_origin(kind) in (Union, types.UnionType):
        arms = [arm for arm in get_args(kind) if arm is not type(None)]
        structs = [arm for arm in arms if _is_struct(arm)]
        if structs and raw is not None and (isinstance(raw, dict) or arms == structs):
            return read_struct(structs[0], raw, path, problems)
    if _is_struct(kind):
        return read_struct(kind, raw, path, problems)
    item = (*get_args(kind), None)[0] if get_origin(kind) in (list, tuple) else None
    if _is_struct(item) and isinstance(raw, list):
        made = [
            read_struct(item, entry, f"{path}[{label(entry, index)}]", problems)
            for index, entry in enumerate(raw)
        ]
        return tuple(made) if get_origin(kind) is tuple else made
    try:
        return msgspec.convert(raw, limited, dec_hook=_decode)
    except msgspec.ValidationError as error:
        detail = f" ({error})" if "`$" in str(error) else ""
        message = f"expected {describe(limited)}, found {_show(raw)}{detail}"
        problems.append(Problem(path, message))
        return None


def _decode(kind: type, raw: object) -> object:
    """Make a secret of a text."""
    if issubclass(kind, Secret) and isinstance(raw, str):
        return kind(raw)
    raise TypeError(f"expected text, found {type(raw).__name__}")


def unread(struct: type[msgspec.Struct], raw: object, path: str) -> Iterator[Problem]:
    """Yield the keys below `raw` that a struct does not have, comments excepted."""
    if not isinstance(raw, dict):
        return
    hints, fields = _shape(struct)
    for key, value in raw.items():
        where = f"{path}.{key}" if path else key
        field = fields.get(key)
        if field is not None:
            for inner, below, entry in _inside(hints[field.name], value, where):
                yield from unread(inner, entry, below)
        elif not key.startswith(COMMENT):
            yield Problem(where, "no program reads this key")


def _inside(
    kind: Any,  # noqa: ANN401
    raw: object,
    path: str,
) -> Iterator[tuple[type[msgspec.Struct], str, object]]:
    """Yield the structs of a type, each with the path and the part of `raw` that it reads."""
    if _is_struct(kind):
        yield kind, path, raw
        return
    for inner in get_args(kind):
        if isinstance(raw, list) and get_origin(kind) in (list, tuple):
            for index, entry in enumerate(raw):
                yield from _inside(inner, entry, f"{path}[{label(entry, index)}]")
        elif get_origin(kind) in (Union, types.UnionType, Annotated):
            yield from _inside(inner, raw, path)


def _unknown_keys(
    raw: dict[str, Any], known: list[str], path: str, problems: list[Problem]
) -> None:
    """Add keys that are close to a known one; `unread` finds the others, comments are allowed."""
    for key in [key for key in raw if key not in known and not key.startswith(COMMENT)]:
        import difflib  # rarely needed, and large

        near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
        if near and near[0] not in raw:
            where = f"{path}.{key}" if path else key
            problems.append(Problem(where, f"unknown key; did you mean {near[0]!r}?"))


def _is_struct(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _bare(kind: Any) -> Any:  # noqa: ANN401
    """Return a type without the limits and descriptions around it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _limits(meta: msgspec.Meta) -> str:
    """Return the limits of a number in words."""
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (
            ("at least", meta.ge),
            ("above", meta.gt),
            ("at most", meta.le),
            ("below", meta.lt),
        )
        if bound is not None
    ]
    return f" ({', '.join(bounds)})" if bounds else ""


def describe(kind: Any) -> str:  # noqa: ANN401
    """Return in words what a type takes."""
    if get_origin(kind) is Annotated:
        limits = (_limits(m) for m in get_args(kind)[1:] if isinstance(m, msgspec.Meta))
        return describe(_bare(kind)) + "".join(limits)
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(describe(arm) for arm in get_args(kind) if arm is not type(None))
    if isinstance(kind, enum.EnumMeta):
        return " or ".join(repr(value) for value in kind._value2member_map_)
    plain = get_origin(kind) or kind
    if _is_struct(plain):
        return "an object"
    if plain is Literal:
        return " or ".join(repr(value) for value in get_args(kind))
    if isinstance(plain, type) and issubclass(plain, Secret):
        return _NAMES[str]
    return _NAMES.get(plain, str(getattr(plain, "__name__", plain)))


def _show(raw: object) -> str:
    text = scrub(msgspec.json.encode(raw).decode())
    return text if len(text) <= 60 else text[:57] + "…"
