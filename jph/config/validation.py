"""Turn untyped JSON into msgspec structs, collecting every mistake instead of the first. Pure."""

import enum
import types
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

from jph.errors import Problem

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
            read_struct(item, entry, f"{path}[{_label(entry, index)}]", problems)
            for index, entry in enumerate(raw)
        ]
        return tuple(made) if get_origin(kind) is tuple else made
    try:
        return msgspec.convert(raw, limited)
    except msgspec.ValidationError as error:
        detail = f" ({error})" if "`$" in str(error) else ""
        message = f"expected {describe(limited)}, found {_show(raw)}{detail}"
        problems.append(Problem(path, message))
        return None


def _unknown_keys(
    raw: dict[str, Any], known: list[str], path: str, problems: list[Problem]
) -> None:
    """Report each unknown key that looks like a misspelt one; others belong to other programs."""
    for key in [key for key in raw if key not in known]:
        import difflib  # seldom needed, and not small

        near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
        if near and near[0] not in raw:
            where = f"{path}.{key}" if path else key
            problems.append(Problem(where, f"unknown key; did you mean {near[0]!r}?"))


def _is_struct(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _label(entry: object, index: int) -> str:
    code = entry.get("Codifier") if isinstance(entry, dict) else None
    return code if isinstance(code, str) else str(index)


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
    return _NAMES.get(plain, str(getattr(plain, "__name__", plain)))


def _show(raw: object) -> str:
    text = msgspec.json.encode(raw).decode()
    return text if len(text) <= 60 else text[:57] + "…"
