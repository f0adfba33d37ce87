"""Forms of answers: JSON, text, XML as nested objects. Pure."""

from typing import Any, Final

from jph.values.tolerant import MAX_CHARS, MAX_DEPTH, loads

_MOST_NODES: Final = 10_000


def parse_answer(text: str, form: str) -> Any:  # noqa: ANN401
    """Return an answer as objects that paths lead into.

    Raises:
        ValueError: it does not have this form.
    """
    if form == "json":
        return loads(text)
    if form == "xml":
        return read_xml(text)
    return text.strip()


def read_xml(text: str) -> dict[str, Any]:
    """Return an XML document as objects: a tag is a key, several of one tag are a list.

    Raises:
        ValueError: it is none, too long, too deep, or declares entities.
    """
    from xml.etree import ElementTree  # 2 MB that JSON does not need

    if len(text) > MAX_CHARS:
        raise ValueError(f"{len(text)} characters of XML, expected up to {MAX_CHARS}")
    if "<!" in text:
        raise ValueError("XML with declarations is refused")
    if text.count("<") > 2 * _MOST_NODES:
        raise ValueError("XML with too many tags")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"no XML: {error}") from None
    return {root.tag: _object(root, 0)}


def _object(element: Any, depth: int) -> Any:  # noqa: ANN401
    if depth > MAX_DEPTH:
        raise ValueError(f"XML nested deeper than {MAX_DEPTH}")
    found: dict[str, Any] = {f"@{key}": value for key, value in element.attrib.items()}
    for child in element:
        value = _object(child, depth + 1)
        if child.tag not in found:
            found[child.tag] = value
        elif isinstance(found[child.tag], list):
            found[child.tag].append(value)
        else:
            found[child.tag] = [found[child.tag], value]
    text = (element.text or "").strip()
    if not found:
        return text
    if text:
        found["#text"] = text
    return found
