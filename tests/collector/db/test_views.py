import contextlib
import math
from typing import Any

import pytest

from collector.db.connecting import connect
from collector.db.views import sync_views, views_of
from collector.statistics.buckets import HOUR_US, MINUTE_US
from jph.config.model import Sensor
from tests.collector.ingest.test_writer import dsn, query
from tests.collector.statistics.test_calculator import CHANGE, House, reading

I1 = Sensor(codifier="I1", type="Proxy", data_type="integer")


@pytest.fixture
def house(sql: dict[str, Any]) -> Any:
    with contextlib.closing(House(sql)) as house:
        yield house


def sync(house: House, *sensors: Sensor) -> list[str]:
    return sync_views(house.calculator.connection, sensors)


def names(house: House) -> list[str]:
    found = query(house.sql, "SELECT relname FROM pg_class WHERE relkind = 'v' ORDER BY 1")
    return [name for (name,) in found if name.startswith("sensor_")]


def columns(house: House, view: str) -> list[tuple[str, str]]:
    return query(
        house.sql,
        "SELECT column_name::text, data_type::text FROM information_schema.columns "
        f"WHERE table_name = '{view}' ORDER BY ordinal_position",
    )


def test_the_shapes_are_the_originals(house: House) -> None:
    assert sync(house, I1) == []
    assert names(house) == ["sensor_i1", "sensor_i1_10min", "sensor_i1_day", "sensor_i1_hour"]
    assert columns(house, "sensor_i1") == [("timestamp", "bigint"), ("value", "bigint")]
    shape = ["timestamp", "mean", "mode", "median", "max", "min", "stdev"]
    for view in ("sensor_i1_10min", "sensor_i1_hour"):
        found = columns(house, view)
        assert [name for name, _ in found] == shape
        assert [kind for _, kind in found] == ["bigint", *["double precision"] * 6]


def test_sql_written_for_the_original_works(house: House) -> None:
    ms = CHANGE // 1000
    for minutes, amperes in ((1, 2), (2, 4), (11, 9)):
        house.write(reading(minutes, CHANGE + minutes * MINUTE_US, amperes, flag="i"))
    house.calculate(CHANGE + 2 * HOUR_US)
    sync(house, I1)
    assert query(
        house.sql, f"SELECT Value FROM sensor_I1 WHERE Timestamp>{ms} and Timestamp<={ms + 120_000}"
    ) == [(2,), (4,)]
    assert query(
        house.sql, "SELECT Timestamp, Mean, Mode, Median FROM Sensor_I1_10min ORDER BY Timestamp"
    ) == [(ms + 600_000, 3.0, None, 3.0), (ms + 1_200_000, 9.0, 9.0, 9.0)]


@pytest.mark.parametrize(
    ("data_type", "kind", "expected"),
    [
        ("float", "double precision", [1.0, 2.5, 7.0]),
        ("integer", "bigint", [1, 2, 7]),
        ("bool", "boolean", [True, True, True]),
        ("text", "text", ["1", "2.5", "word", "NaN", '{"value": 7}']),
        ("odd", "double precision", [1.0, 2.5, 7.0]),
    ],
)
def test_values_have_the_type_of_the_config(
    house: House, data_type: str, kind: str, expected: list[Any]
) -> None:
    house.write(
        reading(1, CHANGE + 1000, 1, flag="i"),
        reading(2, CHANGE + 2000, 2.5),
        reading(3, CHANGE + 3000, "word", flag="s"),
        reading(4, CHANGE + 4000, math.nan),
        reading(5, CHANGE + 5000, '{"value": 7}', flag="j"),
    )
    sync(house, Sensor(codifier="I1", type="Proxy", data_type=data_type))
    assert columns(house, "sensor_i1")[1] == ("value", kind)
    found = query(house.sql, "SELECT value FROM sensor_i1 ORDER BY timestamp")
    assert [value for (value,) in found] == expected


def test_what_is_in_step_is_not_touched(house: House) -> None:
    sync(house, I1)
    before = query(house.sql, "SELECT oid FROM pg_class WHERE relname = 'sensor_i1'")
    assert sync(house, I1) == []
    assert query(house.sql, "SELECT oid FROM pg_class WHERE relname = 'sensor_i1'") == before


def test_views_of_codifiers_that_are_gone_go_and_others_change(house: House) -> None:
    sync(house, I1, Sensor(codifier="I2", type="Proxy"))
    assert sync(house, Sensor(codifier="I1", type="Proxy", data_type="text")) == []
    assert len(names(house)) == 4
    assert columns(house, "sensor_i1")[1] == ("value", "text")


def test_a_table_of_the_originals_is_left_alone(house: House) -> None:
    query(house.sql, "CREATE TABLE sensor_i1 (timestamp bigint PRIMARY KEY, value float NOT NULL)")
    query(house.sql, "CREATE VIEW sensor_zz AS SELECT 1 AS mine")
    assert sync(house, I1) == ["sensor_i1 exists already and is not ours: left alone"]
    assert names(house) == ["sensor_i1_10min", "sensor_i1_day", "sensor_i1_hour", "sensor_zz"]


def test_a_view_that_others_stand_on_stays_and_is_told(house: House) -> None:
    sync(house, I1)
    query(house.sql, "CREATE VIEW mine AS SELECT value FROM sensor_i1")
    (problem,) = sync(house)
    assert "view mine depends on view sensor_i1" in problem
    assert names(house) == ["sensor_i1"]
    assert len(sync(house, Sensor(codifier="I1", type="Proxy", data_type="text"))) == 1


def test_the_statements_can_be_run_by_hand(house: House) -> None:
    statements = "".join(f"{each};" for view in views_of(I1) for each in view.statements)
    with contextlib.closing(connect(dsn(house.sql), "test")) as other, other.cursor() as cursor:
        cursor.execute(statements + statements)
        other.commit()
    assert len(names(house)) == 4
    assert sync(house, I1) == []
