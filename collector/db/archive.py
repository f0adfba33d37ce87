"""Reads what `pg_restore` says of an archive: its contents, and the rows of its tables. Pure.

An archive is SQL of a stranger. Nothing of it is executed: of the script that `pg_restore` writes,
the parser takes names of tables and columns, and rows in COPY's text format.
"""

import re
from collections.abc import Collection, Iterator
from typing import IO, Final, NamedTuple

_ENTRY: Final = re.compile(
    r"(?P<id>\d+); \d+ \d+ (?P<kind>[A-Z][A-Z ]*) (?P<schema>\S+) (?P<name>.*?) \S*"
)
_COPY: Final = re.compile(rb'COPY public\.("?)(\w+)\1 \(((?:"?\w+"?(?:, )?)+)\) FROM stdin;\r?\n')
_ENCODING: Final = re.compile(rb"SET client_encoding = '(\w+)';\r?\n")
_END: Final = (b"\\.\n", b"\\.\r\n")
_FOLLOWS: Final = frozenset(
    (
        *("ACL", "COMMENT", "CONSTRAINT", "DEFAULT ACL", "FK CONSTRAINT", "INDEX", "INDEX ATTACH"),
        *("SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "STATISTICS DATA", "TABLE ATTACH"),
    )
)
"""Kinds of entries that belong to an object which is named itself, or execute nothing."""
_VIEW_OF_CODIFIER: Final = re.compile(r"sensor_\w+")


class Entry(NamedTuple):
    """An entry of an archive: its number there, the kind, the schema and the object."""

    number: int
    kind: str
    schema: str
    name: str


class Copy(NamedTuple):
    """The rows of a table: read all before the next."""

    table: str
    columns: tuple[str, ...]
    encoding: str
    rows: "Rows"


class Rows:
    """A file that ends where the rows of a COPY end.

    Attributes:
        whole: whether the mark after the last row was read.
    """

    def __init__(self, script: IO[bytes]) -> None:
        self._script = script
        self.whole = False
        self._over = False

    def read(self, size: int = 1 << 16) -> bytes:
        """Return about `size` bytes of rows, nothing at their end."""
        lines: list[bytes] = []
        found = 0
        while found < size and (line := self.readline()):
            lines.append(line)
            found += len(line)
        return b"".join(lines)

    def readline(self, _size: int = -1, /) -> bytes:
        """Return the next row, nothing at their end."""
        line = b"" if self._over else self._script.readline()
        if line and line not in _END:
            return line
        self.whole = self.whole or bool(line)
        self._over = True
        return b""


def entries(listing: str) -> list[Entry]:
    """Return the entries of what `pg_restore --list` says."""
    found = (_ENTRY.fullmatch(line) for line in listing.splitlines())
    return [
        Entry(int(each["id"]), each["kind"], each["schema"], each["name"]) for each in found if each
    ]


def copies(script: IO[bytes]) -> Iterator[Copy]:
    """Yield the tables of a script with their rows; everything else of it is passed over."""
    encoding = "UTF8"
    for line in iter(script.readline, b""):
        if match := _ENCODING.fullmatch(line):
            encoding = match[1].decode()
        elif match := _COPY.fullmatch(line):
            columns = match[3].decode().replace('"', "").split(", ")
            rows = Rows(script)
            yield Copy(match[2].decode(), tuple(columns), encoding, rows)
            while rows.read():
                pass


def left_out(contents: Collection[Entry], known: Collection[str]) -> list[str]:
    """Return the objects of an archive that are none of ours: kind and name.

    `known` are the names of our relations, functions and triggers ("table trigger").
    """
    return [
        f"{each.kind.lower()} {each.name if each.schema in ('public', '-') else '.'.join(each[2:])}"
        for each in contents
        if each.kind not in _FOLLOWS
        and not (each.schema == "public" and each.name.partition("(")[0] in known)
        and not (each.kind == "VIEW" and _VIEW_OF_CODIFIER.fullmatch(each.name))
    ]
