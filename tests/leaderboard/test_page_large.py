"""The page of a large board: 35 tracks with 15 methods each."""

import pytest
from bench.builtin.leaderboard.board import bench_board, bench_publish
from board_toy import whole_suite
from page_toy import needs_browser

from bench.builtin.leaderboard import _suite
from bench.cards import FIELDS, MethodCard, Metric, Preset, Reference, TaskCard, TrackCard

pytestmark = pytest.mark.slow
for library in ("altair", "vl_convert", "playwright"):
    pytest.importorskip(library, reason=f"{library} is not installed; run: make install")
TRACKS, METHODS, TASKS = 35, 15, 3
MB = 1_000_000


def task_card(track, name):
    return TaskCard(
        name=name,
        title=name,
        track=track,
        metrics=(Metric(name="acc", primary=True, unit="%", title="test accuracy at the end"),),
        presets={"default": Preset(variants={"one": {}, "two": {}}, seeds=5)},
        references=(
            Reference(name="plain", kind="low"),
            Reference(name="oracle", kind="high", solve="peek"),
        ),
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The folder of the page."""
    lines = ["schema_version = 1", 'name = "large"', 'device = "cpu"', "seeds = 5", "delta = 0.02"]
    tasks, cards, tracks, methods = {}, {}, {}, {}
    for place in range(TRACKS):
        track = f"track-{place:02d}"
        lines += [f"[tracks.{track}]", f'title = "Track {place}"', 'about = "A track."']
        lines += ['low = "plain"', 'high = "oracle"']
        for name in (f"some-task-{number}" for number in range(TASKS)):
            lines += [f"[[tracks.{track}.tasks]]", f'task = "{name}"']
            lines += ['variants = ["one", "two"]', "chance = 10.0", "seconds = 60"]
            tasks[f"{track}/{name}"] = task_card(track, name)
        methods[track] = ["plain", *(f"method-{place}-{one}" for one in range(1, METHODS))]
        for method in methods[track]:
            cards[f"{track}/{method}"] = MethodCard(
                name=method,
                title="A method whose title is not short",
                track=track,
                paper="arXiv:2007.00151",
                claim="It gains wherever labels are wrong.",
                deviates="The schedule is that of the task. " * 10,
                defaults_from="here",
                trials=8,
            )
        tracks[track] = TrackCard(
            name=track,
            title=f"Track {place}",
            about="A track.",
            field=FIELDS[place % len(FIELDS)],
            ranked="methods",
        )
    folder = tmp_path_factory.mktemp("large")
    path = folder / "suite-large.toml"
    path.write_text("\n".join(lines))
    records = whole_suite(_suite.read_suite(path), tasks, methods, curves=30)
    known = {"cards": cards, "tracks": tracks}
    board = bench_board(records, tasks, {"suite": str(path), **known})

    def load(ids):
        return (record for record in records if record.id in ids)

    out = folder / "out"
    out.mkdir()
    bench_publish(board, records, out, {"tasks": tasks, "load": load, "page": True, **known})
    return out


def test_the_page_of_35_tracks_is_small_and_so_is_each_of_its_files(large):
    sizes = {
        path.relative_to(large): path.stat().st_size
        for path in large.rglob("*")
        if path.suffix in (".html", ".css", ".js")
    }
    rest = sum(size for path, size in sizes.items() if path.parent.name != "methods")
    assert rest <= 4 * MB
    assert max(size for path, size in sizes.items() if path.parent.name == "tracks") <= 0.6 * MB
    assert max(size for path, size in sizes.items() if path.parent.name == "methods") <= 40_000
    assert sum(path.parent.name == "methods" for path in sizes) == TRACKS * (METHODS - 1) + 1


@needs_browser
def test_a_link_into_a_track_is_ready_within_a_second_of_processor_time(large, browser):
    spent = []
    for address in (
        "index.html",
        "tracks/track-17.html#sort=-null&find=method",
        "tracks/track-34.html#table-some-task-2-default-two-cpu",
        "methods/plain.html#card",
    ):
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        before = processor_seconds(session)
        page.goto(f"{large.as_uri()}/{address}")
        page.wait_for_selector("html[data-ready]")
        spent.append(processor_seconds(session) - before)
        context.close()
    assert max(spent) <= 1.0, spent


def processor_seconds(session):
    """Return the processor time of a page's process."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime")


@needs_browser
def test_the_overview_of_35_tracks_narrows_to_a_field(large, browser):
    page = browser.new_page()
    page.goto(f"{large.as_uri()}/index.html")
    page.wait_for_selector("html[data-ready]")
    page.fill("#find-track", FIELDS[3])
    wanted = {f"Track {place}" for place in range(3, TRACKS, len(FIELDS))}
    assert set(page.locator("#rail .field li:visible").all_inner_texts()) == wanted
    assert set(page.locator(".overview tr.track:visible th a").all_inner_texts()) == wanted
    page.close()
