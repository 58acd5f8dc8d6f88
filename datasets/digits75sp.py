"""Scikit-learn's digits as graphs of superpixels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, Run, Setup

from ._graph_sets import GraphSet, packed

SIDE = 28
"""Pictures are enlarged to this many pixels each way first: those of MNIST."""
MOST, EXTRA = 75, 20
"""At most so many superpixels; so many more are asked for at first, since
the algorithm returns fewer.
"""
COMPACTNESS = 0.25
NEAREST = 8
"""Each superpixel is joined to so many nearest ones."""


class Digits75sp(Dataset):
    """1,797 handwritten digits.

    A node is a superpixel: its mean intensity and its centre; edges join near centres.
    """

    card: ClassVar = DatasetCard(
        name="digits75sp",
        title="Digits as graphs of at most 75 superpixels",
        licence="CC BY 4.0 (the UCI repository's)",
        source="scikit-learn load_digits, enlarged; construction after MNIST-75sp "
        "(arXiv:1905.02850), with nearest neighbours for its dense weights",
        size="1,797 graphs, 10 classes",
        had="shipped",
        get="pip install 'datacentric-bench[superpixels]'",
        libraries=("torch_geometric", "skimage", "sklearn"),
        paper="arXiv:1905.02850",
    )

    def load(self, run: Setup) -> GraphSet:
        """Return the graphs in the order of the digits; features (3):
        intensity, row and column of the centre, in [0, 1].
        """

        def build(child: Run) -> dict[str, torch.Tensor]:
            from sklearn.datasets import load_digits

            digits = load_digits()
            return packed(
                [superpixels(enlarged(image / 16)) for image in digits.images],
                torch.from_numpy(digits.target.astype(np.int64)),
            )

        return GraphSet.of(run.cached({"dataset": "digits75sp"}, build)[0])


def enlarged(image: np.ndarray) -> np.ndarray:
    """Return a grey picture at 28x28 pixels, interpolated linearly."""
    from skimage.transform import resize

    found: np.ndarray = resize(image, (SIDE, SIDE), order=1, mode="edge", anti_aliasing=False)
    return found


def superpixels(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return node features (n, 3) and edges (2, e) of a grey picture in
    [0, 1] with n <= 75 superpixels (SLIC).
    """
    from scipy.spatial import cKDTree
    from skimage.segmentation import slic

    for asked in range(MOST + EXTRA, 0, -1):
        segment = slic(
            image, n_segments=asked, compactness=COMPACTNESS, channel_axis=None, start_label=0
        )
        if segment.max() < MOST:
            break
    _, segment = np.unique(segment, return_inverse=True)
    segment = segment.reshape(image.shape)
    sizes = np.bincount(segment.flat)
    down, across = np.indices(image.shape)
    sums = [
        np.bincount(segment.flat, weights=values.flat) / sizes
        for values in (image, down / len(image), across / image.shape[1])
    ]
    x = np.stack(sums, 1)
    count = min(NEAREST + 1, len(x))
    near = cKDTree(x[:, 1:]).query(x[:, 1:], k=count)[1].reshape(len(x), count)
    edges = np.stack([np.repeat(np.arange(len(x)), count), near.flatten()])
    return x, edges[:, edges[0] != edges[1]]
