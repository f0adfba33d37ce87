import base64
import contextlib
import hmac
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.db.sql_roles import identifier, literal, scram
from collector.history.packing import pack_day
from collector.ingest.writer import Store
from collector.statistics.buckets import HOUR_US, SECOND_US
from tests.collector.ingest.test_writer import dsn, query
from tests.collector.statistics.test_calculator import CHANGE, House, reading
from tests.jph.cli.programs import command, control
from tests.stores_fixtures import connect
from tests.support import LIMIT_S

WriteConfig = Callable[..., Path]
METER = {"Codifier": "I1", "Type": "Setpoint", "Sensor": {"Default": "1"}}
OTHER = {**METER, "Codifier": "I2"}


@pytest.fixture
def config(sql: dict[str, Any], config_file: WriteConfig) -> Path:
    return config_file(METER, OTHER, SQL=sql)


@pytest.fixture
def house(sql: dict[str, Any]) -> Iterator[House]:
    """Store and compute two hours of I1 and I2."""
    with contextlib.closing(House(sql)) as house:
        for code in ("I1", "I2"):
            moments = range(CHANGE, CHANGE + 2 * HOUR_US, 60 * SECOND_US)
            house.write(*(reading(n, at, float(n), code) for n, at in enumerate(moments)))
        house.calculate(CHANGE + 30 * HOUR_US)
        yield house


def answered(config: Path, answer: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(config, *words), input=answer, capture_output=True, text=True, timeout=LIMIT_S
    )


def count(house: House, table: str, code: str) -> int:
    ((found,),) = query(house.sql, f"SELECT count(*) FROM {table} WHERE codifier = '{code}'")
    return int(found)


def test_the_database_is_printed_without_its_password(
    config_file: WriteConfig, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    wanted = {"Database": "sensors", "User": "jphadmin", "Password": str(secret)}
    done = control(config_file(METER, SQL=wanted), "sql", "database", "--drop")
    assert done.returncode == 0, done.stderr
    assert "sesame" not in done.stdout
    assert 'CREATE ROLE "jphadmin" LOGIN PASSWORD \'SCRAM-SHA-256$4096:' in done.stdout
    assert 'CREATE DATABASE "sensors" OWNER "jphadmin"' in done.stdout
    assert '\\connect "sensors"\n' in done.stdout


def test_a_database_is_made_and_its_reader_may_only_read(
    sql: dict[str, Any], config_file: WriteConfig
) -> None:
    fresh = {**sql, "Database": "made_by_sql"}
    config = config_file(METER, SQL=fresh)
    assert control(config, "sql", "database", "--apply").returncode == 0
    assert control(config, "sql", "tables", "--apply").returncode == 0
    assert control(config, "sql", "views", "--apply").returncode == 0
    as_reader = "SET ROLE jph_reader; "
    assert query(fresh, as_reader + "SELECT * FROM sensor_i1") == []
    assert query(fresh, as_reader + "SELECT * FROM reading") == []
    for forbidden in ("SELECT * FROM web_user", "DELETE FROM reading"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(fresh, as_reader + forbidden)
    query(fresh, "SET ROLE jph_writer; DELETE FROM reading")
    answered(config, "yes\n", "sql", "database", "--drop", "--apply")
    assert query(fresh, "SELECT relname FROM pg_class WHERE relname = 'web_user'") == []


def test_views_of_one(config: Path, house: House) -> None:
    done = control(config, "sql", "views", "--only", "I1")
    assert done.stdout.count("CREATE VIEW sensor_i1") == 4
    assert "sensor_i2" not in done.stdout
    query(house.sql, done.stdout)
    assert control(config, "sql", "views", "--apply", "--only", "I2").returncode == 0
    assert len(query(house.sql, "SELECT relname FROM pg_class WHERE relname LIKE 'sensor_i%'")) == 8


def test_tables_can_be_made_by_hand(config: Path, sql: dict[str, Any]) -> None:
    """A collector that starts afterwards finds them up to date."""
    query(sql, control(config, "sql", "tables").stdout)
    assert query(sql, "SELECT * FROM reading") == []
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), 0)


