"""Documents: each path, link and anchor in them exists, and the changelog has its sections."""

import re
from pathlib import Path

import pytest

import jph
from tests.support import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`((?:jph|nodes|collector|bench|tests|docs|examples|deploy|static)/[\w./-]*)`")
EXAMPLES_OF_NEW_FILES = re.compile(r"counter|cellar")
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_paths_of_files_are_right(page: Path) -> None:
    named = CODE.findall(page.read_text(encoding="utf-8"))
    wanted = [path for path in named if not EXAMPLES_OF_NEW_FILES.search(path)]
    assert [path for path in wanted if not (REPOSITORY / path).exists()] == []


def test_the_changelog_has_its_sections() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.M)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", each) for each in versions[1:])
    assert any(each.startswith(f"[{jph.__version__}]") for each in versions)
    for version in re.split(r"^## ", text, flags=re.M)[1:]:
        sections = re.findall(r"^### (.+)$", version, re.M)
        assert set(sections) <= SECTIONS
        assert len(set(sections)) == len(sections), "a section is there twice"
