"""The noise models of the noisy-labels track, by the invariants of their specification."""

import math
from fractions import Fraction

import numpy as np
import pytest
from bench.builtin.tasks.noisy_labels._noise import (
    _fold_confusions,
    asym,
    confusion,
    corrupt,
    drawn_rows,
    lt_imb,
    transitions,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

MODELS = (
    "sym",
    "sym_incl",
    "sym_iid",
    "pair",
    "asym",
    "idn",
    "lt_imb",
    "tail_sym",
    "confusion",
    "dilute",
)
LOOK_ALIKES = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}  # the specification's table, row "asym digits/MNIST"

rates = st.floats(0, 1)
seeds = st.integers(0, 2**32 - 1)
digit_labels = arrays(np.int64, st.integers(1, 120), elements=st.integers(0, 9))


def noisy(name, y, rate, seed=0, classes=10, x=None):
    if name in ("idn", "confusion") and x is None:
        x = np.random.default_rng(99).standard_normal((len(y), 6))
    return corrupt(name, y, rate=rate, classes=classes, generator=np.random.default_rng(seed), x=x)


def balanced(per_class, classes=10):
    return np.random.default_rng(7).permutation(np.repeat(np.arange(classes), per_class))


# Every model -------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@given(y=digit_labels, rate=rates, seed=seeds)
@settings(max_examples=25, deadline=None)
def test_labels_are_int64_classes_and_the_same_for_the_same_seed_and_the_input_is_left_alone(
    name, y, rate, seed
):
    before = y.copy()
    first, second = noisy(name, y, rate, seed), noisy(name, y, rate, seed)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.int64
    assert first.shape == y.shape
    assert ((first >= 0) & (first < 10)).all()
    np.testing.assert_array_equal(y, before)
    assert not np.shares_memory(first, y)


@pytest.mark.parametrize("name", MODELS)
@given(y=digit_labels, seed=seeds)
@settings(max_examples=15, deadline=None)
def test_a_rate_of_zero_changes_nothing(name, y, seed):
    np.testing.assert_array_equal(noisy(name, y, 0.0, seed), y)


@pytest.mark.parametrize("name", MODELS)
def test_different_seeds_give_different_labels(name):
    y = balanced(50)
    drawn = {noisy(name, y, 0.4, seed).tobytes() for seed in range(20)}
    assert len(drawn) == 20


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan, math.inf])
def test_a_rate_outside_zero_to_one_is_refused(name, rate):
    with pytest.raises(ValueError, match="rate"):
        noisy(name, balanced(5), rate)


def test_an_unknown_model_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(
        ValueError,
        match=r"'symm'.*sym, sym_incl, sym_iid, pair, asym, idn, lt_imb, tail_sym, confusion, "
        r"dilute",
    ):
        noisy("symm", balanced(5), 0.4)


@pytest.mark.parametrize("name", MODELS)
def test_noise_needs_two_classes(name):
    with pytest.raises(ValueError, match="two classes"):
        noisy(name, np.zeros(4, dtype=np.int64), 0.4, classes=1)


@pytest.mark.parametrize("name", MODELS)
@given(y=arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 1)), rate=rates, seed=seeds)
@settings(max_examples=20, deadline=None)
def test_two_classes_work(name, y, rate, seed):
    assert set(noisy(name, y, rate, seed, classes=2)) <= {0, 1}


@pytest.mark.parametrize("name", ["sym", "sym_iid", "pair"])
def test_of_two_classes_at_rate_one_every_label_flips(name):
    y = np.array([0, 1, 1, 0, 1])
    np.testing.assert_array_equal(noisy(name, y, 1.0, classes=2), 1 - y)


