"""The pages as a site and as files on a code host: links that lead somewhere, a build without a warning, pages that fit a phone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s]*)\)")
BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))), None)


def slugs(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", title.lower().strip()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def dead(page: Path, text: str) -> list[str]:
    """Return the relative links of a text that lead nowhere from where the page lies."""
    found = []
    for link in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in slugs(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_to_a_file_and_a_heading(page):
    assert dead(page, page.read_text()) == []


def test_a_link_that_leads_nowhere_is_found():
    page = ROOT / "README.md"
    assert dead(page, "[a](docs/nowhere.md) [b](docs/trust.md#no-such-heading) [c](docs/trust.md#keys) [d](#licence)") == [
        "docs/nowhere.md",
        "docs/trust.md#no-such-heading",
    ]


def test_every_page_is_in_a_table_of_contents():
    listed = {
        line.strip()
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    }
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in PAGES if path.is_relative_to(ROOT / "docs")} - {"index"}
    assert [page for page in pages if not any(Path(page).match(name) for name in listed if name)] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as ``make site`` builds it."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed; run: make install")
    command = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "-m sphinx" in line).split("sphinx ", 1)[1]
    folder = tmp_path_factory.mktemp("site")
    options = command.replace("build/doctrees", str(folder / "doctrees")).replace("$(SITE)", str(folder / "html")).split()
    done = subprocess.run([sys.executable, "-m", "sphinx", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--fail-on-warning" in options
    assert done.stderr == ""
    return folder / "html"


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_documents_every_public_name(site):
    import bench

    api = "".join(page.read_text() for page in (site / "api").rglob("*.html"))
    assert [name for name in bench.__all__ if f'id="bench.{name}"' not in api] == []


@pytest.mark.slow
def test_a_page_asks_for_nothing_from_elsewhere_has_no_error_and_fits_a_phone(site):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; run: make install")
    if BROWSER is None:
        pytest.skip("no Chromium is installed; run: make browser")
    pages = ("index.html", "quickstart.html", "tracks/noisy-labels.html", "cli.html", "api/contracts.html", "decisions.html")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER)
        for scheme in ("light", "dark"):
            tab = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
            said, asked = [], []
            tab.on("console", lambda message, said=said: said.append(message.text))
            tab.on("pageerror", lambda error, said=said: said.append(str(error)))
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            for page in pages:
                tab.goto((site / page).as_uri())
                assert tab.evaluate("document.documentElement.scrollWidth") <= 360, page
            assert said == []
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        browser.close()
