"""The scripts of the pages: types, linter, nothing that no page uses."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import REPOSITORY

STATIC = REPOSITORY / "jph" / "gateway" / "static"
SCRIPTS = [path for path in sorted(STATIC.rglob("*.js")) if "vendor" not in path.parts]
TOOLS = REPOSITORY / "node_modules" / ".bin"


@pytest.mark.parametrize(
    "command",
    [("tsc", "-p", "tsconfig.json"), ("eslint", "jph/gateway/static")],
    ids=lambda c: c[0],
)
def test_checks(command: tuple[str, ...]) -> None:
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    if not (TOOLS / command[0]).exists():
        pytest.skip(f"{command[0]} is not installed: npm install --no-package-lock")
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


NUMBERS = """
globalThis.document = { documentElement: { lang: process.argv[1], dataset: {} } };
const { figure, quantity } = await import(process.argv[2]);
const numbers = [0, 12, 20.25, -3.256, 21.4567, 1234567, 0.04237, -1e300];
const quantities = [[15410, "VA"], [12345678, "Wh"], [20, "°C"], [9999, "W"]];
const words = [numbers.map((each) => figure(each)), quantities.map((each) => quantity(...each))];
console.log(JSON.stringify(words));
"""


@pytest.mark.parametrize(
    ("language", "numbers", "quantities"),
    [
        (
            "en",
            ["0", "12", "20.2", "−3.26", "21.5", "1\u202f234\u202f567", "0.0424", "−1E300"],
            [["15.4", "kVA"], ["12.3", "MWh"], ["20.0", "°C"], ["9\u202f999", "W"]],
        ),
        (
            "fr",
            ["0", "12", "20,2", "−3,26", "21,5", "1\u202f234\u202f567", "0,0424", "−1E300"],
            [["15,4", "kVA"], ["12,3", "MWh"], ["20,0", "°C"], ["9\u202f999", "W"]],
        ),
    ],
)
def test_the_browser_formats_numbers(
    language: str, numbers: list[str], quantities: list[list[str]]
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    figures = (STATIC / "figures.js").as_uri()
    command = [node, "--input-type=module", "-e", NUMBERS, language, figures]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [numbers, quantities]


def test_every_export_is_imported() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in SCRIPTS}
    unused = [
        f"{path.name}: {name}"
        for path, text in texts.items()
        for name in re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", text, re.M)
        if not any(re.search(rf"\b{name}\b", other) for p, other in texts.items() if p != path)
    ]
    assert unused == ["board.js: WORDS"], "the words that a value may have are there for test_words"


def test_every_class_of_a_style_sheet_is_used() -> None:
    sources = [*SCRIPTS, *(REPOSITORY / "jph" / "gateway" / "templates").glob("*.html")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    unused = [
        f"{sheet.name}: .{name}"
        for sheet in sorted(STATIC.rglob("*.css"))
        if "vendor" not in sheet.parts
        for name in sorted(set(re.findall(r"\.([a-zA-Z][\w-]*)", _selectors(sheet))))
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)
        and not name.startswith(MADE)
    ]
    assert unused == []


MADE = ("p-", "phase-", "u-")
"""Classes that scripts put together (tariff periods, phases), and those of uPlot."""


def _selectors(sheet: Path) -> str:
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
    return " ".join(re.findall(r"([^{}]+)\{", text))
