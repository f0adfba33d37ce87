"""Static files: small, compressed, cached for ever, and no other file."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from jph.gateway.platform.assets import Assets
from tests.support import REPOSITORY

MOST_FIRST_LOAD_BYTES = 150_000
_LINKED = re.compile(r'(?:src|href)="(/static/[^"]+)"')
_IMPORTED = re.compile(r'(?:from|import)\s+"(\.{1,2}/[^"]+)"|import\("(\.{1,2}/[^"]+)"\)')


async def loaded(client: httpx.AsyncClient, path: str) -> dict[str, int]:
    """Return the bytes on the wire of a page and of all that it needs, by address."""
    sizes: dict[str, int] = {}

    async def load(address: str) -> str:
        async with client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.status_code == 200, address
            raw = b"".join([piece async for piece in response.aiter_raw()])
        sizes[address] = len(raw)
        if response.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8", "replace")

    page = await load(path)
    waiting = set(_LINKED.findall(page))
    while waiting:
        address = waiting.pop()
        text = await load(address)
        if address.endswith(".js"):
            names = [one or other for one, other in _IMPORTED.findall(text)]
            found = {str(httpx.URL(f"http://x{address}").join(name).path) for name in names}
            waiting |= found - sizes.keys()
    return sizes


@pytest.mark.parametrize("path", ["/", "/network", "/heaters", "/graphs", "/login", "/users"])
async def test_the_first_load_is_small(http: httpx.AsyncClient, path: str) -> None:
    http.headers["accept-language"] = "fr"
    sizes = await loaded(http, path)
    assert len(sizes) > 3
    assert sum(sizes.values()) < MOST_FIRST_LOAD_BYTES, sizes


async def test_an_edition_is_kept_for_ever(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/login")).text
    address = next(each for each in _LINKED.findall(page) if each.endswith("base.css"))
    first = await visitor.get(address)
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    plain = await visitor.get("/static/base.css", headers={"Accept-Encoding": "identity"})
    assert plain.headers["cache-control"] == "no-cache"
    assert "content-encoding" not in plain.headers
    assert plain.text == first.text
    again = await visitor.get("/static/base.css", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_pages_and_json_are_compressed_and_streams_are_not(
    visitor: httpx.AsyncClient,
) -> None:
    for path in ("/", "/sensor/"):
        answer = await visitor.get(path)
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "no-store"
    async with visitor.stream("GET", "/api/events") as stream:
        assert "content-encoding" not in stream.headers


@pytest.mark.parametrize(
    "name", ["nothing.js", "", "%2e%2e/app.py", "../app.py", "..%2fapp.py", "x" * 5000]
)
async def test_nothing_else_is_served(visitor: httpx.AsyncClient, name: str) -> None:
    answer = await visitor.get(f"/static/{name}")
    assert answer.status_code in (404, 405)


def test_the_edition_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    first = Assets(tmp_path)
    assert first.url("a.js") == f"/static/{first.edition}/a.js"
    (tmp_path / "a.js").write_text("2")
    assert Assets(tmp_path).edition != first.edition
    with pytest.raises(KeyError):
        first.url("b.js")


def test_no_script_or_style_is_inline_and_nothing_comes_from_outside() -> None:
    for path in sorted((REPOSITORY / "jph" / "gateway" / "templates").rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", text), path
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text), path
        for script in re.findall(r"<script\b([^>]*)>", text):
            assert "src=" in script or "application/json" in script, path
    for path in sorted((REPOSITORY / "jph" / "gateway" / "static").rglob("*.js")):
        if "vendor" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        assert "innerHTML" not in text, path
        assert "insertAdjacentHTML" not in text, path
        assert "eval(" not in text, path


def test_no_password_could_get_into_an_address() -> None:
    """Before its script runs a form is sent by the browser alone: with GET, in the address."""
    forms = [
        form
        for path in (REPOSITORY / "jph" / "gateway" / "templates").rglob("*.html")
        for form in re.findall(r"<form\b.*?</form>", path.read_text(), re.S)
        if 'type="password"' in form
    ]
    assert forms
    assert [form[:60] for form in forms if 'method="post"' not in form.partition(">")[0]] == []
