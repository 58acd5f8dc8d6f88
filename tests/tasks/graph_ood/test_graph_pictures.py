"""Pictures of graphs: places keep distances, odd graphs are drawn all the same."""

import numpy as np
import pytest
import torch
from bench.builtin.tasks.graph_ood import _pictures as pictures
from bench.builtin.tasks.graph_ood._shapes import path, star, tree, wheel


def test_a_path_lies_on_a_line_in_its_order():
    places = pictures.layout(path(6), 6)
    steps = np.diff(places, axis=0)
    assert np.ptp(steps[:, 0]) < 1e-6
    assert abs(places[-1, 0] - places[0, 0]) == pytest.approx(1)


def test_the_hub_of_a_wheel_is_in_the_middle():
    places = pictures.layout(wheel(9), 9)
    far = np.linalg.norm(places - places.mean(0), axis=1)
    assert far[0] < 0.1 * far[1:].min()


@pytest.mark.parametrize("base", [wheel(16), path(12), star(10)])
def test_a_motif_at_the_end_of_a_large_base_is_not_folded_flat(base):
    ring = np.stack([np.arange(5), np.roll(np.arange(5), -1)])
    places = pictures.layout(np.concatenate([ring, base + 5, [[0], [5]]], 1), int(base.max()) + 6)[
        :5
    ]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(5, 1)]
    assert apart.min() > 0.4 * apart.max()


@pytest.mark.parametrize("base", [wheel(16), tree(2, 3), star(10)])
@pytest.mark.parametrize("seed", range(4))
def test_which_vectors_of_equal_eigenvalues_a_library_returns_folds_no_motif(
    base, seed, monkeypatch
):
    """Any basis of their space is right, and which one comes out is up to the kernel."""
    rng, eigh = np.random.default_rng(seed), np.linalg.eigh

    def turned(matrix):
        values, vectors = eigh(matrix)
        for group in np.split(
            np.arange(len(values)),
            np.flatnonzero(np.diff(values) > 1e-9 * np.abs(values).max()) + 1,
        ):
            vectors[:, group] = (
                vectors[:, group] @ np.linalg.qr(rng.normal(size=(len(group), len(group))))[0]
            )
        assert np.allclose(vectors * values @ vectors.T, matrix)
        return values, vectors

    monkeypatch.setattr(np.linalg, "eigh", turned)
    test_a_motif_at_the_end_of_a_large_base_is_not_folded_flat(base)


@pytest.mark.parametrize(
    ("edges", "nodes"),
    [
        (np.zeros((2, 0), int), 1),
        (np.zeros((2, 0), int), 2),
        (np.zeros((2, 0), int), 4),
        (path(2), 2),
        (star(5), 7),
        (path(999), 999),
    ],
)
def test_every_graph_makes_a_picture(edges, nodes):
    found = pictures.drawn(edges, nodes, 2)
    assert (found.shape, found.dtype) == ((pictures.TILE, pictures.TILE, 3), np.uint8)
    assert (found < 255).any() == (nodes < 200)


def test_weights_are_drawn_with_and_without_known_groups():
    found = torch.tensor([1.0, 2.0, float("nan"), 1.5])
    for conflict in (
        None,
        torch.tensor([True, False, False, True]),
        torch.zeros(4, dtype=torch.bool),
    ):
        assert pictures.weights(found, conflict).dtype == np.uint8