def test_statistics_of_one_and_of_all_are_computed_again(config: Path, house: House) -> None:
    before = house.bytes()
    query(house.sql, "DELETE FROM statistic_hour; UPDATE statistic_10min SET mean = 0")
    query(house.sql, "UPDATE statistics_until SET timestamp = now()")
    assert control(config, "sql", "rebuild", "I1").returncode == 0
    assert count(house, "statistic_hour", "I1") == 3
    assert count(house, "statistic_hour", "I2") == 0
    done = control(config, "sql", "rebuild", "--all")
    assert done.returncode == 0, done.stderr
    assert house.bytes() == before


def test_while_a_calculator_runs_it_is_left_to_it(config: Path, house: House) -> None:
    assert house.calculator.alone()
    done = control(config, "sql", "rebuild", "I1")
    assert (done.returncode, "a calculator is running" in done.stderr) == (0, True)
    assert count(house, "touched", "I1") > 0


def test_truncate_asks_first(sql: dict[str, Any], config_file: WriteConfig, house: House) -> None:
    fields = [{"Codifier": f"I{n}", "Field": f"IINST{n}"} for n in (1, 2)]
    meter = {"Codifier": "TI", "Type": "Teleinfo", "Sensor": {"Device": "x", "Proxy": fields}}
    elements = [
        {"Codifier": f"I{n}", "Type": "Proxy", "Sensor": {"Codifier": "TI"}} for n in (1, 2)
    ]
    config = config_file(meter, *elements, SQL=sql)
    with contextlib.closing(connect(sql)) as connection:
        pack_day(connection, "I1", date(2026, 10, 25))
    query(
        sql,
        "INSERT INTO reading SELECT * FROM readings WHERE codifier = 'I1';"
        "INSERT INTO energy_hour VALUES ('I1', now(), now(), '', '', 1, 1, 1, 1);"
        "INSERT INTO energy_doubt VALUES ('I1', now());"
        "INSERT INTO phase_hour SELECT n, now(), now(), 1, 1, 1, 1, now(), 1, 1, 1 "
        "FROM generate_series(1, 2) n",
    )
    refused = answered(config, "n\n", "sql", "truncate", "I1")
    assert refused.returncode == 1
    assert count(house, "reading", "I1") == 120
    assert answered(config, "y\n", "sql", "truncate", "I1").returncode == 0
    for table in ("reading", "packed", "statistic_day", "energy_hour", "energy_doubt"):
        assert count(house, table, "I1") == 0
    assert query(house.sql, "SELECT phase FROM phase_hour") == [(2,)]
    assert count(house, "reading", "I2") == 120
    assert control(config, "sql", "truncate", "--all", "--yes").returncode == 0
    assert query(house.sql, "SELECT * FROM reading") == []
    assert count(house, "source", "I1") == 1


@pytest.mark.parametrize("words", [("rebuild",), ("truncate", "I1", "--all"), ("rebuild", "XX")])
def test_whom_must_be_said(config: Path, words: tuple[str, ...]) -> None:
    assert control(config, "sql", *words).returncode == 2


def test_postgresql_takes_our_verifier(sql: dict[str, Any]) -> None:
    """It keeps a verifier as it is, and hashes what is none."""
    verifier = scram("pencil", b"0123456789abcdef")
    query(sql, f"CREATE ROLE verified PASSWORD '{verifier}'")
    asked = "SELECT rolpassword FROM pg_authid WHERE rolname = 'verified'"
    assert query(sql, asked) == [(verifier,)]
    query(sql, "DROP ROLE verified")


def test_the_verifier_is_that_of_the_standard() -> None:
    """The exchange of RFC 7677, section 3, checked by its server signature's key."""
    verifier = scram("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    server = base64.b64decode(verifier.rpartition(":")[2])
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        f"c=biws,r={nonce}"
    )
    signature = hmac.digest(server, message.encode(), "sha256")
    assert base64.b64encode(signature).decode() == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_equal_passwords_have_equal_verifiers() -> None:
    kept = scram("café", b"salt")
    assert scram("cafe\u0301", b"salt") == kept  # the same word in another normal form
    assert scram("cafe", b"salt") != kept


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_names_are_quoted(name: str) -> None:
    assert identifier(name)[1:-1].replace('""', '"') == name
    assert literal(name)[1:-1].replace("''", "'") == name
