"""The installed package: pinned versions within their ranges, a wheel with four names."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from jph.version import __version__
from tests.jph.cli.programs import Program
from tests.support import REPOSITORY

LOCK = (REPOSITORY / "requirements" / "dev.txt").read_text(encoding="utf-8")
EXTRAS = ("embedded", "devices", "mqtt", "schedule", "seal", "sites", "gateway", "test", "dev")
PROJECT = ("control.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
PACKAGES = ("jph", "nodes", "collector")


def wanted() -> list[Requirement]:
    """Return what setup.cfg asks for in the environment of contributors."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    texts = [setup["options"]["install_requires"], *(extras[name] for name in EXTRAS)]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_each_requirement_is_pinned_within_its_range() -> None:
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.M))
    for each in wanted():
        assert each.specifier.contains(pinned[each.name.lower()]), f"{each}: make lock"


def test_the_debian_packages_have_the_version_of_jph() -> None:
    first = (REPOSITORY / "debian" / "changelog").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"jph ({__version__})")


def test_each_pin_has_hashes_and_no_index_is_named() -> None:
    blocks = re.split(r"^(?=[a-z])", LOCK, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK
    assert "--index" not in LOCK


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the wheels of jph and of the example package, built from copies without a network."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = folder / "sources"
    sources.mkdir()
    for name in PROJECT:
        shutil.copy2(REPOSITORY / name, sources)
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, sources / name, ignore=ignored)
    shutil.copytree(REPOSITORY / "examples" / "rain", folder / "rain")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*build, "--wheel-dir", str(folder), str(sources), str(folder / "rain")],
        capture_output=True,
        text=True,
    )
    if "invalid command 'bdist_wheel'" in done.stdout + done.stderr:
        pytest.skip("this setuptools cannot make wheels; the pinned one can")
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with both wheels; libraries come from the one that runs the tests."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, symlinks=True)
    install = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install"]
    names = map(str, wheels)
    subprocess.run([*install, "--no-deps", "--no-index", "--quiet", *names], check=True)
    return place


def inside(place: Path) -> dict[str, str]:
    """Return the environment variables of a program that runs outside of the repository."""
    own = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    paths = (str(own), sysconfig.get_path("purelib"))
    return {"PYTHONPATH": os.pathsep.join(paths), "PATH": os.environ["PATH"], "JPH_SILENT": ""}


def run(place: Path, *words: str) -> str:
    """Run a program of the environment in its own folder and return what it printed."""
    done = subprocess.run(
        [str(place / "bin" / words[0]), *words[1:]],
        cwd=place,
        env=inside(place),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_brings_four_names(wheels: list[Path]) -> None:
    (wheel,) = [each for each in wheels if each.name.startswith("jph-")]
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {*PACKAGES, "control.py"}
    for needed in ("jph/py.typed", "jph/gateway/static/house.js"):
        assert needed in names


def test_what_the_wheel_lacks_of_the_repository(wheels: list[Path]) -> None:
    (wheel,) = [each for each in wheels if each.name.startswith("jph-")]
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=REPOSITORY, capture_output=True, text=True
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    needed = {name for name in tracked.stdout.split() if not name.endswith(".d.ts")}
    assert sorted(needed - names) == []


def test_the_installed_program_says_what_it_can(installed: Path) -> None:
    assert "config" in run(installed, "jph", "--help")
    where = run(installed, "python", "-c", "import jph; print(jph.__file__, jph.__version__)")
    assert where.startswith(str(installed))


def test_a_kind_from_a_second_wheel_runs(
    installed: Path, config_file: Callable[..., Path], tmp_path: Path
) -> None:
    count = tmp_path / "tips"
    count.write_text("15")
    gauge = {"Codifier": "RG", "Type": "RainGauge", "Name": "Rain", "SensorInterval": 0.1}
    console = {"Codifier": "CC", "Type": "ControlProgram", "Name": "Console"}
    path = config_file({**gauge, "Sensor": {"File": str(count)}}, console)
    program = str(installed / "bin" / "jph")
    assert "good; 2 nodes" in run(installed, "jph", "--config", str(path), "config", "check")
    with Program(program, "--config", str(path), "run", "RG", **inside(installed)):
        watched = run(
            installed, "jph", "--config", str(path), "watch", "--from", "RG", "--count", "4"
        )
    assert re.search(r"\bRG\b.*\b3\b", watched)
