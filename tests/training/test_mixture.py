"""Mixtures of two Gaussians against scikit-learn's, and in the cases that have no spread."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from bench.training.mixture import lower_component


def of_the_library(x):
    """Return what scikit-learn finds from the best split of the sorted sample into two."""
    order = np.sort(x)
    cuts = [
        order[:cut].var() * cut + order[cut:].var() * (len(x) - cut) for cut in range(1, len(x))
    ]
    cut = 1 + int(np.argmin(cuts))
    halves = order[:cut], order[cut:]
    mixture = GaussianMixture(
        2,
        max_iter=10,
        tol=1e-2,
        reg_covar=5e-4,
        weights_init=[len(half) / len(x) for half in halves],
        means_init=[[half.mean()] for half in halves],
        precisions_init=[[[1 / (half.var() + 5e-4)]] for half in halves],
    ).fit(x[:, None])
    return mixture.predict_proba(x[:, None])[:, mixture.means_.argmin()]


@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
def test_many_mixtures_at_once_are_those_of_scikit_learn_one_by_one():
    generator = np.random.default_rng(0)
    samples = np.stack(
        [
            np.where(
                generator.random(300) < share,
                generator.normal(0.1, 0.1, 300),
                generator.normal(place, spread, 300),
            )
            for share, place, spread in ((0.6, 0.8, 0.1), (0.3, 0.5, 0.2), (0.9, 0.9, 0.05))
        ]
    )
    samples = (samples - samples.min()) / (samples.max() - samples.min())
    found = lower_component(torch.from_numpy(samples))
    for mine, sample in zip(found.numpy(), samples, strict=True):
        np.testing.assert_allclose(mine, of_the_library(sample), rtol=0, atol=1e-9)


def test_a_mixture_is_the_same_alone_and_beside_others():
    samples = torch.rand(2, 3, 50, generator=torch.Generator().manual_seed(1))
    found = lower_component(samples)
    assert torch.equal(found[1, 2], lower_component(samples[1:, 2:])[0, 0])


def test_two_values_are_told_apart_and_one_value_is_all_of_the_lower_component():
    found = lower_component(torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.2, 0.2, 0.2, 0.2]]))
    torch.testing.assert_close(found[0], torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64))
    assert (found[1] > 0.99).all()
