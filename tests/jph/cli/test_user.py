"""`control.py user`: accounts in the state directory, passwords never on the command line."""

import json
import stat
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jph.cli.main import cli
from jph.gateway.accounts import passwords, sessions, tokens, users
from jph.gateway.accounts.database import accounts_path, open_accounts
from jph.gateway.accounts.roles import Role
from jph.node.outbox import now_ms

PASSWORD = "correct horse"


def user(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, ["user", *words], input=typed, prog_name="control.py")


@pytest.fixture
def ann() -> users.Account:
    done = user("add", "ann", "--password-stdin", typed=PASSWORD + "\n")
    assert done.stdout == "ann may log in as admin\n"
    with closing(open_accounts(accounts_path())) as accounts:
        found = users.find(accounts, "ANN")
    assert found is not None
    return found


def test_the_first_is_admin_and_what_is_kept_is_argon2id(ann: users.Account) -> None:
    assert ann.role is Role.ADMIN
    assert ann.password.startswith("$argon2id$")
    assert passwords.matches(ann.password, PASSWORD)
    assert not passwords.matches(ann.password, "another horse")
    assert stat.S_IMODE(accounts_path().stat().st_mode) == 0o600
    assert PASSWORD.encode() not in accounts_path().read_bytes()


def test_the_next_is_viewer_unless_said(ann: users.Account) -> None:
    done = user("add", "bob", typed=f"{PASSWORD}\n" * 2)
    assert "bob may log in as viewer" in done.stdout
    assert "getpass" not in done.stderr
    done = user("add", "eve", "--role", "operator", "--password-stdin", typed=PASSWORD)
    assert done.stdout == "eve may log in as operator\n"
    listed = json.loads(user("list", "--json").stdout)
    assert [(each["name"], each["role"]) for each in listed] == [
        ("ann", "admin"),
        ("bob", "viewer"),
        ("eve", "operator"),
    ]


def test_a_password_is_typed_twice_alike(ann: users.Account) -> None:
    done = user("add", "bob", typed="correct horse\nwrong horse\n")
    assert done.exit_code == 1
    assert "do not match" in done.output
    assert "horse" not in done.output
    assert "bob" not in user("list").stdout


@pytest.mark.parametrize("typed", ["short\n", "\n", "x" * 300 + "\n"])
def test_a_password_has_a_length(typed: str) -> None:
    done = user("add", "ann", "--password-stdin", typed=typed)
    assert done.exit_code == 1
    assert "a password has 8 to 256 characters" in done.output


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "a\x1b[2J"])
def test_a_name_can_be_seen(name: str) -> None:
    done = user("add", "--password-stdin", "--", name, typed=PASSWORD)
    assert done.exit_code == 1
    assert "visible characters" in done.output


def test_a_name_is_had_once_whatever_its_capitals(ann: users.Account) -> None:
    done = user("add", "Ann", "--password-stdin", typed=PASSWORD)
    assert done.exit_code == 1
    assert "there is a user Ann already" in done.output


def test_a_new_password_ends_sessions_and_tokens(ann: users.Account) -> None:
    with closing(open_accounts(accounts_path())) as accounts:
        session, _ = sessions.begin(accounts, ann.user, "::1", "test", now_ms())
        token = user("token", "ann", "--name", "test").stdout.strip()
        assert sessions.find(accounts, session, now_ms())
        assert tokens.find(accounts, token, now_ms())
        assert user("passwd", "ann", "--password-stdin", typed="another horse").exit_code == 0
        assert sessions.find(accounts, session, now_ms()) is None
        assert tokens.find(accounts, token, now_ms()) is None
        assert passwords.matches(users.get(accounts, ann.id).password, "another horse")


def test_somebody_stays_admin(ann: users.Account) -> None:
    for words in (("remove", "ann"), ("role", "ann", "viewer")):
        done = user(*words)
        assert done.exit_code == 1
        assert "this is the last one" in done.output
    user("add", "bob", "--role", "admin", "--password-stdin", typed=PASSWORD)
    assert user("role", "ann", "viewer").stdout == "ann is viewer now\n"
    assert user("remove", "ann").stdout == "ann is removed\n"
    assert "ann" not in user("list").stdout


def test_a_token_is_no_more_than_its_user(ann: users.Account) -> None:
    user("add", "bob", "--role", "operator", "--password-stdin", typed=PASSWORD)
    assert "cannot be admin" in user("token", "bob", "--name", "x", "--role", "admin").output
    token = user("token", "bob", "--name", "x", "--role", "operator", "--days", "2").stdout.strip()
    with closing(open_accounts(accounts_path())) as accounts:
        found = tokens.find(accounts, token, now_ms())
        assert found is not None
        assert found.user.role is Role.OPERATOR
        user("role", "bob", "viewer")
        lowered = tokens.find(accounts, token, now_ms())
        assert lowered is not None
        assert lowered.user.role is Role.VIEWER
        assert tokens.find(accounts, token, now_ms() + 2 * tokens.DAY_MS + 1000) is None


def test_who_is_not_there_is_told(tmp_path: Path) -> None:
    for words in (("passwd", "ann"), ("remove", "ann"), ("token", "ann", "--name", "x")):
        assert "there is no user ann" in user(*words).output
    assert "makes the first admin" in user("list").output


def test_a_file_of_something_else_is_told(state: Path) -> None:
    state.mkdir()
    (state / "accounts.sqlite").write_text("this is no database, but long enough to be read" * 9)
    done = user("list")
    assert done.exit_code == 1
    assert "cannot be used" in done.output
