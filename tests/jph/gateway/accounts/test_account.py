"""One's own sessions, tokens and password, and the accounts that admins keep."""

import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts import audit, passwords, tokens, users
from jph.gateway.accounts.audit import Auditor
from jph.gateway.accounts.confirmations import Confirmations
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.node.node import now_ms
from tests.jph.gateway import people
from tests.jph.gateway.houses import house
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running, until

HASH = passwords.hash_of(people.PASSWORD)


async def bearer(gateway: Gateway, secret: str, method: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as client:
        return await client.request(method, path, headers={"Authorization": f"Bearer {secret}"})


class TestTokens:
    async def test_a_token_does_what_its_role_may(
        self, gateway: Gateway, operator: httpx.AsyncClient
    ) -> None:
        for role, status in (("viewer", 403), ("operator", 200)):
            made = await operator.post("/api/tokens", json={"name": "test", "role": role})
            assert made.status_code == 201
            secret = made.json()["secret"]
            assert (await bearer(gateway, secret, "GET", "/api/me")).json()["role"] == role
            answer = await bearer(gateway, secret, "POST", "/sensormsg/TI/P")
            assert answer.status_code == status
        listed = (await operator.get("/api/tokens")).json()
        assert [each["role"] for each in listed] == ["operator", "viewer"]
        assert all("secret" not in each or each["secret"] is None for each in listed)

    async def test_no_more_than_oneself(self, operator: httpx.AsyncClient) -> None:
        made = await operator.post("/api/tokens", json={"name": "test", "role": "admin"})
        assert made.status_code == 409
        assert "cannot be admin" in made.json()["error"]

    async def test_an_ended_token_opens_nothing(
        self, gateway: Gateway, operator: httpx.AsyncClient
    ) -> None:
        made = (await operator.post("/api/tokens", json={"name": "test"})).json()
        assert (await operator.delete(f"/api/tokens/{made['id']}")).status_code == 200
        answer = await bearer(gateway, made["secret"], "GET", "/sensor/")
        assert answer.status_code == 401, "not even what any client may read"
        assert answer.headers["www-authenticate"] == "Bearer"

    async def test_an_expired_token_opens_nothing(self, gateway: Gateway) -> None:
        assert gateway._accounts is not None
        run = gateway._accounts.run
        user = (await people.add(gateway, "ann", Role.ADMIN)).user
        late = now_ms() - 2 * tokens.DAY_MS
        secret, _ = await run(tokens.add, user, "old", Role.ADMIN, 1.0, late)
        assert (await bearer(gateway, secret, "GET", "/api/me")).status_code == 401

    @pytest.mark.parametrize("text", ["Bearer", "Bearer x", "bearer " + "x" * 5000])
    async def test_what_is_no_token(self, visitor: httpx.AsyncClient, text: str) -> None:
        answer = await visitor.get("/api/me", headers={"Authorization": text})
        assert answer.status_code == 401

    async def test_a_token_cannot_make_another(
        self, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        made = await http.post("/api/tokens", json={"name": "test", "role": "admin"})
        secret = made.json()["secret"]
        assert (await bearer(gateway, secret, "GET", "/api/users")).status_code == 200
        for method, path in (("GET", "/api/tokens"), ("GET", "/api/sessions")):
            assert (await bearer(gateway, secret, method, path)).status_code == 401

    async def test_not_of_others(self, gateway: Gateway, operator: httpx.AsyncClient) -> None:
        made = (await operator.post("/api/tokens", json={"name": "test"})).json()
        async with logged_in(gateway, Role.OPERATOR, "other") as other:
            assert (await other.delete(f"/api/tokens/{made['id']}")).status_code == 404
            assert (await other.get("/api/tokens")).json() == []


class TestSessions:
    async def test_listed_and_ended(self, gateway: Gateway, operator: httpx.AsyncClient) -> None:
        async with logged_in(gateway, Role.OPERATOR) as second:
            listed = (await operator.get("/api/sessions")).json()
            assert sorted(each["this"] for each in listed) == [False, True]
            other = next(each["id"] for each in listed if not each["this"])
            assert (await operator.delete(f"/api/sessions/{other}")).status_code == 200
            assert (await second.get("/api/me")).json()["name"] == ""
            assert (await second.post("/sensormsg/TI/P")).status_code == 401
        assert (await operator.get("/api/me")).json()["name"] == "operator"

    async def test_not_those_of_others(
        self, gateway: Gateway, operator: httpx.AsyncClient, viewer: httpx.AsyncClient
    ) -> None:
        (mine,) = (await viewer.get("/api/sessions")).json()
        assert (await operator.delete(f"/api/sessions/{mine['id']}")).status_code == 404
        assert (await viewer.get("/api/me")).json()["name"] == "viewer"

    @pytest.mark.parametrize("by_token", [False, True])
    async def test_a_stream_ends_with_what_opened_it(
        self,
        gateway: Gateway,
        http: httpx.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
        by_token: bool,
    ) -> None:
        monkeypatch.setattr("jph.gateway.subjects.stream.ASK_AGAIN_S", 0.05)
        assert gateway._hub is not None
        hub = gateway._hub
        made = (await http.post("/api/tokens", json={"name": "test"})).json()
        headers = {"Authorization": f"Bearer {made['secret']}"} if by_token else {}
        async with (
            logged_in(gateway, Role.VIEWER, "ann") as ann,
            ann.stream("GET", "/api/events", headers=headers) as stream,
        ):
            assert stream.status_code == 200
            await until(lambda: hub.clients == 1)
            if by_token:
                await http.delete(f"/api/tokens/{made['id']}")
            else:
                listed = (await http.get("/api/users")).json()
                (user_id,) = [each["id"] for each in listed if each["name"] == "ann"]
                await http.delete(f"/api/users/{user_id}/sessions")
            await until(lambda: hub.clients == 0)


class TestPassword:
    async def test_it_ends_other_sessions(self, gateway: Gateway) -> None:
        await people.add(gateway, "ann", Role.VIEWER, HASH)
        async with (
            logged_in(gateway, Role.VIEWER, "ann") as here,
            logged_in(gateway, Role.VIEWER, "ann") as there,
        ):
            body = {"old": "wrong horse", "new": "battery staple"}
            assert (await here.post("/api/password", json=body)).status_code == 403
            body = {"old": people.PASSWORD, "new": "short"}
            assert (await here.post("/api/password", json=body)).status_code == 409
            body = {"old": people.PASSWORD, "new": "battery staple"}
            assert (await here.post("/api/password", json=body)).status_code == 200
            assert (await here.get("/api/me")).json()["name"] == "ann"
            assert (await there.get("/api/me")).json()["name"] == ""
            again = await here.post("/api/password", json=body)
            assert again.status_code == 403, "the old password is no more"


class TestUsers:
    async def test_an_admin_keeps_accounts(self, gateway: Gateway, http: httpx.AsyncClient) -> None:
        body = {"name": "bob", "role": "operator", "password": people.PASSWORD}
        bob = (await http.post("/api/users", json=body)).raise_for_status().json()
        assert (await http.post("/api/users", json=body)).status_code == 409
        async with logged_in(gateway, Role.OPERATOR, "bob") as client:
            assert (await client.post("/sensormsg/TI/P")).status_code == 200
            path = f"/api/users/{bob['id']}"
            assert (await http.patch(path, json={"role": "viewer"})).json()["role"] == "viewer"
            assert (await client.post("/sensormsg/TI/P")).status_code == 403, "at once"
            assert len((await http.get(f"{path}/sessions")).json()) == 1
            assert (await http.delete(f"{path}/sessions")).status_code == 200
            assert (await client.get("/api/me")).json()["name"] == ""
            assert (await http.delete(path)).status_code == 200
        names = [each["name"] for each in (await http.get("/api/users")).json()]
        assert names == ["admin"]

    async def test_the_last_admin_stays(self, http: httpx.AsyncClient) -> None:
        (admin,) = (await http.get("/api/users")).json()
        path = f"/api/users/{admin['id']}"
        assert (await http.patch(path, json={"role": "viewer"})).status_code == 409
        assert (await http.delete(path)).status_code == 409

    async def test_nothing_that_is_kept_is_told(self, http: httpx.AsyncClient) -> None:
        body = {"name": "bob", "role": "operator", "password": people.PASSWORD}
        await http.post("/api/users", json=body)
        for path in ("/api/users", "/users", "/account", "/api/audit"):
            text = (await http.get(path)).text
            assert "argon2" not in text
            assert people.PASSWORD not in text

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"name": "x", "role": "king", "password": people.PASSWORD},
            {"name": "x", "role": "admin", "password": "short"},
            {"name": " ", "role": "admin", "password": people.PASSWORD},
            {"name": "x" * 99, "role": "admin", "password": people.PASSWORD},
        ],
    )
    async def test_what_is_no_account(self, http: httpx.AsyncClient, body: dict[str, str]) -> None:
        answer = await http.post("/api/users", json=body)
        assert answer.status_code in (400, 409)
        assert answer.json()["error"]


