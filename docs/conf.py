"""How the site is built from these pages (``make site``).

The pages read on a code host too: plain Markdown, relative links.
"""

from __future__ import annotations

from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"README": "index", "CONTRIBUTING": "contributing", "CHANGELOG": "changelog"}
"""Pages at the repository's root -> the page of the site that stands for them."""

project = "datacentric-bench"
author = "datacentric-bench contributors"
copyright = "datacentric-bench contributors"
version = release = installed("datacentric-bench")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["records", "**/__pycache__"]
nitpicky = True
nitpick_ignore_regex = [
    # Other projects' objects stay plain text: their inventories would have to be fetched, and a
    # build needs no network.
    (
        r"py:.*",
        r"(torch|torch_geometric|np|numpy|nn|msgspec|PIL|os|collections|pathlib|contextlib|types|pluggy|click|Tensor|ModuleType)(\..*)?",
    ),
    (
        r"py:.*",
        r"(Path|Any|Callable|Sequence|Mapping|Iterable|Iterator|Literal|Annotated|AbstractContextManager|optional)",
    ),
    # a union with one of these is cut at its first comma
    (r"py:.*", r"typing\.(Annotated|Literal)\[.*"),
    # of the harness itself; plugins never meet them
    (r"py:.*", r"(bench\..*\.)?(Registry|Entry|Artifacts|Prepared|Limits|Renewed)"),
]

myst_heading_anchors = 4
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
# fields listed in the docstring of their class are a list there, no entries of their own
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "notes_style"), ("Deviates", "notes_style")]
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_copy_empty_lines = False

html_theme = "furo"
html_title = "datacentric-bench"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_js_files = ["scroll.js"]
# every colour of code stands out from its background, strings and comments too (WCAG AAA)
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def to_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Turn links to the pages at the root of the repository, as a code host reads them, into links
    to the pages of the site.

    Of a link to any other page of the repository the text stays, with the file's path: the site has
    no copy of it.
    """
    for node in [
        *doctree.findall(addnodes.pending_xref),
        *doctree.findall(addnodes.download_reference),
    ]:
        path, _, anchor = str(node["reftarget"]).partition("#")
        page = OUTSIDE.get(Path(path).name.removesuffix(".md"))
        file = Path(app.srcdir, f"{path}.md").resolve()  # as MyST names a page, wherever it lies
        if (
            not page
            and file.is_file()
            and file.is_relative_to(ROOT)
            and not file.is_relative_to(app.srcdir)
        ):
            node.replace_self(
                [
                    *node.children,
                    nodes.Text(" ("),
                    nodes.literal(text=str(file.relative_to(ROOT))),
                    nodes.Text(")"),
                ]
            )
        elif page and node.get("reftype") == "myst" and path not in app.env.found_docs:
            anchor = node.get("reftargetid") or anchor or None
            link = addnodes.pending_xref(
                refdomain="doc",
                reftarget=page,
                reftargetid=anchor,
                refdoc=node["refdoc"],
                reftype="myst",
                refexplicit=True,
            )
            link += node.children
            node.replace_self(link)


def in_both_themes(app: Sphinx, doctree: nodes.document) -> None:
    """Show a picture with a dark form, ``NAME-dark.svg`` beside ``NAME.svg``, in either theme."""
    for image in list(doctree.findall(nodes.image)):
        light = str(image["uri"])
        dark = light.replace(".svg", "-dark.svg")
        beside = app.env.relfn2path(dark, app.env.docname)[1]
        if light.endswith(".svg") and Path(beside).is_file():
            twin = image.deepcopy()
            twin["uri"] = dark
            image["classes"] += ["only-light"]
            twin["classes"] += ["only-dark"]
            image.parent.insert(image.parent.index(image) + 1, twin)


def by_short_name(
    app: Sphinx, env: BuildEnvironment, node: Any, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve the short name of one object alone, as annotations and ``Raises`` have it."""
    if node.get("refdomain") != "py":
        return None
    short, objects = str(node["reftarget"]).rpartition(".")[2], env.domains.python_domain.objects
    found = {
        entry.node_id: entry.docname
        for name, entry in objects.items()
        if name.rpartition(".")[2] == short and not entry.aliased
    }
    if len(found) != 1:
        return None
    [(identifier, page)] = found.items()
    return make_refnode(app.builder, node["refdoc"], page, identifier, content)


ROLES = (
    ('role="heading">', 'role="heading" aria-level="2">'),
    ("<dl>\n<dd>", '<dl role="presentation">\n<dd>'),
)
"""What Sphinx writes of captions of tables of contents, which are headings without a level, and of
the parameters of a signature, which are a list of definitions without terms -> with what readers of
screens need.
"""


def with_roles(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Say what captions and parameters are to programs that read a page aloud."""
    for part in {"body", "furo_navigation_tree"} & context.keys():
        for written, wanted in ROLES:
            context[part] = context[part].replace(written, wanted)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what this file adds to Sphinx."""
    held: list[str] = []

    def hold(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
        if what in ("attribute", "property", "data"):
            held[:], lines[:] = lines, []

    def give_back(
        app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
    ) -> None:
        if what in ("attribute", "property", "data"):
            lines[:] = held

    app.connect("doctree-read", to_pages, priority=100)
    app.connect("doctree-read", in_both_themes, priority=100)  # before pictures are collected
    app.connect("missing-reference", by_short_name)
    app.connect("html-page-context", with_roles, priority=900)  # after the theme's own
    # napoleon (at 500) takes the words before a colon in the sentence of a field for its type, so
    # it does not see them.
    app.connect("autodoc-process-docstring", hold, priority=400)
    app.connect("autodoc-process-docstring", give_back, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
