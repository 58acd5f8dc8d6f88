"""The metrics of tasks of a hundred classes: those of the track's other tasks, but for chance.

Written out, since cards are read without running anything.
"""

from __future__ import annotations

from bench import Metric

METRICS = (
    Metric(
        name="acc_last",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=1,
        title="clean test accuracy after the last epoch, of the first net",
    ),
    Metric(
        name="drop", direction="min", unit="points", bounds=(-100, 100), title="best minus last"
    ),
    Metric(
        name="memorised",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="wrongly labelled rows predicted as labelled",
    ),
    Metric(
        name="recovered", unit="%", bounds=(0, 100), title="wrongly labelled rows predicted right"
    ),
    Metric(
        name="clean_fit", unit="%", bounds=(0, 100), title="rightly labelled rows predicted right"
    ),
    Metric(name="acc_last10", unit="%", bounds=(0, 100), title="mean over the last ten epochs"),
    Metric(
        name="acc_best",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="best epoch, chosen on the test set: an oracle, never ranked",
    ),
    Metric(
        name="acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="held-out training rows predicted as labelled",
    ),
    Metric(
        name="acc_ensemble",
        unit="%",
        bounds=(0, 100),
        title="accuracy of all nets together, where a method has several",
    ),
    Metric(
        name="fix_rate", unit="%", bounds=(0, 100), title="wrong labels that the method corrects"
    ),
    Metric(
        name="keep_rate",
        unit="%",
        bounds=(0, 100),
        title="right labels that the method leaves alone",
    ),
    Metric(name="label_acc", unit="%", bounds=(0, 100), title="corrected labels that are right"),
    Metric(
        name="select_prec", unit="%", bounds=(0, 100), title="rows kept that are rightly labelled"
    ),
    Metric(
        name="select_rec", unit="%", bounds=(0, 100), title="rightly labelled rows that are kept"
    ),
)
