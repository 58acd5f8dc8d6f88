"""``bench paper`` as users call it: the list, a table, runs of what is missing, the page."""

from __future__ import annotations

import json

import msgspec
import pytest

HEAD = 'paper = "arXiv:2007.00151"\nplace = "a table"\nread = "the readme"\nmetric = "acc_last"\ncost = "a while"\n'
CE = '[[rows]]\nmethod = "ce"\ncell = "noisy-digits/smoke/sym40"\npublished = 60.0\nsd = 0.4\n'
KIP = '[[rows]]\nmethod = "KIP"\npublished = 76.7\n'
CIFAR = '[[rows]]\nmethod = "ce"\ncell = "noisy-cifar10/smoke/sym40"\npublished = 60.0\n'


@pytest.fixture
def room(bench, tmp_path, monkeypatch):
    """Tables of the test's own beside the built-in ones; returns a call of ``bench paper``."""
    monkeypatch.delenv("BENCH_HUB", raising=False)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "no data"))
    folder = tmp_path / "mine"
    (folder / "leaderboard" / "papers").mkdir(parents=True)
    (folder / "methods").mkdir()

    def call(*arguments):
        return bench("paper", "--plugins", folder, "--device", "cpu", *arguments)

    def write(name, text):
        (folder / "leaderboard" / "papers" / f"{name}.toml").write_text(text)

    call.bench, call.write, call.files = bench, write, bench.files
    return call


def listed(found):
    return {row["name"]: row for row in json.loads(found.out)["papers"]}


def test_a_table_is_run_where_it_lacks_records_and_prints_its_verdicts(room):
    room.write("mine", HEAD + CE + KIP)
    before = room("mine")
    assert before.code == 0
    assert "not run" in before.out
    assert "a while" in before.out
    planned = room("mine", "--run", "--dry-run", "--seeds", "3")
    assert "3 runs: 0 recorded, 3 to run." in planned.out
    assert room.files() == {}
    done = room("mine", "--run", "--executor", "inline", "--seeds", "2")
    assert (done.code, "2 seeds, cpu" in done.out) == (0, True)
    assert "undecided: 2 seeds, 3 decide" in done.out
    files = room.files()
    wider = room("mine", "--run", "--executor", "inline", "--seeds", "3", "--json")
    document = json.loads(wider.out)
    line = document["papers"][0]["rows"][0]
    assert (line["n"], line["verdict"]) == (3, "above")
    assert line["expected"].endswith(" s a seed")
    assert document["not_run"] == []
    assert {name: room.files()[name] for name in files} == files
    again = room.files()
    room("mine", "--run", "--executor", "inline", "--seeds", "3")
    assert room.files() == again
    late = room("mine", "--run", "--budget", "0.01s", "--dry-run", "--seeds", "9")
    assert "over_budget" in late.out


def test_the_list_says_what_is_recorded_and_missing_whether_data_is_here_and_what_it_costs(
    room, plugin
):
    room.write("mine", HEAD + CE + KIP)
    room.write("absent", HEAD + CIFAR)
    card = ', libraries=("no_such_library",)'
    plugin("lacks", "return None", card, file="mine/methods/lacks.py")
    room.write("lacking", HEAD + CE.replace('"ce"', '"lacks"'))
    found = listed(room("--json"))
    assert found["mine"] == {
        "name": "mine",
        "paper": "arXiv:2007.00151",
        "place": "a table",
        "read": "the readme",
        "rows": 2,
        "in_product": 1,
        "recorded": 0,
        "missing": 1,
        "data": {"digits": True},
        "expected": "a while",
        "unavailable": "",
        "problem": "",
    }
    assert found["absent"]["data"] == {"cifar10": False}
    assert found["kip-fashion"]["in_product"] == 0
    assert "'no_such_library' is not installed" in found["lacking"]["unavailable"]
    room("mine", "--run", "--executor", "inline", "--quiet")
    text = room("--seeds", "2")
    assert "there is no folder" in text.err
    assert "'no_such_library' is not installed" in text.err
    assert room("lacking", "--run").code == 4
    line = next(line for line in text.out.splitlines() if line.startswith("mine"))
    assert line.split()[-7:-3] == ["2", "1", "1", "1"]
    assert line.rstrip().endswith(" s")


def test_a_failed_seed_is_told_ends_with_1_and_is_missing_again(room, plugin):
    body = "if run.seed == 1: raise RuntimeError('no')\n        return super().solve(problem, run)"
    plugin("fails", body, file="mine/methods/fails.py")
    room.write("mine", HEAD + CE.replace('"ce"', '"fails"'))
    done = room("mine", "--run", "--executor", "inline", "--seeds", "3")
    assert done.code == 1
    assert "undecided: seed 1 ended as failed" in done.out
    planned = room("mine", "--run", "--dry-run", "--seeds", "3", "--json")
    assert [row["seeds"] for row in json.loads(planned.out)["cells"]] == [[1]]


