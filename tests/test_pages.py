"""Pages lead where they say: links to files and headings, commands, the list of the site."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

FOLDERS = (".", "docs", "config", "results")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages(repository: Path) -> list[Path]:
    return [page for folder in FOLDERS for page in sorted((repository / folder).glob("*.md"))]


def prose(page: Path) -> str:
    """A page without its blocks of code, and without code within lines."""
    return re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+\s+(.+?)\s*#*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[anchor] = found.get(anchor, -1) + 1
    return {a if not n else f"{a}-{n}" for a, last in found.items() for n in range(last + 1)}


def broken(page: Path, repository: Path) -> list[str]:
    """Links of a page that lead nowhere in the repository."""
    wrong = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue  # of another site
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page.resolve()
        lost = not target.exists() or not target.is_relative_to(repository.resolve())
        headings = anchors(target) if anchor and not lost and target.suffix == ".md" else {anchor}
        if lost or anchor not in headings:
            wrong.append(link)
    return wrong


def test_links_lead_to_files_and_headings_that_exist(repository: Path) -> None:
    found = {page.name: wrong for page in pages(repository) if (wrong := broken(page, repository))}
    assert found == {}


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One, two\n## A\n## A\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#one-two) [b](there.md#a-1) [c](https://x.y) `[d](code.md)`\n"
        "[e](gone.md) ![f](there.md#a-2) [g](#none) [h](there.md#no-heading) [i](../out.md)\n"
    )
    wrong = ["gone.md", "there.md#a-2", "#none", "there.md#no-heading", "../out.md"]
    assert broken(page, tmp_path) == wrong


def test_commands_that_pages_name_are_targets_of_make(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    for page in pages(repository):
        if page.name == "CHANGELOG.md":
            continue  # commands that were
        named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE))
        assert named <= targets, f"{page.name}: {named - targets}"


def test_every_page_that_the_site_lists_exists(repository: Path) -> None:
    site = (repository / "mkdocs.yml").read_text()
    listed = re.findall(r": ([\w./-]+\.md)$", site, re.MULTILINE)
    assert len(listed) > 10
    assert [name for name in listed if not (repository / name).is_file()] == []
