"""Ways to choose rows, held against slow computations and against each other."""

import copy
import itertools

import msgspec
import numpy as np
import pytest
import torch
from active_small import active_run, blobs, methods
from bench.builtin.methods.active_learning._dropout import disagreement
from bench.builtin.methods.active_learning._geometry import (
    farthest_first,
    k_means_plus_plus,
    nearest,
    to,
)
from bench.builtin.methods.active_learning.badge import diverse, gradients_apart
from bench.builtin.methods.active_learning.batch_bald import (
    BatchBald,
    _sampled,
    _together,
    joint_entropy,
)
from bench.builtin.methods.active_learning.bmdal import (
    Bmdal,
    frank_wolfe,
    gradients,
    largest_cluster,
    max_det,
    max_dist,
    posterior,
)
from bench.builtin.methods.active_learning.cal_distill import CalDistill
from bench.builtin.methods.active_learning.clipped import Clipped
from bench.builtin.methods.active_learning.fine_tune import FineTune
from bench.builtin.methods.active_learning.inhibited import Inhibited
from bench.builtin.methods.active_learning.partial import Partial
from bench.builtin.methods.active_learning.rad import RobustDistillation, law
from bench.builtin.methods.active_learning.random_forest import RandomForest
from bench.builtin.methods.active_learning.random_long import RandomLong
from bench.builtin.methods.active_learning.replay import Replay
from bench.builtin.methods.active_learning.smoothed import Smoothed
from scipy.optimize import linprog

from bench.errors import InvalidRun, ParameterError
from bench.tracks.active_learning import Session, View, risk
from bench.training import optimisers

METHODS = {**methods(), "random-forest": RandomForest(trees=10)}


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """What one member may look at after a training."""
    problem, ledger = blobs(rows=40)
    session = Session([problem], [active_run(tmp_path_factory.mktemp("view"))])
    session.nets = session.fit(session.known, session.y, risk(problem))
    made = View(session, 0)
    made.ledger = ledger
    return made


def asked(method, folder, name="x", **fields):
    """Return the rows that a method asks, in order, and what its model says."""
    problem, ledger = blobs(**fields)
    run = active_run(folder, method=name)
    solution = method.solve(problem, run)
    ledger.settle(solution.rows)
    assert run._token is not None
    return solution.rows.tolist(), solution.model(problem.x)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_asks_as_many_rows_as_it_may_and_returns_a_model(name, tmp_path):
    rows, logits = asked(METHODS[name], tmp_path, name)
    assert len(set(rows)) == 8
    assert not set(rows) & set(range(6))
    assert logits.shape == (60, 3)
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_ask_the_whole_pool_the_last_round_being_smaller(name, tmp_path):
    rows, _ = asked(METHODS[name], tmp_path, name, rows=20, budget=14, batch=4, steps=2)
    assert sorted(rows) == list(range(6, 20))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_returns_a_model_where_nothing_may_be_asked(name, tmp_path):
    rows, logits = asked(METHODS[name], tmp_path, name, start=range(60), budget=0, steps=2)
    assert rows == []
    assert logits.shape == (60, 3)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_from_one_label_a_class_and_where_a_class_is_missing(name, tmp_path):
    y = blobs()[1]._targets
    first = [int((y == label).int().argmax()) for label in range(3)]
    missing = torch.where(y == 0)[0][:3].tolist()
    for folder, start in (("one", first), ("none", missing)):
        rows, logits = asked(METHODS[name], tmp_path / folder, name, start=start, steps=2, budget=4)
        assert len(rows) == 4
        assert logits.shape == (60, 3)
        assert bool(logits.isfinite().all())


@pytest.mark.parametrize("name", [name for name, own in METHODS.items() if not own.card.needs])
def test_methods_that_need_no_classes_learn_numbers(name, tmp_path):
    rows, said = asked(METHODS[name], tmp_path, name, kind="numbers", dropout=0.0)
    assert len(rows) == 8
    assert said.shape == (60, 1)


