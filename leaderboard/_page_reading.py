"""How to read the page: what its figures, marks and columns mean."""

READING = (
    "A score is normalised: 0 is what doing nothing reaches (the baseline of the track), 1 what "
    "its upper anchor does. Anchors are frozen with the suite.",
    "The headline is the mean over tasks; a task is the mean of its variants. Its interval is "
    "Student's t over seeds, for these tasks alone.",
    "The thin line of a plot resamples tasks and then seeds: use it for claims about other "
    "tasks like these.",
    "The figure beside the score is in the metric's own unit: the mean over the same tasks. Its "
    "difference to the baseline is paired by seed, with a t interval over seeds.",
    "IQM is the mean of the middle half of all scores. P(> baseline) is the chance that a run "
    "beats one of the baseline's. Their bootstrap intervals are optimistic below ten seeds.",
    "# is the place by the score; equal scores share it. The range is that of the true rank: from "
    "1 + the methods that are better to the last place that no worse method takes.",
    "The ranges of a board hold all together at 95 %; they are widened where they would run "
    "against the order of scores.",
    "Better or worse takes a p below 0.05, adjusted by Holm over all pairs of a board, and a "
    "difference of at least delta.",
    "An undecided difference leans to a side where its own interval excludes 0; the seeds that "
    "would decide it are planned for a power of 90 %.",
    "Bold: the first, and those after it that can't be separated from it.",
    "A run that fails counts as chance, at least -1, and no run counts as less, so that failing "
    "never beats finishing. The range of a method with such a run (‡) starts at its place.",
    "A method that misses runs is provisional and has no place. A method that equals another in "
    "every run stands once. Scores that no seed changes have no interval.",
    "A cell whose anchors lie too close together is thin: shown, and not counted.",
    "A plain baseline (○) is what anyone would try first. A task where the best one reaches nine "
    "tenths of the best other method's score is saturated: shown, and not counted, unless all "
    "tasks are.",
    "References that see the hidden part never have a place. Rows of other than the default "
    "parameters are in the tables by variant and in no track's board.",
    "The runs of one task, variant and seed are of one class of machine (its instruction class, "
    "kernels and GPU), other seeds may be of another. A run of another class is not compared, and "
    "its row says so.",
    "Seconds are of the processor on a CPU, by the clock elsewhere, and of one class of machine "
    "alone. No cost decides a place.",
    "GFLOP: floating-point operations in units of 10^9, counted by the harness (≥: part of the "
    "work has no formula). Visits of examples are counted by the method. Both are comparable "
    "anywhere.",
)
HELP = {
    "method": "The method's name; it leads to the method's own page. Bold: it can't be separated "
    "from the first. ○ marks a plain baseline: what anyone would try first.",
    "score": "Mean normalised score over the tasks, with a 95 % interval over seeds. 0 is the "
    "baseline, 1 the upper anchor of the track.",
    "place": "Place by the score; equal scores share it. It says who did best here, not how sure "
    "that is: see the range.",
    "range": "The true rank lies in this range. All ranges of a board hold together at 95 %.",
    "unaided": "Place among the methods that need nothing but the problem. Those that need more "
    "have none here; their remarks say what.",
    "plot": "The score (dot) with its 95 % interval over seeds (thick). Thin: tasks are resampled "
    "too. The vertical lines are the baseline (0) and the upper anchor (1).",
    "raw": "What the method reached in the metric's own unit: the mean over the tasks that count.",
    "gain": "Difference to the baseline in the metric's own unit, paired by seed, with a 95 % "
    "interval over seeds. + is better, whichever way the metric points.",
    "null": "Verdict against the baseline. Better and worse take a p below 0.05, adjusted by Holm "
    "over all pairs, and a difference of at least delta. ≈: the same within delta. The number is "
    "the difference of scores.",
    "first": "Verdict against the first of the board. The number is the difference of scores.",
    "plain": "Verdict against the best plain baseline of the track. A method is worth its name "
    "when it beats that.",
    "paper": "The paper that describes the method.",
    "iqm": "Mean of the middle half of all scores: a second opinion that outliers move less.",
    "p": "The chance that a run of the method beats one of the baseline's, averaged over tasks.",
    "runs": "Runs that ended well, of those that the suite asks for. ‡: so many failed, and count "
    "as chance.",
    "flops": "Floating-point operations of one seed over all tasks, in units of 10^9, counted by "
    "the harness. ≥: part of the work has no formula.",
    "visits": "How many times the method looked at an example, forward and backward, as it counts "
    "them itself.",
    "seconds": "Median seconds that solving took, summed over the tasks, on one class of machine.",
    "defaults": "Where the parameters come from: the paper or its authors' code, or chosen here "
    "among so many settings.",
    "class": "The class of machine (instruction class, kernels, GPU) of the runs.",
    "remarks": "What is special about the row.",
    "mean": "Mean over seeds, in the metric's unit. ↑: higher is better, ↓: lower is.",
    "interval": "Student's 95 % interval for the mean over seeds.",
    "seeds": "Seeds that ended well.",
    "metric": "Another metric of the task. Mean over seeds",
    "worst": "The metric in which the row is worst, of those that the first one can't be better "
    "than.",
}
"""Column -> what it shows."""
