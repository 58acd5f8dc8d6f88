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

METRICS = (
    Metric(
        name="privacy_gap",
        direction="min",
        primary=True,
        bounds=(0, 0.5),
        chance=0.5,
        title=(
            "distance from 0.5 of the AUC that tells unlearned from retrained models row by row: "
            "of uAUC with several originals, else of cAUC; mia_svc beside it is no rank, since it "
            "never asks how retrained models treat a row, so that random labels on the forgotten "
            "rows fool it"
        ),
    ),
    Metric(
        name="gap_val",
        validation=True,
        direction="min",
        bounds=(0, 0.5),
        title="privacy_gap of a rehearsal, whose gates are held against validation rows; 0.5 "
        "where one is failed",
    ),
    Metric(
        name="uauc",
        direction="min",
        bounds=(0, 1),
        title="AUC of the per-example attack over K models; 0.5: as if retrained, 1: told apart "
        "at once",
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
        direction="max",
        unit="%",
        bounds=(0, 100),
        title="legacy 'efficacy', which papers take for better the higher it is: forgotten rows "
        "that an SVM takes for non-members; ranks nothing",
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
    Metric(
        name="uauc_original",
        direction="none",
        bounds=(0, 1),
        title="uAUC of the original models: below 0.6 the cell says nothing",
    ),
    Metric(
        name="cauc_original",
        direction="none",
        bounds=(0, 1),
        title="cAUC of the original models: below 0.6 the cell says nothing, where there is one "
        "original",
    ),
    EXACT,
    STORED,
)
