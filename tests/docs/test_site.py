"""The pages as a site and as files on a code host: links that lead
somewhere, a build without a warning, pages that fit a phone.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_SPEC = importlib.util.spec_from_file_location("docs_links", ROOT / "docs" / "links.py")
links = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(links)
BROWSER = next(
    filter(
        None,
        map(
            shutil.which,
            ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"),
        ),
    ),
    None,
)


@pytest.mark.parametrize("page", links.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_within_the_repository_leads_to_a_file_and_a_heading(page):
    assert links.dead_of_text(page, page.read_text()) == []


def test_a_link_that_leads_nowhere_is_found():
    text = """[a](docs/nowhere.md) [b](docs/trust.md#no-such-heading) [c](docs/trust.md#keys) [d](#licence) [e](#license) `[f](x.md)` [g](https://x.org/y)
    <img src="docs/nowhere.png"> <img src="docs/conf.py"> <a href="mailto:x">x</a>"""
    assert links.dead_of_text(ROOT / "README.md", text) == [
        "docs/nowhere.md",
        "docs/trust.md#no-such-heading",
        "#license",
        "docs/nowhere.png",
    ]


def test_a_second_heading_of_one_title_has_an_anchor_of_its_own(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One\n\n## Twice, so\n\n## Twice, so\n")
    assert links.dead_of_text(page, "[a](#twice-so) [b](#twice-so-1) [c](#twice-so-2)") == [
        "#twice-so-2"
    ]


def test_a_dead_link_of_the_site_is_found(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(
        """<base href="x"><p id="here"><a href="#here">1</a><a href="#away">2</a><a href="sub/">3</a><a href="sub/index.html#there">4</a><a href="sub/#gone">5</a>
        <a href="../outside.html">6</a><img src="none.png"><a href="https://x.org/#y">7</a><script src="site.js?v=1"></script><a href="sub/no%20page.html">8</a>"""
    )
    (tmp_path / "site.js").write_text("")
    (tmp_path.parent / "outside.html").write_text("")
    (tmp_path / "sub" / "index.html").write_text(
        '<a name="there"></a><a href="../index.html#here">back</a>'
    )
    assert [link for _, link in links.dead_of_site(tmp_path)] == [
        "#away",
        "sub/#gone",
        "../outside.html",
        "none.png",
        "sub/no%20page.html",
    ]
    monkeypatch.chdir(tmp_path.parent)
    assert list(links.dead_of_site(Path(tmp_path.name))) == list(links.dead_of_site(tmp_path))


def test_every_page_is_in_a_table_of_contents():
    listed = {
        line.strip()
        for block in re.findall(
            r"^```\{toctree\}\n(.*?)^```",
            (ROOT / "docs" / "index.md").read_text(),
            re.MULTILINE | re.DOTALL,
        )
        for line in block.splitlines()
    }
    pages = {
        str(path.relative_to(ROOT / "docs").with_suffix(""))
        for path in PAGES
        if path.is_relative_to(ROOT / "docs")
    } - {"index"}
    assert [
        page for page in pages if not any(Path(page).match(name) for name in listed if name)
    ] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as ``make site`` builds it."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed; run: make install")
    command = next(
        line for line in (ROOT / "Makefile").read_text().splitlines() if "-m sphinx" in line
    ).split("sphinx ", 1)[1]
    folder = tmp_path_factory.mktemp("site")
    options = (
        command.replace("build/doctrees", str(folder / "doctrees"))
        .replace("$(SITE)", str(folder / "html"))
        .split()
    )
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "--fail-on-warning" in options
    assert done.stderr == ""
    return folder / "html"


def html_pages(site):
    """Every page of the site, in order; templates of the theme are none."""
    return [
        page for page in sorted(site.rglob("*.html")) if not page.is_relative_to(site / "_static")
    ]


@pytest.mark.slow
def test_the_site_builds_without_a_warning_or_a_dead_link_and_documents_every_public_name(site):
    import bench

    assert list(links.dead_of_site(site)) == []
    api = "".join(page.read_text() for page in (site / "api").rglob("*.html"))
    assert [name for name in bench.__all__ if f'id="bench.{name}"' not in api] == []


@pytest.mark.slow
def test_a_page_asks_for_nothing_from_elsewhere_has_no_error_and_fits_a_phone_and_a_desk(site):
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; run: make install"
    )
    if BROWSER is None:
        pytest.skip("no Chromium is installed; run: make browser")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER)
        wide = []
        for scheme, width in (("dark", 360), ("light", 1400)):
            tab = browser.new_page(viewport={"width": width, "height": 740}, color_scheme=scheme)
            said, asked = [], []
            tab.on("console", lambda message, said=said: said.append(message.text))
            tab.on("pageerror", lambda error, said=said: said.append(str(error)))
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            for page in html_pages(site):
                tab.goto(page.as_uri())
                tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                if tab.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append((page.relative_to(site).as_posix(), width))
            assert said == []
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        browser.close()
    assert wide == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(site, scheme):
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; run: make install"
    )
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    if BROWSER is None:
        pytest.skip("no Chromium is installed; run: make browser")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER)
        tab = browser.new_page(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)
        serious = {}
        for page in html_pages(site):
            tab.goto(page.as_uri())
            tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            found = axe.run(tab, options={"resultTypes": ["violations"]}).response["violations"]
            if kinds := [
                f"{one['id']} x {len(one['nodes'])}: {one['nodes'][0]['html'][:200]}"
                for one in found
                if one["impact"] in ("serious", "critical")
            ]:
                serious[page.relative_to(site).as_posix()] = kinds
        browser.close()
    assert serious == {}
