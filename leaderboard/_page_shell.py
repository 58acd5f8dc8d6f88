"""What all pages share: head, rail of tracks, foot, and the templates that fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import _assets, _page_links
from ._page_links import Link
from ._text import one_line, suite_text

LONGEST = 4000
"""Most characters of one text of a record or a card."""
_POLICY = (
    "default-src 'none'; script-src 'self' file: blob:; style-src 'self' file: 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)
"""Scripts and styles lie beside the page, whether it is served or opened from disk; nothing is
fetched from elsewhere.
"""


class Shell:
    """Renders the pages of one board."""

    def __init__(
        self,
        board: Mapping[str, Any],
        totals: Mapping[str, Any],
        fields: Sequence[Mapping[str, Any]],
        name: str,
        beside: Sequence[Link] = (),
    ) -> None:
        """Take what all pages show of a board.

        Args:
            board: the board.
            totals: of records.
            fields: what the rail lists.
            name: of the page, see :func:`._page.page_name`.
            beside: other suites' boards, from the first page.
        """
        import jinja2

        self._environment = jinja2.Environment(
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
            loader=jinja2.FileSystemLoader(_assets.HERE),
        )
        self._environment.filters["packed"] = _packed
        classes = board["classes"]
        self._shared = {
            "name": name,
            "policy": _POLICY,
            "suite": board["suite"],
            "suite_text": suite_text(board["suite"]),
            "totals": totals,
            "classes": classes[0]["name"]
            if len(classes) == 1
            else f"{len(classes)} classes of machines"
            if classes
            else "",
            "fields": fields,
            "beside": beside,
            "home": Link("Repository", _page_links.repository()),
            "here": "",
            "charts": {},
            "help": {},
        }

    def page(self, template: str, **view: Any) -> str:
        """Return a page; all but the single ones lie in a folder."""
        root = "../" if template in ("track", "method", "superseded") else ""
        context = {**self._shared, "kind": template, "root": root, **view}
        text = self._environment.get_template(f"{template}.html.j2").render(context)
        return "\n".join(filter(str.strip, text.split("\n"))) + "\n"


def _shown(value: Any) -> Any:
    """Drop control characters of records and cards, and cut what no page can show; what is escaped
    already is the page's.
    """
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return one_line(value if len(value) <= LONGEST else f"{value[:LONGEST]} …")


def _packed(charts: Mapping[str, Any]) -> Any:
    """Return charts as text that the page's script unpacks: base64, which holds no markup. Data go
    as columns, which pack better than rows.
    """
    from markupsafe import Markup

    shown = {
        name: {
            **spec,
            "datasets": {key: _columns(rows) for key, rows in spec["datasets"].items()},
        }
        for name, spec in charts.items()
    }
    text = _assets.packed(json.dumps(shown, allow_nan=False, sort_keys=True, separators=(",", ":")))
    return Markup(text)  # noqa: S704 - letters and digits alone


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