@pytest.mark.parametrize("name", [name for name, own in METHODS.items() if own.card.stacked])
def test_a_seed_has_the_same_bits_whatever_it_is_stacked_with(name, tmp_path):
    def pair(*seeds):
        made = [blobs(seed=seed) for seed in seeds]
        runs = [active_run(tmp_path, seed, name) for seed in seeds]
        return METHODS[name].solve_stacked([problem for problem, _ in made], runs), made

    (one, _), _ = pair(0, 1)
    (other, _, _), made = pair(0, 2, 3)
    assert torch.equal(one.rows, other.rows)
    x = made[0][0].x
    assert torch.equal(one.model(x), other.model(x))


LIKE = [
    (Clipped(kappa=1.0), "least-confident"),
    (Partial(share=1.0), "entropy"),
    (Smoothed(share=0.0), "least-confident"),
    (Inhibited(logit=-100.0), "least-confident"),
    (RandomLong(times=1), "random"),
    (CalDistill(distilled=0.0), "replay"),
    (Bmdal(transform="none", selector="maxdist"), "coreset"),
]


@pytest.mark.parametrize(("method", "other"), LIKE, ids=lambda own: getattr(own, "card", own))
def test_a_method_in_its_limit_asks_what_another_asks(method, other, tmp_path):
    # streams of a method are its own, so that both get one name
    rows, logits = asked(method, tmp_path, "same")
    also, said = asked(METHODS[other], tmp_path, "same")
    assert rows == also
    assert torch.equal(logits, said)


def test_a_joint_batch_of_one_is_the_row_of_the_largest_disagreement(tmp_path):
    rows, _ = asked(BatchBald(), tmp_path, "same", batch=1, budget=3)
    # the masks are drawn under one name
    also, _ = asked(METHODS["bald"], tmp_path, "same", batch=1, budget=3)
    assert rows == also


def test_equal_masks_do_not_disagree_and_opposite_ones_by_a_bit():
    p = torch.tensor([[0.2, 0.8]]).repeat(4, 1, 1)
    assert float(disagreement(p)) == pytest.approx(0, abs=1e-6)
    sure = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert float(disagreement(sure)) == pytest.approx(np.log(2))


def test_the_joint_entropy_is_that_of_all_labels_counted_one_by_one():
    p = torch.rand(5, 4, 3, generator=torch.Generator().manual_seed(0))
    p = p / p.sum(2, keepdim=True)
    joint = (p[:, 0, :, None] * p[:, 1, None]).flatten(1)
    found = joint_entropy(p, joint, torch.ones(9))
    for row in range(4):
        total = 0.0
        for a, b, c in itertools.product(range(3), repeat=3):
            own = float((p[:, 0, a] * p[:, 1, b] * p[:, row, c]).mean())
            total -= own * np.log(own)
        assert float(found[row]) == pytest.approx(total, rel=1e-5)


def test_a_joint_batch_is_that_of_a_greedy_search_over_all_rows():
    drawn = torch.Generator().manual_seed(2)
    p = (3 * torch.randn(6, 90, 2, generator=drawn)).softmax(2)
    chosen: list[int] = []
    for _ in range(5):
        gains = []
        for row in range(90):
            total = 0.0
            for labels in itertools.product(range(2), repeat=len(chosen) + 1):
                pairs = zip([*chosen, row], labels, strict=True)
                own = float(torch.stack([p[:, at, label] for at, label in pairs]).prod(0).mean())
                total -= own * np.log(max(own, 1e-30))
            conditional = float(-torch.special.xlogy(p[:, row], p[:, row]).sum(1).mean())
            gains.append(-np.inf if row in chosen else total - conditional)
        chosen.append(int(np.argmax(gains)))
    assert _together(p, 5, [], 1000, drawn) == chosen


def test_sampled_configurations_give_the_joint_entropy_on_average(tmp_path):
    drawn = torch.Generator().manual_seed(0)
    p = torch.rand(5, 4, 3, generator=drawn)
    p = p / p.sum(2, keepdim=True)
    joint = (p[:, 0, :, None] * p[:, 1, None]).flatten(1)
    exact = joint_entropy(p, joint, torch.ones(9))
    some = joint_entropy(p, *_sampled(joint, torch.ones(9), 4000, drawn))
    torch.testing.assert_close(some, exact, rtol=0.02, atol=0.02)


