"""Published figures beside measured ones: files, the arithmetic of verdicts, rows from records."""

from __future__ import annotations

import math
import statistics

import msgspec
import pytest
import scipy.stats
from bench.builtin.leaderboard._paper_file import ROOM, files, read_paper
from bench.builtin.leaderboard._paper_rows import judged, listed
from bench.builtin.leaderboard._paper_verdicts import (
    figure_verdict,
    ordering_verdict,
    sample,
)
from bench.builtin.leaderboard.board import bench_papers, bench_published, bench_render
from board_toy import ENVIRONMENT, made_up
from hypothesis import given
from hypothesis import strategies as st

from bench.cards import Metric, Preset, Reference, TaskCard
from bench.errors import UsageError

HEAD = 'paper = "arXiv:2006.05929"\nplace = "table 1"\nread = "the readme"\nmetric = "acc"\n'
ROW = '[[rows]]\nmethod = "m"\ncell = "up/default/a"\n'
FIGURES = st.lists(st.floats(0, 100), min_size=3, max_size=10)
SDS = st.one_of(st.none(), st.floats(0, 20))


def word(values, published, sd=0.0, **more):
    return figure_verdict(sample(values), published, sd, **more).word


# The arithmetic ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "published", "sd", "expected"),
    [
        ([82.2, 82.3, 82.4], 82.3, 0.4, "held"),
        ([83.3, 83.3, 83.3], 82.3, 0.0, "held"),  # a point, and no bit more
        ([81.3, 81.3, 81.3], 82.3, None, "held"),
        ([83.4, 83.4, 83.4], 82.3, 0.0, "above"),
        ([81.1, 81.2, 81.0], 82.3, 0.0, "below"),
        ([85.2, 85.3, 85.4], 82.3, 3.8, "held"),  # 3 points, within t s
        ([85.4, 85.5, 85.6], 82.3, 3.8, "undecided"),  # the cap: a wide sd excuses no more
        ([80.0, 82.3, 84.6], 82.3, 0.4, "undecided"),  # our interval is wider than 1.5
        ([60.0, 82.3, 99.0], 82.3, 0.4, "undecided"),
        ([82.3], 82.3, 0.4, "undecided"),
        ([82.3, 82.3], 82.3, 0.4, "undecided"),
        ([90.0, 90.1], 82.3, 0.4, "undecided"),  # two seeds decide nothing, far as they are
        ([], 82.3, 0.4, ""),
    ],
)
def test_a_figure_is_held_above_below_or_undecided_by_the_rule(values, published, sd, expected):
    assert word(values, published, sd) == expected


def test_the_reason_of_what_is_undecided_is_said():
    def why(values, published, sd, **more):
        return figure_verdict(sample(values), published, sd, **more).why

    assert why([82.3, 82.3], 82.3, 0.4) == "2 seeds, 3 decide"
    assert why([82.3], 82.3, 0.4) == "1 seed, 3 decide"
    assert why([80.0, 82.3, 84.6], 82.3, 0.4) == "our interval is wider than ±1.5 points"
    assert why([85.4, 85.5, 85.6], 82.3, 3.8) == "the difference is beyond 3 points"
    assert why([82.3] * 3, 82.3, 0.4, obstacle="seed 1 ended as failed") == "seed 1 ended as failed"


def test_a_departure_that_breaks_makes_any_figure_incomparable():
    for values in ([82.3] * 5, [10.0] * 5, [82.3], []):
        assert word(values, 82.3, 0.4, breaks=True) == "not comparable"


@given(FIGURES, st.floats(0, 100), SDS)
def test_the_verdict_of_a_figure_is_that_of_an_independent_computation(values, published, sd):
    n = len(values)
    t = float(scipy.stats.t.ppf(0.975, n - 1))
    own = statistics.stdev(values)
    d = statistics.fmean(values) - published
    s = math.sqrt(own**2 / n + (sd or 0.0) ** 2)
    half, reach = t * own / math.sqrt(n), max(1.0, t * s)
    near = min(abs(abs(d) - reach), abs(abs(d) - 3), abs(half - 1.5)) < 1e-6
    if near:  # on a border rounding decides
        return
    expected = (
        ("above" if d > 0 else "below")
        if abs(d) > reach
        else "held"
        if abs(d) <= 3 and half <= 1.5
        else "undecided"
    )
    assert word(values, published, sd) == expected


