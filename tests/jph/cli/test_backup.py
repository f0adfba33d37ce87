import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psycopg2
import pytest

from collector.db.schema import create_months
from collector.statistics.buckets import HOUR_US, MINUTE_US
from jph.cli.supervise import pgprograms
from jph.cli.supervise.pgprograms import find_programs, target
from jph.errors import StoreError
from jph.gateway.accounts import sessions, tokens, users
from jph.gateway.accounts.database import open_accounts
from jph.gateway.accounts.roles import Role
from jph.retransmit import Cause, Gap
from tests.collector.ingest.test_writer import query
from tests.collector.statistics.test_calculator import CHANGE, House, reading
from tests.jph.cli.programs import Program, command, control
from tests.jph.cli.test_sql import answered
from tests.stores_fixtures import connect
from tests.support import LIMIT_S

WriteConfig = Callable[..., Path]
METER = {"Codifier": "I1", "Type": "Setpoint", "Sensor": {"Default": "1"}}


@pytest.fixture
def house(sql: dict[str, Any]) -> Iterator[House]:
    with contextlib.closing(House(sql)) as house:
        house.write(*(reading(n, CHANGE + n * MINUTE_US, float(n)) for n in range(90)))
        house.calculate(CHANGE + 30 * HOUR_US)
        yield house


@pytest.fixture
def config(house: House, config_file: WriteConfig) -> Path:
    return config_file(METER, SQL=house.sql)


def test_what_was_backed_up_comes_back_whatever_happened_since(
    config: Path, house: House, tmp_path: Path
) -> None:
    archive = tmp_path / "house.dump"
    before, raw = house.bytes(), house.raw()
    assert control(config, "backup", str(archive)).returncode == 0
    assert control(config, "backup", str(archive)).returncode == 2  # it is there already
    house.write(*(reading(n, CHANGE + n * MINUTE_US, 0.0) for n in range(100, 200)))
    query(house.sql, "DELETE FROM statistic_day; CREATE TABLE later (mine integer)")
    used = control(config, "restore", str(archive), "--yes", patience=1)
    assert (used.returncode, "jph Q1, jph Q2: in use" in used.stderr) == (1, True), used.stderr
    house.close()
    assert answered(config, "n\n", "restore", str(archive)).returncode == 1
    done = control(config, "restore", str(archive), "--yes")
    assert done.returncode == 0, done.stderr
    assert (house.bytes(), house.raw()) == (before, raw)
    assert query(house.sql, "SELECT FROM pg_class WHERE relname = 'later'") == []
    with contextlib.closing(House(house.sql)) as again:  # it goes on where it was
        assert gaps(house) == [("I1", 7, 90, 110, 89, 199, "restored")]
        account = again.store.accounts()["I1", 7]
        assert (account.last, account.missing) == (199, ((90, 200),))
        again.write(*(reading(n, CHANGE + n * MINUTE_US, 0.0) for n in range(80, 100)))
        again.work()
        assert len(again.raw()) == 100
        assert gaps(house) == [("I1", 7, 100, 100, 99, 199, "restored")]
        given_up = Gap("I1", 7, 100, 100, Cause.SOURCE_GONE, 0, 0)
        ended = Gap("I1", 7, 200, 0, Cause.SOURCE_GONE, 1, 0)
        again.write(gaps=(given_up, ended))
        known, uncounted = gaps(house)
        assert known == ("I1", 7, 100, 100, 99, 199, "restored")
        assert uncounted[:4] == ("I1", 7, 200, None)


def test_who_is_just_ending_is_waited_for(config: Path, house: House, tmp_path: Path) -> None:
    archive = tmp_path / "house.zip"
    assert control(config, "backup", str(archive)).returncode == 0
    words = command(config, "--patience", "10", "restore", str(archive), "--yes")
    asks = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{house.sql['Database']}' "
    with Program(*words) as restoring:
        while not query(house.sql, f"{asks} AND query LIKE '%DISTINCT application_name%jph %%'"):
            assert restoring.process.poll() is None, restoring.lines
        house.close()
        assert restoring.process.wait(LIMIT_S) == 0
    assert any("restored" in line for line in restoring.lines)