def test_the_most_uncertain_rows_are_clipped(view):
    method = Clipped(kappa=0.8)
    order = (1 - view.p.amax(1)).sort(descending=True, stable=True).indices
    skipped = int(0.2 * len(view.open))
    assert method.ask(None, view).tolist() == view.open[order[skipped : skipped + 4]].tolist()


def test_distances_of_outer_products_are_those_of_the_products_themselves():
    drawn = torch.Generator().manual_seed(0)
    errors, hidden = torch.randn(6, 3, generator=drawn), torch.randn(6, 4, generator=drawn)
    whole = (errors[:, :, None] * hidden[:, None]).flatten(1)
    apart = gradients_apart(errors, hidden)
    for place in range(6):
        wanted = (whole - whole[place]).square().sum(1)
        torch.testing.assert_close(apart(place), wanted, atol=1e-4, rtol=1e-4)


def test_the_farthest_first_rows_are_those_of_a_loop():
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
    centres, pool = x[:4], x[4:]
    best, owner = nearest(pool, centres)
    torch.testing.assert_close(
        best, torch.cdist(pool, centres).square().amin(1), atol=1e-4, rtol=1e-4
    )
    assert torch.equal(owner, torch.cdist(pool, centres).argmin(1))
    chosen = []
    for _ in range(5):
        known = torch.cat([centres, pool[chosen]])
        chosen.append(int(torch.cdist(pool, known).amin(1).argmax()))
    assert farthest_first(to(pool), best, 5).tolist() == chosen


def test_k_means_plus_plus_draws_far_rows_and_never_one_twice():
    x = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    best, _ = nearest(x, torch.zeros(1, 1))
    counts = torch.zeros(4)
    drawn = torch.Generator().manual_seed(0)
    for _ in range(300):
        counts[k_means_plus_plus(to(x), best, 1, drawn)] += 1
    assert counts[:2].sum() == 0
    assert float(counts[3] / 300) == pytest.approx(0.9, abs=0.05)
    assert sorted(k_means_plus_plus(to(x), best, 4, drawn).tolist()) == [0, 1, 2, 3]


def test_badge_draws_by_the_distance_from_chosen_gradients_alone_however_short_one_is():
    gradients = torch.tensor([[10.0], [-3.0], [0.1]])
    drawn, counts = torch.Generator().manual_seed(0), torch.zeros(3)
    for _ in range(600):
        first, second = diverse(gradients, torch.ones(3, 1), 2, drawn).tolist()
        assert first == 0
        counts[second] += 1
    # squared distances from the longest: 13^2 and 9.9^2
    assert float(counts[1] / 600) == pytest.approx(169 / (169 + 98.01), abs=0.06)


def slow_lcmd(pool, centres, count):
    centres, chosen = list(centres), []
    for _ in range(count):
        apart = np.array([[float(((row - own) ** 2).sum()) for own in centres] for row in pool])
        owner, best = apart.argmin(1), apart.min(1)
        sizes = [best[owner == place].sum() for place in range(len(centres))]
        inside = np.flatnonzero(owner == int(np.argmax(sizes)))
        chosen.append(int(inside[best[inside].argmax()]))
        centres.append(pool[chosen[-1]])
    return chosen


def test_the_largest_cluster_gives_the_rows_of_a_loop_that_forgets_nothing():
    drawn = np.random.default_rng(3)
    x = drawn.standard_normal((40, 3))
    found = largest_cluster(torch.from_numpy(x[5:]), torch.from_numpy(x[:5]), 8)
    assert found.tolist() == slow_lcmd(x[5:], x[:5], 8)


def test_the_largest_determinant_is_greedy_over_all_rows():
    drawn = np.random.default_rng(4)
    x = drawn.standard_normal((12, 4))
    centres, pool, sigma, chosen = x[:2], x[2:], 0.1, []
    for _ in range(5):
        values = []
        for row in range(len(pool)):
            some = np.concatenate([centres, pool[[*chosen, row]]])
            kernel = some @ some.T + sigma**2 * np.eye(len(some))
            values.append(-np.inf if row in chosen else np.linalg.slogdet(kernel)[1])
        chosen.append(int(np.argmax(values)))
    found = max_det(torch.from_numpy(pool), torch.from_numpy(centres), 5, sigma)
    assert found.tolist() == chosen


