"""The rules of the board against the alternatives that were not taken: the table of
docs/leaderboard.md.

`pytest -s -m slow` prints it.
"""

import numpy as np
import pytest
from bench.builtin.leaderboard._family import family
from bench.builtin.leaderboard._power import MOST, seeds_for
from bench.builtin.leaderboard._standing import standing
from bench.builtin.leaderboard._statistics import ALPHA, holm_array
from scipy.special import digamma, polygamma, stdtr

pytestmark = pytest.mark.slow

BOARDS = 2000
OTHERS = 400
"""Boards on which the alternatives are measured."""
SETTINGS = [
    (tasks, seeds, spread, rows)
    for tasks in (1, 3, 10)
    for seeds in (3, 5, 10)
    for spread in ("equal", "one task ten times")
    for rows in ("equal", "unequal", "one row five times")
    if tasks > 1 or spread == "equal"
]


def drawn(generator, methods, setting, apart):
    """Return true scores, in units of a mean's standard error times
    ``apart``, and a board's scores.
    """
    tasks, seeds, spread, rows = setting
    of_row = {
        "equal": np.ones(methods),
        "unequal": np.exp(np.linspace(-1, 1, methods)),
        "one row five times": np.r_[5.0, np.ones(methods - 1)],
    }[rows]
    of_task = np.ones(tasks) if spread == "equal" else np.r_[10.0, np.ones(tasks - 1)]
    error = np.sqrt((of_task**2).sum() / seeds) / tasks * np.sqrt((of_row**2).mean())
    truth = generator.normal(0, 1, methods) * apart * error
    return truth, truth[:, None, None] + generator.normal(
        0, 1, (methods, tasks, seeds)
    ) * generator.permuted(of_row)[:, None, None] * of_task[:, None]


def narrowed(found, means):
    """The other closure: a lower end is the largest of its own and those
    above, an upper end the least of its own and those below.
    """
    wins, above = found.wins, means[None, :] > means[:, None]
    low, high, own = 1 + wins.sum(0), len(means) - wins.sum(1), np.eye(len(means), dtype=bool)
    return np.where(above | own, low[None], 0).max(1), np.where(
        above.T | own, high[None], len(means) + 1
    ).min(1)


def shrunken(found):
    """P values with variances shrunk to the family's: the moderated t of
    Smyth (2004), its prior fitted by moments.
    """
    variance, df = found.error**2, found.df
    logs = np.log(variance) - digamma(df / 2) + np.log(df / 2)
    excess = logs.var(ddof=1) - polygamma(1, df / 2)
    if excess <= 0:
        prior, typical = 1e6, np.exp(logs.mean())
    else:
        half = 0.5 + 1 / excess
        for _ in range(50):
            step = polygamma(1, half) * (1 - polygamma(1, half) / excess) / polygamma(2, half)
            half += step
        prior, typical = 2 * half, np.exp(logs.mean() + digamma(half) - np.log(half))
    together = np.sqrt((prior * typical + df * variance) / (prior + df))
    free = min(prior + df, (found.rows - 1) * df)
    return 2 * stdtr(free, -np.abs(found.mean) / together)


def by_pair(x):
    """P values with degrees of freedom by Welch and Satterthwaite for each pair by itself."""
    first, second = np.triu_indices(len(x), 1)
    differences = x[first] - x[second]
    v = differences.var(-1, ddof=1)
    df = (x.shape[2] - 1) * v.sum(-1) ** 2 / (v**2).sum(-1)
    return 2 * stdtr(
        df, -np.abs(differences.mean((1, 2))) / (np.sqrt(v.sum(-1) / x.shape[2]) / x.shape[1])
    )


def errs(p_values):
    return bool((holm_array(p_values)[0] < ALPHA).any())


def test_null_boards_with_plain_t_err_in_six_of_a_hundred_at_most_and_with_shrunken_variances_or_freedom_by_pair_more_often(
    capsys,
):
    worst = dict.fromkeys(
        ("plain t, freedom pooled", "plain t, freedom by pair", "shrunken variances"), (0.0, ())
    )
    for setting in SETTINGS:
        generator, wrong = np.random.default_rng(21), dict.fromkeys(worst, 0)
        for count in range(BOARDS):
            _, x = drawn(generator, 10, setting, 0)
            found = family(x, 0.0)
            wrong["plain t, freedom pooled"] += bool(found.wins.any())
            if count < OTHERS:
                wrong["plain t, freedom by pair"] += errs(by_pair(x))
                wrong["shrunken variances"] += errs(shrunken(found))
        boards = {name: BOARDS if "pooled" in name else OTHERS for name in worst}
        worst = {name: max(worst[name], (wrong[name] / boards[name], setting)) for name in worst}
    with capsys.disabled():
        for name, (share, setting) in worst.items():
            print(f"\nnull boards that err, {name}: at most {share:.1%} {setting}", end="")
    assert worst["plain t, freedom pooled"][0] <= 0.06
    assert worst["plain t, freedom by pair"][0] > 0.06
    assert worst["shrunken variances"][0] > 0.06


