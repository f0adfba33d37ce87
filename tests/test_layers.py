"""Imports point one way and form no circle, and the pure modules touch nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support import REPOSITORY

BELOW: dict[str, set[str]] = {
    "jph.version": set(),
    "jph.errors": set(),
    "jph.extras": {"jph.errors"},
    "jph.util": {"jph.errors"},
    "jph.wire": {"jph.errors"},
    "jph.seal": {"jph.errors", "jph.util", "jph.wire"},
    "jph.config": {"jph.devices", "jph.errors", "jph.seal", "jph.util", "jph.wire"},
    "jph.retransmit": {"jph.errors", "jph.util", "jph.wire"},
    "jph.net": {
        *("jph.config", "jph.errors", "jph.retransmit", "jph.seal", "jph.util", "jph.wire")
    },
}
"""What the lower packages of `jph` may import beside themselves, from the bottom up."""
BELOW["jph.node"] = {*BELOW}
BASE = {*BELOW, "jph.compat"}
BELOW |= {
    "jph": BASE,
    "jph.compat": BASE,
    "jph.heating": BASE,
    "jph.devices": {"jph.errors", "jph.extras", "jph.util"},
    "jph.cache": {"jph.errors", "jph.wire"},
    "jph.expressions": {"jph.wire"},
    "jph.values": BASE,
    "jph.router": BASE,
    "jph.sites": BASE,
    "jph.mqtt": {*BASE, "jph.heating", "jph.values"},
    "jph.recorder": {*BASE, "jph.heating"},
    "jph.alerts": {*BASE, "jph.heating", "jph.devices"},
    "jph.sim": {*BASE, "jph.heating"},
    "jph.client": {*BASE, "jph.heating"},
}
LIBRARIES = {"jph.alerts", "jph.heating", "jph.devices", "jph.cache", "jph.recorder"} | {
    "jph.expressions",
    "jph.router",
    "jph.sites",
    "jph.values",
    "jph.mqtt",
}
BELOW |= {
    "nodes": BASE | LIBRARIES,
    "collector": BASE | LIBRARIES,
    "jph.gateway": {*BASE, *LIBRARIES, "jph.client", "collector"},
    "jph.cli": {*BASE, *LIBRARIES, "jph.client", "nodes", "collector"},
}
SHARED = {"jph.cli": "jph.gateway.accounts."}
"""What a package may import of one beside it: `control.py user` keeps the gateway's accounts."""
JPH = REPOSITORY / "jph"
PURE = [
    JPH / "errors.py",
    JPH / "config" / "validation.py",
    JPH / "util" / "backoff.py",
    JPH / "util" / "deadlines.py",
    JPH / "util" / "freshness.py",
    JPH / "util" / "token_bucket.py",
    JPH / "client" / "limits.py",
    JPH / "client" / "measurement.py",
    JPH / "client" / "meter.py",
    JPH / "client" / "survey.py",
    JPH / "cache" / "state.py",
    JPH / "devices" / "filtration.py",
    *(JPH / "client" / "doctor").glob("*.py"),
    *(JPH / "alerts").glob("*.py"),
    *(JPH / "wire").glob("*.py"),
    *(p for p in (JPH / "seal").rglob("*.py") if p.stem not in {"identity", "trust", "enrolment"}),
    *(JPH / "heating").rglob("*.py"),
    *(JPH / "expressions").glob("*.py"),
    *(JPH / "router").glob("*.py"),
    *(p for p in (JPH / "sites").glob("*.py") if p.stem not in {"block_log", "carrier"}),
    *(p for p in (JPH / "values").glob("*.py") if p.stem != "node"),
    *(p for p in (JPH / "mqtt").rglob("*.py") if p.stem != "link"),
    *(p for p in (JPH / "devices" / "tic").glob("*.py") if p.stem != "link"),
    *(p for p in (JPH / "recorder").glob("*.py") if p.stem != "recording_files"),
    *(
        p
        for p in (JPH / "retransmit").glob("*.py")
        if p.stem not in {"resend_log", "resend_history", "responder"}
    ),
]
"""No socket, clock or loop in these."""
IMPURE = {"socket", "asyncio", "time", "logging", "threading", "select", "serial", "redis"}
TOP = ("jph", "nodes", "collector")
MODULES = sorted(path for package in TOP for path in (REPOSITORY / package).rglob("*.py"))


