"""Two languages: every text has its French, none is left over, and values are only values."""

import ast
import json
import re
from pathlib import Path

import httpx
import pytest

from jph.gateway.accounts.roles import Role
from jph.gateway.platform import language
from jph.gateway.platform.language import ENGLISH, LANGUAGES, chosen, filled, wanted
from jph.wire.codec import Quality
from tests.support import REPOSITORY

GATEWAY = REPOSITORY / "jph" / "gateway"
FRENCH = sorted((GATEWAY / "words" / "fr").glob("*.json"))
SHELL = "shell"
_STRING = r'"((?:[^"\\]|\\.)*)"'
_JINJA = re.compile(r"""\b_\(\s*(?:"([^"]*)"|'([^']*)')""")
_BEGINS = r"(?:[A-Z{]|away |no |schedule |quiet |every |edit |at home )"
_SENTENCE = re.compile(_BEGINS + r"[^\n]* [^\n]*[^.:\s]")
_SCRIPT = re.compile(r"""\bt\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`$]*)`)""")


def texts(pattern: re.Pattern[str], paths: list[Path]) -> set[str]:
    """Return the texts that are said as they stand."""
    found = set()
    for path in paths:
        for groups in pattern.findall(path.read_text(encoding="utf-8")):
            found.add(next(group for group in groups if group))
    return found


def templates() -> list[Path]:
    return sorted((GATEWAY / "templates").rglob("*.html"))


def scripts() -> list[Path]:
    return sorted(p for p in (GATEWAY / "static").rglob("*.js") if "vendor" not in p.parts)


def modules() -> list[Path]:
    return sorted(GATEWAY.rglob("*.py")) + sorted(
        path
        for name in ("heating", "alerts", "seal", "client")
        for path in (REPOSITORY / "jph" / name).rglob("*.py")
    )


def french() -> dict[str, str]:
    """Return every word of the files."""
    return {
        text: word for path in FRENCH for text, word in json.loads(path.read_text("utf-8")).items()
    }


def test_every_text_of_a_page_has_its_french() -> None:
    assert sorted(texts(_JINJA, templates()) - french().keys()) == []


def test_every_text_of_a_script_has_its_french() -> None:
    assert sorted(texts(_SCRIPT, scripts()) - french().keys()) == []


def refusals() -> set[str]:
    """Return the sentences of the plan's refusals: texts of the modules that raise them."""
    plan = REPOSITORY / "jph" / "heating" / "plan"
    raising = [*(plan / "document").glob("*.py"), *(plan / "edits").glob("*.py")]
    raising.append(plan / "evaluation" / "wishes.py")
    found = set()
    for path in raising:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented)]
        remarks = {id(each.value) for body in bodies for each in body if isinstance(each, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said = _SENTENCE.fullmatch(node.value)
                found |= {node.value} if said and id(node) not in remarks else set()
    return found


def test_every_refusal_and_change_of_the_plan_has_its_french() -> None:
    found = refusals()
    assert {"Two slots begin at {name}", "{room}: back to the plan"} <= found
    assert sorted(found - french().keys()) == []


def test_no_french_is_left_over() -> None:
    """Texts may be said by a name or from the server: then they stand somewhere as a string."""
    sources = [*templates(), *scripts(), *modules()]
    everything = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    flat = re.sub(r'"\s*\n\s*f?"', "", everything)  # strings that are written in two parts
    enumerated = {each.name.lower() for kind in (Quality, Role) for each in kind}
    left = {text for text in french() if text not in flat and text not in everything}
    # A "#" stands for a number in a text that the server makes of parts.
    assert sorted(text for text in left - enumerated if "#" not in text) == []


@pytest.mark.parametrize("path", FRENCH, ids=lambda path: path.stem)
def test_both_languages_name_the_same_values(path: Path) -> None:
    for text, word in json.loads(path.read_text("utf-8")).items():
        names = re.compile(r"\{\w+\}")
        assert set(names.findall(text)) == set(names.findall(word)), text
        assert word.strip(), text


@pytest.mark.parametrize(
    ("cookie", "accepted", "code"),
    [
        (None, "", "en"),
        (None, "fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        (None, "de,en;q=0.5,fr;q=0.7", "fr"),
        (None, "fr;q=0, en", "en"),
        (None, "de", "en"),
        ("fr", "en", "fr"),
        ("xx", "fr", "fr"),
        ("../../etc", "en;q=x, fr", "fr"),
        (None, "," * 10_000, "en"),
    ],
)
def test_the_language_of_the_browser(cookie: str | None, accepted: str, code: str) -> None:
    assert chosen(cookie, accepted).code == code


def test_the_dearest_first() -> None:
    assert wanted("en;q=0.2, fr-CA, de;q=0.5") == ["fr", "de", "en"]


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("{a} of {b}", {"a": 1, "b": 2}, "1 of 2"),
        ("{a} {c}", {"a": "{b}", "b": "x"}, "{b} {c}"),
        ("{ {a", {"a": 1}, "{ {a"),
        ("{a.__class__}", {"a": 1}, "{a.__class__}"),
        ("", {}, ""),
    ],
)
def test_values_are_only_values(text: str, values: dict[str, object], said: str) -> None:
    assert filled(text, values) == said


async def test_a_page_in_french_and_back(visitor: httpx.AsyncClient) -> None:
    visitor.headers["accept-language"] = "fr"
    page = await visitor.get("/login")
    assert '<html lang="fr"' in page.text
    assert "Mot de passe" in page.text
    page = await visitor.get("/login", params={"lang": "en", "theme": "dark"})
    assert '<html lang="en" data-theme="dark"' in page.text
    page = await visitor.get("/login")
    assert '<html lang="en" data-theme="dark"' in page.text, "a choice is kept"
    page = await visitor.get("/login", params={"lang": "<b>", "theme": '"><script>'})
    assert "<b>" not in page.text
    assert '<html lang="en" data-theme="dark"' in page.text


async def test_words_for_scripts_cannot_end_their_place(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = {"login": {"x": "</script><script>alert(1)</script>"}}
    monkeypatch.setitem(LANGUAGES, "fr", language.Language("fr", "Français", evil))
    page = (await visitor.get("/login", params={"lang": "fr"})).text
    assert "<script>alert" not in page
    assert json.loads(page.split('id="words">')[1].split("</script>")[0]) == evil["login"]


def test_english_needs_no_words() -> None:
    assert ENGLISH.say("House") == "House"
    assert ENGLISH.words_of("house") == {}