def test_features_of_the_posterior_have_the_covariance_of_a_gaussian_process():
    drawn = np.random.default_rng(5)
    pool, train, sigma = drawn.standard_normal((6, 3)), drawn.standard_normal((4, 3)), 0.3
    phi, _ = posterior(torch.from_numpy(pool), torch.from_numpy(train), sigma)
    inner = np.linalg.inv(train @ train.T + sigma**2 * np.eye(4))
    wanted = pool @ pool.T - pool @ train.T @ inner @ train @ pool.T
    np.testing.assert_allclose((phi @ phi.T).numpy(), wanted, atol=1e-8)


def test_frank_wolfe_begins_where_the_sum_of_all_points_and_never_repeats():
    drawn = np.random.default_rng(6)
    pool = torch.from_numpy(drawn.standard_normal((10, 3)))
    found = frank_wolfe(pool, pool[:0], 10)
    unit = pool / pool.norm(dim=1, keepdim=True)
    assert int(found[0]) == int((unit @ pool.sum(0)).argmax())
    assert sorted(found.tolist()) == list(range(10))


def test_farthest_rows_without_centres_begin_with_the_longest():
    pool = torch.tensor([[1.0], [-3.0], [2.0]])
    assert max_dist(pool, pool[:0], 2).tolist() == [1, 2]


def test_sketched_gradients_have_the_products_of_autograds_gradients(view):
    rows = view.open[:5]
    found = gradients(view, rows, 60000, torch.Generator().manual_seed(0))
    layers = [(weight.clone(), bias.clone()) for weight, bias in view.layers]
    parameters = [part.requires_grad_() for pair in layers for part in pair]
    whole = []
    for row in rows:
        h = view.problem.x[row]
        for place, (weight, bias) in enumerate(layers):
            h = weight @ h + bias
            h = h.relu() if place + 1 < len(layers) else h
        parts = torch.autograd.grad(h.max(), parameters)
        whole.append(torch.cat([part.flatten() for part in parts]))
    wanted = torch.stack(whole) @ torch.stack(whole).T
    torch.testing.assert_close(
        found @ found.T, wanted, rtol=0.1, atol=0.05 * float(wanted.abs().max())
    )


@pytest.mark.parametrize("selector", ["maxdiag", "maxdet", "fw", "maxdist", "kmeanspp", "lcmd"])
@pytest.mark.parametrize("transform", ["scale", "posterior"])
def test_every_kernel_transform_and_selector_chooses_rows(selector, transform, view):
    for kernel, known in (("ll", True), ("gradient", False)):
        method = Bmdal(
            kernel=kernel, transform=transform, selector=selector, known=known, sketch=32
        )
        view.run._asked.clear()
        assert len(set(method.ask(None, view).tolist())) == view.count


def test_gradients_of_a_net_without_such_layers_are_refused(tmp_path):
    problem, ledger = blobs(rows=12)
    pictures = msgspec.structs.replace(
        problem, x=torch.randn(12, 1, 8, 8), net="cnn", widths=(2, 2), batch=2, budget=2, steps=1
    )
    with pytest.raises(InvalidRun, match="take net=mlp, or kernel=ll"):
        Bmdal(kernel="gradient").solve(pictures, active_run(tmp_path))
    assert ledger.rows == []


def test_disagreement_without_dropout_is_refused(tmp_path):
    problem, _ledger = blobs(dropout=0.0)
    with pytest.raises(InvalidRun, match="take a task with dropout above 0"):
        METHODS["bald"].solve(problem, active_run(tmp_path))


