"""A page of made-up records: three tracks, hostile records and cards, failures, pictures and nights;
and the browser that opens it.
"""

from __future__ import annotations

import io
import shutil

import msgspec
import pytest
from bench.builtin.leaderboard.board import bench_board, bench_publish
from board_toy import made_up, whole_suite

from bench.builtin.leaderboard import _suite
from bench.cards import TrackCard
from bench.plugins.registry import Registry

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
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


def hostile_cards(registry):
    """Return the cards of three tracks' methods, one of which holds control characters."""
    cards = {
        entry.identity: entry.card
        for entry in registry.rows("method")
        if entry.track in TRACKS
        and (
            entry.track != "noisy-labels"
            or entry.name in ("ce", "coteaching", "elr", "mixup", "knn")
        )
    }
    elr = msgspec.structs.replace(
        cards["noisy-labels/elr"], title=f"Early {CONTROL}", claim=f"It holds {CONTROL}"
    )
    mixup = msgspec.structs.replace(cards["noisy-labels/mixup"], deviates=HOSTILE, bibtex=HOSTILE)
    return {**cards, "noisy-labels/elr": elr, "noisy-labels/mixup": mixup}


def made_records(suite, tasks, cards):
    """Return records of every method in every cell, hostile ones among them."""
    methods = {
        track: sorted(name.partition("/")[2] for name in cards if name.startswith(f"{track}/"))
        for track in TRACKS
    }
    records = whole_suite(suite, tasks, methods, curves=12)
    for record in records:
        record.data = {"digits": "a"}
        if record.task == "noisy-digits":  # a wide table
            card = tasks[f"{record.track}/{record.task}"]
            (value,) = record.metrics.values()
            record.metrics |= {one.name: value for one in card.metrics if one.unit == "%"}
        if record.task == "prune-digits" and record.seed == 0:
            record.images = {HOSTILE: "image-0.png"}
    first = ("noisy-labels", "noisy-digits", "sym40")
    failed = made_up(*first, "boom", 0, "acc_last", 0, status="failed")
    failed.error.message = HOSTILE + "x" * 10_000_000
    failed.error.rerun = HOSTILE
    return [*records, made_up(*first, HOSTILE, 0, "acc_last", 60.0), failed]


def publish_page(folder):
    """Write the page, and return its folder."""
    import numpy as np
    from bench.builtin.leaderboard._exports import history_parquet
    from PIL import Image

    registry = Registry()
    tasks, cards = registry.cards(), hostile_cards(registry)
    suite_file = folder / f"suite-{NEWEST}.toml"  # without the frozen anchors of real runs
    text = _suite.find(None).read_text()
    suite_file.write_text(text.replace("\ndelta = ", "\nover_datasets = true\ndelta = ", 1))
    records = made_records(_suite.read_suite(_suite.find(None)), tasks, cards)
    picture = io.BytesIO()
    Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).save(picture, "PNG")
    hostile = TrackCard(
        name="privacy-audit",
        title=f"Privacy {CONTROL}",
        about=f"About {CONTROL}",
        field="privacy",
        ranked="audits",
    )
    tracks = {**registry.track_cards(set(TRACKS)), "privacy-audit": hostile}
    board = bench_board(
        records, tasks, {"suite": str(suite_file), "cards": cards, "tracks": tracks}
    )
    options = {
        "tasks": tasks,
        "cards": cards,
        "tracks": tracks,
        "datasets": {entry.identity: entry.card for entry in registry.rows("dataset")},
        "load": lambda ids: (record for record in records if record.id in ids),
        "picture": lambda *_: picture.getvalue(),
        "page": True,
        "history": folder / "history.parquet",
    }
    out = folder / "out"
    out.mkdir()
    history_parquet(HISTORY, folder / "history.parquet")
    bench_publish(board, records, out, options)
    return out


def contents(folder):
    """Return name -> bytes of the page's files."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".html", ".css", ".js", ".svg")
    }


def settled(page):
    """Wait until the page's script has nothing left to do."""
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector('html[data-busy="0"]')
