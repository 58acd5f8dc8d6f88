"""Losses against plain loops, and the limits in which two methods are one."""

import importlib
import math
import pkgutil

import bench.builtin.methods.semi_supervised as home
import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.semi_supervised._contrast import contrastive
from bench.builtin.methods.semi_supervised._mixing import sharpened
from bench.builtin.methods.semi_supervised._self_training import worst_loss
from bench.builtin.methods.semi_supervised._symmetric import rows_of
from bench.builtin.methods.semi_supervised.arazo import ConfirmationBias
from bench.builtin.methods.semi_supervised.em import SymmetricEm
from bench.builtin.methods.semi_supervised.fixmatch import FixMatch
from bench.builtin.methods.semi_supervised.label_spreading import Spreading
from bench.builtin.methods.semi_supervised.mean import SignedMean
from bench.builtin.methods.semi_supervised.mixmatch import MixMatch
from bench.builtin.methods.semi_supervised.pseudo_label import PseudoLabel
from bench.builtin.methods.semi_supervised.robust_self_training import RobustSelfTraining
from bench.builtin.methods.semi_supervised.self_training import SelfTraining
from bench.builtin.methods.semi_supervised.shrinkmatch import ShrinkMatch, shrunk
from bench.builtin.methods.semi_supervised.sup import LabelledOnly
from bench.builtin.methods.semi_supervised.sup_early import EarlyStopping
from bench.builtin.methods.semi_supervised.sup_strong import StrongLabelledOnly
from bench.builtin.methods.semi_supervised.uda import UnsupervisedAugmentation
from bench.builtin.methods.semi_supervised.unmixmatch import UnMixMatch, _turned
from bench.builtin.methods.semi_supervised.wad import WeightAware
from semi_small import pictures, semi_run

from bench.contracts import Method
from bench.errors import InvalidRun
from bench.tracks.semi_supervised import Members, View
from bench.training.state import predict


def every_method():
    """Return one of each method, with its defaults."""
    modules = [
        importlib.import_module(f"{home.__name__}.{found.name}")
        for found in pkgutil.iter_modules(home.__path__)
        if found.name[0] != "_"
    ]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Method)
        and kind.__module__ == module.__name__
    }
    return sorted((kind() for kind in kinds), key=lambda method: method.card.name)


EVERY = every_method()
OF_PICTURES = [method for method in EVERY if "symmetric" not in method.card.needs]
OF_GAUSSIANS = [method for method in EVERY if "symmetric" in method.card.needs]
NO_POOL = {"sup", "sup-strong", "sup-strong-large", "sup-early", "logistic", "label-spreading"}


def solved(method, problems, folder):
    runs = [semi_run(folder, seed, "same") for seed in range(len(problems))]
    if method.card.stacked:
        return method.solve_stacked(problems, runs)
    return [method.solve(*pair) for pair in zip(problems, runs, strict=True)]


def trained(method, problems, folder):
    return [
        predict(solution.model, problem.x)
        for solution, problem in zip(solved(method, problems, folder), problems, strict=True)
    ]


# Limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FixMatch(cutoff=1.1), LabelledOnly()),
        (PseudoLabel(cutoff=1.1), LabelledOnly()),
        (UnsupervisedAugmentation(cutoff=1.1), LabelledOnly()),
        (UnsupervisedAugmentation(temperature=1e-4, cutoff=0.5), FixMatch(cutoff=0.5)),
        (ConfirmationBias(warm_up=1.0), LabelledOnly()),
    ],
    ids=lambda method: method.card.name,
)
def test_in_a_limit_a_method_is_another(one, other, tmp_path):
    problems = [pictures(seed)[0] for seed in range(2)]
    for mine, theirs in zip(
        trained(one, problems, tmp_path), trained(other, problems, tmp_path), strict=True
    ):
        # products of other sizes round otherwise
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-4)


def test_the_limits_are_no_matter_of_course(tmp_path):
    problems = [pictures(seed)[0] for seed in range(2)]
    plain = trained(LabelledOnly(), problems, tmp_path)
    for method in (FixMatch(cutoff=0.4), StrongLabelledOnly()):
        found = trained(method, problems, tmp_path)
        assert float((found[0] - plain[0]).abs().max()) > 1e-2