def test_starts_that_the_backup_does_not_know_are_gaps_too(
    config: Path, house: House, tmp_path: Path
) -> None:
    archive = tmp_path / "house.zip"
    house.write(reading(3, CHANGE + 50 * MINUTE_US, source="XX", epoch=0))
    assert control(config, "backup", str(archive)).returncode == 0
    house.write(*(reading(n, CHANGE + n * MINUTE_US, epoch=8) for n in range(100, 110)))
    house.write(*(reading(n, CHANGE + n * MINUTE_US, epoch=9) for n in range(120, 130)))
    house.write(reading(5, CHANGE + 140 * MINUTE_US, source="XX", epoch=0))
    house.close()
    for _ in range(2):  # the second time nothing is lost that is not known to be
        assert control(config, "restore", str(archive), "--yes").returncode == 0
        assert gaps(house) == [
            ("I1", 8, 100, 10, 89, 109, "restored"),
            ("I1", 9, 120, 10, 109, 129, "restored"),
            ("XX", 0, 4, None, 50, 140, "restored"),
        ]


def gaps(house: House) -> list[tuple[Any, ...]]:
    """Return the gaps, with minutes since the beginning for times."""
    start = f"to_timestamp({CHANGE // 1_000_000})"
    times = ", ".join(
        f"(extract(epoch FROM {name} - {start}) / 60)::integer" for name in ("from_time", "to_time")
    )
    columns = f"codifier, epoch, first, messages, {times}, cause"
    return query(house.sql, f"SELECT {columns} FROM gap ORDER BY 1, 2, 3")


