"""Imports point one way, the pure modules touch nothing, and `jph` is no more than it promises."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jph
from tests.support import REPOSITORY

BELOW: dict[str, set[str]] = {
    "jph": set(),
    "devices": {"jph"},
    "heating": {"jph"},
    "cache": {"jph"},
    "recorder": {"jph", "heating"},
    "nodes": {"jph", "devices", "heating", "cache", "recorder"},
    "collector": {"jph", "devices", "heating"},
    "gateway": {"jph", "collector", "heating"},
    "console": {"jph", "nodes", "collector", "heating", "devices", "recorder"},
    "sim": {"jph", "heating"},
}
"""What each package may import beside itself."""
SHARED = {"console": "gateway.security."}
"""What a package may import of one above: `control.py user` keeps the gateway's accounts."""
SHELLS_OF_REPAIR = {"journal", "history", "answering"}
PURE = [
    *(
        REPOSITORY / "jph" / f"{name}.py"
        for name in ("allowance", "errors", "wire", "blocks", "readings", "sequence", "validate")
    ),
    *(
        path
        for path in (REPOSITORY / "jph" / "repair").glob("*.py")
        if path.stem not in SHELLS_OF_REPAIR
    ),
    *(path for path in (REPOSITORY / "heating").rglob("*.py") if path.stem != "durable"),
    *(path for path in (REPOSITORY / "devices" / "tic").glob("*.py") if path.stem != "link"),
    *(path for path in (REPOSITORY / "recorder").glob("*.py") if path.stem != "store"),
    REPOSITORY / "cache" / "state.py",
    REPOSITORY / "devices" / "filtration.py",
]
"""No socket, clock or loop in these."""
IMPURE = {"socket", "asyncio", "time", "logging", "threading", "select", "serial", "redis"}
MODULES = sorted(path for package in BELOW for path in (REPOSITORY / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_imports_point_down(path: Path) -> None:
    package = path.relative_to(REPOSITORY).parts[0]
    forbidden = set(BELOW) - BELOW[package] - {package}
    wrong = [
        (line, name)
        for line, name in imports(path)
        if name.split(".")[0] in forbidden
        and not name.startswith(SHARED.get(package, "nothing shared"))
    ]
    assert wrong == [], f"{package} may import {sorted(BELOW[package])} only"


def test_nodes_do_not_know_each_other() -> None:
    for path in (REPOSITORY / "nodes").glob("*.py"):
        assert [name for _, name in imports(path) if name.startswith("nodes")] == [], path


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
    assert opening == ["jph/channel.py"]


def test_each_module_can_be_imported_alone() -> None:
    names = [".".join(p.relative_to(REPOSITORY).with_suffix("").parts) for p in MODULES]
    code = "import importlib, sys\nfor n in sys.argv[1:]:\n" + (
        "    [sys.modules.pop(m) for m in list(sys.modules) if m.split('.')[0] in "
        f"{sorted(BELOW)!r}]\n    importlib.import_module(n)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *(n.removesuffix(".__init__") for n in names)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_kind_modules_import_light() -> None:
    """`config check` imports every kind; a Pi Zero runs one."""
    heavy = {"serial", "smbus2", "psycopg2", "redis", "litestar", "uvicorn", "jinja2"}
    code = (
        "import sys\nfrom jph import kinds\n[kinds.find(t) for t in kinds.table()]\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_public_surface() -> None:
    assert jph.__all__ == ["STATE", "__version__", "jph", "timeNow"]
    assert all(hasattr(jph, name) for name in jph.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jph.nothing  # noqa: B018