def test_shrinkmatch_without_its_term_is_fixmatch_with_aligned_soft_targets(tmp_path):
    class SoftFixMatch(ShrinkMatch, frozen=True, kw_only=True):
        """Written out anew, without the term."""

        def loss(self, state, members, batch):
            weak, strong = members.weak(batch.u, "pool"), members.strong(batch.u, "pool")
            own = members.weak(batch.x, "labelled")
            with torch.no_grad():
                p = members.nets(weak).softmax(-1)
            means = state.past
            means.append(p.mean(1))
            even = p / torch.stack(means[-32:]).mean(0)[:, None]
            even = even / even.sum(-1, keepdim=True)
            log_p = members.nets(strong).log_softmax(-1)
            term = (even.amax(-1) >= self.cutoff) * -(even * log_p).sum(-1)
            supervised = members.nets(own).log_softmax(-1).gather(2, batch.y[..., None])
            return -supervised[..., 0].mean(1) + term.mean(1)

        def start(self, members):
            state = super().start(members)
            state.past = []
            return state

    problems = [pictures(seed, steps=20)[0] for seed in range(2)]
    found = trained(ShrinkMatch(weight=0, cutoff=0.6), problems, tmp_path)
    wanted = trained(SoftFixMatch(cutoff=0.6), problems, tmp_path)
    for pair in zip(found, wanted, strict=True):
        torch.testing.assert_close(*pair, rtol=0, atol=1e-3)


def shrunk_by_loop(p, logits, cutoff, first=2):
    """Return the loss of one row, class by class."""
    order = sorted(range(len(p)), key=lambda c: -p[c])
    if p[order[0]] >= cutoff:
        return 0.0
    for c in range(first, len(p)):
        if p[order[0]] / (p[order[0]] + sum(p[order[j]] for j in range(c, len(p)))) >= cutoff:
            kept = [order[0], *order[c:]]
            total = math.log(sum(math.exp(logits[j]) for j in kept))
            return p[order[0]] * (total - logits[order[0]])
    return 0.0


def test_the_shrunk_class_space_is_that_of_a_loop_over_rows_and_classes():
    generator = torch.Generator().manual_seed(0)
    p = (3 * torch.randn(2, 60, 6, generator=generator, dtype=torch.float64)).softmax(-1)
    logits = torch.randn(2, 60, 6, generator=generator, dtype=torch.float64)
    found, used = shrunk(p, logits, 0.95)

    def loop(first):
        return torch.tensor(
            [
                [shrunk_by_loop(*pair, 0.95, first) for pair in zip(*rows, strict=True)]
                for rows in zip(p.tolist(), logits.tolist(), strict=True)
            ],
            dtype=torch.float64,
        )

    torch.testing.assert_close(found, loop(2))
    assert torch.equal(used > 0, loop(2) > 0)
    assert 10 < int(used.sum()) < 110
    # beginning one rank too late is seen
    assert not torch.allclose(found, loop(3))


# Formulas ---------------------------------------------------------------------------------------


def first_step(method, folder, **fields):
    """Return members, state and first batch of two seeds."""
    problems = [pictures(seed, **fields)[0] for seed in range(2)]
    members = Members(problems, [semi_run(folder, seed, "same") for seed in range(2)])
    members.nets = members.build()
    state = method.start(members)
    return members, state, next(iter(members.batches(0, 4)))


def test_mixmatch_is_a_plain_computation_row_by_row(tmp_path):
    method = MixMatch(ramp=1.0, weight=8.0)
    members, state, batch = first_step(method, tmp_path, weak=View())
    batch = msgspec.structs.replace(batch, done=0.5)
    found = method.loss(state, members, batch)
    for k in range(2):
        generator = semi_run(tmp_path, k, "same").numpy_generator("method", "mixtures")
        net = members.nets.member(k)
        lam = generator.beta(0.5, 0.5)
        lam = max(lam, 1 - lam)
        q = net(batch.u[k]).softmax(-1) ** 2
        q = q / q.sum(-1, keepdim=True)
        x = torch.cat([batch.x[k], batch.u[k], batch.u[k]])
        target = torch.cat([torch.eye(3)[batch.y[k]], q, q])
        partner = generator.permutation(len(x))
        own = pool = 0.0
        for row in range(len(x)):
            p = net((lam * x[row] + (1 - lam) * x[partner[row]])[None])[0].softmax(-1)
            goal = lam * target[row] + (1 - lam) * target[partner[row]]
            if row < 6:
                own -= float((goal * p.log()).sum()) / 6
            else:
                pool += float(((p - goal) ** 2).sum()) / 3 / 24
        assert float(found[k].detach()) == pytest.approx(own + 8 * 0.5 * pool, abs=1e-4)


