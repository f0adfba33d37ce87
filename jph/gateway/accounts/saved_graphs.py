"""Graphs that users save."""

import sqlite3
from typing import Final, NamedTuple

from jph.gateway.accounts.accounts import Accounts
from jph.gateway.accounts.roles import User
from jph.gateway.accounts.users import UserError

MOST_OF_A_USER: Final = 200
LONGEST_NAME: Final = 100
LONGEST_QUERY: Final = 2000


class SavedGraph(NamedTuple):
    """A graph: `query` is what the address of the graph page has after its "?"."""

    id: int
    name: str
    query: str
    shared: bool
    owner: str
    mine: bool


class SavedGraphs:
    """The graphs of one user. Names are unique among a user's own."""

    def __init__(self, accounts: Accounts, user: User) -> None:
        self._accounts = accounts
        self._user = user

    async def list(self) -> list[SavedGraph]:
        """Return the user's graphs and those that others share, by name."""
        return await self._accounts.run(_listed, self._user)

    async def add(self, name: str, query: str) -> SavedGraph:
        """Keep a graph.

        Raises:
            UserError: the name is taken or no name, or there are too many.
        """
        return await self._accounts.run(_add, self._user, name, query, self._accounts.now_ms())

    async def update(
        self,
        graph_id: int,
        *,
        name: str | None = None,
        query: str | None = None,
        shared: bool | None = None,
    ) -> SavedGraph:
        """Rename a graph, save it with another query, share it or not; None leaves as it is.

        Raises:
            UserError: it is not this user's, or the name is taken or no name.
        """
        return await self._accounts.run(
            _update, self._user, graph_id, name, query, shared, self._accounts.now_ms()
        )

    async def delete(self, graph_id: int) -> None:
        """Forget a graph.

        Raises:
            UserError: it is not this user's.
        """
        await self._accounts.run(_delete, self._user, graph_id)


def _listed(accounts: sqlite3.Connection, user: User) -> list[SavedGraph]:
    rows = accounts.execute(
        f"{_SELECT} WHERE graphs.user = ? OR shared ORDER BY graphs.name, graphs.id", (user.id,)
    )
    return [_graph(row, user) for row in rows]


def _add(
    accounts: sqlite3.Connection, user: User, name: str, query: str, now_ms: int
) -> SavedGraph:
    name, query = _checked_name(name), _checked_query(query)
    (many,) = accounts.execute("SELECT count(*) FROM graphs WHERE user = ?", (user.id,)).fetchone()
    if many >= MOST_OF_A_USER:
        raise UserError(f"{MOST_OF_A_USER} graphs are kept at most")
    try:
        done = accounts.execute(
            "INSERT INTO graphs (user, name, query, changed_ms) VALUES (?, ?, ?, ?)",
            (user.id, name, query, now_ms),
        )
    except sqlite3.IntegrityError:
        raise UserError(f"there is a graph {name} already") from None
    return _mine(accounts, user, int(done.lastrowid or 0))


def _update(
    accounts: sqlite3.Connection,
    user: User,
    graph_id: int,
    name: str | None,
    query: str | None,
    shared: bool | None,
    now_ms: int,
) -> SavedGraph:
    old = _mine(accounts, user, graph_id)
    name = old.name if name is None else _checked_name(name)
    query = old.query if query is None else _checked_query(query)
    shared = old.shared if shared is None else shared
    try:
        accounts.execute(
            "UPDATE graphs SET name = ?, query = ?, shared = ?, changed_ms = ? WHERE id = ?",
            (name, query, int(shared), now_ms, graph_id),
        )
    except sqlite3.IntegrityError:
        raise UserError(f"there is a graph {name} already") from None
    return _mine(accounts, user, graph_id)


def _delete(accounts: sqlite3.Connection, user: User, graph_id: int) -> None:
    _mine(accounts, user, graph_id)
    accounts.execute("DELETE FROM graphs WHERE id = ?", (graph_id,))


def _mine(accounts: sqlite3.Connection, user: User, graph_id: int) -> SavedGraph:
    row = accounts.execute(
        f"{_SELECT} WHERE graphs.id = ? AND graphs.user = ?", (graph_id, user.id)
    ).fetchone()
    if row is None:
        raise UserError("you have no such graph")
    return _graph(row, user)


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise UserError(f"the name of a graph has 1 to {LONGEST_NAME} visible characters")
    return name


def _checked_query(query: str) -> str:
    if len(query) > LONGEST_QUERY or not query.isprintable():
        raise UserError(f"a graph's address has at most {LONGEST_QUERY} visible characters")
    return query


_SELECT: Final = (
    "SELECT graphs.id, graphs.name, query, shared, graphs.user, users.name AS owner "
    "FROM graphs JOIN users ON users.id = graphs.user"
)


def _graph(row: sqlite3.Row, user: User) -> SavedGraph:
    return SavedGraph(
        row["id"],
        row["name"],
        row["query"],
        bool(row["shared"]),
        row["owner"],
        row["user"] == user.id,
    )
