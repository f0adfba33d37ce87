"""Logging in by the form's way: passwords, waiting, cookies, sessions."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts import database, passwords, sessions, tokens, users
from jph.gateway.accounts.database import accounts_path
from jph.gateway.accounts.roles import Role
from jph.gateway.accounts.throttle import OF_NAME
from jph.gateway.node import Gateway
from tests.jph.gateway import people
from tests.jph.gateway.houses import house, node
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running

HASH = passwords.hash_of(people.PASSWORD)


@pytest.fixture
async def ann(gateway: Gateway) -> users.Account:
    """Return an operator with a password."""
    return await people.add(gateway, "ann", Role.OPERATOR, HASH)


@pytest.fixture
async def browser(visitor: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client that has opened the login page."""
    await open_page(visitor)
    return visitor


async def open_page(client: httpx.AsyncClient, path: str = "/login") -> None:
    """Open a page; from then on requests say that they come from it, as those of a browser do."""
    page = (await client.get(path)).raise_for_status()
    client.headers["origin"] = f"{page.url.scheme}://{page.url.netloc.decode()}"


async def log_in(
    client: httpx.AsyncClient, name: str = "ann", password: str = people.PASSWORD
) -> httpx.Response:
    return await client.post("/api/login", json={"name": name, "password": password})


async def test_a_login_is_a_session(browser: httpx.AsyncClient, ann: users.Account) -> None:
    assert (await browser.get("/api/me")).json() == {"name": "", "role": "viewer"}
    answer = await log_in(browser, "Ann")
    assert answer.json() == {"name": "ann", "role": "operator"}
    (cookie,) = answer.headers.get_list("set-cookie")
    for mark in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age="):
        assert mark.lower() in cookie.lower()
    assert (await browser.get("/api/me")).json()["name"] == "ann"
    await open_page(browser, "/")
    assert (await browser.post("/sensormsg/TI/P")).json()["answered"] is True


async def test_gateways_of_one_host_keep_to_their_own_cookies(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    kinds = [node(code, "Gateway", Sensor={"Port": 0, "Public": "read"}) for code in ("CG", "CH")]
    both = network(*house(), *kinds, Redis={"URL": redis.url})
    one, other = Gateway("CG", both), Gateway("CH", both)
    async with running(one, other), httpx.AsyncClient(timeout=LIMIT_S) as client:
        await people.add(one, "ann", Role.OPERATOR, HASH)
        for page in (one, other):
            await open_page(client, f"{page.url}/login")
            said = {"name": "ann", "password": people.PASSWORD}
            (await client.post(f"{page.url}/api/login", json=said)).raise_for_status()
        await open_page(client, f"{other.url}/")
        (await client.post(f"{other.url}/api/logout")).raise_for_status()
        names = [(await client.get(f"{page.url}/api/me")).json()["name"] for page in (one, other)]
    assert names == ["ann", ""]


async def test_a_logout_ends_it_on_the_server(
    browser: httpx.AsyncClient, ann: users.Account
) -> None:
    await log_in(browser)
    kept = browser.cookies[people.COOKIE]
    await open_page(browser, "/")
    assert (await browser.post("/api/logout")).status_code == 200
    assert people.COOKIE not in browser.cookies
    browser.cookies.set(people.COOKIE, kept, domain="127.0.0.1")
    assert (await browser.get("/api/me")).json()["name"] == ""


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "wrong horse"), ("bob", people.PASSWORD), ("", ""), ("ann", ""), ("ann' --", "x")],
)
async def test_wrong_is_wrong_without_saying_what(
    browser: httpx.AsyncClient, ann: users.Account, name: str, password: str
) -> None:
    answer = await log_in(browser, name, password)
    assert answer.status_code == 401
    assert answer.json() == {"error": "wrong name or password"}
    assert people.COOKIE not in browser.cookies