def test_a_name_that_the_product_does_not_have_is_named_and_nothing_is_run(room):
    room.write("mine", HEAD + CE + CE.replace("noisy-digits", "noisy-fashon"))
    for arguments in (("mine",), ("mine", "--json")):
        found = room(*arguments)
        assert found.code == 2
        assert (
            "the table 'mine' asks for ce on noisy-fashon/smoke/sym40, which can't be measured: "
            "unknown task 'noisy-fashon'"
        ) in found.err
    refused = room("mine", "--run", "--executor", "inline")
    assert refused.code == 2
    assert "nothing is run: the table 'mine' asks for ce on noisy-fashon" in refused.err
    assert room.files() == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("smoke", "smal"), "noisy-digits has no preset 'smal'"),
        (("sym40", "sym41"), "noisy-digits has no variant 'sym41' in preset 'smoke'"),
        (('"ce"', '"cee"'), "unknown method 'cee'"),
        (('"ce"', '"elr[lamb=1]"'), "elr has no parameter 'lamb'"),
        (('"ce"', '"elr[lam=1|2]"'), "names several methods"),
        (("acc_last", "acc"), "has no metric 'acc'"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_as_the_file_has_it(change, said, room):
    room.write("mine", (HEAD + CE).replace(*change))
    found = room("mine")
    assert (found.code, said in found.err) == (2, True)
    assert "(from --" not in found.err


def test_a_file_that_cant_be_used_hides_no_other_and_ends_with_2(room):
    room.write("broken", "paper = ")
    room.write("mine", HEAD + CE)
    found = room("broken", "mine")
    assert found.code == 2
    assert "can't be used" in found.err
    assert "Table `mine`" in found.out
    assert "## broken\n\nThe file of this table can't be used." in found.out


def test_publish_writes_the_page_and_the_table_may_be_a_file(room, tmp_path):
    path = tmp_path / "elsewhere.toml"
    path.write_text(HEAD + CE)
    done = room(path, "--publish", "--out", tmp_path / "new" / "page.md")
    assert (done.code, done.out) == (0, "")
    page = (tmp_path / "new" / "page.md").read_text()
    assert page.startswith("# Published against measured\n")
    assert "Table `elsewhere`" in page
    room.bench("paper", path, "--publish")
    assert (tmp_path / "published.md").read_text() == page


def test_data_that_is_not_here_leaves_a_row_not_run_and_says_how_to_have_it(room):
    room.write("mine", HEAD + CIFAR)
    found = room("mine", "--run", "--executor", "inline")
    assert found.code == 4
    assert "not run" in found.out
    assert "there is no folder" in found.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--run",), "--run needs the name of a table"),
        (("mine", "--budget", "1h"), "--budget is about runs"),
        (("mine", "--dry-run"), "--dry-run is about runs"),
        (("mine", "--out", "x.md"), "--out is the file of the page"),
        (("mine", "--seeds", "0"), "no seed at all"),
        (("mines",), "unknown table 'mines'. Did you mean 'mine'?"),
        (("mine", ""), "NAME is empty"),
        (("mine", "--run", "--budget", "soon"), "--budget got 'soon'"),
    ],
)
def test_a_command_that_would_be_misread_is_refused(arguments, said, room):
    room.write("mine", HEAD + CE)
    found = room(*arguments)
    assert (found.code, said in found.err) == (2, True), found.err


def test_rows_are_chosen_by_method_and_cell_an_ordering_by_either_of_its_methods(room):
    elr = CE.replace('"ce"', '"elr[lam=1]"')
    claim = '[[orderings]]\nabove = "elr"\nbelow = "ce"\ncell = "noisy-digits/smoke/sym40"\n'
    room.write("mine", HEAD + CE + elr + CE.replace("smoke", "default") + KIP + claim)

    def chosen(*arguments):
        found = json.loads(room("mine", "--json", *arguments).out)["papers"][0]["rows"]
        return [row["method"] for row in found]

    assert chosen("--method", "ce") == ["ce", "ce", "elr"]
    assert chosen("--method", "el*") == ["elr[lam=1]", "elr"]
    assert chosen("--method", "elr[lam=1]") == ["elr[lam=1]"]
    assert chosen("--cell", "*/default/*") == ["ce"]
    assert chosen("--method", "ce", "--cell", "noisy-digits/smoke/sym40") == ["ce", "elr"]
    assert chosen("--method", "KIP") == ["KIP"]
    planned = room("mine", "--run", "--dry-run", "--method", "ce", "--cell", "*smoke*", "--json")
    assert {row["method"] for row in json.loads(planned.out)["cells"]} == {"ce", "elr"}
    missing = room("mine", "--method", "mixup")
    assert (missing.code, "no row of these tables is of mixup" in missing.err) == (3, True)


def test_a_table_of_nothing_that_runs_selects_nothing(room):
    assert room("kip-fashion", "--run").code == 3


def test_what_a_gpu_has_whole_is_not_missing_on_a_cpu_and_what_it_has_in_part_is(room):
    from bench.cli._papers import Papers, lacking
    from bench.plugins.registry import Registry
    from bench.runs.store import Store

    room.write("mine", HEAD + CE)
    room("mine", "--run", "--executor", "inline", "--seeds", "1")
    folder = room.bench.results.parent / "mine" / "leaderboard"
    papers = Papers(Registry(), Store(room.bench.results), "cpu", ["mine"], [folder], "3")
    (part,) = papers.parts.values()
    (record,) = papers.records

    def on_gpu(seed):
        spec = part.cells[seed].spec
        other = msgspec.structs.replace(spec, device="cuda")
        return msgspec.structs.replace(
            record, device="cuda", seed=seed, name=f"gpu-{seed}", row=other.group
        )

    def seeds(records, stale=()):
        return [cell.spec.seed for cell in lacking(part, records, stale)]

    assert seeds([record]) == [1, 2]
    assert seeds([record, on_gpu(1), on_gpu(2)]) == [1, 2]
    assert seeds([record, on_gpu(0), on_gpu(1), on_gpu(2)]) == []
    assert seeds([record, on_gpu(0), on_gpu(1), on_gpu(2)], {"gpu-2"}) == [1, 2]
    assert seeds([record], {record.id}) == [0, 1, 2]


def test_the_shell_completes_the_name_of_a_table():
    from click.shell_completion import ShellComplete

    from bench.cli import main

    found = ShellComplete(main, {}, "bench", "_BENCH_COMPLETE").get_completions(["paper"], "kip")
    assert [item.value for item in found] == ["kip-fashion"]
