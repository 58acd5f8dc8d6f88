"""What OpenDataVal says; runs in an environment of its own (see environments.py)."""

from __future__ import annotations

import numpy as np
import torch
from absent import STANDING_IN  # noqa: F401 - before it is imported
from opendataval.dataval import DataShapley, KNNShapley
from opendataval.dataval.margcontrib.sampler import MonteCarloSampler
from opendataval.model.api import Model
from peer_answers import fit_seconds, grown, main, seconds
from sklearn.linear_model import Ridge


def _given(x, y, x_val, y_val):
    def rows(array):
        return torch.from_numpy(array.astype(np.float32))

    def labels(array):
        return torch.nn.functional.one_hot(torch.from_numpy(array), 10).float()

    return rows(x), labels(y), rows(x_val), labels(y_val)


def neighbours(x, y, x_val, y_val, k):
    """Values of the nearest neighbours, their processor time and memory."""
    torch.set_num_threads(1)
    given, found = _given(x, y, x_val, y_val), []

    def step():
        made = KNNShapley(k_neighbors=int(k), batch_size=4096).input_data(*given)
        found.append(made.train_data_values().evaluate_data_values())

    took, memory = grown(lambda: seconds(step, 1))
    return {
        "value": np.asarray(found[0], dtype=np.float64),
        "memory": memory,
        "seconds": took,
        "fit": fit_seconds(x[:300], y[:300], x_val[:300], y_val[:300]),
    }


class Squares(Model):
    """Least squares on one-hot labels; its own wrapper of scikit-learn wants probabilities."""

    fits = 0

    def fit(self, x_train, y_train, *_, **__):
        Squares.fits += 1
        # a subset is a table and the numbers of its rows
        x, y = (part.dataset[part.indices].numpy() for part in (x_train, y_train))
        self.fitted = Ridge(1.0).fit(x, y)
        return self

    def predict(self, x):
        return torch.from_numpy(np.asarray(self.fitted.predict(x.numpy())))


def permutations(x, y, x_val, y_val, count):
    """What random orders of least squares took, each of all rows."""
    torch.set_num_threads(1)
    valuation = DataShapley(
        sampler=MonteCarloSampler(mc_epochs=int(count), min_cardinality=1, random_state=0)
    )
    valuation.input_model_metric(Squares(), _accuracy).input_data(*_given(x, y, x_val, y_val))
    took = seconds(valuation.train_data_values, 1)
    return {
        "value": np.asarray(valuation.evaluate_data_values(), dtype=np.float64),
        "updates": Squares.fits,
        "seconds": took,
        "fit": fit_seconds(x, y, x_val, y_val),
    }


def _accuracy(wanted, said):
    # an order would end after ten rows that change nothing; every second value is a little higher
    right = (said.argmax(1) == wanted.argmax(1)).float().mean()
    return float(right) + Squares.fits % 2 * 1e-6


if __name__ == "__main__":
    main(neighbours, permutations)