@given(FIGURES, st.floats(0, 100), SDS)
def test_what_is_held_lies_within_three_points_and_is_known_to_one_and_a_half(
    values, published, sd
):
    found = sample(values)
    if figure_verdict(found, published, sd).word == "held":
        assert abs(found.mean - published) <= 3 + 1e-6
        assert found.half <= 1.5 + 1e-6


@given(FIGURES, st.floats(0, 100), SDS, st.randoms())
def test_a_verdict_depends_neither_on_the_order_of_seeds_nor_on_the_sign(
    values, published, sd, random
):
    shuffled = random.sample(values, len(values))
    found = word(values, published, sd)
    assert word(shuffled, published, sd) == found
    mirrored = word([-value for value in values], -published, sd)
    assert mirrored == {"above": "below", "below": "above"}.get(found, found)


@given(FIGURES, st.floats(0, 100), st.floats(0, 20), st.floats(0, 20))
def test_a_larger_published_deviation_never_turns_a_held_figure_into_another(
    values, published, sd, more
):
    if word(values, published, sd) == "held":
        assert word(values, published, sd + more) == "held"


@given(FIGURES, st.floats(0, 100))
def test_a_deviation_that_is_missing_counts_zero(values, published):
    assert word(values, published, None) == word(values, published, 0.0)


@pytest.mark.parametrize(
    ("differences", "by", "expected"),
    [
        ([4.0, 4.1, 3.9], 4.0, "held"),
        ([2.0, 2.1, 1.9], 4.0, "held"),  # half of it is enough
        ([1.5, 1.6, 1.4], 4.0, "below"),
        ([-4.0, -4.1, -3.9], 0.0, "below"),
        ([4.0, -4.0, 0.1], 0.0, "undecided"),
        ([0.0, 0.0, 0.0], 0.0, "undecided"),
        ([1.9, 0.6, 3.1], 4.0, "undecided"),
        ([5.0, 5.0], 1.0, "undecided"),
    ],
)
def test_an_ordering_is_held_where_its_interval_is_above_zero_and_half_the_margin_is_there(
    differences, by, expected
):
    assert ordering_verdict(sample(differences), by).word == expected


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=10), st.floats(0, 20))
def test_the_verdict_of_an_ordering_is_that_of_an_independent_computation(differences, by):
    n = len(differences)
    mean = statistics.fmean(differences)
    half = float(scipy.stats.t.ppf(0.975, n - 1)) * statistics.stdev(differences) / math.sqrt(n)
    if min(abs(mean - half), abs(mean - by / 2), abs(mean + half - by / 2)) < 1e-6:
        return
    expected = (
        "held"
        if mean - half > 0 and mean >= by / 2
        else "below"
        if mean + half < by / 2
        else "undecided"
    )
    assert ordering_verdict(sample(differences), by).word == expected


# Files ---------------------------------------------------------------------------------


