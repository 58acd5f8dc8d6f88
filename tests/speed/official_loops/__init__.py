"""The loops that official code by other authors runs too, track by track."""

NOT_COMPARED = {
    "cf-k, gaussian-amnesiac, prune-then, stochastic-teacher, the audits": "not looked at",
    "cleanlab-cl, cl-prune": "our methods call cleanlab itself",
    "el2n; grand on all layers": "mansheej/data_diet is written in JAX, which is not installed; "
    "haizhongzheng/Coverage-centric-coreset-selection computes as its script is imported",
    "k-center in google/active-learning": "it prints an array of one number as a number, which "
    "today's NumPy refuses; that of DeepCore is compared",
    "dsac": "its repository is that of dcc, and its step is dcc's after dsa's augmentation",
    "graph mixup": "divelab/GOOD mixes the losses of one prediction, ours mixes embeddings",
    "laf, first loss": "theirs sums a squared error that the paper and ours average",
    "l2r-gnn, oodgnn": "no code of the authors is known",
    "late-stopping": "tmllab/2023_ICCV_LateStopping trains as its scripts are imported",
    "mapd": "shoaibahmed/metadata_archaeology trains as its script is imported",
    "mixup": "facebookresearch/mixup-cifar10 trains as its script is imported",
    "mts, temperature": "DongyaoZhu/mtt-distillation stops far from the minimum that ours finds; "
    "its calibration error is compared",
    "nested-coteaching": "yingyichen-cyy/Nested-Co-teaching draws its channels inside the step",
    "pods": "YixuanEvenXu/pods chooses rollouts inside the function that generates them",
}
"""What is not compared, and why."""
