"""Fashion-MNIST, from a package of the system, a local copy or the Hugging Face hub."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Dataset, DatasetCard, Setup
from bench.training.data import Examples
from bench.training.hub import Source, pictures

SOURCE = Source(
    name="fashion-mnist",
    repo="zalando-datasets/fashion_mnist",
    config="fashion_mnist",
    label="label",
    grey=True,
    system="dataset-fashion-mnist",
    size="31 MB, MIT",
)


class FashionMnist(Dataset):
    """70,000 articles of clothing, 28x28, grey values 0 to 255: T-shirt or top, trouser, pullover,
    dress, coat, sandal, shirt, sneaker, bag, ankle boot.
    """

    card: ClassVar = DatasetCard(
        name="fashion-mnist",
        title="Fashion-MNIST",
        licence="MIT",
        source="Xiao, Rasul and Vollgraf, zalandoresearch/fashion-mnist; the Debian package "
        "dataset-fashion-mnist",
        size="60,000 training and 10,000 test pictures of 28x28 pixels, 10 classes, as many of "
        "each; 31 MB",
        had="hub",
        get="apt-get install dataset-fashion-mnist",
        fingerprint={
            "": "16e97bc76e1bbdaa6a01c437102d68b0612fd60d92bdae4be519477e674c7712",
            "split=test": "a6765bf8b823f512e2786ef7eaf641fe12209a37f231e055d9edf5887f2af357",
        },
        paper="arXiv:1708.07747",
    )
    split: Literal["train", "test"] = "train"
    """Which part."""

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (n, 1, 28, 28) and y int64 (n,).

        Raises:
            DataUnavailable: it is not on this machine, or can't be read; the message says how to
                get it.
        """
        return pictures(run, SOURCE, self.split)