def write(folder, text, name="table"):
    (folder / "papers").mkdir(exist_ok=True)
    path = folder / "papers" / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEAD.replace("the readme", "") + ROW + "published = 70.5\n",
            "nothing says where it was read",
        ),
        (
            HEAD.replace('read = "the readme"\n', "") + ROW + "published = 70.5\n",
            "nothing says where it was read",
        ),
        (HEAD + ROW + "published = 70.5\npublisher = 1\n", "publisher"),
        (HEAD + "colour = 1\n" + ROW, "colour"),
        (HEAD + ROW + "published = nan\n", "no finite number"),
        (HEAD + ROW + "published = inf\n", "no finite number"),
        (HEAD + ROW + 'published = "70.5"\n', "str"),
        (HEAD + ROW + "published = true\n", "bool"),
        (HEAD + ROW + "published = 70.5\nsd = -0.1\n", "at least 0"),
        (HEAD + ROW + "published = 70.5\nsd = nan\n", "at least 0"),
        (HEAD + ROW + "sd = 0.1\n", "no published figure"),
        (HEAD + '[[rows]]\nmethod = "m"\ncell = "up/a"\n', "task/preset/variant"),
        (HEAD + '[[rows]]\nmethod = "m"\ncell = "up//a"\n', "task/preset/variant"),
        (HEAD + '[[rows]]\nmethod = " "\npublished = 1\n', "an empty method"),
        (HEAD + '[[rows]]\nmethod = "a\\nb"\npublished = 1\n', "one printable line"),
        (HEAD + ROW + ROW, "twice"),
        (HEAD.replace('metric = "acc"\n', "") + ROW, "no metric"),
        (HEAD, "neither rows nor orderings"),
        (HEAD + ROW + 'departs = [""]\n', "a departure"),
        (HEAD + ROW + 'departs = [{ what = "x", broken = true }]\n', "broken"),
        (HEAD.replace("table 1", "") + ROW, "place is empty"),
        (
            HEAD + '[[orderings]]\nabove = "m"\nbelow = "n"\ncell = "up/default/a"\nby = -1\n',
            "by = -1",
        ),
        (
            HEAD + '[[orderings]]\nabove = "m"\nbelow = "m"\ncell = "up/default/a"\n',
            "against itself",
        ),
        (HEAD + '[[orderings]]\nabove = "m"\nbelow = "n"\n', "cell"),
        ("paper = ", "can't be used"),
        ("\xff", "can't be used"),
    ],
)
def test_a_file_that_holds_what_it_must_not_is_refused_in_one_sentence(tmp_path, text, said):
    path = write(tmp_path, "")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as raised:
        read_paper(path)
    assert said in str(raised.value)
    assert "docs/published.md says what such a file holds" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_that_nobody_read_has_rows_without_figures(tmp_path):
    text = HEAD.replace("the readme", "") + ROW
    paper = read_paper(write(tmp_path, text))
    assert paper.rows[0].published is None


def test_the_built_in_tables_are_read_and_every_figure_says_where_it_was_read():
    found = files()
    assert {
        "dc-fashion",
        "dsa-fashion",
        "selection-fashion",
        "kip-fashion",
        "causalnl-fashion",
    } <= {*found}
    for path in found.values():
        paper = read_paper(path)
        for row in paper.rows:
            assert row.published is None or (row.read or paper.read)
    assert all(row.published is None for row in read_paper(found["gce-fashion"]).rows)


def test_every_row_of_a_built_in_table_that_can_be_run_says_what_a_run_costs():
    for name, path in files().items():
        for row in listed(name, read_paper(path))["rows"]:
            assert bool(row["cost"]) == bool(row["cell"]), (name, row["method"])


def test_every_method_and_every_metric_of_a_built_in_table_is_one_of_the_product():
    from bench.cli._papers import Papers
    from bench.plugins.registry import Registry
    from bench.runs.store import Store

    papers = Papers(Registry(), Store(ROOM / "no records"), "cpu")
    assert papers.problems() == []


def test_tables_of_one_name_in_two_folders_and_names_that_are_none_are_refused(tmp_path):
    write(tmp_path, HEAD + ROW, "dc-fashion")
    with pytest.raises(UsageError, match="two tables are called 'dc-fashion'"):
        files([tmp_path])
    write(tmp_path / "..", HEAD + ROW, "Not_A-Name")
    with pytest.raises(UsageError, match="small letters"):
        files([tmp_path / ".."])
    with pytest.raises(UsageError, match="two tables are called 'dc-fashion'"):
        bench_papers({"names": ["dc-fashion", str(tmp_path / "papers" / "dc-fashion.toml")]})
    with pytest.raises(UsageError, match="small letters"):
        bench_papers({"names": [str(tmp_path / "No Name.toml")]})
    with pytest.raises(UsageError, match="Did you mean 'dc-fashion'"):
        bench_papers({"names": ["dc-fashon"]})


def test_a_file_that_cant_be_used_is_listed_with_its_problem_and_hides_no_other(tmp_path):
    write(tmp_path, "paper = ", "broken")
    write(tmp_path, HEAD + ROW, "whole")
    found = {paper["name"]: paper for paper in bench_papers({"folders": [tmp_path]})}
    assert "can't be used" in found["broken"]["problem"]
    assert (found["whole"]["problem"], len(found["whole"]["rows"])) == ("", 1)


