"""The file of the accounts while the gateway has it open: replaced, damaged, removed."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jph.gateway.accounts import users
from jph.gateway.accounts.accounts import Accounts
from jph.gateway.accounts.database import AccountsError, open_accounts
from jph.gateway.accounts.roles import Role


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "accounts.sqlite"


@pytest.fixture
def accounts(place: Path) -> Iterator[Accounts]:
    opened = Accounts(logging.getLogger("test"), place)
    yield opened
    opened.close()


async def test_a_file_that_has_been_replaced_is_the_one_that_counts(
    accounts: Accounts, place: Path, tmp_path: Path
) -> None:
    await accounts.run(users.add, "ann", Role.ADMIN, "no hash", 0)
    other = tmp_path / "other.sqlite"
    file = open_accounts(other)
    users.add(file, "bob", Role.ADMIN, "no hash", 0)
    file.close()
    for each in place.parent.glob("accounts.sqlite-*"):
        each.unlink()
    shutil.move(other, place)
    assert [each.name for each in await accounts.run(users.listed)] == ["bob"]


def put(place: Path, content: bytes | None) -> None:
    """Put another file in the place of the accounts, or none."""
    for each in place.parent.glob(f"{place.name}*"):
        each.unlink()
    if content is not None:
        place.write_bytes(content)


async def test_a_damaged_file_is_said_and_a_whole_one_taken_again(
    accounts: Accounts, place: Path
) -> None:
    await accounts.run(users.add, "ann", Role.ADMIN, "no hash", 0)
    put(place, b"no database" * 1000)
    with pytest.raises(AccountsError):
        await accounts.run(users.listed)
    put(place, None)
    assert await accounts.run(users.listed) == []
