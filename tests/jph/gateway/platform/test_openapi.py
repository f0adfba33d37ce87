"""A walk over everything that the API says of itself: whatever is sent, the fault is not ours.

Paths, queries and bodies are made from the description and beside it; no answer may be a 500, and
each is of a kind that the caller can read.
"""

import json
import string
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jph.client.limits import Limits
from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import house
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running

Document = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
REQUESTS = 25
"""For each operation."""
SLOW = ("/api/logout", "/api/login", "/api/confirm", "/events", "/api/events")
"""Logins make us wait, streams do not end."""

texts = st.text(max_size=30) | st.sampled_from(
    ["I1", "TI", "ZZ", "@@", "P", "A", "1", "-1", "nan", "1e999", "0" * 400, "<script>", "'--"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def described(schema: Document, api: Document) -> st.SearchStrategy[Any]:
    """Return values as a schema describes them."""
    if "$ref" in schema:
        return described(api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], api)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return st.one_of([described(each, api) for each in schema[key]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of([described({**schema, "type": each}, api) for each in kind])
    if kind == "object":
        known = {name: described(each, api) for name, each in schema.get("properties", {}).items()}
        needed = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: each for name, each in known.items() if name in needed},
            optional={name: each for name, each in known.items() if name not in needed},
        )
    if kind == "array":
        return st.lists(described(schema.get("items", {}), api), max_size=4)
    simple: dict[str | None, st.SearchStrategy[Any]] = {
        "string": texts,
        "integer": st.integers(-(2**70), 2**70) | st.integers(0, 9),
        "number": st.floats() | st.integers(-5, 5),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return simple.get(kind, anything)


def operations(api: Document) -> list[tuple[str, str, Document]]:
    """Return (method, path, description) of all but the login, which would make us wait."""
    return [
        (method, path, found[method])
        for path, found in sorted(api["paths"].items())
        for method in METHODS
        if method in found and path not in SLOW
    ]


def as_path(value: object) -> str:
    """Return a text that can stand in a path."""
    allowed = set(string.ascii_letters + string.digits + "-._~")
    parts = [c if c in allowed else "".join(f"%{b:02X}" for b in c.encode()) for c in str(value)]
    return "".join(parts).replace("..", "%2E%2E") or "x"


@pytest.fixture
async def api(
    network: Callable[..., Network], redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Gateway, Document]]:
    """Yield a gateway and what its API says of itself."""
    monkeypatch.setattr(Gateway, "limits", Limits().times(0.01))
    home = network(*house(), Redis={"URL": redis.url})
    gateway = Gateway("CF", home)
    async with running(gateway, Plain("TI", home)):
        async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as client:
            document = (await client.get("/api/openapi.json")).raise_for_status().json()
        yield gateway, document


class Sent(NamedTuple):
    """One request."""

    method: str
    path: str
    query: dict[str, Any]
    body: bytes
    headers: dict[str, str]


@st.composite
def requests(draw: st.DrawFn, method: str, path: str, operation: Document, api: Document) -> Sent:
    """Draw a request: most of its values as they are described, some not."""
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", ()):
        name, place = parameter["name"], parameter["in"]
        value = draw(described(parameter.get("schema", {}), api) | texts)
        if place == "path":
            path = path.replace(f"{{{name}}}", as_path(value))
        elif place == "query" and name != "wait" and draw(st.booleans()):
            query[name] = "" if value is None else str(value)
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return Sent(method, path, query, b"", {})
    value = draw(described(schema, api) | described(schema, api) | anything)
    body = json.dumps(value).encode() if draw(st.integers(0, 9)) else b"\xff{"
    return Sent(method, path, query, body, {"content-type": "application/json"})


def examples(strategy: st.SearchStrategy[Sent], count: int) -> list[Sent]:
    """Return values of a strategy, the same at each run."""
    found: list[Sent] = []

    @given(strategy)
    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(sent: Sent) -> None:
        found.append(sent)

    collect()
    return found


def test_the_walk_knows_schemas() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

    @given(
        described({"$ref": "#/components/schemas/A"}, {"components": {"schemas": {"A": schema}}})
    )
    @settings(max_examples=20)
    def walk(value: Document) -> None:
        assert isinstance(value["a"], int)

    walk()


async def test_the_streams_and_the_measures_are_described(api: tuple[Gateway, Document]) -> None:
    _, document = api
    assert {"/api/events", "/metrics", "/healthz"} <= document["paths"].keys()


async def test_nothing_that_is_sent_is_our_fault(
    api: tuple[Gateway, Document], caplog: pytest.LogCaptureFixture
) -> None:
    gateway, document = api
    found = operations(document)
    assert len(found) > 30
    statuses: set[int] = set()
    for method, path, operation in found:
        async with logged_in(gateway, Role.ADMIN) as client:  # it may have ended its own session
            client.timeout = httpx.Timeout(LIMIT_S)
            for sent in examples(requests(method, path, operation, document), REQUESTS):
                statuses.add(await status_of(client, sent))
    assert "the gateway failed" not in caplog.text
    assert {200, 201, 400, 404, 409} <= statuses


async def status_of(client: httpx.AsyncClient, sent: Sent) -> int:
    """Send a request; its answer is no fault, and a refusal says why."""
    answer = await client.request(
        sent.method.upper(),
        sent.path,
        params=sent.query,
        content=sent.body,
        headers=sent.headers,
    )
    assert answer.status_code < 500 or answer.status_code == 503, (sent, answer.text)
    if answer.status_code >= 400:
        body = answer.json()
        assert body["unknown" if sent.path == "/healthz" else "error"], sent
    return answer.status_code
