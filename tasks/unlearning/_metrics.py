"""The metrics of the classification tasks, as their cards list them."""

from __future__ import annotations

from bench import Metric

RTE = Metric(
    name="rte",
    direction="min",
    bounds=(0, None),
    title="examples visited, over those of retraining",
)
PRECOMPUTE = Metric(
    name="precompute",
    direction="min",
    bounds=(0, None),
    title="examples visited before the request came, over those of retraining",
)
EXACT = Metric(
    name="exact",
    direction="none",
    bounds=(0, 1),
    title="1: the method removes the rows' influence by construction",
)
STORED = Metric(
    name="stored",
    direction="min",
    unit="bytes",
    bounds=(0, None),
    title="kept besides the model's weights",
)

GAP = (
    "how much further unlearned models are from retrained ones than these are from each other: the "
    "distance from 0.5 of the AUC that tells them apart row by row, mean of forgotten and other "
    "rows, beyond 'level'; 0: as if retrained"
)
ATTACKS = (
    Metric(
        name="uauc",
        direction="min",
        bounds=(0, 1),
        title="AUC that tells K unlearned from K retrained models row by row, on the forgotten "
        "rows; 0.5: as if retrained, 1: told apart at once",
    ),
    Metric(
        name="uauc_near",
        direction="none",
        bounds=(0, 1),
        title="the same on neighbours of the forgotten rows, which no table of answers holds",
    ),
    Metric(
        name="uauc_held",
        direction="none",
        bounds=(0, 1),
        title="the same on held-out rows, which what is done to all outputs moves too",
    ),
    Metric(
        name="uauc_some",
        direction="none",
        bounds=(0, 1),
        title="the same on as many of the rows that stay",
    ),
    Metric(
        name="level",
        direction="none",
        bounds=(0, 0.5),
        title="what sets of K retrained models show against each other in 19 of 20 random splits",
    ),
    Metric(
        name="gap_original",
        direction="none",
        bounds=(0, 0.5),
        title="privacy_gap of the original models: below 0.02 the cell says nothing",
    ),
    Metric(
        name="uauc_original",
        direction="none",
        bounds=(0, 1),
        title="uauc of the original models",
    ),
)
"""What the per-example attacks say, of classification and of regression."""

METRICS = (
    Metric(
        name="privacy_gap",
        direction="min",
        primary=True,
        bounds=(0, 0.5),
        chance=0.5,
        title=GAP,
    ),
    Metric(
        name="gap_val",
        validation=True,
        direction="min",
        bounds=(0, 0.5),
        title="privacy_gap of a rehearsal, whose gates are held against validation rows; 0.5 "
        "where one is failed",
    ),
    *ATTACKS,
    Metric(
        name="uauc_others",
        direction="none",
        bounds=(0, 1),
        title="the same on the forgotten rows, by how sure models are among the labels that a row "
        "does not bear",
    ),
    Metric(
        name="cauc",
        direction="none",
        bounds=(0, 1),
        title="AUC of forgotten against held-out rows, each against K retrained models; above "
        "0.5 under-, below over-forgotten",
    ),
    Metric(
        name="mia_svc",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="legacy 'efficacy', which papers take for better the higher it is: forgotten rows "
        "that an SVM takes for non-members, fitted on at most 500 rows of a side; ranks nothing",
    ),
    Metric(
        name="js",
        direction="min",
        unit="nats",
        bounds=(0, 0.6931471805599453),
        title="Jensen-Shannon divergence to the retrained models on the forgotten rows",
    ),
    Metric(
        name="mia_gap",
        direction="none",
        unit="points",
        bounds=(-100, 100),
        title="legacy: mia_svc minus that of the retrained models",
    ),
    Metric(
        name="avg_gap",
        direction="min",
        unit="points",
        bounds=(0, 100),
        title="mean distance of FA, RA, TA and MIA-SVC from the retrained models'",
    ),
    Metric(
        name="fa",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="accuracy on the forgotten rows",
    ),
    Metric(
        name="fa_gap",
        direction="none",
        unit="points",
        bounds=(-100, 100),
        title="fa minus that of the retrained models; below 0: over-forgotten",
    ),
    Metric(name="ra", unit="%", bounds=(0, 100), title="accuracy on the rows that stay"),
    Metric(name="ta", unit="%", bounds=(0, 100), title="clean test accuracy"),
    Metric(
        name="ta_rest",
        unit="%",
        bounds=(0, 100),
        title="clean test accuracy without the forgotten class",
    ),
    Metric(
        name="rte",
        direction="min",
        bounds=(0, None),
        title="examples visited, over those of retraining; clocks are in the file 'rte' of the run",
    ),
    PRECOMPUTE,
    Metric(
        name="uacc",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="balanced accuracy of the per-example attack",
    ),
    Metric(
        name="tpr1",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="its true positives at 1 % false ones",
    ),
    Metric(
        name="forgetting_quality",
        direction="max",
        bounds=(0, None),
        title="forgetting quality F times the utility ratios, with 64 models or more",
    ),
    Metric(
        name="auc_population",
        direction="none",
        bounds=(0, 1),
        title="AUC of the plain confidence of forgotten against held-out rows",
    ),
    Metric(
        name="kl",
        direction="min",
        unit="nats",
        bounds=(0, None),
        title="KL from the retrained models to the unlearned one on the forgotten rows",
    ),
    Metric(
        name="js_floor",
        direction="none",
        unit="nats",
        bounds=(0, 0.6931471805599453),
        title="js of one retrained model against the others",
    ),
    EXACT,
    STORED,
)