def test_soft_labels_of_the_last_visit_are_what_mixtures_are_asked_for(tmp_path):
    method = ConfirmationBias(warm_up=0.0, balance=0.7, entropy=0.3)
    members, state, batch = first_step(method, tmp_path, weak=View())
    q = torch.full((2, 51, 3), 0.25)
    q[..., 0] = 0.5
    state.soft, state.seen = q.clone(), torch.ones_like(state.seen)
    found = method.loss(state, members, batch)
    for k in range(2):
        generator = semi_run(tmp_path, k, "same").numpy_generator("method", "mixtures")
        lam, net = generator.beta(1, 1), members.nets.member(k)
        x = torch.cat([batch.x[k], batch.u[k]])
        target = torch.cat([torch.eye(3)[batch.y[k]], q[k, :12]])
        partner = generator.permutation(18)
        p = net(lam * x + (1 - lam) * x[partner]).softmax(-1)
        one = -(target * p.log()).sum(1).mean()
        two = -(target[partner] * p.log()).sum(1).mean()
        even = -p.mean(0).log().sum() / 3
        entropy = -(p * p.log()).sum(1).mean()
        wanted = lam * one + (1 - lam) * two + 0.7 * even + 0.3 * entropy
        assert float(found[k].detach()) == pytest.approx(float(wanted), abs=1e-4)
        torch.testing.assert_close(
            state.soft[k, batch.rows[k]], net(batch.u[k]).softmax(-1), rtol=0, atol=1e-5
        )


