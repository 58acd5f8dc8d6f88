"""The tables and texts that ship with libraries: what they hold, and that
they are the ones the cards name.
"""

import numpy as np
import pytest
import sklearn.datasets
import torch
from bench.builtin.datasets.breast_cancer import BreastCancer
from bench.builtin.datasets.clusters import Clusters
from bench.builtin.datasets.iris import Iris
from bench.builtin.datasets.vader import Vader
from bench.builtin.datasets.wine import Wine

from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import fingerprint
from bench.training.data import standardised

ALL = [BreastCancer(), Clusters(), Iris(), Vader(), Wine()]


@pytest.fixture
def load(tmp_path):
    def make(dataset):
        return dataset.load(
            Setup(
                seed=0,
                task="t",
                method="m",
                device=torch.device("cpu"),
                workdir=tmp_path,
                artifacts=Artifacts(tmp_path / "cache"),
            )
        )

    return make


@pytest.mark.parametrize("dataset", ALL, ids=lambda dataset: dataset.card.name)
def test_a_data_set_is_the_one_whose_fingerprint_its_card_pins(load, dataset):
    assert fingerprint(load(dataset)) == dataset.card.fingerprint


@pytest.mark.parametrize(
    ("dataset", "reader", "counts"),
    # the UCI pages' counts
    [
        (Iris(), "load_iris", [50, 50, 50]),
        (Wine(), "load_wine", [59, 71, 48]),
        (BreastCancer(), "load_breast_cancer", [212, 357]),
    ],
    ids=["iris", "wine", "breast-cancer"],
)
def test_a_table_is_scikit_learn_s_in_its_order(load, dataset, reader, counts):
    data, found = load(dataset), getattr(sklearn.datasets, reader)()
    np.testing.assert_allclose(data.x, found.data, rtol=1e-6)
    assert data.y.tolist() == found.target.tolist()
    assert data.y.bincount().tolist() == counts
    assert (data.x.dtype, data.y.dtype, data.classes) == (torch.float32, torch.int64, len(counts))


def test_the_generated_clusters_can_be_told_apart_but_not_by_their_means(load):
    data = load(Clusters())
    assert data.x.shape == (1500, 20)
    assert (data.y.bincount() - 375).abs().max() <= 1
    distances = torch.cdist(data.x, data.x)
    distances.fill_diagonal_(torch.inf)
    nearest = (
        (data.y[distances.topk(10, largest=False).indices].mode(1).values == data.y).float().mean()
    )
    centres = torch.stack([data.x[data.y == c].mean(0) for c in range(4)])
    means = (torch.cdist(data.x, centres).argmin(1) == data.y).float().mean()
    assert nearest > 0.85
    assert nearest > means + 0.05


def test_the_ratings_are_those_of_the_lexicon_whose_means_it_prints(load):
    data = load(Vader())
    assert len(data.texts) == 7520
    assert data.ratings.shape == (7520, 10)
    assert (int(data.ratings.min()), int(data.ratings.max())) == (-4, 4)
    by_text = dict(zip(data.texts, data.ratings.float().mean(1).tolist(), strict=True))
    # as the lexicon's second column prints them
    for text, mean in (("great", 3.1), ("horrible", -2.5), (":)", 2.0), ("okay", 0.9)):
        assert by_text[text] == pytest.approx(mean, abs=0.051)


def test_a_table_is_standardised_column_by_column_and_images_as_a_whole():
    table = torch.tensor([[1.0, 100.0], [3.0, 300.0]])
    torch.testing.assert_close(
        standardised(table)[0], torch.tensor([[-1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    )
    images = table.view(2, 1, 1, 2)
    whole = standardised(images)[0]
    assert float(whole.mean()) == pytest.approx(0, abs=1e-6)
    assert float(whole.std()) == pytest.approx(1)