async def test_nobody_learns_who_there_is_from_the_time(
    browser: httpx.AsyncClient, ann: users.Account
) -> None:
    passwords.matches(None, "warm")

    async def took(name: str) -> float:
        began = time.process_time()  # what other programs take is not counted
        assert (await log_in(browser, name, "wrong horse")).status_code == 401
        return time.process_time() - began

    there = min([await took("ann") for _ in range(3)])
    nowhere = min([await took(f"unknown{n}") for n in range(3)])
    assert 0.5 < there / nowhere < 2


async def test_guessing_is_stopped(
    browser: httpx.AsyncClient, ann: users.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Any = SimpleNamespace(now_s=1000.0, monotonic=lambda: clock.now_s)
    monkeypatch.setattr("jph.gateway.subjects.login.time", clock)
    answers = await asyncio.gather(*(log_in(browser, password=f"guess {n}") for n in range(9)))
    states = sorted(answer.status_code for answer in answers)
    assert states == [401] * OF_NAME.free + [429] * (9 - OF_NAME.free)
    waiting = await log_in(browser)
    assert waiting.status_code == 429, "the right password waits too"
    assert waiting.headers["retry-after"] == "1"
    clock.now_s += 1.0
    assert (await log_in(browser)).status_code == 200
    assert (await browser.get("/api/me")).json()["name"] == "ann"


async def test_a_login_comes_from_our_own_page(
    visitor: httpx.AsyncClient, ann: users.Account
) -> None:
    assert (await log_in(visitor)).status_code == 403
    await open_page(visitor)
    visitor.headers["origin"] = "http://evil.example.com"
    assert (await log_in(visitor)).status_code == 403
    del visitor.headers["origin"]
    visitor.cookies.clear()
    assert (await log_in(visitor)).status_code == 403, "the token is of another visitor"


async def test_a_session_that_was_planted_is_not_taken(
    gateway: Gateway, browser: httpx.AsyncClient, ann: users.Account
) -> None:
    browser.cookies.set(people.COOKIE, "planted", domain="127.0.0.1")
    await log_in(browser)
    assert browser.cookies[people.COOKIE] != "planted"
    await open_page(browser)
    first = browser.cookies[people.COOKIE]
    assert (await log_in(browser)).status_code == 200
    second = browser.cookies[people.COOKIE]
    assert first != second
    async with httpx.AsyncClient(
        base_url=gateway.url, cookies={people.COOKIE: first}, timeout=LIMIT_S
    ) as old:
        assert (await old.get("/api/me")).json()["name"] == "", "a new login ends the one before"


async def test_what_is_kept_of_a_session_does_not_log_in(
    gateway: Gateway, browser: httpx.AsyncClient, ann: users.Account
) -> None:
    await log_in(browser)
    secret = browser.cookies[people.COOKIE]
    assert gateway._accounts is not None
    rows = await gateway._accounts.run(
        lambda file: [tuple(row) for row in file.execute("SELECT * FROM sessions")]
    )
    assert len(secret) >= 43
    assert secret not in repr(rows)
    assert sessions.hashed(secret) in rows[0]


async def test_sessions_end_by_themselves(gateway: Gateway, ann: users.Account) -> None:
    assert gateway._accounts is not None
    run = gateway._accounts.run
    secret, begun = await run(sessions.begin, ann.user, "::1", "test", 0)
    day = 86_400_000
    assert await run(sessions.find, secret, 29 * day)
    assert await run(sessions.find, secret, 58 * day)
    assert await run(sessions.find, secret, 58 * day + sessions.IDLE_MS) is None
    for at in range(58, 180, 20):
        await run(sessions.find, secret, at * day)
    assert await run(sessions.find, secret, begun.created_ms + sessions.LONGEST_MS) is None


async def test_a_long_body_is_refused(browser: httpx.AsyncClient) -> None:
    assert (await log_in(browser, password="x" * 300)).status_code == 400
    assert (await log_in(browser, password="x" * 100_000)).status_code == 413


@pytest.mark.parametrize(
    ("target", "goes"),
    [
        ("/graphs?codes=I1", "/graphs?codes=I1"),
        ("//evil.example.com", "/"),
        ("https://evil.example.com", "/"),
        ("/\\evil.example.com", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
async def test_the_page_goes_nowhere_else(
    visitor: httpx.AsyncClient, target: str, goes: str
) -> None:
    page = (await visitor.get("/login", params={"next": target})).text
    assert f'data-target="{goes}"' in page
    assert "evil" not in page.split("<form")[1]


@pytest.mark.parametrize("other", ['x={"a": 1}', "a b=c", "é=1", 'x="open', "path=/", ";;=;"])
async def test_cookies_of_other_programs_on_this_host_keep_nobody_out(
    gateway: Gateway, other: str
) -> None:
    secret = await people.session_of(gateway, Role.OPERATOR)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as client:
        for cookies in (f"{other}; {people.COOKIE}={secret}", f"{people.COOKIE}={secret}; {other}"):
            answer = await client.get("/api/me", headers=[(b"cookie", cookies.encode())])
            assert answer.json()["name"] == "operator", cookies


async def test_a_disk_that_is_full_keeps_nobody_out(
    gateway: Gateway, ann: users.Account, visitor: httpx.AsyncClient
) -> None:
    assert gateway._accounts is not None
    run = gateway._accounts.run
    an_hour_ago = gateway._accounts.now_ms() - 3_600_000
    secret, _ = await run(sessions.begin, ann.user, "::1", "test", an_hour_ago)
    program, _ = await run(tokens.add, ann.user, "test", Role.VIEWER, None, an_hour_ago)

    def full(file: sqlite3.Connection) -> None:
        file.execute("PRAGMA query_only = ON")  # each write fails now, as on a full disk

    await run(full)
    visitor.cookies.set(people.COOKIE, secret)
    assert (await visitor.get("/api/me")).json()["name"] == "ann"
    answer = await visitor.get("/api/me", headers={"Authorization": f"Bearer {program}"})
    assert answer.json()["role"] == "viewer"


async def test_a_file_that_another_program_writes_keeps_nobody_waiting(
    gateway: Gateway, ann: users.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gateway._accounts is not None
    run = gateway._accounts.run
    secret, begun = await run(sessions.begin, ann.user, "::1", "test", 0)
    # Who waited for the other program would wait longer than this test.
    monkeypatch.setattr(database, "_WAIT_S", 10 * LIMIT_S)
    await run(lambda file: file.execute(f"PRAGMA busy_timeout = {round(10_000 * LIMIT_S)}"))
    with contextlib.closing(sqlite3.connect(accounts_path(), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(LIMIT_S):
            assert await run(sessions.find, secret, 3_600_000)
            assert await run(sessions.exists, begun.id, 3_600_000)
        other.execute("ROLLBACK")
    assert await run(sessions.exists, begun.id, 3_600_000)
    (listed,) = await run(sessions.listed, ann.id, 3_600_000)
    assert listed.seen_ms == 3_600_000


async def test_a_stream_writes_once_a_minute_at_most(gateway: Gateway, ann: users.Account) -> None:
    assert gateway._accounts is not None
    run = gateway._accounts.run
    _, begun = await run(sessions.begin, ann.user, "::1", "test", 0)
    for now_ms in (15_000, 30_000, 45_000):
        assert await run(sessions.exists, begun.id, now_ms)
    (listed,) = await run(sessions.listed, ann.id, 45_000)
    assert listed.seen_ms == 0


async def test_a_password_that_changes_meanwhile_opens_nothing(
    gateway: Gateway,
    browser: httpx.AsyncClient,
    ann: users.Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accounts = gateway._accounts
    assert accounts is not None
    matches = accounts.passwords.matches

    async def slowly(kept: str | None, password: str) -> bool:
        right = await matches(kept, password)
        await accounts.run(users.set_password, ann.id, "another hash")
        return right

    monkeypatch.setattr(accounts.passwords, "matches", slowly)
    assert (await log_in(browser)).status_code == 401
    assert await accounts.run(sessions.listed, ann.id, accounts.now_ms()) == []