# Rows ----------------------------------------------------------------------------------


def task(name, metric, **fields):
    return TaskCard(
        name=name,
        title=name,
        track="demo",
        metrics=(metric, Metric(name="share", bounds=(0, 1))),
        presets={"default": Preset(variants={"a": {}}, seeds=3)},
        references=(Reference(name="null", kind="low"),),
        **fields,
    )


TASKS = {
    "demo/up": task("up", Metric(name="acc", primary=True, unit="%", bounds=(0, 100))),
    "demo/down": task("down", Metric(name="gap", primary=True, direction="min", unit="points")),
}


def runs(method, values, *, where="up", metric="acc", device="cpu", **fields):
    return [
        made_up(
            "demo",
            where,
            "a",
            method,
            seed,
            metric,
            value,
            device=device,
            provenance=ENVIRONMENT,
            **fields,
        )
        for seed, value in enumerate(values)
    ]


def shown(records, rows, tmp_path, stale=(), head=HEAD):
    """Return the lines of a table of these rows, beside these records."""
    paper = listed("table", read_paper(write(tmp_path, head + rows)))
    groups = {}
    for record in records:
        key = f"{record.method} @ {record.task}/{record.preset}/{record.variant}"
        groups.setdefault(key, {})[record.group] = record.device
    planned = {
        f"{method} @ {cell}": {
            "task": f"demo/{cell.partition('/')[0]}",
            "groups": groups.get(f"{method} @ {cell}", {}),
            "problem": "",
            "expected": "",
        }
        for row in paper["rows"]
        for method, cell in (
            (row["method"], row["cell"]),
            (row.get("below", row["method"]), row.get("below_cell", row["cell"])),
        )
    }
    document = bench_published([paper], records, TASKS, {"planned": planned, "stale": {*stale}})
    return document["papers"][0]["rows"], document


def row(published="published = 82.3\nsd = 0.4\n", more=""):
    return ROW + published + more


def test_a_row_has_mean_interval_difference_verdict_device_commit_and_keys(tmp_path):
    records = runs("m", [82.2, 82.4, 82.6])
    (line,), document = shown(records, row(), tmp_path)
    half = 4.302652729911275 * 0.2 / math.sqrt(3)
    assert (line["n"], line["verdict"], line["device"]) == (3, "held", "cpu")
    assert line["mean"] == pytest.approx(82.4)
    assert line["difference"] == pytest.approx(0.1)
    assert (line["low"], line["high"]) == pytest.approx((82.4 - half, 82.4 + half))
    assert [told["key"] for told in line["records"]] == [record.key for record in records]
    text = bench_render(document, "md")
    for part in (
        "82.3 ± 0.4",
        "82.4 [81.9, 82.9]",
        "+0.1",
        "held",
        "3 seeds, cpu, 01234567",
        f"`{records[0].key}`",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([82.2, 82.3, 82.4], "held"),
        ([90.0, 90.1, 90.2], "above"),
        ([70.0, 70.1, 70.2], "below"),
        ([80.0, 82.3, 84.6], "undecided"),
    ],
)
def test_records_give_every_verdict(values, expected, tmp_path):
    (line,), _ = shown(runs("m", values), row(), tmp_path)
    assert line["verdict"] == expected
    breaking = 'departs = ["small", { what = "best epoch", breaks = true }]\n'
    (line,), document = shown(runs("m", values), row(more=breaking), tmp_path)
    assert line["verdict"] == "not comparable"
    assert "best epoch (breaks the comparison)" in bench_render(document, "md")


def test_a_row_without_records_is_not_run_and_one_without_a_cell_not_in_the_product(tmp_path):
    kip = '[[rows]]\nmethod = "KIP"\npublished = 76.7\nsd = 0.2\n'
    lines, document = shown([], row() + kip, tmp_path)
    assert [line["verdict"] for line in lines] == ["", ""]
    text = bench_render(document, "md")
    assert "not run" in text
    assert "KIP" in text
    assert "not in the product" in text


