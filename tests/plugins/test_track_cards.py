"""Cards of tracks: where they are found, what a wrong or a second one costs, and who shows them."""

from __future__ import annotations

import ast
import json
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench
from bench.cards import FIELDS, TrackCard
from bench.cli import main
from bench.errors import NothingSelected, PluginError
from bench.plugins.digest import code_digest
from bench.plugins.registry import Registry
from bench.runs.plan import Request, make_plan

ROOT = Path(bench.__file__).parents[1]

CARD = """
from bench import TrackCard

{name} = TrackCard(name="demo", title="{title}", about="Do what is shown.", field="{field}", ranked="methods, by their error")
"""
METHOD = """
from typing import ClassVar
from bench import Method, MethodCard

class Mine(Method):
    '''A method.'''
    card: ClassVar = MethodCard(name="mine", title="Mine", track="demo")

    def solve(self, problem, run):
        return None
"""


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path, monkeypatch):
    """A working folder without pyproject.toml above it, and no settings of the developer's."""
    monkeypatch.chdir(tmp_path)
    for name in ("BENCH_PLUGINS", "BENCH_STRICT_PLUGINS", "BENCH_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def card(path, title="Demonstration", name="TRACK", field="few labels", more=""):
    return write(path, CARD.format(name=name, title=title, field=field) + more)


def call(*arguments):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_every_built_in_track_has_a_card_of_a_field_that_the_design_names():
    registry = Registry()
    assert registry.broken == []
    cards = registry.track_cards(registry.tracks())
    assert sorted(cards) == registry.tracks()
    assert {found.field for found in cards.values()} <= set(FIELDS)
    assert len({found.title for found in cards.values()}) == len(cards)
    assert all(found.about.endswith(".") for found in cards.values())


def test_the_cards_of_built_in_tracks_are_read_without_an_import():
    import subprocess
    import sys

    code = (
        "import sys\nfrom bench.plugins.registry import Registry\nassert "
        "Registry().track_card('selection').title\nprint('torch' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.strip()
        == "False"
    )


@pytest.mark.parametrize(
    "place",
    [
        "one.py",
        "folder/one.py",
        "folder/tracks/demo.py",
        "folder/tracks/demo/__init__.py",
        "folder/contract.py",
        "folder/tasks/demo.py",
    ],
)
def test_a_plugin_brings_the_card_in_any_file_that_is_found(tmp_path, place):
    file = card(tmp_path / place)
    if place != "folder/one.py":
        write(tmp_path / "folder" / "methods" / "mine.py", METHOD)
    registry = Registry([str(file if place == "one.py" else tmp_path / "folder")])
    assert registry.broken == []
    assert registry.track_card("demo") == TrackCard(
        name="demo",
        title="Demonstration",
        about="Do what is shown.",
        field="few labels",
        ranked="methods, by their error",
    )


def test_a_file_that_is_registered_for_its_methods_brings_its_tracks_card_once(tmp_path):
    hooks = """
        from bench import hookimpl

        @hookimpl
        def bench_methods(register):
            register({here!r})

        @hookimpl
        def bench_tasks(register):
            register({here!r})

        @hookimpl
        def bench_tracks(register):
            register({here!r})
        """
    file = card(tmp_path / "held" / "all_in_one.py", more=METHOD)
    given = write(
        tmp_path / "given.py",
        textwrap.dedent(hooks).replace("{here!r}", f"__import__('pathlib').Path({str(file)!r})"),
    )
    registry = Registry([str(given)])
    assert [entry.source for entry in registry.cards_of("demo")] == [str(given)]
    assert [entry.identity for entry in registry.rows("method") if entry.track == "demo"] == [
        "demo/mine"
    ]


def test_names_of_literal_constants_may_stand_on_a_card(tmp_path):
    text = (
        'from bench import TrackCard\nFIELD = "training"\nX: TrackCard = '
        'TrackCard(name="demo", title="T", about="A.", field=FIELD, ranked="r")\n'
    )
    assert Registry([str(write(tmp_path / "a.py", text))]).track_card("demo").field == "training"


def test_a_track_without_a_card_works_under_its_name(tmp_path):
    file = write(tmp_path / "mine.py", METHOD)
    assert Registry([str(file)]).track_card("demo") is None
    row = json.loads(call("list", "tracks", "--plugins", file, "--track", "demo", "--json").stdout)[
        "tracks"
    ][0]
    assert (row["name"], row["title"], row["methods"], row["tasks"], row["status"]) == (
        "demo",
        "",
        1,
        0,
        "ok",
    )
    assert (
        call("list", "tracks", "--plugins", file, "--track", "demo").stdout
        == "demo: no card (1 method, 0 tasks)\n\n"
    )
    assert (
        "No plugin brings a card of this track." in call("show", "demo", "--plugins", file).stdout
    )


def test_two_cards_of_one_track_are_an_error_that_names_both_wherever_the_track_is_used(tmp_path):
    one, other = card(tmp_path / "one.py", more=METHOD), card(tmp_path / "other.py", "Another")
    registry = Registry([str(one), str(other)])
    assert registry.broken == []
    for use in (lambda: registry.track_card("demo"), lambda: registry.track_cards(["demo"])):
        with pytest.raises(PluginError, match="two cards claim the track 'demo'") as error:
            use()
        assert str(one) in str(error.value)
        assert str(other) in str(error.value)
    assert "demo" not in registry.track_cards([])
    plugins = ("--plugins", one, "--plugins", other)
    shown = call("show", "demo", *plugins)
    assert (shown.exit_code, shown.stderr.count("two cards claim the track 'demo'")) == (4, 1)
    rows = json.loads(call("list", "tracks", *plugins, "--track", "demo", "--json").stdout)[
        "tracks"
    ]
    assert [(row["title"], row["status"]) for row in rows] == [
        ("Demonstration", "clash"),
        ("Another", "clash"),
    ]
    assert all(str(file) in rows[0]["reason"] for file in (one, other))


def test_two_cards_of_one_track_in_one_file_are_named_apart(tmp_path):
    file = card(
        tmp_path / "one.py",
        more='OTHER = TrackCard(name="demo", title="Another", about="It does.", '
        'ranked="methods, by figures", field="shift")\n',
    )
    rows = json.loads(
        call("list", "tracks", "--plugins", file, "--track", "demo", "--json").stdout
    )["tracks"]
    assert len(rows) == 2
    assert all(f"({name} in {file})" in rows[0]["reason"] for name in ("TRACK", "OTHER"))


def test_tasks_of_a_track_that_two_cards_claim_do_not_run(tmp_path):
    file = write(
        tmp_path / "mine.py",
        CARD.format(name="MINE", title="Mine", field="training").replace("demo", "noisy-labels"),
    )
    registry = Registry([str(file)])
    with pytest.raises(
        PluginError, match="two cards claim the track 'noisy-labels': builtin "
    ) as error:
        make_plan(Request(track="noisy-labels", preset="smoke"), registry)
    assert error.value.exit_code == 4
    assert str(file) in str(error.value)
    assert make_plan(Request(track="selection", preset="smoke"), registry).cells


def test_a_track_that_is_a_card_alone_is_listed_and_has_nothing_to_run(tmp_path):
    registry = Registry([str(card(tmp_path / "one.py"))])
    assert "demo" in registry.tracks()
    with pytest.raises(NothingSelected, match="no plugin brings a task of the track 'demo'"):
        make_plan(Request(track="demo"), registry)


WRONG = {
    "computed": (
        'TRACK = TrackCard(name="demo", title="T".upper(), about="A.", field="training", '
        'ranked="r")',
        "can't be read without an import (it holds 'T'.upper())",
    ),
    "in a list": (
        'TRACKS = [TrackCard(name="demo", title="T", about="A.", field="training", ranked="r")]',
        "of line 3' of wrong.py can't be read without an import",
    ),
    "by position": (
        'TRACK = TrackCard("demo")',
        "write NAME = TrackCard(...) in the module itself, with keywords and literal values",
    ),
    "incomplete": (
        'TRACK = TrackCard(name="demo", title="T", field="training", ranked="r")',
        "is not valid: Object missing required field `about`",
    ),
    "misspelt": (
        'TRACK = TrackCard(name="demo", title="T", about="A.", field="training", rank="r")',
        "is not valid: Object contains unknown field `rank`",
    ),
    "no field": (
        'TRACK = TrackCard(name="demo", title="T", about="A.", field="Wrong Labels", ranked="r")',
        "field='Wrong Labels'; give one of 'wrong labels', 'less data'",
    ),
    "no name": (
        'TRACK = TrackCard(name="De mo", title="T", about="A.", field="training", ranked="r")',
        "track name 'De mo' is not kebab-case",
    ),
    "nothing said": (
        'TRACK = TrackCard(name="demo", title="T", about=" ", field="training", ranked="r")',
        "has about=' '; give one line of text",
    ),
    "a paragraph": (
        'TRACK = TrackCard(name="demo", title="T", about="A.\\n\\nB.", field="training", '
        'ranked="r")',
        "give one line of text",
    ),
    "another contract": (
        'TRACK = TrackCard(name="demo", title="T", about="A.", field="training", ranked="r", '
        "api=2)",
        "was written for api=2",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_card_that_can_not_be_used_is_a_broken_plugin_with_one_sentence(tmp_path, case):
    text, said = WRONG[case]
    registry = Registry(
        [str(write(tmp_path / "wrong.py", f"from bench import TrackCard\n\n{text}\n"))]
    )
    assert [said in item.error for item in registry.broken] == [True], registry.broken
    assert "demo" not in registry.tracks()


def test_what_a_card_says_is_no_part_of_a_key_and_all_else_of_its_module_is():
    def digest(text):
        return code_digest(ast.parse(text))

    text = CARD.format(name="TRACK", title="One", field="training") + "RATE = 1\n"
    assert digest(text) == digest(text.replace("One", "Two"))
    assert digest(text) != digest(text.replace("RATE = 1", "RATE = 2"))


def test_what_cards_only_tell_their_readers_is_no_part_of_a_key_and_what_runs_depend_on_is():
    def digest(text):
        return code_digest(ast.parse(text))

    card = (
        "class A(Method):\n    card = MethodCard(name='a', title='One', track='t', claim='It "
        "helps.', needs=('env',), defaults_from='paper')\n"
    )
    metric = "METRICS = (Metric(name='acc', title='Share', bounds=(0, 100)),)\n"
    assert digest(card) == digest(
        card.replace("One", "Two").replace("It helps.", "It may help.").replace("paper", "here")
    )
    assert digest(card) != digest(card.replace("'env'", "'groups'"))
    assert digest(metric) == digest(metric.replace("Share", "Part"))
    shown = "title='Share', column=True, limits='worst', warns='doubt'"
    assert digest(metric) == digest(metric.replace("title='Share'", shown))
    assert digest(metric) != digest(metric.replace("100", "1"))
    assert digest("run(title='One')") != digest("run(title='Two')")  # of cards alone


def test_the_lists_and_the_card_of_a_track_say_what_it_is():
    listed = call("list", "tracks").stdout
    assert "unlearning-privacy: Unlearning for privacy (forgetting; " in listed
    assert (
        " methods, 4 tasks)\n    Make a trained classifier forget rows, as if it had never seen "
        "them.\n"
    ) in listed
    assert max(map(len, listed.splitlines())) <= 80
    row = next(
        row
        for row in json.loads(call("list", "tracks", "--json").stdout)["tracks"]
        if row["name"] == "selection"
    )
    assert row.keys() == {
        "name",
        "title",
        "field",
        "about",
        "ranked",
        "source",
        "status",
        "reason",
        "methods",
        "tasks",
    }
    shown = call("show", "selection").stdout
    assert shown.startswith("track selection\nSelection\n\nabout:  ")
    assert "prune-digits, prune-fashion, prune-letter" in " ".join(shown.split())
    found = json.loads(call("show", "privacy-audit", "--json").stdout)["found"]
    assert [(item["kind"], item["identity"]) for item in found] == [
        ("task", "privacy-audit/privacy-audit"),
        ("track", "privacy-audit"),
    ]
    assert found[1]["card"]["field"] == "forgetting"


def test_a_track_that_is_no_more_has_near_matches():
    done = call("show", "unlearning")
    assert done.exit_code == 2
    assert "unlearning-privacy" in done.stderr