def test_the_accounts_go_with_it_while_the_page_runs(
    config: Path, house: House, state: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "house.zip"
    with contextlib.closing(open_accounts(state / "accounts.sqlite")) as page:
        ann = users.add(page, "ann", Role.ADMIN, "hash", 1)
        token, _ = tokens.add(page, ann.user, "cron", Role.VIEWER, None, 1)
        page.execute(
            "INSERT INTO graphs (user, name, query, changed_ms) VALUES (?, 'Mine', 'codes=I1', 1)",
            (ann.id,),
        )
        secret, _ = sessions.begin(page, ann.user, "127.0.0.1", "test", 1)
        done = control(config, "backup", str(archive))
        assert "history and accounts" in done.stdout
        assert archive.stat().st_mode & 0o777 == 0o600
        users.add(page, "eve", Role.ADMIN, "hash", 2)
        users.remove(page, ann.id)
        house.close()
        done = control(config, "restore", str(archive), "--yes")
        assert (done.returncode, "accounts" in done.stdout) == (0, True), done.stderr
        assert [account.name for account in users.listed(page)] == ["ann"]
        assert tokens.find(page, token, 3) is not None
        assert [row["name"] for row in page.execute("SELECT name FROM graphs")] == ["Mine"]
        assert sessions.find(page, secret, 3) is None


def test_without_accounts_those_that_are_there_stay(
    config: Path, house: House, state: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "house.zip"
    assert "no accounts are here" in control(config, "backup", str(archive)).stdout
    house.close()
    with contextlib.closing(open_accounts(state / "accounts.sqlite")) as page:
        users.add(page, "ann", Role.ADMIN, "hash", 1)
        assert control(config, "restore", str(archive), "--yes").returncode == 0
        assert [account.name for account in users.listed(page)] == ["ann"]


def test_what_pg_dump_wrote_alone_is_taken_too(config: Path, house: House, tmp_path: Path) -> None:
    archive, alone = tmp_path / "house.zip", tmp_path / "house.dump"
    assert control(config, "backup", str(archive)).returncode == 0
    with ZipFile(archive) as opened:
        alone.write_bytes(opened.read("history.dump"))
    raw = house.raw()
    query(house.sql, "DELETE FROM reading")
    house.close()
    assert control(config, "restore", str(alone), "--yes").returncode == 0
    assert house.raw() == raw


HARM = """
    CREATE TABLE stolen (secret text);
    CREATE FUNCTION harm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        COPY (SELECT 'harm') TO PROGRAM 'cat > {file}'; RETURN NULL; END $$;
    CREATE FUNCTION harm_text() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        COPY (SELECT 'harm') TO PROGRAM 'cat > {file}'; RETURN 'harm'; END $$;
    CREATE OR REPLACE FUNCTION touch_gap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        COPY (SELECT 'harm') TO PROGRAM 'cat > {file}'; RETURN NULL; END $$;
    INSERT INTO web_user (name, password) VALUES ('ann', 'x');
    ALTER TABLE web_user ALTER password SET DEFAULT harm_text();
    CREATE TRIGGER harm AFTER INSERT ON statistics_until FOR EACH ROW EXECUTE FUNCTION harm();
    CREATE TRIGGER harm AFTER INSERT ON reading FOR EACH ROW EXECUTE FUNCTION harm();
    CREATE RULE harm AS ON INSERT TO gap DO ALSO INSERT INTO stolen VALUES (harm_text());
    CREATE VIEW harmful AS SELECT harm_text();
    CREATE MATERIALIZED VIEW kept AS SELECT 'harm' AS secret;
"""
CODE = """
    SELECT proname::text FROM pg_proc WHERE prosrc LIKE '%PROGRAM%' UNION ALL
    SELECT tgname::text FROM pg_trigger WHERE tgname = 'harm' UNION ALL
    SELECT relname::text FROM pg_class WHERE relname IN ('stolen', 'harmful', 'kept') UNION ALL
    SELECT rulename::text FROM pg_rewrite WHERE rulename = 'harm' UNION ALL
    SELECT adnum::text FROM pg_attrdef WHERE pg_get_expr(adbin, adrelid) LIKE '%harm%'
"""


def test_nothing_that_an_archive_brings_is_executed(
    config: Path, house: House, tmp_path: Path
) -> None:
    """Neither while it is restored nor later, when the collector writes; it is named."""
    archive, file = tmp_path / "house.zip", tmp_path / "harm"
    raw = house.raw()
    query(house.sql, HARM.format(file=file))
    assert query(house.sql, CODE)
    assert control(config, "backup", str(archive)).returncode == 0
    house.close()
    done = control(config, "restore", str(archive), "--yes")
    assert done.returncode == 0, done.stderr
    for omitted in ("function harm()", "trigger reading harm", "rule gap harm", "view harmful"):
        assert omitted in done.stderr
    assert "codifiers_between" not in done.stderr
    assert house.raw() == raw
    assert query(house.sql, CODE) == []
    assert query(house.sql, "SELECT name FROM web_user") == [("ann",)]
    with contextlib.closing(House(house.sql)) as again:
        lost = Gap("I1", 7, 500, 5, Cause.SOURCE_GONE, 1, 0)
        again.write(reading(700, CHANGE + 700 * MINUTE_US, 1.0), gaps=(lost,))
    assert not file.exists()


def test_an_archive_with_another_statement_than_copy_is_refused(
    config: Path, house: House, tmp_path: Path
) -> None:
    archive, alone = tmp_path / "house.zip", tmp_path / "house.dump"
    assert control(config, "backup", str(archive)).returncode == 0
    with ZipFile(archive) as opened:
        content = opened.read("history.dump")
    copy = b"COPY public.web_user (name, password, created) FROM stdin;"
    assert copy in content
    alone.write_bytes(content.replace(copy, b"CREATE TABLE harm ();".ljust(len(copy))))
    raw = house.raw()
    house.close()
    done = control(config, "restore", str(alone), "--yes")
    assert (done.returncode, "no rows to copy of web_user" in done.stderr) == (1, True), done.stderr
    assert query(house.sql, "SELECT FROM pg_class WHERE relname = 'harm'") == []
    assert house.raw() == raw


def test_four_hundred_months_come_back(config: Path, house: House, tmp_path: Path) -> None:
    archive = tmp_path / "house.zip"
    with contextlib.closing(connect(house.sql)) as connection:
        create_months(connection, range(1990 * 12, 1990 * 12 + 400))
    query(
        house.sql,
        "INSERT INTO reading (codifier, timestamp, epoch, sequence, quality, value_integer) "
        "SELECT 'I2', time, 1, row_number() OVER (), 0, 5 FROM generate_series("
        "'1990-01-01 12:00+00'::timestamptz, '2023-04-30', '1 month') time",
    )
    assert control(config, "backup", str(archive)).returncode == 0
    raw = house.raw()
    house.close()
    assert control(config, "restore", str(archive), "--yes").returncode == 0
    assert house.raw() == raw
    counted = (
        "SELECT count(*)::int, count(DISTINCT tableoid)::int FROM reading WHERE codifier = 'I2'"
    )
    assert query(house.sql, counted) == [(400, 400)]


def test_the_roles_keep_their_rights_and_passwords_their_secrecy(
    config: Path, house: House, tmp_path: Path
) -> None:
    archive = tmp_path / "house.dump"
    house.close()
    made = control(config, "sql", "database")
    query(house.sql, made.stdout.partition("\\connect")[0].rpartition("CREATE DATABASE")[0])
    query(house.sql, made.stdout.partition("\\connect")[2].partition("\n")[2])
    for words in (("backup", str(archive)), ("restore", str(archive), "--yes")):
        assert control(config, *words).returncode == 0
    assert len(query(house.sql, "SET ROLE jph_reader; SELECT value_real FROM reading")) == 90
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(house.sql, "SET ROLE jph_reader; SELECT * FROM web_user")


def test_a_restore_that_fails_changes_nothing(config: Path, house: House, tmp_path: Path) -> None:
    archive = tmp_path / "house.dump"
    assert control(config, "backup", str(archive)).returncode == 0
    cut, damaged = tmp_path / "cut.dump", tmp_path / "damaged.dump"
    whole = archive.read_bytes()
    cut.write_bytes(whole[:-2000])
    damaged.write_bytes(whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:])
    before, raw = house.bytes(), house.raw()
    house.close()
    for bad, told in ((cut, "failed"), (config, "failed"), (damaged, "is damaged, or no backup")):
        done = control(config, "restore", str(bad), "--yes")
        assert (done.returncode, told in done.stderr) == (1, True), done.stderr
        assert (house.bytes(), house.raw()) == (before, raw)


def test_the_embedded_server_is_started_for_it(
    config: Path, config_file: WriteConfig, store_state: Path, tmp_path: Path
) -> None:
    archive, again = tmp_path / "house.dump", tmp_path / "again.dump"
    assert control(config, "backup", str(archive)).returncode == 0
    embedded = config_file(METER)
    assert control(embedded, "restore", str(archive), "--yes").returncode == 0
    assert control(embedded, "backup", str(again)).returncode == 0
    assert not list(store_state.rglob("postmaster.pid"))


def test_a_server_that_is_away_is_told(config_file: WriteConfig, tmp_path: Path) -> None:
    nowhere = {"Database": "jph", "User": "jph", "Host": str(tmp_path)}
    done = control(config_file(METER, SQL=nowhere), "backup", str(tmp_path / "x.dump"))
    assert (done.returncode, "PostgreSQL: " in done.stderr) == (1, True)


def test_passwords_are_not_on_the_command_line() -> None:
    found = target("host=/run dbname=house user=ann password='open sesame'")
    assert "sesame" not in found.dsn
    assert found.environment["PGPASSWORD"] == "open sesame"


def test_the_programs_of_the_servers_version_are_taken_else_newer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {Path("/a"): 18, Path("/b"): 15, Path("/c"): 16}
    monkeypatch.setattr(pgprograms, "_places", lambda: iter(places))
    monkeypatch.setattr(pgprograms, "version", places.__getitem__)
    assert [find_programs(number) for number in (14, 15, 17)] == [
        Path("/b"),
        Path("/b"),
        Path("/a"),
    ]
    with pytest.raises(StoreError, match="PostgreSQL 19 or later is not installed"):
        find_programs(19)
