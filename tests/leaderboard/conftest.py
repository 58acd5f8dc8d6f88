"""What the board imports when it first needs it, imported before any test
is timed; a small suite; a page, and a browser to open it.
"""

import pytest
import scipy.special  # noqa: F401
from board_toy import SUITE
from page_toy import BROWSER, publish_page, settled


@pytest.fixture
def suite_file(tmp_path):
    """The path of the small suite."""
    path = tmp_path / "suite-small.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory):
    """The folder of a page of made-up records."""
    return publish_page(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser, page_folder):
    """Open a page from disk; at the end nothing else was asked for, and there was no console
    message and no error.
    """
    contexts, said = [], []
    ours = (page_folder.as_uri(), "blob:", "data:")

    def call(address="index.html", theme="light", width=1400, height=900):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(ours) else said.append(request.url),
        )
        page.goto(f"{page_folder.as_uri()}/{address}")
        settled(page)
        return page

    yield call
    for context in contexts:
        context.close()
    assert said == []