def test_a_deviation_that_is_missing_is_said(tmp_path):
    _, document = shown(runs("m", [82.3] * 3), row("published = 82.3\n"), tmp_path)
    assert "82.3, no sd: counts 0" in bench_render(document, "md")


def test_a_figure_too_small_for_the_decimals_of_its_table_is_not_printed_as_zero(tmp_path):
    rows = "".join(
        f'[[rows]]\nmethod = "{name}"\npublished = {figure}\n'
        for name, figure in (("small", "4.35e-25"), ("none", "0.0"), ("plain", "0.63"))
    )
    _, document = shown([], rows, tmp_path)
    lines = [line.split("|") for line in bench_render(document, "md").splitlines()]
    figures = {line[1].strip(): line[3].strip() for line in lines if len(line) > 3}
    assert (figures["small"], figures["none"], figures["plain"]) == ("4.35e-25", "0.00", "0.63")


def test_a_figure_that_nobody_read_gets_no_verdict_and_is_called_not_read(tmp_path):
    head = HEAD.replace("the readme", "")
    (line,), document = shown(runs("m", [82.3] * 3), ROW, tmp_path, head=head)
    assert (line["verdict"], line["mean"]) == ("", pytest.approx(82.3))
    text = bench_render(document, "md")
    assert "not read" in text
    assert "no figure of it is printed" in text


def test_two_seeds_are_undecided(tmp_path):
    (line,), _ = shown(runs("m", [82.3, 82.3]), row(), tmp_path)
    assert (line["verdict"], line["why"]) == ("undecided", "2 seeds, 3 decide")


@pytest.mark.parametrize("status", ["failed", "crashed", "timeout", "oom", "invalid"])
def test_a_seed_that_failed_makes_a_row_undecided_and_no_mean_of_the_rest_is_shown(
    status, tmp_path
):
    records = runs("m", [82.3] * 4) + runs("m", [0.0] * 5, status=status)[4:]
    (line,), document = shown(records, row(), tmp_path)
    assert (line["verdict"], line["why"]) == ("undecided", f"seed 4 ended as {status}")
    assert (line["mean"], line["low"], line["difference"]) == (None, None, None)
    assert "82.3 [" not in bench_render(document, "md")


def test_a_figure_outside_the_bounds_of_its_metric_counts_as_a_failed_seed(tmp_path):
    (line,), _ = shown(runs("m", [82.3, 82.3, 182.3]), row(), tmp_path)
    assert (line["verdict"], line["mean"]) == ("undecided", None)


def test_a_seed_that_is_not_rankable_or_lacks_the_figure_makes_a_row_undecided(tmp_path):
    records = runs("m", [82.3] * 4)
    records[2] = msgspec.structs.replace(records[2], not_rankable="it fails the gate")
    (line,), _ = shown(records, row(), tmp_path)
    assert (line["verdict"], line["why"]) == (
        "undecided",
        "seed 2 is not rankable: it fails the gate",
    )
    records[2] = msgspec.structs.replace(records[2], not_rankable=None, metrics={"acc": None})
    (line,), _ = shown(records, row(), tmp_path)
    assert (line["verdict"], line["why"]) == ("undecided", "seed 2 has no acc")


def test_an_interrupted_run_is_as_if_it_had_not_begun(tmp_path):
    records = runs("m", [82.3] * 3) + runs("m", [0.0] * 4, status="interrupted")[3:]
    (line,), _ = shown(records, row(), tmp_path)
    assert (line["verdict"], line["n"]) == ("held", 3)


def test_a_stale_record_is_printed_stale_and_a_live_one_comes_before_it(tmp_path):
    old, new = runs("m", [70.0] * 3, code="old"), runs("m", [82.3] * 2, code="new")
    stale = {record.id for record in old}
    (line,), document = shown(old + new, row(), tmp_path, stale)
    assert line["stale"] == [2]
    assert [told["id"] for told in line["records"]] == [record.id for record in (*new, old[2])]
    assert "(stale: seed 2)" in bench_render(document, "md")
    (line,), document = shown(new, row(), tmp_path, stale)
    assert line["stale"] == []
    assert "stale" not in bench_render(document, "md")


