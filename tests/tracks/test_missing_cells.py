"""Which cells are hidden: shares by column, what each mechanism depends on, and how tables with
holes are scaled.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.training.missing import hidden_cells, observed_scale


def table(rows=4000, columns=10, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((rows, columns)) * np.linspace(1, 10, columns)


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_column_loses_its_share_of_cells_whatever_its_scale(mechanism, share):
    x = table()
    hidden = hidden_cells(x, mechanism, share, np.random.default_rng(1))
    found = hidden.mean(0)
    complete = found == 0
    assert complete.sum() == (3 if mechanism == "mar" else 0)
    # the probabilities of a column have the mean exactly, their draws vary
    error = (share * (1 - share) / len(x)) ** 0.5
    assert np.abs(found[~complete] - share).max() < 3.5 * error


def test_what_hides_a_cell_is_nothing_the_complete_columns_or_the_cell_itself():
    x = table(20000, 6)
    effects = {}
    for mechanism in ("mcar", "mar", "mnar"):
        hidden = hidden_cells(x, mechanism, 0.3, np.random.default_rng(2))
        own = [
            abs(np.corrcoef(x[:, j], hidden[:, j])[0, 1]) for j in range(6) if hidden[:, j].any()
        ]
        others = [
            abs(np.corrcoef(x[:, i], hidden[:, j])[0, 1])
            for j in range(6)
            for i in range(6)
            if i != j and hidden[:, j].any()
        ]
        effects[mechanism] = max(own), max(others)
    noise = 4 / 20000**0.5
    assert max(effects["mcar"]) < noise
    assert effects["mar"][0] < noise < 0.1 < effects["mar"][1]
    assert effects["mnar"][1] < noise < 0.1 < effects["mnar"][0]


@given(
    st.integers(1, 30),
    st.integers(2, 6),
    st.sampled_from(["mcar", "mar", "mnar"]),
    st.floats(0.01, 0.99),
    st.integers(0, 10),
)
@settings(max_examples=60, deadline=None)
def test_no_row_loses_all_of_its_cells(rows, columns, mechanism, share, seed):
    x = np.random.default_rng(seed).standard_normal((rows, columns))
    hidden = hidden_cells(x, mechanism, share, np.random.default_rng(seed + 1))
    assert hidden.shape == x.shape
    assert not hidden.all(1).any()


def test_a_column_that_does_not_vary_is_hidden_at_random():
    hidden = hidden_cells(np.ones((5000, 3)), "mnar", 0.3, np.random.default_rng(0))
    assert np.abs(hidden.mean(0) - 0.3).max() < 0.03


def test_observed_cells_alone_set_the_scale():
    nan = float("nan")
    x = torch.tensor([[1.0, nan, 4.0], [3.0, nan, 4.0], [nan, nan, 4.0]])
    mean, spread = observed_scale(x)
    assert mean.tolist() == [2.0, 0.0, 4.0]
    assert spread.tolist() == [1.0, 1.0, 1.0]
