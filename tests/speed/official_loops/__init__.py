"""The loops that official code by other authors runs too, track by track."""

NOT_COMPARED = {
    "cf-k, gaussian-amnesiac, prune-then, stochastic-teacher, the audits of unlearning": "no code "
    "was looked for yet",
    "cleanlab-cl, cl-prune": "our methods call cleanlab itself",
    "el2n; grand on all layers": "mansheej/data_diet uses JAX, which bench does not have; "
    "haizhongzheng/Coverage-centric-coreset-selection computes when its script is imported",
    "k-center in google/active-learning": "it formats an array of one number as a number, which "
    "newer NumPy refuses; the form of DeepCore is compared",
    "dsac": "its step is that of dcc after the augmentation of dsa, in the repository of dcc",
    "graph mixup": "divelab/GOOD mixes losses of one prediction, bench mixes embeddings",
    "laf, first loss": "the authors' code sums a squared error that the paper and bench average",
    "l2r-gnn, oodgnn": "no code of the authors is known",
    "late-stopping": "tmllab/2023_ICCV_LateStopping trains when its scripts are imported",
    "mapd": "shoaibahmed/metadata_archaeology trains when its script is imported",
    "mixup": "facebookresearch/mixup-cifar10 trains when its script is imported",
    "mts, temperature": "DongyaoZhu/mtt-distillation stops far from the minimum; "
    "its calibration error is compared",
    "nested-coteaching": "yingyichen-cyy/Nested-Co-teaching draws its channels inside the step",
    "pods": "YixuanEvenXu/pods chooses rollouts inside the function that generates them",
}
"""What is not compared, and why."""
