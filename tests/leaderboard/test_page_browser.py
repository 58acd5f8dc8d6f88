"""The page in a real browser, opened from disk: no request, no console message, no finding of
accessibility, by mouse and by keyboard, on wide and on small screens.
"""

import pytest
from page_toy import NEWEST, needs_browser, settled

from bench.plugins.registry import Registry

for library in ("altair", "vl_convert", "playwright", "axe_playwright_python"):
    pytest.importorskip(library, reason=f"{library} is not installed; run: make install")

pytestmark = needs_browser
KINDS = (
    "index.html",
    "tracks/selection.html",
    "methods/mixup.html",
    "about.html",
    "submit.html",
    "changes.html",
    "errata.html",
)
SELECTION, NOISY = "tracks/selection.html", "tracks/noisy-labels.html"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def names(page):
    """Return the methods of a board's rows that are shown, in order."""
    return page.eval_on_selector_all(
        "#board tbody tr:not([hidden]) th", "all => all.map(one => one.innerText.split(' ')[0])"
    )


def here(page):
    """Return the part of the address behind the #."""
    return page.evaluate("decodeURIComponent(location.hash)")


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        ("light", 1400),
        pytest.param("dark", 1400, marks=pytest.mark.slow),
        pytest.param("light", 390, marks=pytest.mark.slow),
        pytest.param("dark", 390, marks=pytest.mark.slow),
        pytest.param("light", 1000, marks=pytest.mark.slow),
        pytest.param("dark", 1000, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_on_any_kind_of_page(opened, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    for name in KINDS:
        page = opened(name, theme, width)
        page.eval_on_selector_all(
            "details", "all => { if (all.length) all[0].open = all.at(-1).open = true }"
        )
        if page.locator(".columns").count():
            page.click(".columns")
        page.evaluate("document.querySelector('.help-text')?.showPopover()")
        settled(page)
        found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"


@pytest.mark.parametrize(
    "width",
    [
        pytest.param(1400, marks=pytest.mark.slow),
        pytest.param(1000, marks=pytest.mark.slow),
        390,
    ],
)
def test_no_page_scrolls_sideways_and_tables_scroll_in_a_box_of_their_own(opened, width):
    page = opened(width=width)
    for name in (*KINDS, NOISY, "tracks/privacy-audit.html"):
        page.goto(page.url.rpartition("/out/")[0] + f"/out/{name}")
        settled(page)
        page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        small = page.eval_on_selector_all(
            "main p, main li, main td, main dd",
            "all => all.filter(one => parseFloat(getComputedStyle(one).fontSize) < 12).length",
        )
        assert small == 0, name


def test_on_a_small_screen_method_score_and_place_are_seen_without_scrolling_sideways(opened):
    page = opened(NOISY, width=390)
    for place in (1, 2, 3):
        box = page.locator(f"#board tbody tr:first-child > :nth-child({place})").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390 - 12


def test_on_a_small_screen_the_rail_is_folded_and_opens_by_mouse_and_keyboard(opened):
    page = opened(width=390)
    rail, fold = page.locator("#rail"), page.locator("#fold")
    assert not rail.is_visible()
    fold.click()
    assert rail.is_visible()
    assert fold.get_attribute("aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert not rail.is_visible()
    assert page.evaluate("document.activeElement.id") == "fold"
    page.keyboard.press("Enter")
    page.fill("#find-track", "sel")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tracks/selection.html")
    wide = opened(width=1000)
    assert wide.locator("#rail").is_visible()
    assert not wide.locator("#fold").is_visible()


def test_tracks_are_reached_by_mouse_and_back_works(opened):
    page = opened()
    page.click("#rail >> text=Selection")
    settled(page)
    assert page.locator("h1").inner_text() == "Selection"
    assert page.locator("#rail [aria-current=page]").inner_text() == "Selection"
    page.click("#board tbody tr:first-child th a")
    settled(page)
    assert "/methods/" in page.url
    page.click("main a[href='../tracks/selection.html'] >> nth=0")
    settled(page)
    page.go_back()
    assert "/methods/" in page.url
    page.go_back()
    assert page.url.endswith(SELECTION)
    page.go_back()
    assert page.url.endswith("index.html")


def test_tracks_are_found_and_reached_by_keyboard(opened):
    page = opened()
    page.focus("#find-track")
    page.keyboard.type("wrong")
    shown = page.locator("#rail .field li:visible")
    assert shown.all_inner_texts() == ["Noisy labels"] or "Noisy labels" in shown.all_inner_texts()
    assert "Selection" not in shown.all_inner_texts()
    rows = page.locator(".overview tr.track:visible th a").all_inner_texts()
    assert "Noisy labels" in rows
    assert "Selection" not in rows
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "Noisy labels"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "find-track"
    page.keyboard.press("Escape")
    assert "Selection" in shown.all_inner_texts()
    page.keyboard.type("nothing like it")
    assert page.inner_text("#no-track") == "no track fits"
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tracks/*.html")


def test_the_skip_link_leads_past_the_rail(opened):
    page = opened(SELECTION)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_board_sorts_by_mouse_and_keyboard_up_down_and_back(opened):
    page = opened(SELECTION)
    start = names(page)
    known = {entry.name for entry in Registry().rows("method") if entry.track == "selection"}
    assert set(start) >= known
    head = page.locator("#board thead th").nth(0)
    head.locator("button.sort").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page) == sorted(start)
    assert here(page) == "#sort=method"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page) == sorted(start, reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert names(page) == start
    page.click(".columns")
    page.click("#board [data-key=visits] button.sort")
    place = page.eval_on_selector("#board [data-key=visits]", "one => one.cellIndex")
    visits = page.eval_on_selector_all(
        "#board tbody tr", f"rows => rows.map(row => +row.children[{place}].dataset.o)"
    )
    assert visits == sorted(visits), "numbers are sorted as numbers"


def test_a_view_is_an_address_back_undoes_it_and_reset_forgets_it(opened):
    page = opened(SELECTION)
    start = names(page)
    assert not page.locator(".reset").is_visible()
    page.click("#board [data-key=method] button.sort")
    page.fill(".find-row", "k-")
    page.click(".columns")
    assert here(page) == "#sort=method&find=k-&columns=all"
    assert names(page) == sorted(name for name in start if "k-" in name)
    assert "rows" in page.inner_text(".said")
    address = page.url
    page.go_back()
    assert here(page) == "#sort=method&find=k-"
    page.go_back()
    assert here(page) == "#sort=method"
    assert page.input_value(".find-row") == ""
    assert names(page) == sorted(start)
    page.go_back()
    assert names(page) == start
    page.go_forward()
    assert names(page) == sorted(start)
    page.click(".reset")
    assert (here(page), names(page)) == ("", start)
    assert not page.locator(".reset").is_visible()
    again = opened(SELECTION + "#" + address.partition("#")[2])
    assert names(again) == sorted(name for name in start if "k-" in name)
    assert again.locator("#board [data-key=remarks]").is_visible()
    again.fill(".find-row", "nothing like it")
    assert again.inner_text(".said") == "no row fits"


def come_into_sight(page, address):
    """Wait until what an address names begins within the 500 pixels that are seen."""
    page.wait_for_function(
        """address => {
            const { top } = document.querySelector(address).getBoundingClientRect();
            return top >= 0 && top <= 500;
        }""",
        arg=address,
    )


def test_rows_tables_and_cards_have_addresses_of_their_own(opened):
    page = opened(f"{SELECTION}#row-k-center", height=500)
    row = page.locator("#row-k-center")
    assert row.evaluate("one => one.matches(':target')")
    come_into_sight(page, "#row-k-center")
    page.click("#board tbody tr:nth-child(2) td a[href^='#']")
    page.wait_for_function("location.hash.startsWith('#row-')")
    table = page.locator("details").nth(1)
    table.locator("summary").click()
    address = f"#{table.get_attribute('id')}"
    page.wait_for_function("address => location.hash === address", arg=address)
    again = opened(SELECTION + address, height=500)
    again.wait_for_function("address => document.querySelector(address).open", arg=address)
    come_into_sight(again, address)
    card = opened("methods/mixup.html#card")
    assert card.locator("#card").is_visible()


@pytest.mark.slow
def test_an_address_of_the_page_when_it_was_one_file_still_leads_to_the_track(opened):
    page = opened()
    page.goto(page.url + "#track-selection")
    page.reload()
    page.wait_for_url("**/tracks/selection.html")


def test_help_of_a_column_opens_and_closes_by_mouse_and_by_keyboard(opened):
    page = opened(NOISY, width=390)
    button = page.locator("#board [data-key=score] [popovertarget]")
    text = page.locator(f"#{button.get_attribute('popovertarget')}")
    assert not text.is_visible()
    button.focus()
    page.keyboard.press("Enter")
    assert text.is_visible()
    assert "95 % interval" in text.inner_text()
    box = text.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.keyboard.press("Escape")
    assert not text.is_visible()
    button.click()
    assert text.is_visible()
    page.click("h1")
    assert not text.is_visible()
    assert page.locator("#board [aria-sort]").count() == 0, "help does not sort"


def test_charts_are_drawn_when_they_come_into_sight_and_again_in_the_other_theme(opened):
    page = opened(SELECTION, height=400)
    assert page.evaluate("typeof window.vegaEmbed") == "undefined"
    assert page.locator(".chart svg").count() == 0
    chart = page.locator(".chart").first
    chart.scroll_into_view_if_needed()
    page.wait_for_selector('.chart[data-drawn="yes"]')
    settled(page)
    fill = ".chart svg text"
    before = page.eval_on_selector(fill, "one => getComputedStyle(one).fill")
    assert page.locator(".chart svg").first.get_attribute("aria-label").startswith("Score against")
    page.emulate_media(color_scheme="dark")
    for _ in range(100):  # the page allows no evaluation of text, so it can't wait by itself
        page.wait_for_timeout(50)
        now = page.locator(fill).first.evaluate("one => getComputedStyle(one).fill")
        if now != before:
            break
    assert now != before
    settled(page)
    undrawn = page.locator("details .chart")
    assert undrawn.locator("svg").count() == 0
    page.locator("details summary").first.click()
    undrawn.first.scroll_into_view_if_needed()
    page.wait_for_selector('details .chart[data-drawn="yes"] svg')
    settled(page)
    nights = opened("about.html")
    nights.locator(".chart").scroll_into_view_if_needed()
    nights.wait_for_selector('.chart[data-drawn="yes"] svg')
    settled(nights)


@pytest.mark.slow
def test_without_scripts_every_table_and_every_help_is_there(browser, page_folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{page_folder.as_uri()}/{NOISY}")
    assert page.locator("#board tbody tr").count() > 4
    assert page.locator("#board [data-key=remarks]").is_visible()
    assert page.locator("#rail").is_visible()
    page.click("#board [data-key=score] [popovertarget]")
    assert page.locator(".help-text:visible").count() == 1
    context.close()


@pytest.mark.slow
def test_the_page_is_what_serve_shows(browser, page_folder):
    import threading

    from bench.cli._serve import open_server

    with open_server(page_folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/{SELECTION}")
        settled(page)
        assert page.title() == f"Selection · suite {NEWEST}, tier default"
        page.locator(".chart").first.scroll_into_view_if_needed()
        page.wait_for_selector('.chart[data-drawn="yes"] svg')
        page.close()
        server.shutdown()
        thread.join()
