"""The board as one picture: a row a track, and every mark where its score is."""

import itertools
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.builtin.leaderboard import _picture
from bench.cards import TrackCard

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "leaderboard" / "published"
SVG = "{http://www.w3.org/2000/svg}"
UNDECIDED = {"verdict": "undecided", "leans": ""}
BETTER = {"verdict": "better", "leans": ""}


def row(method, score, half=0.05, **more):
    """A row of a board with an interval of ``half`` to either side."""
    return {
        "method": method,
        "place": 1,
        "reference": "",
        "plain": False,
        "needs": [],
        "score": score,
        "low": score - half,
        "high": score + half,
        "wide": None,
        "vs_plain": None,
    } | more


def track(name, *rows, title="", best=""):
    return {"track": name, "title": title or name.title(), "best_plain": best, "rows": rows}


def board(*tracks):
    names = {one["track"]: {"title": one["title"]} for one in tracks}
    return {"suite": {"tracks": names}, "tracks": list(tracks)}


FOREST = row("forest", 0.4, plain=True)
SMALL = board(
    track("one", row("a", 0.8, vs_plain=BETTER), FOREST, row("b", 0.3), best="forest"),
    track(
        "two",
        row("truth", 1.0, reference="high"),
        row("c", -0.1, needs=["prior"], vs_plain=UNDECIDED),
        row("zero", -0.2, reference="low", plain=True),
        best="zero",
    ),
    track("three", FOREST, row("d", 0.2), best="forest"),
)


def drawn(of, cards=None, file="leaderboard.svg"):
    return ElementTree.fromstring(_picture.pictures(of, cards)[file])


def texts(svg):
    """The texts of a picture, from the left to the right of each line."""
    found = [(float(one.get("y")), float(one.get("x")), one.text) for one in svg.iter(f"{SVG}text")]
    lines = itertools.groupby(sorted(found), key=lambda one: one[0])
    return [[text for _, _, text in line] for _, line in lines]


def dots(svg, kind):
    """The dots of a kind but that of the legend, from the top: place and height."""
    found = [one for one in svg.iter(f"{SVG}circle") if one.get("class") == kind]
    return [
        (float(one.get("cx")), float(one.get("cy"))) for one in found if one.get("cx").count(".")
    ]


def ends(svg):
    """Where the axis has 0 and 1."""
    return [
        float(re.match(r"M([\d.]+) ", one.get("d"))[1])
        for one in svg.iter(f"{SVG}path")
        if one.get("class") == "end"
    ]


def test_a_row_names_the_track_its_leader_and_what_the_best_plain_baseline_says_of_it():
    lines = texts(drawn(SMALL))
    assert ["One", "a", "better than forest"] in lines
    assert ["Two", "c †", "not separable from zero"] in lines  # the upper reference leads no track
    assert ["Three", "forest ○", "is a plain baseline"] in lines


def test_tracks_stand_below_their_fields():
    cards = {
        name: TrackCard(name=name, title=name, about="a", field=field, ranked="b")
        for name, field in (("one", "training"), ("two", "wrong labels"), ("three", "training"))
    }
    lines = [line[0] for line in texts(drawn(SMALL, cards))]
    assert lines[1:-2] == ["wrong labels", "Two", "training", "One", "Three"]


def test_marks_lie_where_their_scores_are():
    svg = drawn(SMALL)
    zero, one = ends(svg)
    assert [
        round((x - zero) / (one - zero), 2)
        for x, _ in sorted(dots(svg, "mark"), key=lambda at: at[1])
    ] == pytest.approx([0.8, -0.1], abs=0.01)
    plain = sorted(dots(svg, "plain"), key=lambda at: at[1])
    assert [(x - zero) / (one - zero) for x, _ in plain] == pytest.approx(
        [0.4, -0.2, 0.4], abs=0.01
    )
    bars = [
        [
            (float(x) - zero) / (one - zero)
            for x in re.match(r"M([\d.]+) .*H([\d.]+)$", path.get("d")).groups()
        ]
        for path in svg.iter(f"{SVG}path")
        if path.get("class") == "mark thick"
    ]
    assert bars == [pytest.approx([0.75, 0.85], abs=0.01), pytest.approx([-0.15, -0.05], abs=0.01)]


def test_a_score_far_outside_stays_in_the_picture():
    svg = drawn(board(track("one", row("a", 40.0, half=60.0), row("b", -9.0))))
    assert all(_picture.LEFT <= x <= _picture.RIGHT for x, _ in dots(svg, "mark"))


def test_the_thin_interval_is_that_over_tasks_and_a_method_of_one_seed_has_none():
    wide = row("a", 0.5, wide=[0.1, 0.9])
    alone = row("b", 0.5, low=None, high=None)
    for given, classes in ((wide, ["mark thin", "mark thick"]), (alone, [])):
        found = [path.get("class") for path in drawn(board(track("one", given))).iter(f"{SVG}path")]
        assert [one for one in found if one.startswith("mark")] == classes


def test_texts_of_plugins_stay_within_their_column_and_hold_no_control_characters():
    name, title = "m" * 80, "<b>\x1b[31m" + "t" * 80
    svg = drawn(board(track("one", row(name, 0.5, vs_plain=BETTER), title=title, best="p" * 80)))
    line = next(line for line in texts(svg) if line[0].startswith("<b>"))
    assert [len(text) <= most for text, most in zip(line, (32, 22, 38), strict=True)] == [True] * 3
    assert "\x1b" not in "".join(svg.itertext())


def test_a_board_without_placed_methods_has_no_picture():
    assert _picture.names(board(track("one", row("a", 0.5, place=None)))) == []
    assert _picture.pictures(board(track("one", row("a", 0.5, place=None)))) == {}


@pytest.mark.parametrize("file", _picture.THEMES)
def test_the_published_picture_is_what_the_published_board_gives(file):
    published = json.loads((PUBLISHED / "leaderboard.json").read_text())
    svg = ElementTree.parse(PUBLISHED / file).getroot()
    lines = texts(svg)
    for one in published["tracks"]:
        entrants = [
            found for found in one["rows"] if found["place"] and found["reference"] != "high"
        ]
        best = max(entrants, key=lambda found: found["score"])
        named = next(line[1] for line in lines if line[0] == one["title"])
        assert named.split()[0] == best["method"]
    assert float(svg.get("width")) <= 1000  # the texts stay readable in the column of a README
    assert _picture.pictures(published, {}).keys() == set(_picture.THEMES)


@pytest.mark.parametrize("folder", [PUBLISHED, *(one.parent for one in PUBLISHED.glob("*/*d.svg"))])
def test_no_text_of_a_published_picture_covers_another(folder):
    svg = ElementTree.parse(folder / "leaderboard.svg").getroot()
    boxes = []
    for one in svg.iter(f"{SVG}text"):
        kind = one.get("class", "").split(" ")[0]
        wide = len(one.text) * {"lead": 8.2, "soft": 6.6}.get(kind, 7.2)  # of DejaVu Sans
        x, anchor = float(one.get("x")), one.get("text-anchor")
        left = x - wide * {"middle": 0.5, "end": 1.0}.get(anchor, 0.0)
        boxes.append((float(one.get("y")), left, left + wide, one.text))
    for (y, _, right, text), (below, left, _, other) in itertools.pairwise(sorted(boxes)):
        assert y != below or right <= left, (text, other)
    assert all(0 <= left and right <= float(svg.get("width")) for _, left, right, _ in boxes)
