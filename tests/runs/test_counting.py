"""The second pass: what is counted of which run, what it is held against,
and what becomes of a run whose count fails.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from bench.runs.record import decode_record, encode_record
from bench.runs.solution_digest import digest_of
from bench.training.convstack import PlainNet, StackedConvNet

TOY = str(Path(__file__).parent / "counting_toy.py")
PRODUCT = 2 * 8**3


@pytest.fixture
def counted(run_plan):
    """Run toy methods with counting; each call starts from a count of calls of its own."""

    def call(method, task="products", forget=True, **request):
        for name, module in list(sys.modules.items()):
            if forget and name.endswith("counting_toy") and hasattr(module, "CALLS"):
                module.CALLS.clear()
        return run_plan(
            paths=[TOY], methods=(method,), tasks=(task,), preset="smoke", flops=True, **request
        ).records

    return call


def flops(records):
    return [
        record.flops and record.flops.total
        for record in sorted(records, key=lambda record: record.seed)
    ]


def test_the_lowest_seed_of_a_row_is_counted_with_its_reports_and_what_the_harness_does_is_not(
    counted,
):
    records = counted("thrice")
    assert flops(records) == [3 * PRODUCT, None, None]
    assert [entry["flops"] for entry in records[0].curve] == [PRODUCT, 2 * PRODUCT, 3 * PRODUCT]
    assert [list(entry) for entry in records[1].curve] == [["step", "size"]] * 3
    assert records[0].flops.uncounted == []
    assert decode_record(encode_record(records[0])) == records[0]


def test_a_row_that_has_a_count_is_not_counted_again(counted, tmp_path):
    assert flops(counted("thrice", seeds="2", results=tmp_path / "r")) == [3 * PRODUCT, None]
    assert flops(counted("thrice", seeds="4", results=tmp_path / "r")) == [None, None]


@pytest.mark.parametrize("seeds", ["1", "3"])
def test_a_member_of_a_stack_counts_its_share_whatever_stands_beside_it(counted, seeds):
    records = counted("together", seeds=seeds)
    assert flops(records) == [3 * PRODUCT, None, None][: int(seeds)]
    assert [entry["flops"] for entry in records[0].curve] == [PRODUCT, 2 * PRODUCT, 3 * PRODUCT]


def test_problems_that_are_solved_one_after_the_other_are_counted_each_from_nothing(counted):
    (record, _) = counted("thrice", "several")
    assert record.flops.total == 3 * 3 * PRODUCT
    assert [(entry["problem"], entry["flops"]) for entry in record.curve] == [
        (k, step * PRODUCT) for k in range(3) for step in (1, 2, 3)
    ]
    (stacked, _) = counted("together", "several")
    assert stacked.flops.total == 3 * 3 * PRODUCT
    assert [(entry["problem"], entry["flops"]) for entry in stacked.curve] == [
        (k, step * PRODUCT) for k in range(3) for step in (1, 2, 3)
    ]


def test_every_seed_is_counted_where_the_card_says_that_lengths_vary(counted):
    assert flops(counted("seeded", "uneven")) == [PRODUCT, 2 * PRODUCT, 3 * PRODUCT]
    assert flops(counted("seeded")) == [PRODUCT, None, None]


@pytest.mark.parametrize(
    ("method", "named", "total"), [("arrays", "NumPy", PRODUCT), ("threaded", "another thread", 0)]
)
def test_what_computes_beside_torch_makes_the_count_a_lower_bound(counted, method, named, total):
    (record,) = counted(method, seeds="1")
    assert (record.flops.total, record.flops.uncounted) == (total, [named])


@pytest.mark.parametrize(("method", "said"), [
    ("moody", "two passes differ in their solution"), ("hasty", "two passes differ in what they report"),
    ("breaks", "the second pass ended with ValueError: not again"),
])  # fmt: skip
def test_a_second_pass_that_differs_is_not_counted_and_says_so(counted, method, said):
    (record,) = counted(method, seeds="1")
    assert (record.status, record.flops) == ("ok", None)
    assert [text for text in record.warnings if "not counted" in text] == [
        f"operations not counted: {said}"
    ]
    assert "flops" not in (record.curve or [{}])[0]


def test_a_run_that_says_truly_what_it_spent_of_a_budget_of_operations_is_ranked(counted):
    (record,) = counted("says", "spending")
    assert (record.status, record.not_rankable) == ("ok", None)
    assert [entry["flops"] for entry in record.curve] == [PRODUCT, 2 * PRODUCT, 3 * PRODUCT]


@pytest.mark.parametrize("share", [0.5, 0.0, 2.0])
def test_a_run_that_says_otherwise_than_was_counted_is_invalid(counted, share):
    (record,) = counted(f"says[share={share}]", "spending")
    assert (record.status, record.metrics) == ("invalid", {})
    assert record.error.message.startswith(
        f"the method says at report 1 that {share * PRODUCT:.0f} operations were spent, and the "
        f"harness counted {PRODUCT};"
    )


@pytest.mark.parametrize(("option", "why"), [
    ("beside", "its budget is in operations, and some were not counted: NumPy"),
    ("moody", "its operations were not counted: two passes differ in their solution"),
])  # fmt: skip
def test_a_run_whose_operations_are_not_all_counted_has_no_place_under_a_budget_of_them(
    counted, option, why
):
    (record,) = counted(f"says[{option}=true]", "spending")
    assert (record.status, record.not_rankable) == ("ok", why)


@pytest.mark.slow
def test_a_second_pass_that_is_cut_off_leaves_the_first_as_it_was(counted):
    (record,) = counted("slow", seeds="1", executor="local", timeout=3)
    assert (record.status, record.flops) == ("ok", None)
    assert record.warnings == ["operations not counted: the second pass was cut off"]


def test_an_artifact_is_charged_to_all_who_ask_for_it_and_is_counted_once(
    counted, tmp_path, monkeypatch, with_kernels
):
    monkeypatch.setenv("BENCH_CACHE", str(with_kernels(tmp_path / "cache")))
    first = counted("builder", seeds="1", results=tmp_path / "a")[0]
    again = counted("builder", seeds="1", results=tmp_path / "b")[0]
    assert first.flops == again.flops
    assert (first.flops.total, first.flops.artifacts) == (6 * PRODUCT, 5 * PRODUCT)
    pages = [
        msgspec.json.decode(page.read_bytes())
        for page in (tmp_path / "cache").glob("artifacts/*/recipe.json")
    ]
    assert sorted(page["flops"]["total"] for page in pages) == [2 * PRODUCT, 5 * PRODUCT]


def test_a_run_that_went_on_from_a_checkpoint_is_counted_from_the_start(counted, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        counted("resumes", seeds="1", results=tmp_path / "r")
    (record,) = counted("resumes", seeds="1", results=tmp_path / "r", forget=False)
    assert flops([record]) == [3 * PRODUCT]
    assert [entry["flops"] for entry in record.curve] == [PRODUCT, 2 * PRODUCT, 3 * PRODUCT]


def test_a_second_pass_takes_nothing_from_one_that_was_killed(counted, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        counted("resumes", seeds="1", results=tmp_path / "r")
    ((seed_run,),) = ([*work.glob("0-seed-0")] for work in (tmp_path / "r" / "work").iterdir())
    shutil.copytree(seed_run, seed_run.parent / "count-0" / "0")
    (record,) = counted("resumes", seeds="1", results=tmp_path / "r", forget=False)
    assert flops([record]) == [3 * PRODUCT]


def test_counting_changes_no_figure_and_leaves_nothing_behind(counted, run_plan, tmp_path):
    with_count = counted("thrice", seeds="1", results=tmp_path / "a")[0]
    without = run_plan(
        paths=[TOY],
        methods=("thrice",),
        tasks=("products",),
        preset="smoke",
        seeds="1",
        results=tmp_path / "b",
    ).records[0]
    assert (with_count.metrics, with_count.key) == (without.metrics, without.key)
    assert without.flops is None
    assert not list((tmp_path / "a").glob("**/count-*"))


def test_a_digest_sees_every_number_that_a_solution_holds():
    def solution(shift=0.0):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        weight = torch.ones(2) + shift
        return {
            "model": lambda x: net(x) * weight,
            "bound": net.forward,
            "rows": {3, 1},
            "nothing": None,
        }

    assert digest_of(solution()) == digest_of(solution())
    assert digest_of(solution()) != digest_of(solution(1e-7))
    assert digest_of({"gen_s": 0.1, "seconds": torch.tensor(0.2)}) == digest_of(
        {"gen_s": 0.3, "seconds": torch.tensor(0.4)}
    )
    net = nn.Linear(2, 2)
    before = digest_of(net)
    net.register_forward_hook(lambda *_: None)
    assert digest_of(net) == before
    with torch.no_grad():
        net.weight[0, 0] += 1
    assert digest_of(net) != before


def test_a_member_of_a_stack_of_convolutional_nets_has_a_digest():
    # the stack keeps the layout of its body without values
    def member(shift=0.0):
        bodies = [PlainNet("cnn", 1, 3, (4, 4, 4)) for _ in range(2)]
        for body in bodies:
            for parameter in body.parameters():
                nn.init.constant_(parameter, 0.1 + shift)
        return StackedConvNet(bodies, torch.device("cpu"), "grouped").member(0)

    assert digest_of(member()) == digest_of(member())
    assert digest_of(member()) != digest_of(member(0.1))


def test_counting_a_method_of_the_product_agrees_with_a_count_by_hand(run_plan):
    (record,) = run_plan(
        methods=("ce",),
        tasks=("noisy-digits",),
        variants=("sym40",),
        preset="smoke",
        seeds="1",
        flops=True,
    ).records
    visits, inner, width, classes = record.counters["forward"], 64, 256, 10
    if record.task_params.get("width"):
        width = record.task_params["width"]
    assert record.flops.total == pytest.approx(
        visits * (2 * 2 * inner * width + 3 * 2 * width * classes), rel=0.01
    )
    assert record.flops.uncounted == []