def unit(name: str) -> str:
    """Return the package of `BELOW` that a module belongs to."""
    parts = name.split(".")
    short = ".".join(parts[:2])
    return short if parts[0] == "jph" and short in BELOW else parts[0]


def name_of(path: Path) -> str:
    """Return the module name of a file."""
    name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """Return line and full name of every import in a file, those inside functions too."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_imports_point_down(path: Path) -> None:
    package = unit(name_of(path))
    wrong = [
        (line, name)
        for line, name in imports(path)
        if name.split(".")[0] in TOP
        and unit(name) not in BELOW[package] | {package}
        and not name.startswith(SHARED.get(package, "nothing shared"))
    ]
    assert wrong == [], f"{package} may import {sorted(BELOW[package])} only"


def test_nodes_do_not_know_each_other() -> None:
    for path in (REPOSITORY / "nodes").glob("*.py"):
        assert [name for _, name in imports(path) if name.startswith("nodes")] == [], path


def test_no_module_imports_itself_through_others() -> None:
    modules = {name_of(path): path for path in MODULES}
    graph = {
        name: {module for _, full in imports(path) if (module := within(full, modules)) != name}
        for name, path in modules.items()
    }
    circles = [sorted(circle) for circle in components(graph) if len(circle) > 1]
    assert circles == []


def within(name: str, modules: Mapping[str, Path]) -> str:
    """Return the module that an imported name lies in; it may be the module itself."""
    return name if name in modules else name.rpartition(".")[0]


def components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the sets of modules that reach each other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        path.append(name)
        for below in sorted(graph.get(name, ())):
            if below not in order:
                visit(below)
                lowest[name] = min(lowest[name], lowest[below])
            elif below in path:
                lowest[name] = min(lowest[name], order[below])
        if lowest[name] == order[name]:
            found.append(set(path[path.index(name) :]))
            del path[path.index(name) :]

    for name in graph:
        if name not in order:
            visit(name)
    return found


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert [circle for circle in components(graph) if len(circle) > 1] == [{"a", "b", "c"}]


@pytest.mark.parametrize("path", PURE, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_pure_modules_touch_nothing(path: Path) -> None:
    wrong = [(line, name) for line, name in imports(path) if name.split(".")[0] in IMPURE]
    assert wrong == []


def test_only_the_channel_opens_multicast_sockets() -> None:
    opening = [
        str(path.relative_to(REPOSITORY))
        for path in MODULES
        if "IP_ADD_MEMBERSHIP" in path.read_text(encoding="utf-8")
    ]
    assert opening == ["jph/net/channel.py"]


def test_each_module_can_be_imported() -> None:
    """In one process, the uppermost first: without circles the order does not matter."""
    names = sorted(map(name_of, MODULES), key=lambda name: (-name.count("."), name))
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_meter_node_loads_only_what_it_uses() -> None:
    """Each node has these modules in memory, on machines with 512 MB."""
    unused = {
        *("_ssl", "_hashlib", "hmac", "secrets", "pickle", "logging.config", "urllib.request"),
        *("importlib.metadata", "sqlite3", "xml", "email", "http.client", "dataclasses"),
        *("jph.node.requesting_receiver", "jph.retransmit.requester", "jph.retransmit.resend_log"),
        *("jph.util.segments", "jph.util.durable", "jph.config.house.house", "jph.heating"),
        *("jph.devices.tic.explain", "jph.devices.tic.capture", "jph.client", "collector"),
    }
    code = (
        "import sys\nfrom jph.util.lazy import SELDOM_USED, postpone\npostpone(SELDOM_USED)\n"
        "before = set(sys.modules)\nimport nodes.teleinfo\n"
        f"print(sorted({unused!r} & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_kind_modules_import_light() -> None:
    """`config check` imports every kind; a Pi Zero runs one."""
    heavy = {"serial", "smbus2", "psycopg2", "redis", "litestar", "uvicorn", "jinja2"}
    code = (
        "import sys\nfrom jph.node import kinds\n[kinds.find(t) for t in kinds.table()]\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
