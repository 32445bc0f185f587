"""Pages from the templates beside this file: each one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

import jinja2

from ..system.atomic import publish

TEMPLATES = Path(__file__).parent


def write_page(path: str | Path, template: str, sheets: tuple[str, ...], **shown: object) -> None:
    """Fill in a template and publish it; its `style` is the style sheets one after another.

    `script` is page.js, which makes tables sort and the viewer turn, and which no text needs. Text
    is escaped. A name that the template asks for and `shown` lacks is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style = "".join((TEMPLATES / sheet).read_text() for sheet in sheets)
    script = (TEMPLATES / "page.js").read_text()
    page = environment.get_template(template).render(style=style, script=script, **shown)
    with publish(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