@pytest.mark.parametrize(("seed", "wrong"), [(0, 0), (1, 1), (2, 3)])
def test_the_law_of_robust_distillation_solves_its_linear_program(seed, wrong):
    drawn = np.random.default_rng(seed)
    gain = drawn.random(8) + 0.05
    # maximise sum q g - (wrong t + sum s), where t + s_i >= q_i g_i: the largest are wrong
    cost = np.concatenate([-gain, [wrong], np.ones(8)])
    upper = np.concatenate([np.diag(gain), -np.ones((8, 1)), -np.eye(8)], 1)
    solved = linprog(
        cost,
        A_ub=upper,
        b_ub=np.zeros(8),
        A_eq=np.concatenate([np.ones(8), np.zeros(9)])[None],
        b_eq=[1],
        bounds=[(0, None)] * 8 + [(None, None)] + [(0, None)] * 8,
    )
    q = law(torch.from_numpy(gain), wrong)
    assert float(q.sum()) == pytest.approx(1)
    reached = np.sort(q.numpy() * gain)[: 8 - wrong].sum()
    assert reached == pytest.approx(-solved.fun, abs=1e-9)


def test_rows_that_are_drawn_robustly_are_of_the_law(view):
    best = view.p.topk(2, dim=1).values
    gain = (1 - (best[:, 0] - best[:, 1])).clamp_min(1e-6).double()
    q = law(gain, int(0.1 * len(gain)))
    view.run._asked.clear()
    found = RobustDistillation().ask(None, view)
    places = torch.searchsorted(view.open, found)
    assert bool((q[places] > 0).all()) or int((q > 0).sum()) < view.count


def test_training_that_goes_on_costs_less_and_without_a_memory_reads_new_rows_alone(tmp_path):
    def visits(method, name):
        problem, _ledger = blobs(steps=40)
        run = active_run(tmp_path, method=name)
        method.solve(problem, run)
        return run._counts["backward"]

    scratch = visits(METHODS["entropy"], "a")
    assert scratch == 40 * (6 + 8 + 8)
    # 40 steps at the start; then ten of the 4 new rows, beside 6 and 10 old ones
    assert visits(FineTune(), "b") == 40 * 6 + 2 * 10 * 4
    assert visits(Replay(), "c") == 40 * 6 + 10 * (4 + 6) + 10 * (4 + 10)


def test_a_step_on_all_new_rows_beside_all_old_ones_is_a_step_on_all_known_rows(tmp_path):
    problem, _ = blobs(steps=4, dropout=0.0)
    session = Session([problem], [active_run(tmp_path)])
    method = Replay(share=0.25, replayed=6)
    state = method.begin(session)
    method.train(state, session)
    wanted = copy.deepcopy(session.nets)
    session.learn([torch.tensor([40, 41])])
    optimiser, x = session.optimiser(wanted), session.inputs(session.known)
    optimisers.set_rate(optimiser, session.rate(0.0))
    session.update(optimiser, method.loss(state, session)(wanted(x), session.y))
    method.train(state, session)
    assert torch.allclose(session.nets(x), wanted(x), atol=1e-5)


def test_a_smoothed_and_an_inhibited_loss_are_those_of_the_formulas(view):
    z = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([[0, 1, 2, 1, 0]])
    session = view._session
    p = z.softmax(2)
    target = 0.9 * torch.eye(3)[y] + 0.1 / 3
    torch.testing.assert_close(
        Smoothed(share=0.1).loss(None, session)(z, y), -(target * p.log()).sum(2)
    )
    total = z.exp().sum(2) + np.exp(1.0)
    own = z.gather(2, y[..., None])[..., 0].exp()
    torch.testing.assert_close(Inhibited(logit=1.0).loss(None, session)(z, y), -(own / total).log())


@pytest.mark.parametrize("sigma", [1e-300, 1e300])
def test_a_noise_of_the_gaussian_process_that_rounds_away_is_refused(sigma):
    with pytest.raises(ParameterError, match="sigma"):
        Bmdal(sigma=sigma)


@pytest.mark.parametrize("sigma", [1e-5, 1e5])
def test_the_least_and_the_largest_noise_leave_a_gaussian_process(sigma):
    generator = torch.Generator().manual_seed(0)
    pool = torch.randn(20, 30, generator=generator, dtype=torch.float64)
    chosen = max_det(pool, pool[:4], 5, sigma)
    assert len(set(chosen.tolist())) == 5
