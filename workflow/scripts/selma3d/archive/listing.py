"""The files of a BioStudies accession, as the archive's own interface lists them.

The study's page-tab JSON (`<api>/<accession>`) is a tree of sections. A section names its files
itself (`files`) or in a list of its own (attribute "File List"), which lies among the files:
`[{"path": "raw/a.nii.gz", "size": 123, "type": "file", "attributes": […]}, …]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..system.errors import InputError
from ..system.json_text import parsed_json
from ..system.paths import refuse_collisions
from .answers import asking, name_of, size_of
from .download import DownloadSettings
from .manifest import Entry
from .published_files import address

FILE_LIST = "file list"


@dataclass
class Listing:
    """The files of an accession, and the folders that it publishes whole, without their files."""

    files: dict[str, Entry] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def add_study(self, content: bytes, where: str) -> list[str]:
        """Add what a study's page-tab JSON names; the names of its lists of further files.

        Raises InputError, as `add_files` does, for another form, and for names and sizes that are
        none.
        """
        page = parsed_json(content, where)
        if not isinstance(page, dict) or not isinstance(page.get("section"), dict):
            raise InputError(f"{where}: expected a study with a section, found something else")
        lists = []
        for section in _sections(page["section"]):
            self._add(section.get("files"), where)
            lists += _file_lists(section)
        return lists

    def add_files(self, content: bytes, where: str) -> None:
        """Add the files of a list (JSON)."""
        self._add(parsed_json(content, where), where)

    def _add(self, files: Any, where: str) -> None:
        if not isinstance(files, list | None):
            raise InputError(f"{where}: expected a list of files, found something else")
        for file in _flat(files):
            path = name_of(file, "path", where)
            if file.get("type", "file") != "file":
                self.folders.add(path)
                continue
            self.files[path] = Entry(path, size_of(file, path, where))


def listing(accession: str, roots: Sequence[str], api: str, settings: DownloadSettings) -> Listing:
    """What `accession` holds; InputError where an answer is not had or not understood."""
    found = Listing()
    study = address(api, accession)
    with asking(settings) as answer:
        for name in found.add_study(answer(accession, [study]), study):
            addresses = [address(root, name) for root in roots]
            found.add_files(answer(name, addresses), addresses[0])
    if not found.files:
        raise InputError(f"{study}: expected files, found none")
    refuse_collisions(found.files)
    return found


def _sections(section: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield section
    for below in _flat(section.get("subsections")):
        if isinstance(below, dict):
            yield from _sections(below)


def _flat(value: Any) -> Iterator[Any]:
    """Items of a page-tab list; tables are lists in that list."""
    for item in value or []:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _file_lists(section: dict[str, Any]) -> Iterator[str]:
    for attribute in _flat(section.get("attributes")):
        name, value = attribute.get("name"), attribute.get("value")
        if isinstance(name, str) and isinstance(value, str) and name.lower() == FILE_LIST:
            # Submitted as TSV or XLSX, published as JSON under the same name.
            stem = value.removesuffix(".json").removesuffix(".tsv").removesuffix(".xlsx")
            yield f"{stem}.json"
