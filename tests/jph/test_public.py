"""The public library: its names, and what importing it costs."""

import subprocess
import sys

import pytest

import jph
from tests.support import REPOSITORY

PUBLIC = {
    "ConfigError",
    "Control",
    "DeviceError",
    "Flag",
    "JphError",
    "Json",
    "Node",
    "Quality",
    "Reading",
    "Settings",
    "StoreError",
    "__version__",
    "load",
    "run",
}
ORIGINAL = {"STATE", "jph", "timeNow"}
"""Names of the original library."""


def test_the_names_are_these() -> None:
    assert set(jph.__all__) == PUBLIC | ORIGINAL


def test_each_name_is_there() -> None:
    for name in jph.__all__:
        assert getattr(jph, name) is not None
        assert name in dir(jph)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jph.nothing  # noqa: B018


def test_import_jph_loads_nothing_else() -> None:
    code = (
        "import sys; import typing; before = set(sys.modules); import jph; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['jph', 'jph.version']"