async def test_every_command_is_kept_and_no_log_line_carries_it(
    http: httpx.AsyncClient, operator: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        await operator.post("/sensormsg/TI/S")
    first, *_ = (await http.get("/api/audit", params={"most": 5})).json()
    assert (first["who"], first["address"], first["what"]) == ("operator", "127.0.0.1", "start TI")
    assert first["answer"] == "TI says that it is sending"
    assert abs(first["at"] - now_ms()) < 10_000
    assert "start TI" not in caplog.text, "the log channel carries log lines to every listener"
    assert (await http.get("/api/audit", params={"before": first["id"]})).json() == []
    assert (await operator.get("/api/audit")).status_code == 403


async def test_a_line_of_the_audit_cannot_be_forged(
    gateway: Gateway, http: httpx.AsyncClient
) -> None:
    assert gateway._accounts is not None
    auditor = Auditor(gateway._accounts)
    auditor.note("ann", "::1", "order x\nadmin: halt TI: done", "1\u202f000 W")
    (line,) = [line for line in (await http.get("/api/audit")).json() if "halt" in line["what"]]
    assert line["what"] == "order x\\x0aadmin: halt TI: done"
    assert line["answer"] == "1 000 W", "a narrow space is a space"


async def test_programs_do_not_push_out_what_people_did(
    gateway: Gateway, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_OF_PROGRAMS", 3)
    monkeypatch.setattr(audit, "MOST_KEPT", 2)
    assert gateway._accounts is not None
    auditor = Auditor(gateway._accounts)
    for number in range(3):
        auditor.note("ann", "::1", f"by hand {number}", "done")
    for number in range(9):
        auditor.note("ann (token wall)", "::1", f"by token {number}", "done", of_program=True)
    kept = [line["what"] for line in (await http.get("/api/audit")).json()]
    assert kept == ["by token 8", "by token 7", "by token 6", "by hand 2", "by hand 1"]


async def test_a_password_in_the_place_of_the_name_is_kept_nowhere(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        await http.post("/api/login", json={"name": people.PASSWORD, "password": ""})
        await http.post("/api/login", json={"name": "ADMIN", "password": "x"})
    assert people.PASSWORD not in caplog.text
    told = [(line["what"], line["answer"]) for line in (await http.get("/api/audit")).json()]
    assert told == [("login as admin", "refused"), ("login as an unknown name", "refused")]


async def test_who_gets_in_first_is_told_in_the_log(
    network: Callable[..., Network], redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway("CF", network(*house(), Redis={"URL": redis.url}))
    async with running(gateway):
        await until(lambda: "control.py user add NAME" in caplog.text)
        await people.add(gateway, "ann", Role.ADMIN)
    caplog.clear()
    async with running(gateway := Gateway("CF", gateway.network)):
        assert gateway._accounts is not None
        assert await gateway._accounts.run(users.any_admin)
    assert "control.py user add" not in caplog.text


async def test_a_token_opens_pages_too(gateway: Gateway, operator: httpx.AsyncClient) -> None:
    made = (await operator.post("/api/tokens", json={"name": "wall"})).json()
    for path in ("/", "/network", "/graphs", "/heaters", "/log", "/codifier/I1"):
        assert (await bearer(gateway, made["secret"], "GET", path)).status_code == 200, path


async def test_a_change_is_made_whole_or_not_at_all(
    gateway: Gateway, http: httpx.AsyncClient
) -> None:
    ann = await people.add(gateway, "ann", Role.OPERATOR)
    change = {"role": "viewer", "password": "short"}
    assert (await http.patch(f"/api/users/{ann.id}", json=change)).status_code == 409
    told = {each["name"]: each["role"] for each in (await http.get("/api/users")).json()}
    assert told["ann"] == "operator"


class TestPasswordAgain:
    @pytest.fixture
    async def old(self, gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a client whose admin entered the password long ago."""
        await people.add(gateway, "eve", Role.ADMIN, passwords.hash_of(people.PASSWORD))
        secret = await people.session_of(gateway, Role.ADMIN, "eve", confirmed=False)
        async with httpx.AsyncClient(
            base_url=gateway.url,
            timeout=LIMIT_S,
            cookies={people.COOKIE: secret},
            headers={"Origin": gateway.url},
        ) as client:
            yield client

    async def test_an_old_session_enters_it_again(self, old: httpx.AsyncClient) -> None:
        user = {"name": "bob", "role": "viewer", "password": "correct horse"}
        refused = await old.post("/api/users", json=user)
        assert refused.status_code == 403
        assert refused.headers["x-needs"] == "password"
        assert (await old.post("/api/confirm", json={"password": "wrong"})).status_code == 401
        assert (await old.post("/api/users", json=user)).status_code == 403
        confirmed = await old.post("/api/confirm", json={"password": people.PASSWORD})
        assert confirmed.status_code == 200
        assert (await old.post("/api/users", json=user)).status_code == 201

    def test_it_lasts_five_minutes(self) -> None:
        confirmations = Confirmations()
        confirmations.note(7, 0.0)
        assert confirmations.is_recent(7, 300.0)
        assert not confirmations.is_recent(7, 301.0)
        assert not confirmations.is_recent(8, 0.0)

    async def test_no_token_changes_an_account(
        self, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        """Every operation of the description that changes accounts, with the token of an admin."""
        made = await http.post("/api/tokens", json={"name": "test", "role": "admin"})
        api = (await http.get("/api/openapi.json")).json()
        tried = 0
        for path, operations in api["paths"].items():
            about = path.split("/")[2:3]
            if about not in (["users"], ["password"], ["tokens"], ["sessions"], ["confirm"]):
                continue
            for method in operations.keys() - {"get"}:
                answer = await bearer(
                    gateway, made.json()["secret"], method.upper(), re.sub(r"\{\w+\}", "1", path)
                )
                assert answer.status_code in (401, 403), f"{method} {path}"
                tried += 1
        assert tried >= 9
