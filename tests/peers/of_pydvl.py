"""What pyDVL says; runs in an environment of its own (see environments.py)."""

from __future__ import annotations

import numpy as np
from joblib import parallel_config
from peer_answers import fit_seconds, grown, main, seconds
from pydvl.valuation import (
    Dataset,
    KNNShapleyValuation,
    MaxUpdates,
    ModelUtility,
    NoTruncation,
    PermutationSampler,
    ShapleyValuation,
    SupervisedScorer,
)
from pydvl.valuation.games import MinerGame, ShoesGame, SymmetricVotingGame
from pydvl.valuation.types import Sample
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier


def _named(x, y):
    return Dataset(x, y, feature_names=[f"x{i}" for i in range(x.shape[1])], target_names=["y"])


def neighbours(x, y, x_val, y_val, k):
    """Values of the nearest neighbours, their processor time and memory."""
    train, test = _named(x, y), _named(x_val, y_val)

    def step():
        model = KNeighborsClassifier(int(k))
        found.append(KNNShapleyValuation(model, test, progress=False).fit(train).result)

    found = []
    took, memory = grown(lambda: seconds(step, 1))
    return {
        "value": found[0].values[np.argsort(found[0].indices)],
        "memory": memory,
        "seconds": took,
        "fit": fit_seconds(x[:300], y[:300], x_val[:300], y_val[:300]),
    }


def permutations(x, y, x_val, y_val, count):
    """Shapley values by random orders of scikit-learn's least squares, and what they took."""
    utility = ModelUtility(
        RidgeClassifier(1.0),
        SupervisedScorer("accuracy", _named(x_val, y_val), default=0.1),
        show_warnings=False,
    )
    valuation = ShapleyValuation(
        utility,
        PermutationSampler(NoTruncation(), seed=0),
        MaxUpdates(int(count)),
        progress=False,
    )
    with parallel_config(n_jobs=1):
        took = seconds(lambda: valuation.fit(_named(x, y)), 1)
    result = valuation.result
    return {
        "value": result.values[np.argsort(result.indices)],
        "updates": result.counts.sum(),
        "seconds": took,
        "fit": fit_seconds(x, y, x_val, y_val),
    }


def games():
    """Worths of all sets of small games, in the order of their bits, and what is known of them."""
    found = {}
    for name, game, known in (
        ("voting", SymmetricVotingGame(6), "shapley"),
        ("shoes", ShoesGame(2, 3), "shapley"),
        ("miner", MinerGame(6), "core"),
        ("pair", ShoesGame(1, 2), "core"),
    ):
        utility = game.u.with_dataset(game.data)
        n = game.n_players
        sets = [np.flatnonzero(mask >> np.arange(n) & 1) for mask in range(2**n)]
        found[f"{name}_worth"] = [float(utility(Sample(None, one))) for one in sets]
        values = game.shapley_values() if known == "shapley" else game.least_core_values()
        found[f"{name}_{known}"] = values.values[np.argsort(values.indices)]
    return found


if __name__ == "__main__":
    main(neighbours, permutations, games)
