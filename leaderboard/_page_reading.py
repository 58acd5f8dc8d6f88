"""How to read the page: what its figures and marks mean."""

READING = (
    "A score is normalised: 0 is what doing nothing reaches (the baseline of the track), 1 what "
    "its upper reference does. Anchors are frozen with the suite.",
    "The headline is the mean over tasks; a task is the mean of its variants. Its interval is "
    "Student's t over seeds, for these tasks alone.",
    "The thin line of the chart resamples tasks and then seeds: use it for claims about other "
    "tasks like these.",
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
    "A plain baseline is what anyone would try first. A task where the best one reaches nine "
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