@pytest.mark.parametrize(
    ("methods", "wanted", "seeds", "spreads"),
    [(10, 0.94, (3, 5, 10), (1, 3, 10)), (60, 0.90, (5,), (3,))],
)
def test_widening_meets_the_coverage_and_narrowing_does_not(
    methods, wanted, seeds, spreads, capsys
):
    least = dict.fromkeys(("as they are", "widened", "narrowed"), (1.0, ()))
    width = dict.fromkeys(least, 0.0)
    cases = [(setting, apart) for setting in SETTINGS for apart in spreads if setting[1] in seeds]
    for setting, apart in cases:
        generator, held = np.random.default_rng(22), dict.fromkeys(least, 0)
        for _ in range(BOARDS):
            truth, x = drawn(generator, methods, setting, apart)
            found, means = family(x, 0.0), x.mean((1, 2))
            rank = 1 + (truth[None, :] > truth[:, None]).sum(1)
            ends = {
                "as they are": (1 + found.wins.sum(0), methods - found.wins.sum(1)),
                "widened": standing(found, means, np.zeros(methods, bool))[1:3],
                "narrowed": narrowed(found, means),
            }
            for name, (low, high) in ends.items():
                held[name] += bool((low <= rank).all() and (rank <= high).all())
                width[name] += float((high - low + 1).mean()) / BOARDS / len(cases)
        least = {name: min(least[name], (held[name] / BOARDS, (*setting, apart))) for name in least}
    with capsys.disabled():
        for name, (share, setting) in least.items():
            print(
                f"\n{methods} methods, ranges {name}: hold in {share:.1%} at least {setting}, "
                f"{width[name]:.1f} places wide",
                end="",
            )
    assert least["widened"][0] >= wanted
    assert least["narrowed"][0] < wanted


@pytest.mark.parametrize("methods", [3, 6, 10, 20, 40])
def test_the_seeds_promised_decide_seven_of_ten_pairs_and_without_shrinking_they_would_not(
    methods, capsys
):
    from bench.builtin.leaderboard._power import seeds_needed

    said = []
    for seeds in (3, 5, 10):
        generator, right, total = (
            np.random.default_rng(23),
            {"taken": 0, "plain": 0},
            {"taken": 0, "plain": 0},
        )
        for tasks, apart in ((tasks, apart) for tasks in (1, 3) for apart in (0.5, 1, 2)):
            for _ in range(600 // (methods * (methods - 1) // 2) + 5):
                truth = generator.normal(0, apart, methods)
                x = truth[:, None, None] + generator.normal(0, 1, (methods, tasks, MOST))
                found = family(x[..., :seeds], 0.0)
                plain = seeds_for(
                    np.abs(found.mean) / (found.error * np.sqrt(seeds)),
                    found.level,
                    seeds,
                    found.df / (seeds - 1),
                )
                large = (np.abs(truth[found.first] - truth[found.second]) >= 0.5 * 2**0.5) & (
                    found.state == 0
                )
                known: dict[int, np.ndarray] = {}
                for name, needed in (("taken", seeds_needed(found)), ("plain", plain)):
                    for count in np.unique(
                        needed[large & (needed > 0) & (needed <= MOST)]
                    ).tolist():
                        asked = large & (needed == count)
                        if count not in known:
                            known[count] = family(x[..., :count], 0.0).state != 0
                        right[name] += int(known[count][asked].sum())
                        total[name] += int(asked.sum())
        said.append((seeds, {name: right[name] / total[name] for name in right}, total["taken"]))
    with capsys.disabled():
        for seeds, shares, count in said:
            print(
                f"\n{methods} methods, {seeds} seeds: {shares['taken']:.0%} of {count} promises "
                f"hold, {shares['plain']:.0%} without shrinking",
                end="",
            )
    assert all(shares["taken"] >= 0.7 and count > 100 for _, shares, count in said)
    assert all(shares["plain"] < shares["taken"] for _, shares, _ in said)
