"""A page of a track is read from the top: what was found, then how, then all tables; its chart is drawn
from committed records.
"""

from __future__ import annotations

import importlib
import re
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
tables = importlib.import_module("tables")
charts = importlib.import_module("tables_charts")
pictures = importlib.import_module("pictures")

HEADINGS = ["What it is and what we found", "Tasks and methods", "All tables"]
STATIC = ROOT / "docs" / "_static"
PAGES = sorted((ROOT / "docs" / "tracks").glob("*.md"))
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def parts(page: Path) -> list[str]:
    """The three parts of a page, each without its heading."""
    found = re.split(r"^## (.*)$", page.read_text(), flags=re.MULTILINE)
    assert found[1::2] == HEADINGS
    return found[2::2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_of_a_track_opens_with_a_few_sentences_a_chart_and_a_picture(page):
    first = parts(page)[0]
    shown = {Path(link).parent.name: said for said, link in IMAGE.findall(first)}
    waiting = "No record of the track" in first  # no run of a new track is committed yet
    assert shown.keys() == ({"pictures"} if waiting else {"charts", "pictures"})
    assert all(len(said.split()) >= 8 for said in shown.values()), "a picture stands for its text"
    prose = re.sub(r"<!-- .*? -->", "", IMAGE.sub("", tables.BLOCK.sub("", first)))
    assert len(prose.split()) <= 180, "more than fits a screen beside chart and picture"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_generated_of_a_track_stands_folded_in_the_last_part(page):
    *others, last = parts(page)
    shown = {match[2] for part in others for match in tables.BLOCK.finditer(part)}
    assert shown <= {"chart", "preregistered"}
    blocks = list(tables.BLOCK.finditer(last))
    assert blocks
    for match in blocks:
        outside = re.sub(r"<details>.*?</details>", "", match[4], flags=re.DOTALL)
        assert not outside.strip(), match[1]


def test_a_block_is_folded_by_its_headings_or_under_its_title():
    made = "\n### one · a\n\n| x |\n\n### two\n\ntext\n\n"
    assert tables.folded(made, "title") == (
        "\n<details>\n<summary>one · a</summary>\n\n| x |\n\n</details>\n"
        "\n<details>\n<summary>two</summary>\n\ntext\n\n</details>\n\n"
    )
    assert "<summary>title</summary>\n\nfirst\n\n</details>" in tables.folded("first\n", "title")


def test_a_picture_is_written_small_from_what_a_run_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FOLDER", tmp_path / "pictures")
    monkeypatch.setitem(
        pictures.PICTURES,
        "page",
        lambda: pictures.saved("errors-iris", "knn-vote", "sym20", "suspicion", preset="smoke"),
    )
    pictures.write("page")
    with Image.open(tmp_path / "pictures" / "page.png") as image:
        assert image.size == (560, 340)
        assert len(image.convert("RGB").getcolors()) <= pictures.COLOURS


def row(name, mean, low, high, plain=False):
    return charts.Row(name, plain, False, mean, low, high, 5, f"{mean:+.1f}")


@pytest.fixture
def drawn():
    """A chart of three rows, one of them without an interval, as text and as elements."""
    rows = [
        row("a<b", 2.0, 1.0, 3.0),
        row("plain ○", 0.5, -1.0, 2.0, True),
        row("c", -1, None, None),
    ]
    shown = charts.Chart("Letters", "acc", "points", "base", "70.0 %", "the mean", rows)
    text = charts.svg(shown, charts.THEMES[""])
    return text, ElementTree.fromstring(text)


def test_a_chart_places_means_ends_and_the_baseline_on_one_scale(drawn):
    _, tree = drawn
    dots = [float(dot.get("cx")) for dot in tree.findall(".//{*}circle")]
    paths = {path.get("class"): path.get("d") for path in tree.findall(".//{*}path")}
    bars = [
        [float(end) for end in re.findall(r"[MH]([\d.]+)", path.get("d"))]
        for path in tree.findall(".//{*}path")
        if path.get("class") == "bar"
    ]
    zero = float(paths["zero"].split(" ")[0][1:])
    unit = (dots[0] - zero) / 2.0
    assert dots == pytest.approx([zero + 2 * unit, zero + 0.5 * unit, zero - unit], abs=0.11)
    assert bars[0] == pytest.approx([zero + unit, zero + 3 * unit], abs=0.11)
    assert bars[1] == pytest.approx([zero - unit, zero + 2 * unit], abs=0.11)
    assert len(bars) == 2
    assert [dot.get("class") for dot in tree.findall(".//{*}circle")] == [None, "hollow", None]


def test_a_chart_says_in_words_what_it_shows_and_fits_its_frame(drawn):
    text, tree = drawn
    assert tree.findtext("{*}title") == "Letters, improvement on base with 95 % intervals"
    assert tree.findtext("{*}desc") == "a<b +2.0; plain ○ +0.5; c -1.0"
    assert tree.get("role") == "img"
    width = float(tree.get("width"))
    assert all(0 < float(element.get("x")) < width for element in tree.findall(".//{*}text"))
    assert text == charts.svg(
        charts.Chart(
            "Letters",
            "acc",
            "points",
            "base",
            "70.0 %",
            "the mean",
            [
                row("a<b", 2.0, 1.0, 3.0),
                row("plain ○", 0.5, -1.0, 2.0, True),
                row("c", -1, None, None),
            ],
        ),
        charts.THEMES[""],
    )


def luminance(colour):
    levels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    lit = [
        level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels
    ]
    return sum(share * level for share, level in zip((0.2126, 0.7152, 0.0722), lit, strict=True))


@pytest.mark.parametrize("colours", charts.THEMES.values(), ids=["light", "dark"])
def test_the_texts_and_marks_of_a_chart_stand_out_from_its_ground(colours):
    for name in ("ink", "soft", "mark"):
        dim, bright = sorted((luminance(colours[name]), luminance(colours["ground"])))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, name


@pytest.mark.parametrize(("low", "high"), [(-0.3, 2.2), (-47, 5), (0.001, 0.3), (-1e-4, 3e3)])
def test_ticks_are_round_numbers_evenly_apart_within_the_scale(low, high):
    found = charts._ticks(low, high)
    values = [value for value, _ in found]
    assert 2 <= len(found) <= 8
    assert low <= values[0] < values[-1] <= high
    steps = [after - before for before, after in pairwise(values)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert [float(text) for _, text in found] == pytest.approx(values)


def test_every_committed_chart_and_picture_is_small_and_on_a_page():
    texts = "".join(page.read_text() for page in PAGES)
    linked = {Path(link).name for _, link in IMAGE.findall(texts)}
    for file in sorted((STATIC / "charts").glob("*")):
        assert file.name.replace("-dark.svg", ".svg") in linked, file.name
    for file in sorted((STATIC / "pictures").glob("*")):
        assert file.stem in pictures.PICTURES, f"{file.name}: docs/pictures.py does not make it"
        assert file.name in linked, file.name
        assert file.stat().st_size <= 40_000, file.name
        with Image.open(file) as image:
            assert max(image.size) <= 800, file.name
