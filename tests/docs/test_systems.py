"""The page of systems: each paper of the list is on a card or among those that are not here yet."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "systems.md").read_text()


@pytest.fixture(scope="module")
def made():
    """The module that makes the page."""
    sys.path.insert(0, str(ROOT / "docs"))
    yield importlib.import_module("tables_systems")
    sys.path.remove(str(ROOT / "docs"))


def part(heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]


def listed(made, heading):
    """The papers of the list whose title begins a line of a section."""
    lines = [
        made.plain_title(line.removeprefix("- "))
        for line in part(heading).splitlines()
        if line.startswith("- ")
    ]
    return [
        system
        for system in made.systems()
        if any(line.startswith(made.plain_title(system.title)) for line in lines)
    ], len(lines)


def test_the_list_has_a_hundred_and_thirty_nine_papers_each_once(made):
    titles = [made.plain_title(system.title) for system in made.systems()]
    assert len(titles) == len(set(titles)) == 139
    assert {system.kind for system in made.systems()} == {"method", "task", "baseline"}


def test_each_paper_is_on_a_card_or_in_the_list_of_absences_and_in_one_place_alone(made):
    here, lines_here = listed(made, "Here")
    absent, lines_absent = listed(made, "Not here yet")
    baselines, lines_baselines = listed(made, "Baselines")
    assert (len(here), len(absent), len(baselines)) == (lines_here, lines_absent, lines_baselines)
    assert sorted(here + absent + baselines) == sorted(made.systems())
    for system in here:
        assert made.entries_of(system), system.title
    for system in absent:
        assert made.entries_of(system) == [], system.title


def test_a_paper_is_linked_by_its_number_or_its_address_and_otherwise_named(made):
    assert made._link("arXiv:1710.09412") == "[arXiv:1710.09412](https://arxiv.org/abs/1710.09412)"
    assert made._link("doi:10.1/2") == "[doi:10.1/2](https://doi.org/10.1/2)"
    assert made._link("https://a.org/b?id=c") == "[a.org/b?id=c](https://a.org/b?id=c)"
    assert made._link("NeurIPS 1991") == "NeurIPS 1991"


def test_baselines_do_not_count_as_systems(made):
    counted, *parts = map(
        int,
        re.search(r"Of (\d+) papers (\d+) are here, (\d+) in part, and (\d+) not", PAGE).groups(),
    )
    assert counted == sum(system.kind != "baseline" for system in made.systems()) == sum(parts)
    assert {system.kind for system in listed(made, "Baselines")[0]} == {"baseline"}


def test_what_is_here_tells_of_every_method_its_verdict_and_what_differs(made):
    for system in listed(made, "Here")[0]:
        block = re.search(
            rf"^- \*\*{re.escape(system.title)}.*?(?=^- |^\*\*|\Z)", PAGE, re.MULTILINE | re.DOTALL
        )[0]
        for entry in made.entries_of(system):
            assert f"`{entry.name}`" in block
            if hasattr(entry.card, "deviates"):
                assert "Verdict" in block
                assert "Differs from the paper" in block
                if entry.card.claim:
                    assert "Claim" in block


def test_a_paper_in_part_says_in_what_part(made):
    parts = [system for system in listed(made, "Here")[0] if system.note]
    assert PAGE.count("- In part: ") == len(parts) > 0


def test_a_paper_that_is_not_here_says_why(made):
    absent, _ = listed(made, "Not here yet")
    assert absent
    assert [system.title for system in absent if not system.note] == []
    shown = part("Not here yet").lower()
    assert [system.title for system in absent if system.note.rstrip(".").lower() not in shown] == []


def test_a_method_or_task_with_a_paper_is_on_the_page_unless_another_stands_there_for_its_paper(
    made,
):
    named = set(re.findall(r"\[`([^`]+)`\]\(tracks/([^)]+)\)", PAGE))
    entries = [entry for kind in ("method", "task") for entry in made.registry().rows(kind)]
    there = [e for e in entries if (e.name, made._pages()[made.home(e)]) in named]
    titles = {made.plain_title(system.title) for system in made.systems()}
    papers = {entry.card.paper for entry in there}
    for entry in entries:
        if entry.card.paper and entry not in there:
            cited = made.TITLE.search(entry.card.bibtex)
            known = made.plain_title(cited[1]) in titles if cited else entry.card.paper in papers
            assert known, entry.name


def test_a_paper_of_a_card_is_in_the_list_or_also_here_and_not_in_both(made):
    lines = [line for line in part("Also here").splitlines() if line.startswith("- ")]
    assert len(lines) == len(made.further()) > 100
    for line, system in zip(lines, made.further(), strict=True):
        title = made.plain_title(system.title)
        assert made.plain_title(line.removeprefix("- ")).startswith(title)
        assert title not in map(made.plain_title, (other.title for other in made.systems()))
        for entry in made.entries_of(system):
            assert f"`{entry.name}`" in line
            cited = made.TITLE.search(entry.card.bibtex)
            assert cited is None or made.plain_title(cited[1]) == title
            assert all(number in line for number in re.findall(r"\d{4}\.\d{5}", entry.card.paper))


def test_papers_of_data_valuation_are_also_here(made):
    titles = {made.plain_title(system.title) for system in made.further()}
    for title in (
        "Beta Shapley: a Unified and Noise-reduced Data Valuation Framework for Machine Learning",
        "Data Banzhaf: A Robust Data Valuation Framework for Machine Learning",
        "TRAK: Attributing Model Behavior at Scale",
        "Understanding Black-box Predictions via Influence Functions",
    ):
        assert made.plain_title(title) in titles


def test_a_plugin_that_the_list_names_and_that_is_not_there_is_an_error(made):
    wrong = made.System("noisy labels", "method", "A paper", "noisy-labels/nothing", "")
    with pytest.raises(ValueError, match="noisy-labels/nothing"):
        made.entries_of(wrong)


def test_a_title_is_found_on_a_card_whatever_its_case_and_line_ends(made):
    system = made.System(
        "noisy labels",
        "method",
        "Early-learning regularization prevents\n memorization of noisy labels",
        "",
        "",
    )
    assert "elr" in [entry.name for entry in made.entries_of(system)]