@pytest.mark.parametrize("name", MODELS)
def test_a_class_of_one_example_and_an_absent_class_work(name):
    y = np.concatenate([np.repeat(np.arange(8), 30), [8]])  # one 8, no 9
    for seed in range(30):
        given_labels = noisy(name, y, 0.4, seed)
        counts = transitions(y, given_labels, 10)
        assert counts[8].sum() == 1
        assert counts[9].sum() == 0


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.int64])
def test_labels_of_any_integer_type_come_out_as_int64(kind):
    y = balanced(20).astype(kind)
    for name in MODELS:
        found = noisy(name, y, 0.4)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, noisy(name, y.astype(np.int64), 0.4))


def test_transitions_count_each_pair_of_true_and_given_label():
    # counted by hand
    counts = transitions(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 0, 2]), 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 1, 0], [2, 0, 1]])


# Exact counts -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sym", "asym", "tail_sym"])
@given(y=digit_labels, rate=rates, seed=seeds, order=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_exact_models_flip_as_many_rows_of_a_class_in_whatever_order_the_rows_come(
    name, y, rate, seed, order
):
    permutation = np.array(order.sample(range(len(y)), len(y)))
    flips = [
        np.bincount(labels[labels != found], minlength=10)
        for labels, found in (
            (y, noisy(name, y, rate, seed)),
            (y[permutation], noisy(name, y[permutation], rate, seed + 1)),
        )
    ]
    np.testing.assert_array_equal(flips[0], flips[1])


@given(y=digit_labels, rate=rates, seed=seeds)
@settings(max_examples=60, deadline=None)
def test_sym_misses_the_rate_of_a_class_by_at_most_half_a_row(y, rate, seed):
    found = noisy("sym", y, rate, seed)
    for c in np.unique(y):
        rows = y == c
        assert abs((found[rows] != c).mean() - rate) <= 1 / (2 * rows.sum()) + 1e-9


def test_sym_never_draws_the_true_label():
    y = balanced(100)
    found = noisy("sym", y, 0.37)
    # 37 of 100 drawn; one that drew itself would leave 64
    np.testing.assert_array_equal(transitions(y, found, 10).diagonal(), 63)


@given(rate=rates, seed=seeds, per_class=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_asym_moves_the_floor_of_the_rate_and_only_in_confused_classes(rate, seed, per_class):
    y = balanced(per_class)
    counts = transitions(y, noisy("asym", y, rate, seed), 10)
    moved = math.floor(Fraction(rate) * per_class + Fraction(1, 10**9))
    expected = np.diag([per_class] * 10)
    for source, target in LOOK_ALIKES.items():
        expected[source, source] -= moved
        expected[source, target] += moved
    np.testing.assert_array_equal(counts, expected)


def test_asym_at_forty_percent_makes_a_fifth_of_balanced_labels_wrong():
    y = balanced(100)
    # five of ten classes are confused: rate / 2
    assert (noisy("asym", y, 0.4) != y).mean() == pytest.approx(0.2)


def test_asym_takes_the_confusions_it_is_given():
    y = np.repeat([0, 1], 50)
    found = asym(y, 0.5, 2, np.random.default_rng(0), confusions={0: 1})
    np.testing.assert_array_equal(transitions(y, found, 2), [[25, 25], [0, 50]])


def test_asym_refuses_a_look_alike_that_is_no_class():
    with pytest.raises(ValueError, match="6 classes"):
        noisy("asym", balanced(20, 6), 0.4, classes=6)


@given(size=st.integers(1, 80), rate=rates, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_sym_incl_redraws_at_most_the_ceiling_of_the_rate(size, rate, seed):
    y = np.arange(size) % 10
    assert (noisy("sym_incl", y, rate, seed) != y).sum() <= math.ceil(rate * size)


# Rates of the models that draw every row -----------------------------------------


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_sym_incl_hits_the_true_label_once_in_c(classes, rate):
    y = balanced(20_000 // classes, classes)
    redrawn, share = math.ceil(rate * len(y)), (classes - 1) / classes
    error = math.sqrt(redrawn * share * (1 - share)) / len(y)
    assert abs((noisy("sym_incl", y, rate, 3, classes) != y).mean() - rate * share) <= 4 * error


@pytest.mark.parametrize("name", ["sym_iid", "pair", "confusion"])
@pytest.mark.parametrize("rate", [0.1, 0.45, 0.8])
def test_models_that_draw_row_by_row_keep_the_rate_in_each_class(name, rate):
    y = balanced(2000)
    counts = transitions(y, noisy(name, y, rate, 5), 10)
    shares = 1 - counts.diagonal() / 2000
    assert (abs(shares - rate) <= 4 * math.sqrt(rate * (1 - rate) / 2000)).all()
    assert len(set(shares)) > 1  # drawn, not counted out


# Where wrong labels go -----------------------------------------------------------


@pytest.mark.parametrize("name", ["sym", "sym_iid", "sym_incl"])
def test_symmetric_noise_is_uniform_over_the_other_classes(name):
    y = balanced(2000)
    counts = transitions(y, noisy(name, y, 0.4, 11), 10)
    off = counts[~np.eye(10, dtype=bool)].reshape(10, 9)
    expected = off.sum(1, keepdims=True) / 9
    statistic = ((off - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, 10 * 8) > 1e-4
    assert stats.chi2.cdf(statistic, 10 * 8) > 1e-4  # nor suspiciously even


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_pair_noise_moves_to_the_next_class_alone(classes):
    y = balanced(200, classes)
    counts = transitions(y, noisy("pair", y, 0.45, classes=classes), classes)
    off = counts - np.diag(counts.diagonal())
    np.testing.assert_array_equal((off > 0).sum(1), 1)
    np.testing.assert_array_equal(off.argmax(1), [*range(1, classes), 0])


def test_asym_noise_has_one_wrong_class_a_row_and_leaves_the_other_rows_alone():
    y = balanced(200)
    counts = transitions(y, noisy("asym", y, 0.4), 10)
    off = counts - np.diag(counts.diagonal())
    assert {
        source: off[source].argmax() for source in range(10) if off[source].any()
    } == LOOK_ALIKES
    assert ((off > 0).sum(1) <= 1).all()


# Instance-dependent noise ----------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return (found.data - found.data.mean()) / found.data.std(), found.target


@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_idn_keeps_the_mean_rate_on_digits(digits, rate):
    x, y = digits
    shares = [(noisy("idn", y, rate, seed, x=x) != y).mean() for seed in range(10)]
    # N(.2, .1^2) cut to (0, 1) has the mean .2055; ten runs have a standard error of .004
    assert abs(np.mean(shares) - rate) <= 0.02
    error = math.sqrt(rate * (1 - rate) / len(y))
    assert (abs(np.array(shares) - rate) <= 0.0055 + 4 * error).all()


def dependence(cells, y, found):
    """Mutual information in nats, given the true class, between a row's
    cell and its given label, over wrong rows.
    """
    total = 0.0
    for c in range(10):
        rows = (y == c) & (found != y)
        table = np.zeros((cells.max() + 1, 10))
        np.add.at(table, (cells[rows], found[rows]), 1)
        joint = table / table.sum()
        independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        total += (
            rows.sum()
            * (joint[joint > 0] * np.log(joint[joint > 0] / independent[joint > 0])).sum()
        )
    return total / (found != y).sum()


def test_idn_depends_on_the_input_within_a_class_where_symmetric_noise_does_not():
    y = balanced(600)
    x = np.random.default_rng(1).standard_normal((6000, 6))
    cells = (x[:, :3] > 0) @ np.array([1, 2, 4])  # eight cells, by the signs of three inputs
    for seed in range(3):
        # chance alone gives (8 - 1)(9 - 1) / (2 x 240) = .12 nats for 240 wrong rows of a class
        assert dependence(cells, y, noisy("idn", y, 0.4, seed, x=x)) > 2 * dependence(
            cells, y, noisy("sym", y, 0.4, seed)
        )


def test_on_digits_the_flip_target_tells_more_of_the_picture_under_idn_than_under_symmetric_noise(
    digits,
):
    x, y = digits
    cells = KMeans(10, n_init=1, random_state=0).fit_predict(x)
    for seed in range(3):
        instance, symmetric = (noisy(name, y, 0.4, seed, x=x) for name in ("idn", "sym"))
        assert information(cells, instance[instance != y], instance != y) > information(
            cells, symmetric[symmetric != y], symmetric != y
        )


def information(cells, targets, wrong):
    return metrics.mutual_info_score(cells[wrong], targets)


def test_idn_sends_equal_rows_of_a_class_to_few_classes_where_the_scores_are_large():
    y = np.zeros(400, dtype=np.int64)
    # |score| about 67, so the softmax is one-hot: one wrong class for all
    x = np.full((400, 5), 30.0)
    found = noisy("idn", y, 0.5, 2, x=x)
    assert len(set(found[found != 0])) == 1


def test_idn_has_a_matrix_for_each_true_class():
    x = np.full((1000, 5), 30.0)
    targets = set()
    for c in range(10):
        y = np.repeat(np.arange(10), 100)
        found = noisy("idn", y, 0.5, 4, x=x)
        targets |= set(found[(y == c) & (found != c)])
    # one matrix for all would give one favourite, and a second for the favourite itself
    assert len(targets) > 2


def test_idn_survives_inputs_of_any_scale():
    y = balanced(30)
    for scale in (0.0, 1e-12, 1e6):
        found = noisy("idn", y, 0.4, x=scale * np.random.default_rng(0).standard_normal((300, 6)))
        assert 0.2 < (found != y).mean() < 0.6  # .4 within seven standard errors of .028


# Long tails ------------------------------------------------------------------------


def rows_of(name, y, rate=0.2, imbalance=10.0, seed=0, classes=10):
    return drawn_rows(
        name,
        y,
        rate=rate,
        classes=classes,
        imbalance=imbalance,
        generator=np.random.default_rng(seed),
    )


@pytest.mark.parametrize("name", ["lt_imb", "tail_sym"])
@pytest.mark.parametrize("imbalance", [1.0, 10.0, 50.0, 100.0])
def test_a_long_tail_falls_geometrically_from_the_first_class_to_the_last(name, imbalance):
    y = balanced(200)
    rows = rows_of(name, y, imbalance=imbalance)
    counts = np.bincount(y[rows], minlength=10)
    # the specification's n_c
    np.testing.assert_array_equal(
        counts, [math.floor(200 * (1 / imbalance) ** (c / 9) + 1e-9) for c in range(10)]
    )
    assert len(set(rows)) == len(rows)
    assert not np.array_equal(rows, rows_of(name, y, imbalance=imbalance, seed=1)) or imbalance == 1


@given(y=digit_labels, imbalance=st.floats(1, 1e4), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_a_long_tail_leaves_every_class_that_is_there_a_row_and_takes_none_twice(
    y, imbalance, seed
):
    rows = rows_of("lt_imb", y, imbalance=imbalance, seed=seed)
    assert set(y[rows]) == set(y)
    assert len(set(rows)) == len(rows)
    assert ((rows >= 0) & (rows < len(y))).all()


def test_an_imbalance_below_one_is_refused():
    with pytest.raises(ValueError, match=r"imbalance is 0\.5"):
        rows_of("lt_imb", balanced(5), imbalance=0.5)


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in ("lt_imb", "tail_sym", "dilute")]
)
def test_other_models_train_on_every_row_once(name):
    np.testing.assert_array_equal(rows_of(name, balanced(7)), np.arange(70))


@given(y=digit_labels, rate=rates, seed=seeds)
@settings(max_examples=60, deadline=None)
def test_lt_imb_moves_exactly_the_floor_of_the_rate_as_long_as_there_is_another_class(
    y, rate, seed
):
    found = noisy("lt_imb", y, rate, seed)
    assert (found != y).sum() == math.floor(Fraction(rate) * len(y) + Fraction(1, 10**9))
    if len(set(y)) > 1:
        assert set(found) <= set(y)  # a class without rows draws none


def test_lt_imb_sends_wrong_labels_to_a_class_in_proportion_to_its_size():
    sizes = np.array([4000, 2000, 1000, 500, 250])
    y = np.repeat(np.arange(5), sizes)
    counts = sum(
        transitions(y, lt_imb(y, 0.4, 5, np.random.default_rng(seed)), 5) for seed in range(10)
    )
    for i in range(5):
        others = np.delete(np.arange(5), i)
        moved = counts[i, others].sum()
        for j in others:
            share = sizes[j] / sizes[others].sum()
            assert abs(counts[i, j] / moved - share) <= 4 * math.sqrt(share * (1 - share) / moved)
    # the rows are drawn from all classes alike
    assert counts[4, :4].sum() / (10 * 250) == pytest.approx(0.4, abs=4 * math.sqrt(0.24 / 2500))


# Dilution ---------------------------------------------------------------------------


@given(size=st.integers(1, 60), rate=st.floats(0, 0.97), seed=seeds)
@settings(max_examples=60, deadline=None)
def test_dilution_keeps_every_row_as_it_is_and_appends_copies_up_to_the_rate(size, rate, seed):
    y = np.random.default_rng(seed).integers(0, 10, size)
    rows = rows_of("dilute", y, rate, seed=seed)
    given_labels = noisy("dilute", y[rows], rate, seed)
    np.testing.assert_array_equal(rows[:size], np.arange(size))
    np.testing.assert_array_equal(given_labels[:size], y)
    assert len(rows) - size == round(size * rate / (1 - rate))
    times = np.bincount(rows, minlength=size)
    # every row as often as any other, but for the last, broken copy
    assert times.max() - times.min() <= 1


def test_a_diluted_label_is_uniform_over_all_classes():
    y = balanced(100)
    rows = rows_of("dilute", y, 0.95)
    copies = noisy("dilute", y[rows], 0.95)[1000:]
    assert len(copies) == 19_000  # nineteen copies for each row: .95 / .05
    assert stats.chisquare(np.bincount(copies, minlength=10)).pvalue > 1e-4
    assert abs((copies == y[rows][1000:]).mean() - 0.1) <= 4 * math.sqrt(0.09 / 19_000)


def test_dilution_by_copies_alone_is_refused():
    with pytest.raises(ValueError, match="below 1"):
        rows_of("dilute", balanced(3), 1.0)


# Confusions of a cheap model -----------------------------------------------------------


def test_confusion_sends_a_class_where_a_nearest_mean_model_errs_from_it():
    generator = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 3000)
    # 0 and 1 overlap, 2 stands apart on the side of 1
    x = generator.standard_normal((9000, 1)) + np.array([0.0, 2.0, 9.0])[y][:, None]
    counts = transitions(y, confusion(y, 0.3, 3, generator, x), 3)
    assert counts[0, 1] / counts[0, 1:].sum() > 0.98
    assert counts[1, 0] / counts[1, [0, 2]].sum() > 0.98


def test_the_cheap_model_s_confusions_are_those_counted_one_by_one(digits):
    x, y = digits[0][:300], digits[1][:300]
    fold = np.random.default_rng(4).permutation(300) % 5
    expected = np.zeros((10, 10))
    for i in range(300):
        means = [x[(fold != fold[i]) & (y == c)].mean(0) for c in range(10)]
        expected[y[i], int(np.argmin([((x[i] - mean) ** 2).sum() for mean in means]))] += 1
    np.testing.assert_array_equal(_fold_confusions(x, y, 10, np.random.default_rng(4)), expected)
    assert expected.trace() < 300  # there is something to confuse