def test_contrast_is_that_of_a_loop_over_pairs():
    z = torch.randn(1, 8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = z[0] / z[0].norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(8):
        alike = [math.exp(float(unit[i] @ unit[j]) / 0.5) for j in range(8) if j != i]
        total -= math.log(math.exp(float(unit[i] @ unit[(i + 4) % 8]) / 0.5) / sum(alike))
    assert float(contrastive(z, 0.5)[0]) == pytest.approx(total / 8)


def test_pictures_are_turned_by_the_quarters_asked_for():
    x = torch.arange(2 * 4 * 9.0).view(2, 4, 1, 3, 3)
    quarters = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    found = _turned(x, quarters)
    for k in range(2):
        for row in range(4):
            wanted = x[k, row].rot90(int(quarters[k, row]), (-2, -1))
            assert torch.equal(found[k, row], wanted)


def test_only_mixtures_that_begin_with_labelled_rows_are_asked_for_a_class(tmp_path):
    method = UnMixMatch(turns=0.0, contrast=0.0)
    members, state, batch = first_step(method, tmp_path, weak=View(), strong=View())
    found = method.loss(state, members, batch)
    for k in range(2):
        generator = semi_run(tmp_path, k, "same").numpy_generator("method", "mixtures")
        net, lam = members.nets.member(k), generator.beta(0.75, 0.75)
        lam = max(lam, 1 - lam)
        p = net(batch.u[k]).softmax(-1)
        even = p / (3 * p.mean(0))  # the running mean begins with the first batch's
        q = (even / even.sum(1, keepdim=True)) ** 2
        q = q / q.sum(1, keepdim=True)
        x = torch.cat([batch.x[k], batch.u[k], batch.u[k], batch.u[k]])
        target = torch.cat([torch.eye(3)[batch.y[k]], q, q, q])
        partner = generator.permutation(len(x))[:6]
        log_p = net(lam * x[:6] + (1 - lam) * x[partner]).log_softmax(-1)
        goal = lam * target[:6] + (1 - lam) * target[partner]
        wanted = -(goal * log_p).sum(1).mean()
        assert float(found[k].detach()) == pytest.approx(float(wanted), abs=1e-4)


def test_weights_of_the_pool_are_the_lead_of_the_nearest_class_in_the_teachers_space(tmp_path):
    method = WeightAware(features="pixels")
    members, state, _ = first_step(method, tmp_path)
    x = members.x[0].flatten(1)
    unit = x / x.norm(dim=1, keepdim=True)
    for place in (0, 7, 30):
        row = int(members.pool[0, place])
        scores = [
            max(float(unit[row] @ unit[own]) for own in range(9) if own % 3 == c) for c in range(3)
        ]
        best = sorted(scores, reverse=True)
        assert int(state.labels[0, place]) == int(np.argmax(scores))
        assert float(state.weights[0, place]) == pytest.approx(best[0] - best[1], abs=1e-5)
    before = [len(own) for own in members.lists]
    method.after_part(state, members, 0)
    # .1 (1 - i / 5)^2 of the 51 rows, then of the 48 that are left; none after the fifth part
    assert [len(own) for own in members.lists] == [own + 3 for own in before]
    assert int(state.promoted.sum()) == 6
    method.after_part(state, members, 1)
    assert len(set(members.lists[0].tolist())) == 9 + 3 + int(0.036 * 48)
    method.after_part(state, members, 4)
    assert len(set(members.lists[0].tolist())) == 9 + 3 + int(0.036 * 48)


def test_weights_refuse_a_training_with_fewer_steps_than_parts(tmp_path):
    problem = msgspec.structs.replace(pictures(0)[0], steps=5)
    with pytest.raises(InvalidRun, match="steps 5; give it steps 6 or more"):
        trained(WeightAware(features="pixels"), [problem], tmp_path)


@pytest.mark.parametrize("temperature", [0.01, 0.5, 1.0])
def test_sharpened_probabilities_are_the_softmax_of_logarithms_at_any_temperature(temperature):
    p = torch.softmax(torch.randn(5, 10), -1)
    wanted = (p.double().log() / temperature).softmax(-1)
    assert torch.allclose(sharpened(p, temperature).double(), wanted, atol=1e-5)
    even = sharpened(torch.full((1, 10), 0.1), temperature)
    assert torch.allclose(even, torch.full((1, 10), 0.1))


# Two Gaussians ----------------------------------------------------------------------------------


def gaussians(seed=0, labels=10, pool=80):
    """Return a problem of two classes around plus and minus a mean of 8 columns."""
    generator = np.random.default_rng(seed)
    y = generator.permutation(labels + pool) % 2
    x = generator.standard_normal((labels + pool, 8)) + (2 * y - 1)[:, None] * 0.5
    base, _ = pictures()
    return msgspec.structs.replace(
        base,
        x=torch.from_numpy(x).float(),
        y=torch.from_numpy(y[:labels]),
        labelled=torch.arange(labels),
        unlabelled=torch.arange(labels, labels + pool),
        n_classes=2,
        net="linear",
        symmetric=True,
    )


def test_a_price_without_end_is_self_training_bit_for_bit(tmp_path):
    problems = [gaussians(seed) for seed in range(2)]
    plain = trained(SelfTraining(steps=30), problems, tmp_path)
    huge = trained(RobustSelfTraining(steps=30, gamma=1e12), problems, tmp_path)
    for pair in zip(plain, huge, strict=True):
        torch.testing.assert_close(*pair, rtol=0, atol=1e-5)
    low = trained(RobustSelfTraining(steps=30, gamma=0.5), problems, tmp_path)
    assert float((low[0] - plain[0]).abs().max()) > 1e-2


def test_the_worst_row_nearby_is_found_to_first_order():
    w = torch.tensor([[0.3, -0.2]]).double()
    margin, gamma = torch.tensor([[0.4]]).double(), 20.0
    # along w alone, since nothing else changes the margin
    moves = torch.linspace(0, 1, 20001).double()
    size = float(w.norm())
    losses = torch.nn.functional.softplus(-(0.4 - moves * size)) - gamma * moves**2
    plain = float(torch.nn.functional.softplus(-margin))
    gain = float(worst_loss(margin, w, gamma)) - plain
    assert gain == pytest.approx(float(losses.max()) - plain, rel=0.02)


def test_em_climbs_the_likelihood_and_begins_at_the_signed_mean(tmp_path):
    problem = gaussians()
    x, sign, u = rows_of([problem], [semi_run(tmp_path)], "em")

    def likelihood(w):
        own = -0.5 * ((x[0] - sign[0, :, None] * w) ** 2).sum()
        both = torch.stack([-0.5 * ((u[0] - side * w) ** 2).sum(1) for side in (1, -1)])
        return float(own + both.logsumexp(0).sum())

    def weights(method):
        (found,) = solved(method, [problem], tmp_path)
        out = predict(found.model, torch.eye(8))
        return (out[:, 1] - out[:, 0]).double()

    start = weights(SignedMean())
    torch.testing.assert_close(start, (sign[0, :, None] * x[0]).mean(0), rtol=0, atol=1e-5)
    found = [likelihood(start)]
    found += [likelihood(weights(SymmetricEm(rounds=rounds))) for rounds in (1, 2, 5, 50)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 1


# Every method -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", OF_PICTURES, ids=lambda method: method.card.name)
def test_a_member_has_the_same_bits_whoever_stands_beside_it(method, tmp_path):
    if not method.card.stacked:
        pytest.skip("it runs seed by seed")
    problems = [pictures(seed)[0] for seed in range(3)]
    two, three = (trained(method, problems[:n], tmp_path) for n in (2, 3))
    assert all(torch.equal(*pair) for pair in zip(two, three, strict=False))
    assert not torch.equal(two[0], two[1])


@pytest.mark.parametrize("method", OF_GAUSSIANS, ids=lambda method: method.card.name)
def test_a_member_of_two_gaussians_has_the_same_bits_whoever_stands_beside_it(method, tmp_path):
    problems = [gaussians(seed) for seed in range(3)]
    two, three = (trained(method, problems[:n], tmp_path) for n in (2, 3))
    assert all(torch.equal(*pair) for pair in zip(two, three, strict=False))


@pytest.mark.parametrize("method", OF_PICTURES, ids=lambda method: method.card.name)
def test_one_label_a_class_a_class_without_labels_and_an_empty_pool_end_well(method, tmp_path):
    problem, _ = pictures(labels=1)
    told = msgspec.structs.replace(problem, y=problem.y[:2], labelled=problem.labelled[:2])
    (solution,) = solved(method, [told], tmp_path)
    z = predict(solution.model, told.x)
    assert z.shape == (60, 3)
    assert bool(z.isfinite().all())
    if solution.pseudo is not None:
        assert solution.pseudo.shape == (57, 3)
        assert bool((solution.weight >= 0).all())
    empty = msgspec.structs.replace(problem, unlabelled=problem.unlabelled[:0])
    if method.card.name in NO_POOL:
        (solution,) = solved(method, [empty], tmp_path)
        assert bool(predict(solution.model, problem.x).isfinite().all())
    else:
        with pytest.raises(InvalidRun, match="the pool is empty"):
            solved(method, [empty], tmp_path)


@pytest.mark.parametrize("method", OF_GAUSSIANS, ids=lambda method: method.card.name)
def test_methods_of_two_gaussians_take_an_empty_pool_and_refuse_more_classes(method, tmp_path):
    assert bool(trained(method, [gaussians(pool=0)], tmp_path)[0].isfinite().all())
    with pytest.raises(InvalidRun, match="is for two classes, and this task has 3"):
        method.solve(pictures()[0], semi_run(tmp_path))


def test_a_row_in_both_parts_is_refused_in_a_sentence():
    problem, _ = pictures()
    with pytest.raises(InvalidRun, match="give each row to one of the two"):
        msgspec.structs.replace(problem, unlabelled=torch.arange(60)).validate()


def test_early_stopping_hands_over_the_net_that_fits_the_held_out_rows_best(tmp_path):
    problems = [pictures(seed, steps=40)[0] for seed in range(2)]
    assert len(trained(EarlyStopping(), problems, tmp_path)) == 2
    one = msgspec.structs.replace(
        problems[0], y=problems[0].y[:1], labelled=problems[0].labelled[:1]
    )
    early, plain = (trained(m, [one, one], tmp_path)[0] for m in (EarlyStopping(), LabelledOnly()))
    torch.testing.assert_close(early, plain, rtol=0, atol=1e-5)


def test_label_spreading_is_the_closed_form_of_its_paper(tmp_path):
    problem, _ = pictures(rows=30)
    (found,) = solved(Spreading(neighbours=4), [problem], tmp_path)
    x = problem.x[torch.cat([problem.labelled, problem.unlabelled])].flatten(1).numpy()
    away = ((x[:, None] - x[None]) ** 2).sum(-1)
    np.fill_diagonal(away, np.inf)
    graph = np.zeros((30, 30))
    for row in range(30):
        graph[row, away[row].argsort()[:4]] = 1
    graph = np.maximum(graph, graph.T)
    scale = 1 / np.sqrt(graph.sum(1))
    y = np.zeros((30, 3))
    y[np.arange(9), problem.y.numpy()] = 1
    exact = 0.8 * np.linalg.solve(np.eye(30) - 0.2 * scale[:, None] * graph * scale[None], y)
    shares = exact / np.maximum(exact.sum(1, keepdims=True), 1e-12)
    np.testing.assert_allclose(found.pseudo.numpy(), shares[9:], atol=1e-5)
