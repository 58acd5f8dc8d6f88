"""The parameters of the condensation tasks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from bench import Meta, Task


class CondensationFields(Task):
    """What is condensed, and how sets are judged."""

    source: ClassVar[str]
    """Name of the dataset."""
    flips: ClassVar[bool] = False
    """Whether a mirrored image keeps its class."""

    ipc: Annotated[int, Meta(ge=1)] = 1
    """Stored images a class."""
    pool: Annotated[int, Meta(ge=1)] = 1
    """Average pixels over squares of this side first."""
    width: Annotated[int, Meta(ge=1)] = 32
    """Channels of the ConvNet."""
    depth: Annotated[int, Meta(ge=1)] = 2
    """Blocks of the ConvNet."""
    updates: Annotated[int, Meta(ge=1)] = 120
    """Changes of the images that a synthesis may make."""
    inner: Annotated[int, Meta(ge=1)] = 1
    """Of these, changes at one net, for methods that train nets on the images."""
    net_epochs: Annotated[int, Meta(ge=1)] = 5
    """Epochs of such a net between two changes."""
    batch_real: Annotated[int, Meta(ge=1)] = 32
    """Real images a class in each of them."""
    nets: Annotated[int, Meta(ge=1)] = 5
    """Evaluation nets a set."""
    epochs: Annotated[int, Meta(ge=1)] = 200
    """Passes of an evaluation net over the set."""
    epochs_full: Annotated[int, Meta(ge=1)] = 40
    """Passes over the whole training set, for the upper reference."""
    strategy: str = "color_crop_cutout_flip_scale_rotate"
    """Augmentations of the second evaluation; empty: there is none."""
    nets_aug: Annotated[int, Meta(ge=1)] = 1
    """Evaluation nets with augmentation."""
    architectures: tuple[Literal["mlp", "resnet", "vit"], ...] = ("mlp",)
    """Other nets that are trained on the set."""
    lrs: tuple[float, ...] = (0.01,)
    """Learning rates of the evaluation; of several the best on validation images is taken."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows, with their given labels, that is held out and scored instead of
    the test images: for choosing parameters.
    """

    def epochs_augmented(self) -> int:
        """Return the passes of the evaluation with augmentation."""
        return self.epochs

    def compares(self) -> bool:
        """Say whether a set is compared with random images and with nets trained on all data."""
        return True

    def looks(self) -> bool:
        """Say whether the test images are looked at while evaluation nets train."""
        return True

    # The problem
    # ---------------------------------------------------------------------------------------------
