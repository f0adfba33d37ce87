"""Limits of size: lines of a file, lines of a function, files of a folder.

What is above a limit has its number in a list below. A number may fall, never rise; an entry that
is within the limit goes.
"""

import ast
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support import REPOSITORY

FILE_LINES: Final = 400
FUNCTION_LINES: Final = 40
FOLDER_FILES: Final = 15
FOLDERS: Final = ("jph", "nodes", "collector", "bench", "examples", "tests")
PYTHON: Final = [
    REPOSITORY / "control.py",
    *sorted(path for name in FOLDERS for path in (REPOSITORY / name).rglob("*.py")),
]
ONE_SORT: Final = {
    "nodes": "a kind each",
    "jph/cli/commands": "a command each",
    "jph/gateway/subjects": "a subject of the page each",
    "tests/nodes": "the test of a kind each",
    "tests/jph/cli": "the test of a command each",
    "tests/jph/gateway/subjects": "the test of a subject each",
}
"""Folders that may hold any number of files, since these are all of one sort."""
LONG_FILES: Final[Mapping[str, int]] = {
    "collector/ingest/ledger.py": 419,
    "jph/cli/commands/schedule.py": 462,
    "jph/config/model.py": 411,
    "jph/gateway/live/board.py": 538,
    "jph/heating/explain/facts.py": 431,
    "jph/mqtt/homeassistant/states.py": 436,
    "jph/node/node.py": 601,
    "jph/retransmit/requester.py": 538,
    "jph/values/filters.py": 414,
    "jph/wire/codec.py": 406,
    "nodes/mqtt.py": 431,
    "nodes/pilotcard.py": 423,
    "nodes/schedule.py": 618,
    "tests/collector/energy/test_money.py": 553,
    "tests/collector/test_jphpostgresql.py": 422,
    "tests/faults/world.py": 420,
    "tests/jph/devices/tic/test_meter.py": 573,
    "tests/jph/gateway/subjects/test_camera.py": 414,
    "tests/jph/heating/shedding/test_policy.py": 418,
    "tests/jph/node/test_node.py": 541,
    "tests/jph/retransmit/test_requester.py": 634,
    "tests/nodes/test_pilotcard.py": 494,
    "tests/nodes/test_shedding.py": 499,
}
LONG_FUNCTIONS: Final[Mapping[str, int]] = {
    "collector/db/connecting.py connect": 43,
    "collector/energy/cost.py bill": 42,
    "collector/history/measures.py write_measures": 42,
    "jph/cli/commands/drill.py drill": 41,
    "jph/cli/commands/history.py history": 44,
    "jph/cli/commands/members.py enrol": 42,
    "jph/cli/commands/play.py play": 42,
    "jph/gateway/subjects/camera.py _api": 42,
    "jph/gateway/subjects/energy/report.py report": 44,
    "jph/gateway/subjects/health.py handlers": 43,
    "jph/gateway/subjects/log.py _api": 42,
    "jph/gateway/subjects/login.py _api": 44,
    "jph/gateway/subjects/network.py _api": 45,
    "jph/gateway/subjects/original.py _commands": 43,
    "jph/gateway/subjects/stream.py handlers": 41,
    "jph/heating/plan/conditions/inputs.py facts": 45,
    "jph/heating/plan/evaluation/planner.py _decide": 41,
    "jph/mqtt/homeassistant/discovery.py __init__": 47,
    "jph/mqtt/homeassistant/discovery.py _heater_parts": 41,
    "jph/mqtt/link.py _connect": 45,
    "jph/seal/opening/opener.py _open_trusted": 47,
    "tests/collector/hub/test_same_answers.py test_the_hub_answers_as_the_house": 43,
    "tests/collector/test_jphpostgresql.py test_readings_are_spooled_while_postgresql_refuses_them": 44,  # noqa: E501
    "tests/jph/cli/test_seal.py test_a_house_is_sealed_edited_rotated_and_loses_a_member": 42,
    "tests/jph/gateway/browser/test_rooms.py test_the_week_of_a_room": 45,
    "tests/jph/gateway/live/test_gaps.py test_the_table_is_read_shown_and_followed": 46,
    "tests/jph/mqtt/test_real_homeassistant.py test_every_entity_appears_with_a_state": 55,
    "tests/nodes/test_thermostat.py test_kills_leave_wishes_holds_and_the_next_change": 48,
}
FULL_FOLDERS: Final[Mapping[str, int]] = {}


def name_of(path: Path) -> str:
    """Return the path of a file within the repository."""
    return path.relative_to(REPOSITORY).as_posix()


def above(sizes: Mapping[str, int], limit: int, allowed: Mapping[str, int]) -> list[str]:
    """Return what is wrong: grown above its limit, or listed without need."""
    grown = [
        f"{name}: {size}, at most {allowed.get(name, limit)}"
        for name, size in sizes.items()
        if size > allowed.get(name, limit)
    ]
    needless = [
        f"{name}: within {limit}, take it off the list"
        for name in allowed
        if sizes.get(name, 0) <= limit
    ]
    return grown + needless


def functions(path: Path) -> Counter[str]:
    """Return the lines of each function of a file, from `def` to its end, the longest of a name."""
    sizes: Counter[str] = Counter()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            name = f"{name_of(path)} {node.name}"
            sizes[name] = max(sizes[name], node.end_lineno - node.lineno + 1)
    return sizes


def test_files_are_short() -> None:
    sizes = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in PYTHON}
    assert above(sizes, FILE_LINES, LONG_FILES) == []


def test_functions_are_short() -> None:
    sizes = {name: lines for path in PYTHON for name, lines in functions(path).items()}
    assert above(sizes, FUNCTION_LINES, LONG_FUNCTIONS) == []


def test_folders_hold_few_files_or_files_of_one_sort() -> None:
    sizes = Counter(name_of(p.parent) for p in PYTHON if p.name != "__init__.py")
    mixed = {name: count for name, count in sizes.items() if name not in ONE_SORT}
    assert above(mixed, FOLDER_FILES, FULL_FOLDERS) == []
    needless = [name for name in ONE_SORT if sizes[name] <= FOLDER_FILES]
    assert needless == []


def test_the_limits_find_what_grows_and_what_no_longer_needs_its_place() -> None:
    sizes = {"short": 10, "long": 41, "listed": 50, "shrunk": 40}
    assert above(sizes, 40, {"listed": 49, "shrunk": 45, "gone": 60}) == [
        "long: 41, at most 40",
        "listed: 50, at most 49",
        "shrunk: within 40, take it off the list",
        "gone: within 40, take it off the list",
    ]
