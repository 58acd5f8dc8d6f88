"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric

HELD_OUT = "scored on held-out training images by their given labels"


METRICS = (
    Metric(
        name="acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="test accuracy after the last epoch, mean over the evaluation nets",
    ),
    Metric(
        name="acc_sd",
        direction="none",
        unit="points",
        bounds=(0, 100),
        title="standard deviation over the evaluation nets of one set",
    ),
    Metric(
        name="recovery",
        unit="%",
        bounds=(0, None),
        title="acc as a share of what the whole training set gives",
    ),
    Metric(name="lrs", bounds=(0, 1), title="DD-Ranking, label-robust score"),
    Metric(
        name="alpha",
        direction="none",
        bounds=(-1, 1),
        title="what lrs squashes: half the gain over random images less half the loss to the "
        "whole data",
    ),
    Metric(name="ars", bounds=(0, 1), title="DD-Ranking, augmentation-robust score"),
    Metric(
        name="beta",
        direction="none",
        bounds=(-1, 1),
        title="what ars squashes: mean gain over random images with and without augmentation",
    ),
    Metric(
        name="acc_aug", unit="%", bounds=(0, 100), title="accuracy when the evaluation augments"
    ),
    Metric(
        name="acc_best",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="best of ten looks at the test images while nets train: a diagnostic, never to "
        "rank by",
    ),
    Metric(
        name="acc_mlp",
        unit="%",
        bounds=(0, 100),
        title="accuracy of perceptrons trained on the set",
    ),
    Metric(
        name="acc_resnet", unit="%", bounds=(0, 100), title="accuracy of ResNets trained on the set"
    ),
    Metric(
        name="acc_vit",
        unit="%",
        bounds=(0, 100),
        title="accuracy of small vision transformers trained on the set",
    ),
    Metric(
        name="acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="held-out training images predicted as labelled, mean over the evaluation nets",
    ),
    Metric(name="ece", direction="min", bounds=(0, 1), title="expected calibration error, 15 bins"),
    Metric(
        name="ece_ts",
        direction="min",
        bounds=(0, 1),
        title="the same after one temperature fitted on validation images",
    ),
    Metric(name="nll", direction="min", bounds=(0, None), title="negative log likelihood, nats"),
    Metric(
        name="stored_images", direction="none", bounds=(0, None), title="images stored: the budget"
    ),
    Metric(
        name="decoded_images",
        direction="none",
        bounds=(0, None),
        title="training images they are decoded to",
    ),
    Metric(
        name="stored_kb",
        direction="min",
        bounds=(0, None),
        title="kilobytes stored as float32, soft labels included",
    ),
)
