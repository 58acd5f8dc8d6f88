"""What a task says of reports and outcomes can be recorded, or is refused
with a sentence that names the field.
"""

import math

import numpy as np
import pytest
import torch

from bench.checks.scores import check_score, check_watched
from bench.contracts import Score, Watched
from bench.errors import InvalidRun

ARRAYS = {
    "no array": None,
    "objects": np.array([object()]),
    "texts": np.array(["x"]),
    "ragged": [[1], [2, 3]],
    "complex": np.ones(2, dtype=complex),
    "dates": np.array(["2020-01-01"], dtype="M8[D]"),
    "wide": np.ones(2, dtype=np.longdouble),
    "meta": torch.ones(2, device="meta"),
    "sparse": torch.eye(2).to_sparse(),
}
PICTURES = {
    "floats": np.ones((4, 4)),
    "whole": np.ones((4, 4), dtype=np.int64),
    "bool": np.ones((4, 4), dtype=bool),
    "two channels": np.ones((4, 4, 2), dtype=np.uint8),
    "channels first": np.ones((3, 9, 9), dtype=np.uint8),
    "a line": np.ones(4, dtype=np.uint8),
    "nothing": np.ones((0, 4), dtype=np.uint8),
    "none": None,
    "a list": [[1]],
}


@pytest.mark.parametrize(
    "value",
    [1, 0.5, None, "yes", np.array([True, False]), torch.tensor([True, True]), torch.tensor(1.0)],
    ids=repr,
)
def test_a_gate_that_is_neither_met_nor_not_is_refused(value):
    with pytest.raises(InvalidRun, match="for the gate 'g', which is met or not"):
        check_score(Score(metrics={}, gates={"g": value}))


@pytest.mark.parametrize("value", [True, np.True_, torch.tensor(True)])
def test_a_gate_of_any_library_becomes_a_plain_truth(value):
    assert check_score(Score(metrics={}, gates={"g": value, "h": False})).gates == {
        "g": True,
        "h": False,
    }


@pytest.mark.parametrize("value", [3, True, False, "", " ", ["why"]], ids=repr)
def test_a_reason_that_is_no_sentence_is_refused(value):
    with pytest.raises(InvalidRun, match="as not_rankable"):
        check_score(Score(metrics={}, not_rankable=value))


@pytest.mark.parametrize("field", ["metrics", "gates", "arrays", "images"])
@pytest.mark.parametrize("value", [None, [1], "text", {1: 2}], ids=repr)
def test_fields_of_a_score_are_tables_by_name(field, value):
    with pytest.raises(InvalidRun, match=f"evaluate gives as {field}"):
        check_score(Score(**{"metrics": {}, field: value}))


@pytest.mark.parametrize("what", ARRAYS)
def test_an_array_that_can_not_be_kept_is_refused(what):
    with pytest.raises(InvalidRun, match="the task's array 'a' is"):
        check_score(Score(metrics={}, arrays={"a": ARRAYS[what]}))


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3)[::-1],
        [1, 2],
        np.float64(3),
        torch.ones(2, requires_grad=True),
        torch.ones(2).bfloat16(),
        np.array([math.nan]),
        np.ones((0, 2)),
    ],
    ids=repr,
)
def test_numbers_of_any_layout_become_an_array(value):
    found = check_score(Score(metrics={}, arrays={"a": value})).arrays["a"]
    assert isinstance(found, np.ndarray)
    assert found.dtype.kind in "if"


@pytest.mark.parametrize("what", PICTURES)
def test_a_picture_of_another_type_or_shape_is_refused(what):
    with pytest.raises(InvalidRun, match=r"the task's picture 'p' is .*uint8 is wanted"):
        check_score(Score(metrics={}, images={"p": PICTURES[what]}))


@pytest.mark.parametrize(
    "value",
    [
        np.ones((4, 5), dtype=np.uint8),
        np.ones((8, 8, 3), dtype=np.uint8)[::2, ::-2],
        torch.ones(4, 4, dtype=torch.uint8),
    ],
)
def test_a_picture_of_bytes_is_kept(value):
    found = check_score(Score(metrics={}, images={"p": value})).images["p"]
    assert found.shape == tuple(value.shape)


@pytest.mark.parametrize(
    ("watched", "words"),
    [
        (None, "returned None"), (Watched(None), "as scores None"), (Watched([1]), "as scores a list of 1"), (Watched({1: 2}), "under 1"), (Watched({"step": 3}), "'step'"),
        (Watched({"problem": 3}), "'problem'"), (Watched({}, keep="best"), "as keep 'best'"), (Watched({}, keep=None), "as keep None"), (Watched({}, keep=(1,)), "as keep"),
    ],
)  # fmt: skip
def test_what_a_task_makes_of_a_report_is_refused_where_it_is_no_table_of_scores(watched, words):
    with pytest.raises(InvalidRun, match=f"the task's watch .*{words}"):
        check_watched(watched)


def test_a_report_with_names_to_keep_passes():
    watched = Watched({"acc": 3.0}, keep=("best",))
    assert check_watched(watched) is watched
