"""`user`: accounts of the gateway, and tokens for programs."""

import getpass
import sqlite3
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import click

from jph.cli.config_path import state_is_new
from jph.cli.terminal.context import json_option
from jph.cli.terminal.output import echo_json, table
from jph.cli.terminal.place import require_here_if_known
from jph.config.references import PAGE_TYPES
from jph.gateway.accounts import passwords, sessions, tokens, users
from jph.gateway.accounts.database import accounts_path, open_accounts
from jph.gateway.accounts.roles import GIVEN, Role
from jph.node.outbox import now_ms

_ROLES = click.Choice([role.word for role in GIVEN])
_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from a line of standard input."
)


@click.group()
def user() -> None:
    r"""Keep the accounts of the gateway, in the state directory of this machine.

    \b
      control.py user add ann                 the first one becomes admin
      control.py user add bob --role operator
      control.py user token ann --name grafana --role viewer --days 365

    A viewer reads, an operator commands, an admin keeps accounts too. The command asks for a
    password twice; it is never on the command line.
    """


@user.command()
@click.argument("name")
@click.option("--role", type=_ROLES, help="By default admin for the first, else viewer.")
@_stdin_option
def add(name: str, role: str | None, password_stdin: bool) -> None:
    """Make an account."""
    name = users.checked_name(name)
    with _accounts() as accounts:
        if users.find(accounts, name) is not None:
            raise users.UserError(f"there is a user {name} already")
        first = not users.any_admin(accounts)
        chosen = Role.of(role) if role else Role.ADMIN if first else Role.VIEWER
        kept = passwords.hash_of(_password(password_stdin))
        account = users.add(accounts, name, chosen, kept, now_ms())
    click.echo(f"{account.name} may log in as {chosen.word}")


@user.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Show the accounts."""
    with _accounts() as accounts:
        rows = [
            (
                account.name,
                account.role.word,
                len(sessions.listed(accounts, account.id, now_ms())),
                len(tokens.listed(accounts, account.id)),
                _day(account.created_ms),
            )
            for account in users.listed(accounts)
        ]
    head = ("name", "role", "sessions", "tokens", "since")
    if as_json:
        echo_json([dict(zip(head, row, strict=True)) for row in rows])
        return
    if not rows:
        click.echo("no account yet: control.py user add NAME makes the first admin")
    for line in table(head, [[str(cell) for cell in row] for row in rows], "sessions tokens"):
        click.echo(line)


@user.command()
@click.argument("name")
@_stdin_option
def passwd(name: str, password_stdin: bool) -> None:
    """Change a password; this ends every session and token of the account."""
    with _accounts() as accounts:
        account = _found(accounts, name)
        users.set_password(accounts, account.id, passwords.hash_of(_password(password_stdin)))
    click.echo(f"{account.name} has a new password")


@user.command()
@click.argument("name")
@click.argument("role", type=_ROLES)
def role(name: str, role: str) -> None:
    """Change what a user may do; it counts from the next request on."""
    with _accounts() as accounts:
        account = _found(accounts, name)
        users.set_role(accounts, account.id, Role.of(role))
    click.echo(f"{account.name} is {role} now")


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove an account with its sessions, tokens and saved graphs."""
    with _accounts() as accounts:
        account = _found(accounts, name)
        users.remove(accounts, account.id)
    click.echo(f"{account.name} is removed")


@user.command()
@click.argument("name")
@click.option("--name", "label", required=True, help="What it is for.")
@click.option("--role", type=_ROLES, default=Role.VIEWER.word, show_default=True)
@click.option("--days", type=float, help="Days until it expires; without, until it is removed.")
def token(name: str, label: str, role: str, days: float | None) -> None:
    """Make a token and print it; it is shown only now.

    A program sends it as the header "Authorization: Bearer TOKEN".
    """
    with _accounts() as accounts:
        account = _found(accounts, name)
        secret, _ = tokens.add(accounts, account.user, label, Role.of(role), days, now_ms())
    click.echo(secret)


@contextmanager
def _accounts() -> "Iterator[sqlite3.Connection]":
    require_here_if_known(PAGE_TYPES, "the page")
    if (state := state_is_new()) is not None:
        click.echo(
            f"warning: {state} is new: a page that runs with another state directory does not see "
            "these accounts (JPH_STATE names it)",
            err=True,
        )
    with closing(open_accounts(accounts_path())) as accounts:
        yield accounts


def _found(accounts: sqlite3.Connection, name: str) -> users.Account:
    account = users.find(accounts, name)
    if account is None:
        raise users.UserError(f"there is no user {name}")
    return account


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return passwords.check(sys.stdin.readline().rstrip("\r\n"))
    with warnings.catch_warnings():
        # Without a terminal it would warn of itself, with the path and line of its source.
        warnings.simplefilter("ignore", getpass.GetPassWarning)
        asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return passwords.check(asked)


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000).astimezone():%Y-%m-%d}"
