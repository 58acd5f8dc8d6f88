"""Figures in the sentences of the docs come from committed records: marks are computed right, what
has no mark is found.
"""

from __future__ import annotations

import importlib
import math
import re
import sys
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from scipy import stats

from bench.digests import digest
from bench.runs.record import Failure, Flops, Record

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
tables = importlib.import_module("tables")
figures = importlib.import_module("tables_figures")
figures_records = importlib.import_module("tables_figures_records")
unmarked = importlib.import_module("unmarked").unmarked

PAGES = [
    *sorted((ROOT / "docs" / "tracks").glob("*.md")),
    ROOT / "README.md",
    ROOT / "docs" / "gpu.md",
    ROOT / "docs" / "leaderboard.md",
    ROOT / "docs" / "real-data.md",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_figure_of_a_page_is_computed_from_committed_records(page):
    found = [
        f"{page.relative_to(ROOT)}:{line}: {number}"
        for line, number in unmarked(page.read_text(), printed=page.parent.name != "tracks")
    ]
    assert not found, "figures without a mark (see CONTRIBUTING.md):\n" + "\n".join(found)


ELR = [84.0, 86.5, 85.25, 90.0]
CE = [80.0, 80.5, 86.0, 81.0]


LOST = Failure(type="Invalid", message="not finite")


def record(method, seed, acc, task="letters", **other):
    default = {
        "cell": digest([method, seed, task, str(sorted(other.items()))]),
        "key": digest("key"),
        "track": "noisy-labels",
        "params": {"lam": 3.0},
        "task_params": {},
        "preset": "default",
        "variant": "sym40",
        "device": "cpu",
        "dtype": "float32",
        "form": "single",
        "status": "ok",
        "metrics": {"acc": acc, "drop": acc / 10, "late": acc if acc > 85 else None},
        "gates": {"accuracy": acc > 85},
        "cost": {"solve_cpu_s": acc / 100},
        "counters": {"forward": int(acc * 100)},
        "logs": [{"step": 0, "rate": 0.5}, {"step": 1, "rate": acc / 100}],
        "flops": Flops(total=int(acc * 1e6)),
        "curve": [{"step": step, "acc": acc - 10 + step} for step in range(11)],
        "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:00:00Z",
    }
    return Record(**(default | other | {"method": method, "seed": seed, "task": task}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of committed records: two methods on two variants, and a sweep."""
    root = tmp_path_factory.mktemp("records")
    (root / "sweeps").mkdir()
    board = [record("elr", seed, acc) for seed, acc in enumerate(ELR)]
    board += [record("ce", seed, acc, params={}) for seed, acc in enumerate(CE)]
    board += [record("ce", 0, 70.0, params={}, variant="asym40")]
    board += [record("peek", 0, 99.0, params={}, peeks=True, variant="asym40")]
    board += [record("nets", 0, 70.0, params={}, preset="paper")]
    sweep = [
        record("elr", seed, acc, params={"lam": 1.0}, custom=True) for seed, acc in enumerate(CE)
    ]
    sweep += [record("elr", seed, acc) for seed, acc in enumerate(ELR)]
    sweep += [
        record("gce", 0, 50.0),
        record("gce", 1, 0.0, status="invalid", metrics={}, error=LOST),
    ]
    sweep += [record("dm", 0, 50.0 + rate, task_params={"rate": rate}) for rate in (1, 2)]
    sweep += [record("dm", 0, 57.0, variant="clean", task_params={"rate": 2})]
    sweep += [record("lone", 0, 50.0, params={"a": 2}, custom=True)]
    for file, records in (("noisy-labels.letters", board), ("sweeps/lam", sweep)):
        lines = [msgspec.json.encode(found).decode() for found in records]
        (root / f"{file}.jsonl").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def made(folder, monkeypatch):
    """What a mark gives, from these records."""
    monkeypatch.setattr(figures_records, "RECORDS", folder)
    return figures.figure.__wrapped__


GAINS = [one - two for one, two in zip(ELR, CE, strict=True)]


def test_a_mark_gives_means_differences_and_their_t_interval_and_standard_error(made):
    low, high = stats.ttest_1samp(GAINS, 0.0).confidence_interval()
    assert made("mean acc of elr on letters sym40 to=2") == f"{sum(ELR) / 4:.2f}"
    assert made("interval acc of elr - ce on letters sym40") == (
        f"{sum(GAINS) / 4:+.1f} [{low:+.1f}, {high:+.1f}]"
    )
    assert made("error acc of elr - ce on letters sym40 sign=no to=3") == (
        f"{sum(GAINS) / 4:.3f} ± {stats.sem(GAINS):.3f}"
    )
    assert made("mean acc - drop of ce on letters sym40") == f"{sum(CE) / 4 * 0.9:+.1f}"
    assert made("mean acc of elr - ce on letters sym40 seeds=0-1,3 times=10") == (
        f"{sum(GAINS[:2] + GAINS[3:]) / 3 * 10:+.1f}"
    )


def test_a_ratio_is_the_geometric_mean_of_paired_ratios_with_its_interval(made):
    logs = [math.log(one / two) for one, two in zip(ELR, CE, strict=True)]
    low, high = stats.ttest_1samp(logs, 0.0).confidence_interval()
    expected = f"{stats.gmean(ELR) / stats.gmean(CE):.4f}"
    assert made("mean flops of elr / ce on letters sym40 to=4") == expected
    assert made("interval counters.forward of elr / ce on letters sym40 to=4") == (
        f"{expected} [{math.exp(low):.4f}, {math.exp(high):.4f}]"
    )


@pytest.mark.parametrize(
    ("said", "gives"),
    [
        ("range acc of elr on letters sym40", "84.0 to 90.0"),
        ("range acc of elr on letters sym40 seeds=0", "84.0"),
        ("range mean acc of * on letters sym40", "81.9 to 86.4"),
        ("range mean acc of *!elr on letters * seeds=0", "70.0 to 80.0"),
        ("list acc of elr on letters sym40 to=0", "84, 86, 85 and 90"),
        ("above acc of elr - ce on letters sym40", "3 of 4"),
        ("above mean acc of elr,ce on letters sym40 limit=85", "1 of 2"),
        ("above passes of elr on letters sym40", "3 of 4"),
        ("sum cost.solve_cpu_s of elr,ce on letters sym40 to=2", "6.73"),
        ("seeds acc of elr on letters sym40", "4"),
        ("known late of elr on letters sym40", "3 of 4"),
        ("known acc of gce on letters sym40 from=sweeps/lam", "1 of 2"),
        ("mean step@acc>=85.25 of elr on letters sym40 seeds=0", None),
        ("known step@acc>=85.25 of elr on letters sym40", "3 of 4"),
        ("mean step@acc>=85.25 of elr on letters sym40 seeds=3 to=0", "6"),
        ("mean acc of elr[lam=1] on letters sym40 from=sweeps/lam", "81.9"),
        ("mean acc of elr[lam=1.0] - elr on letters sym40 from=sweeps/lam", "-4.6"),
        ("mean acc of dm on letters[rate=1] sym40 from=sweeps/lam", "51.0"),
        ("mean acc of dm - dm@clean on letters[rate=1] sym40 from=sweeps/lam", "-6.0"),
        ("mean acc of nets on letters preset=paper", "70.0"),
        ("mean counters.forward of elr on letters sym40 to=0", "8,644"),
        ("mean logs.rate of elr on letters sym40 to=2", "0.86"),
    ],
)
def test_a_mark_gives_what_its_form_says(made, said, gives):
    if gives is None:
        with pytest.raises(figures.FigureError, match="never reached"):
            made(said)
    else:
        assert made(said) == gives


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("gain acc of elr on letters sym40", "begins with 'gain'"),
        ("sum interval acc of elr on letters sym40", "no pair of forms"),
        ("mean acc elr letters", "write it as"),
        ("mean acc of elr-ce on letters sym40", "no record is of 'elr-ce'"),
        ("mean acc of elr ce on letters sym40", "put blanks around the sign"),
        ("mean acc of elr on letters sym40 seed=0", "'seed' is no option"),
        ("mean acc of elr on letters sym40 seeds=all", "names no seeds"),
        (
            "mean acc of elr on letters sym40 seeds=0-9",
            r"no record of the seeds 4-9 \(only of 0-3\)",
        ),
        ("mean acc of elr on letters sym40 to=x", "is no number"),
        ("mean acc of elr on letters", "several variants"),
        ("mean acc of elr on letters sym45", "no records of 'sym45'"),
        ("mean acc of elr on letters sym40 asym40", "followed by 3 words"),
        (
            "mean acc of dm on letters sym40 from=sweeps/lam",
            r"letters\[rate=1\] and letters\[rate=2\]",
        ),
        ("mean acc of dm on letters[rate=3] sym40 from=sweeps/lam", "only of nothing"),
        ("mean error of elr on words", "no records are committed"),  # a metric, not a form
        ("mean acc of elr on words", "no records are committed"),
        ("mean acc of elr on letters sym40 from=sweeps/beta", "some of lam"),
        ("mean acc of elr on letters sym40 preset=extended", "in the preset 'extended'"),
        ("mean auc of elr on letters sym40", "records no 'auc'; it records acc"),
        ("mean costs.wall of elr on letters sym40", "'costs' is none of"),
        ("mean step@auc>=3 of elr on letters sym40", "holds no 'auc'"),
        ("mean late of elr on letters sym40", "no figure at seed 0"),
        ("mean acc of gce on letters sym40 from=sweeps/lam", "the run is invalid"),
        ("mean acc of lone on letters sym40 from=sweeps/lam", "name one in brackets"),
        ("mean acc of elr[lam=2] on letters sym40 from=sweeps/lam", "means none of those recorded"),
        ("mean acc of elr - gce on letters sym40 from=sweeps/lam", "name those to pair"),
        ("range mean acc of elr,gce on letters sym40 from=sweeps/lam", "name those that are meant"),
        ("mean acc of elr,ce on letters sym40", "2 rows are named"),
        ("mean acc of *!els on letters sym40", "'els' is left out"),
        ("seeds acc of elr,ce on letters sym40", "name one"),
        ("interval acc of ce on letters asym40", "have no interval"),
        ("sd acc of ce on letters asym40", "no standard deviation"),
        ("error acc of elr / ce on letters sym40", "no standard error"),
        ("mean acc of elr - ce / ce on letters sym40", "put blanks around the sign"),
        ("above score of elr on noisy-labels", "write it as 'mean score"),
    ],
)
def test_a_mark_that_no_record_bears_says_what_is_wrong(made, said, error):
    with pytest.raises(figures.FigureError, match=error):
        made(said)


def test_a_score_is_that_of_the_board(monkeypatch):
    records = importlib.import_module("tables_records")
    row = {"method": "elr", "score": 0.7543, "low": 0.7, "high": 0.812}
    monkeypatch.setattr(records, "track_board", lambda track: {"tracks": [{"rows": [row]}]})
    assert (
        figures.figure.__wrapped__("interval score of elr on noisy-labels") == "0.75 [0.70, 0.81]"
    )
    assert figures.figure.__wrapped__("mean score of elr on noisy-labels to=3") == "0.754"
    with pytest.raises(figures.FigureError, match="'ce' has no score"):
        figures.figure.__wrapped__("mean score of ce on noisy-labels")


def test_a_page_gets_its_figures_anew_and_its_mistakes_by_line(made, monkeypatch):
    monkeypatch.setattr(figures, "figure", made)
    page = (
        "so <!-- fig: mean acc of elr on letters sym40 -->1.0<!-- end fig --> %\n\n"
        "| a | <!-- fig: mean acc of ce on letters sym40 --><!-- end fig --> |\n\n"
        "no <!-- fig: mean acc of els on letters sym40 -->7.0<!-- end fig -->\n"
        "end <!-- fig: mean acc of elr on letters sym40 -->86.4\n<!-- end fig -->\n"
    )
    errors = []
    assert tables.renewed(page, errors) == page.replace("-->1.0", "-->86.4").replace(
        "sym40 --><!", "sym40 -->81.9<!"
    )
    assert [error.partition(":")[0] for error in errors] == ["line 5, mark 'fig", "line 6"]
    assert "no record is of 'els'" in errors[0]
    assert "not whole" in errors[1]


@pytest.mark.parametrize("wrong", [False, True])
def test_a_figure_that_is_stale_or_has_no_record_fails_the_check(tmp_path, monkeypatch, wrong):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# A page\n")
    (tmp_path / "docs" / "cli.md").write_text(tables.reference())
    variant = "sym41" if wrong else "sym40"
    mark = f"<!-- fig: mean acc_last of elr on noisy-digits {variant} -->1.0<!-- end fig -->"
    (tmp_path / "docs" / "page.md").write_text(f"It is {mark} %.\n")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["tables.py", "--check"])
    with pytest.raises(SystemExit) as left:
        tables.main()
    said = str(left.value)
    assert "docs/page.md" in said
    assert ("line 1" in said and "sym41" in said) if wrong else "make docs" in said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It gains 4.4 points.", ["4.4 points"]),
        ("It gains\n4\npoints of 5.", ["4 points"]),
        ("+4 and \N{MINUS SIGN}3 and -2 [+1, -1]", ["+4", "\N{MINUS SIGN}3", "-2", "+1", "-1"]),
        (
            "4 ± 1, 3\N{MULTIPLICATION SIGN} as long, 2x, 3 %, 5 per cent",
            ["4 ±", "3\N{MULTIPLICATION SIGN}", "2x", "3 %", "5 per cent"],
        ),
        ("p 2e-09 on 14 of 18 in 5 s and 3 times", ["2e-09", "14 of 18", "5 s", "3 times"]),
        ("**4.4** and .5, 1,234.5", ["4.4", ".5", "1,234.5"]),
        ("[4.4](page.md#1.5)", ["4.4"]),
        ("| `a` | 4.4 |", ["4.4"]),
        ("five 8x8 digits, 1,397 rows, 3 blocks, C - 1", []),
        ("`4.4` and ``a 4 %`` at 95 % and 95 % intervals", []),
        ("# 4.4\n\n```console\n$ a 4.4\n```\n\narXiv:2001.12345, suite 2026.3, torch 2.11.0", []),
        ("a <!-- fig: mean acc of a on b -->4.4<!-- end fig --> %", []),
        ("a <!-- cited: arXiv:2001.12345 -->2.04\N{MULTIPLICATION SIGN}<!-- end cited -->", []),
        ("a <!-- settings -->5 % of 0.1, 1e-5<!-- end settings -->", []),
        ("<!-- settings -->\n| a | .1 | +4 | 3 ± 1 |\n<!-- end settings -->", ["+4", "3 ±"]),
        ("a <!-- settings -->it gains 4.4 points<!-- end settings -->", ["4.4 points"]),
        (
            "`+4.4 [1.1, 7.7]`, `4 ± 1`, `4.4` points, `-4` to `4`",
            ["`+4.4 [1.1, 7.7]`", "`4 ± 1`", "`4.4` points"],
        ),
        ("<!-- table: a -->\n4.4\n<!-- end table -->\n", []),
        (
            "## Results\n\nIt reaches 91.\n\n### More\n\nIt is 88.\n\n## Else\n\nIt has 91.",
            ["91", "88"],
        ),
        ("a <!-- cited: -->4.4<!-- end cited -->", None),
        ("<!-- fig: mean acc of a on b -->4.4<!-- end fig --> %", None),
        ("- <!-- cited: a -->4.4<!-- end cited --> %", None),
    ],
)
def test_what_counts_as_a_figure_of_a_page(text, found):
    numbers = [number for _, number in unmarked(text)]
    assert (
        numbers == found if found is not None else any("mark" in n or "opens" in n for n in numbers)
    )


def test_a_figure_that_a_command_prints_stands_on_no_page_of_a_track():
    text = "<!-- printed: make gpu-times -->\n\n| a | 4.4 ms |\n\n<!-- end printed -->\n"
    assert list(unmarked(text, printed=True)) == []
    assert (3, "4.4 ms") in unmarked(text)
    assert any(
        "mark" in found for _, found in unmarked(text.replace(": make gpu-times", ":"), True)
    )


def test_a_mark_cannot_be_seen_on_a_page_and_leaves_the_text_around_it_alone():
    mark = "<!-- fig: range mean a@b>=.75 of *!c - d on e f from=sweeps/g -->**1**<!-- end fig -->"
    html = MarkdownIt().enable("table").render(f"It *is* {mark} %.\n\n| a |\n| --- |\n| {mark} |\n")
    shown = re.sub(r"<!--.*?-->", "", html)
    assert "<p>It <em>is</em> <strong>1</strong> %.</p>" in shown
    assert "<td><strong>1</strong></td>" in shown


def test_a_command_in_a_table_names_the_committed_records_and_no_copy_of_them(monkeypatch):
    records = importlib.import_module("tables_records")

    class Ended:
        exit_code = 0

        def __init__(self, folder):
            self.stdout = f"The baseline is missing; run: bench run --results {folder}\n"

    monkeypatch.setattr(records, "_leaderboard", lambda folder, *options: Ended(folder))
    records.board.cache_clear()
    assert records.board("noisy-digits").strip().endswith("bench run --results docs/records")
    records.board.cache_clear()
