"""What a method says to its run is refused with a sentence where it is not
what it should be, and kept as it is where it is right.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run
from bench.runs.reported_values import MOST, whole

NO_WHOLE = [
    -1,
    1.5,
    1.0,
    math.nan,
    math.inf,
    "1",
    None,
    True,
    MOST + 1,
    10**40,
    torch.tensor(1.5),
    torch.ones(2, dtype=torch.int64),
    np.float64(2),
    [1],
]
WHOLE = [0, 3, np.int64(3), np.uint8(3), torch.tensor(3), MOST]


@pytest.fixture
def run(tmp_path):
    return Run(
        seed=0,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        artifacts=Artifacts(tmp_path / "cache"),
    )


@pytest.mark.parametrize("value", NO_WHOLE, ids=repr)
@pytest.mark.parametrize("say", ["report", "forward", "backward", "log", "progress"])
def test_a_step_count_or_total_that_is_no_whole_number_is_refused(run, say, value):
    calls = {
        "report": lambda: run.report(value, None),
        "forward": lambda: run.count(forward=value),
        "backward": lambda: run.count(backward=value),
        "log": lambda: run.log(value, loss=1.0),
        "progress": lambda: run.progress(value, "epochs"),
    }
    with pytest.raises(InvalidRun, match=r"the method .*whole number"):
        calls[say]()


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_whole_numbers_of_any_library_become_plain_ones(run, value):
    run.report(value, None)
    run.count(forward=value, backward=value)
    run.log(value, loss=value)
    run.progress(value, "epochs")()
    found = [
        run._curve[0]["step"],
        run._counts["forward"],
        run._counts["backward"],
        run._logs[0]["step"],
    ]
    assert found == [int(value)] * 4
    assert {type(number) for number in found} == {int}


@given(
    st.one_of(
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.lists(st.integers()),
        st.none(),
        st.complex_numbers(),
    )
)
def test_whatever_comes_is_a_whole_number_or_refused(value):
    try:
        assert whole(value, "the method said", "a whole number is wanted") == value
    except InvalidRun:
        assert not isinstance(value, int) or not 0 <= value <= MOST


@pytest.mark.parametrize("value", ["1", None, torch.ones(3), [1.0], 10**400, 1j], ids=repr)
def test_a_logged_figure_that_is_no_number_is_refused(run, value):
    with pytest.raises(InvalidRun, match="the method logged loss ="):
        run.log(1, loss=value)


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        math.nan,
        math.inf,
        np.float32(1),
        torch.tensor(1.0),
        torch.tensor(1.0, requires_grad=True),
        True,
    ],
    ids=repr,
)
def test_a_logged_figure_may_be_of_any_kind_and_not_finite(run, value):
    run.log(1, loss=value)
    assert type(run._logs[0]["loss"]) is float


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "is a NoneType"),
        ([1], "is a list"),
        ({"a": object()}, "an object"),
        ({"a": np.ones(2)}, "a ndarray"),
        ({"a": {"b": np.float32(1)}}, r"\['a'\]\['b'\]"),
        ({"a": [torch.ones(2)]}, "holds a list"),
        ({"a": torch.nn.Linear(1, 1)}, "holds a Linear"),
        ({(1, 2): 3}, r"the key \(1, 2\)"),
        (
            {"a": torch.eye(2).to_sparse()},
            "holds a sparse tensor at \\['a'\\]; .to_dense\\(\\) makes a plain one of it, which "
            "can be kept",
        ),
        (
            {"a": torch.ones(2, device="meta")},
            "holds a tensor on the device meta, which holds no values at",
        ),
    ],
)
def test_a_state_that_can_not_be_kept_is_refused_with_its_place(run, state, words):
    with pytest.raises(InvalidRun, match=f"the method's checkpoint .*{words}"):
        run.checkpoint(state)


def test_states_whose_names_look_alike_come_back_apart(run):
    state = {
        "a/b": torch.ones(2),
        "a": {"b": torch.zeros(2)},
        1: torch.tensor(3),
        "1": torch.tensor(4),
        "": {"": torch.tensor(5)},
    }
    run.checkpoint(state)
    found = run.restored()
    assert torch.equal(found["a/b"], torch.ones(2))
    assert torch.equal(found["a"]["b"], torch.zeros(2))
    assert [int(found[1]), int(found["1"]), int(found[""][""])] == [3, 4, 5]


def test_the_state_of_an_optimiser_comes_back(run):
    net = torch.nn.Linear(2, 1)
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.ones(3, 2)).sum().backward()
    optimiser.step()
    run.checkpoint(
        {
            "optimiser": optimiser.state_dict(),
            "net": net.state_dict(),
            "half": torch.ones(2).bfloat16(),
            "flat": torch.ones(0),
        }
    )
    found = run.restored()
    optimiser.load_state_dict(found["optimiser"])
    net.load_state_dict(found["net"])
    assert found["half"].dtype == torch.bfloat16
    assert found["flat"].shape == (0,)


@pytest.mark.parametrize(
    "built",
    [
        None,
        [1],
        {"a": [1, 2]},
        {"a": np.ones(2)},
        {1: torch.ones(2)},
        {"a": torch.eye(2).to_sparse()},
    ],
    ids=repr,
)
def test_an_artifact_that_is_no_table_of_tensors_is_refused(run, built):
    with pytest.raises(InvalidRun, match=r"what run\.cached was to build is"):
        run.cached({"a": repr(built)}, lambda child: built)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: torch.nested.nested_tensor([torch.ones(1)]), "nested"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantised"),
        (lambda: torch.ones(2, device="meta"), "the device meta"),
    ],
)
def test_an_artifact_and_a_state_of_tensors_without_plain_values_are_refused(run, make, word):
    with pytest.raises(InvalidRun, match=rf"what run\.cached was to build is 'a': a .*{word}"):
        run.cached({"a": 1}, lambda child: {"a": make()})
    with pytest.raises(InvalidRun, match=f"the method's checkpoint holds a .*{word}"):
        run.checkpoint({"a": make()})


def test_a_recipe_that_is_no_plain_data_is_refused(run):
    with pytest.raises(InvalidRun, match=r"the recipe of run\.cached is no plain data"):
        run.cached({"a": object()}, lambda child: {"a": torch.ones(1)})