def test_two_devices_are_two_lines_and_never_one_mean(tmp_path):
    records = runs("m", [82.3] * 3) + runs("m", [90.0] * 3, device="cuda")
    lines, _ = shown(records, row(), tmp_path)
    assert [(line["device"], line["verdict"]) for line in lines] == [
        ("cpu", "held"),
        ("cuda", "above"),
    ]


def test_a_row_does_not_depend_on_the_order_of_the_records(tmp_path):
    records = runs("m", [82.2, 82.3, 82.4]) + runs("n", [1.0] * 3)
    assert shown(records, row(), tmp_path) == shown(records[::-1], row(), tmp_path)


ORDERING = '[[orderings]]\nabove = "m"\nbelow = "n"\ncell = "up/default/a"\nby = 4.0\n'


def test_an_ordering_pairs_the_seeds_that_both_have(tmp_path):
    records = runs("m", [50.0, 60.0, 70.0, 80.0]) + runs("n", [46.0, 56.1, 65.9])
    (line,), document = shown(records, ORDERING, tmp_path)
    assert (line["n"], line["verdict"]) == (3, "held")
    assert line["mean"] == pytest.approx(4.0)
    text = bench_render(document, "md")
    assert "m above n" in text
    assert "by at least 4" in text
    (line,), _ = shown(records[:2] + records[4:], ORDERING, tmp_path)
    assert (line["n"], line["verdict"]) == (2, "undecided")


def test_a_failed_seed_of_either_side_makes_an_ordering_undecided(tmp_path):
    records = runs("m", [50.0, 60.0, 70.0]) + runs("n", [46.0, 56.1, 65.9])
    broken = runs("n", [0.0] * 4, status="failed")[3:]
    (line,), _ = shown(records + broken, ORDERING, tmp_path)
    assert (line["verdict"], line["mean"]) == ("undecided", None)


def test_above_means_better_where_less_is_better(tmp_path):
    claim = ORDERING.replace("up/", "down/").replace("4.0", '0.1\nmetric = "gap"')
    records = runs("m", [1.0, 1.1, 1.2], where="down", metric="gap") + runs(
        "n", [2.0, 2.1, 2.2], where="down", metric="gap"
    )
    (line,), _ = shown(records, claim, tmp_path)
    assert (line["verdict"], line["mean"]) == ("held", pytest.approx(1.0))


@pytest.mark.parametrize(
    ("metric", "published", "said"),
    [
        ("accuracy", 82.3, "has no metric 'accuracy'; its metrics are acc, share"),
        ("share", 0.8, "the rule for figures is in points of percent"),
        ("acc", 182.3, "outside the bounds"),
    ],
)
def test_a_metric_that_the_rule_is_not_made_for_is_a_problem_that_names_it(
    metric, published, said, tmp_path
):
    (line,), document = shown(
        runs("m", [82.3] * 3),
        row(f'published = {published}\nmetric = "{metric}"\n'),
        tmp_path,
    )
    assert said in line["problem"]
    assert line["verdict"] == ""
    assert "not known here" in bench_render(document, "md")


def test_the_page_says_the_rule_and_counts_the_rows_and_other_formats_are_left_to_others(tmp_path):
    _, document = shown(runs("m", [82.3] * 3), row() + ORDERING, tmp_path)
    page = bench_render(document, "page")
    assert page.startswith("# Published against measured\n")
    assert "2 rows: 1 held, 1 not run." in page
    assert "{{" not in page
    assert bench_render(document, "latex") is None
    assert msgspec.json.decode(bench_render(document, "json")) == document


def test_what_a_file_says_is_printed_as_it_stands(tmp_path):
    odd = '[[rows]]\nmethod = "a|b <i>"\npublished = 1.0\n'
    _, document = shown([], odd, tmp_path)
    assert "a&#124;b &#60;i&#62;" in bench_render(document, "md")


def test_records_of_other_cells_say_nothing(tmp_path):
    (line,), _ = shown(runs("m", [82.3] * 3, preset="other"), row(), tmp_path)
    assert (line["n"], line["records"]) == (0, [])
    assert judged([], [], TASKS, {}, set()) == []
