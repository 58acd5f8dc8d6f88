"""Operations that torch does, against counts by hand."""

from __future__ import annotations

import math
import re
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, jacfwd, vmap
from torch.nn import functional as F

from bench.counts import Counter
from bench.counts_formulas import ARITHMETIC, FORMULAS


def counted(work):
    """The operations of ``work``, none of which may be without a formula."""
    with Counter() as counter:
        work()
    assert not counter.tally.uncounted
    return counter.tally.total


def test_products_of_matrices_and_vectors_count_twice_their_terms():
    a, b, v = torch.randn(3, 4), torch.randn(4, 5), torch.randn(4)
    assert (
        counted(lambda: a @ b)
        == counted(lambda: torch.addmm(torch.zeros(5), a, b))
        == 2 * 3 * 4 * 5
    )
    assert counted(lambda: a @ v) == counted(lambda: torch.addmv(torch.zeros(3), a, v)) == 2 * 3 * 4
    assert counted(lambda: v @ v) == counted(lambda: torch.vdot(v, v)) == 2 * 4
    stack, other = torch.randn(6, 3, 4), torch.randn(6, 4, 5)
    assert (
        counted(lambda: stack @ other)
        == counted(lambda: torch.baddbmm(torch.zeros(6, 1, 5), stack, other))
        == 6 * 2 * 3 * 4 * 5
    )
    assert counted(lambda: torch.addbmm(torch.zeros(3, 5), stack, other)) == 6 * 2 * 3 * 4 * 5
    assert counted(lambda: torch.einsum("nij,njk->ik", stack, other)) == 6 * 2 * 3 * 4 * 5
    assert counted(lambda: torch.complex(a, a) @ torch.complex(b, b)) == 4 * 2 * 3 * 4 * 5
    assert (
        counted(lambda: F.bilinear(a, torch.randn(3, 7), torch.randn(2, 4, 7))) == 3 * 2 * 3 * 4 * 7
    )


def test_products_without_gradient_and_in_inference_mode_count_the_same():
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    for context in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with context():
            assert counted(lambda: net(torch.randn(5, 3, 4))) == 2 * 15 * (4 * 6 + 6 * 2)


def test_elementwise_work_reductions_pooling_and_optimisers_count_nothing():
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    optimiser = torch.optim.AdamW([x], fused=True)

    def work():
        (
            F.max_pool2d(F.group_norm(x.relu() * 2, 3), 2).softmax(1).sum()
            + F.interpolate(x, scale_factor=2).mean()
        ).backward()
        optimiser.step()

    assert counted(work) == 0


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 3), side=st.integers(5, 8), kernel=st.integers(1, 3), groups=st.sampled_from([1, 2, 4]), stride=st.integers(1, 2),
    padding=st.integers(0, 2), dilation=st.integers(1, 2), transposed=st.booleans(),
)  # fmt: skip
def test_convolutions_count_a_product_for_each_weight_of_a_group_and_position(
    n, side, kernel, groups, stride, padding, dilation, transposed
):
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    net = kind(
        4,
        8,
        kernel,
        stride=stride,
        padding=padding if not transposed else 0,
        dilation=dilation,
        groups=groups,
    )
    x = torch.randn(n, 4, side, side)
    places = side**2 if transposed else net(x).shape[-1] ** 2
    forward = 2 * n * places * (4 // groups) * (8 // groups) * groups * kernel**2
    assert counted(lambda: net(x)) == forward
    assert counted(lambda: net(x).sum().backward()) == 2 * forward  # the pictures need no gradient
    assert counted(lambda: net(x.clone().requires_grad_()).sum().backward()) == 3 * forward


def test_a_grouped_convolution_counts_as_its_groups_do_one_by_one():
    x, weight = torch.randn(2, 5 * 3, 9, 9), torch.randn(5 * 4, 3, 3, 3)
    together = counted(lambda: F.conv2d(x, weight, groups=5))
    assert together == sum(
        counted(lambda k=k: F.conv2d(x[:, 3 * k : 3 * k + 3], weight[4 * k : 4 * k + 4]))
        for k in range(5)
    )
    batched = vmap(lambda rows, own: F.conv2d(rows, own), in_dims=(1, 0))
    assert counted(lambda: batched(x.unflatten(1, (5, 3)), weight.unflatten(0, (5, 4)))) == together


@pytest.mark.parametrize("mask", ["none", "causal", "padding", "both"])
def test_attention_counts_every_pair_of_query_and_key_whatever_is_masked(mask):
    heads, queries, keys, width, deep = 4, 5, 9, 8, 6
    q, k, v = (
        torch.randn(2, heads, length, size, requires_grad=True)
        for length, size in ((queries, width), (keys, width), (keys, deep))
    )
    padded = torch.ones(2, 1, queries, keys, dtype=torch.bool)
    padded[1, :, :, 6:] = False
    causal = torch.ones(queries, keys, dtype=torch.bool).tril()
    choices = {
        "none": {},
        "causal": {"is_causal": True},
        "padding": {"attn_mask": padded},
        "both": {"attn_mask": padded & causal},
    }
    forward = 2 * 2 * heads * queries * keys * (width + deep)
    assert counted(lambda: F.scaled_dot_product_attention(q, k, v, **choices[mask])) == forward
    assert (
        counted(lambda: F.scaled_dot_product_attention(q, k, v, **choices[mask]).sum().backward())
        == 3 * forward
    )


def test_all_kernels_of_attention_count_alike(monkeypatch):
    q, k = torch.randn(2, 4, 5, 8, requires_grad=True), torch.randn(2, 4, 9, 8, requires_grad=True)
    found = set()
    for kernel in (nn.attention.SDPBackend.MATH, nn.attention.SDPBackend.FLASH_ATTENTION):
        with nn.attention.sdpa_kernel(kernel):
            found.add(counted(lambda: F.scaled_dot_product_attention(q, k, k).sum().backward()))
    assert found == {3 * 2 * 2 * 4 * 5 * 9 * (8 + 8)}


def test_packed_sequences_count_the_pairs_within_each():
    rows = [torch.randn(3, 2, 4), torch.randn(5, 2, 4)]
    warnings.simplefilter("ignore")  # a prototype, torch says
    packed = torch.nested.nested_tensor(rows, layout=torch.jagged).transpose(1, 2)
    assert (
        counted(lambda: F.scaled_dot_product_attention(packed, packed, packed))
        == 2 * 2 * 2 * (9 + 25) * 4
    )
    formula = FORMULAS["_flash_attention_forward"]
    flat = torch.randn(8, 2, 4)
    ends = torch.tensor([0, 3, 8])
    assert (
        formula(
            {"query": flat, "key": flat, "value": flat, "cum_seq_q": ends, "cum_seq_k": ends}, None
        )
        == 2 * 2 * 2 * (9 + 25) * 4
    )


def test_a_layer_of_a_transformer_counts_the_same_in_its_quick_form():
    layer, x = (
        nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, dropout=0).eval(),
        torch.randn(3, 5, 16),
    )
    expected = 3 * (2 * 5 * 16 * (4 * 16 + 2 * 32) + 4 * 5 * 5 * 16)
    assert counted(lambda: layer(x)) == expected
    with torch.no_grad():
        assert counted(lambda: layer(x)) == expected


def test_recurrent_layers_count_their_weights_once_a_position():
    net = nn.LSTM(6, 7, num_layers=2)
    weights = 4 * 7 * (6 + 7) + 4 * 7 * (7 + 7)
    x = torch.randn(4, 3, 6)
    assert (
        counted(lambda: net(x.clone().requires_grad_())[0].sum().backward())
        == 3 * 2 * 4 * 3 * weights
    )
    with torch.no_grad():
        assert counted(lambda: net(x)) == 2 * 4 * 3 * weights


@pytest.mark.parametrize("rows", [4, 40])  # above 25 torch goes by products of matrices
def test_distances_count_three_operations_a_pair_and_coordinate(rows):
    x, y = torch.randn(rows, 6, requires_grad=True), torch.randn(rows + 1, 6)
    assert counted(lambda: torch.cdist(x, y)) == 3 * rows * (rows + 1) * 6
    assert counted(lambda: torch.cdist(x, y, p=1)) == 3 * rows * (rows + 1) * 6
    assert counted(lambda: F.pdist(x)) == 3 * rows * (rows - 1) // 2 * 6
    assert counted(lambda: torch.cdist(x, y, p=1).sum().backward()) == 2 * 3 * rows * (rows + 1) * 6


def test_decompositions_count_as_in_the_textbook():
    n, m, columns = 6, 9, 3
    a = torch.randn(n, n, dtype=torch.float64)
    s, tall, right = (
        a @ a.T + torch.eye(n),
        torch.randn(m, n, dtype=torch.float64),
        torch.randn(n, columns, dtype=torch.float64),
    )
    la = torch.linalg
    lower = la.cholesky(s)
    expected = {
        2 / 3 * n**3: [
            lambda: la.det(a),
            lambda: la.slogdet(a),
            lambda: la.lu_factor(a),
            lambda: torch.logdet(s),
        ],
        1 / 3 * n**3: [lambda: la.cholesky(s), lambda: torch.linalg.cholesky_ex(s)],
        2 * n**3: [lambda: la.inv(a)],
        2 / 3 * n**3 + 2 * n**2 * columns: [lambda: la.solve(a, right)],
        n**2 * columns: [lambda: la.solve_triangular(lower, right, upper=False)],
        2 * n**2 * columns: [lambda: torch.cholesky_solve(right, lower)],
        9 * n**3: [lambda: la.eigh(s)],
        4 / 3 * n**3: [lambda: la.eigvalsh(s)],
        25 * n**3: [lambda: la.eig(a)],
        10 * n**3: [lambda: la.eigvals(a)],
        14 * m * n**2 + 8 * n**3: [
            lambda: la.svd(tall, full_matrices=False),
            lambda: la.svd(tall.T, full_matrices=False),
        ],
        4 * m**2 * n + 8 * m * n**2 + 9 * n**3: [lambda: la.svd(tall)],
        4 * m * n**2 - 4 / 3 * n**3: [
            lambda: la.svdvals(tall),
            lambda: la.matrix_rank(tall),
            lambda: la.norm(tall, "nuc"),
        ],
        4 * n**2 * (m - n / 3): [lambda: la.qr(tall)],
        2 * n**2 * (m - n / 3): [lambda: la.qr(tall, "r"), lambda: torch.geqrf(tall)],
        2 * n**2 * (m - n / 3) + 4 * (m**2 * n - m * n**2 + n**3 / 3): [
            lambda: la.qr(tall, "complete")
        ],
        2 * n**2 * (m - n / 3) + 2 * (4 * m * n - n**2): [
            lambda: la.lstsq(tall, torch.randn(m, 2, dtype=torch.float64))
        ],
        14 * m * n**2 + 8 * n**3 + 2 * m * n**2: [lambda: la.pinv(tall)],
        2 * 3 * n**3: [lambda: la.matrix_power(a, 5)],
    }
    for count, works in expected.items():
        for work in works:
            assert counted(work) == round(count)
    assert counted(lambda: la.eigh(torch.stack([s, s]))) == 2 * 9 * n**3


@pytest.mark.parametrize(
    ("norm", "products"),
    [(0.0, 0), (5e-4, 1), (0.05, 2), (0.5, 3), (1.4, 4), (3.0, 5), (6.0, 6), (13.0, 8)],
)
def test_a_matrix_exponential_counts_the_products_that_its_norm_takes(norm, products):
    assert counted(lambda: torch.linalg.matrix_exp(norm * torch.eye(5))) == products * 2 * 5**3


def test_sparse_products_count_the_stored_entries():
    warnings.simplefilter("ignore")  # in beta, torch says
    dense = torch.randn(6, 4)
    for layout in ("to_sparse_coo", "to_sparse_csr", "to_sparse_csc"):
        matrix = getattr(
            torch.tensor([[1.0, 0, 2, 0, 0, 0], [0, 3, 0, 0, 0, 0], [0, 0, 0, 4, 5, 6]]), layout
        )()
        assert counted(lambda matrix=matrix: matrix @ dense) == 2 * 6 * 4
        assert counted(lambda matrix=matrix: matrix @ dense[:, 0]) == 2 * 6
    left, right = (
        torch.tensor([[1.0, 1, 0], [0, 0, 1]]).to_sparse(),
        torch.tensor([[1.0, 0], [1, 1], [0, 1]]).to_sparse(),
    )
    assert counted(lambda: torch.sparse.mm(left, right)) == 2 * (1 + 2 + 1)


def test_a_fourier_transform_counts_five_n_log_n():
    x = torch.randn(3, 16)
    assert counted(lambda: torch.fft.fft(torch.complex(x, x))) == round(5 * 3 * 16 * math.log2(16))
    assert counted(lambda: torch.fft.rfft(x)) == round(2.5 * 3 * 16 * math.log2(16))


def test_transforms_of_functions_count_what_they_do():
    weight, x = torch.randn(6, 6), torch.randn(50, 6)
    assert counted(lambda: vmap(lambda row: weight @ row)(x)) == 2 * 50 * 36
    assert (
        counted(lambda: vmap(grad(lambda row: (weight @ row).pow(2).sum()))(x)) == 2 * 2 * 50 * 36
    )
    net = nn.Linear(4, 3)
    stack = {name: torch.stack([tensor.detach()] * 7) for name, tensor in net.named_parameters()}
    assert (
        counted(
            lambda: vmap(lambda own, rows: functional_call(net, own, (rows,)))(
                stack, torch.randn(7, 5, 4)
            )
        )
        == 7 * 2 * 5 * 4 * 3
    )
    warnings.simplefilter("ignore")  # forward mode compiles with torch.jit
    columns = counted(lambda: jacfwd(lambda row: weight @ row)(x[0]))
    # forward mode multiplies a tangent a coordinate, and zeros where a factor has none
    assert columns >= 2 * 36 * (1 + 6)


def test_recomputing_in_the_backward_pass_counts_again():
    net, x = (
        nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)),
        torch.randn(3, 4, requires_grad=True),
    )
    layer, again = 2 * 3 * 16, torch.utils.checkpoint.checkpoint
    assert counted(lambda: net(x).sum().backward()) == 6 * layer
    # up to what the second layer was given
    assert counted(lambda: again(net, x, use_reentrant=False).sum().backward()) == 7 * layer


def test_an_operator_without_formula_is_named():
    torch.library.define("counts_test::twice", "(Tensor x) -> Tensor")
    torch.library.impl("counts_test::twice", "CPU")(lambda x: x @ x)
    with Counter() as counter:
        torch.ops.counts_test.twice(torch.eye(3))
        torch.ops.aten._slow_conv2d_forward(
            torch.randn(1, 1, 4, 4), torch.randn(1, 1, 3, 3), [3, 3], None, [1, 1], [0, 0]
        )
    assert counter.tally.uncounted == {"counts_test.twice", "aten._slow_conv2d_forward"}


def test_every_operator_whose_name_sounds_like_a_sum_of_products_is_in_a_table():
    sounds = re.compile(
        r"(^|_)\w{0,6}mm(_|$)|conv(?!ert)|matmul|attention|rnn|lstm|gru|linear|linalg|cholesky|solve|svd|eig|_qr|fft|[pc]dist|trilinear|encoder_layer"
    )
    silent = re.compile(
        r"upsample|fused_(lstm|gru)_cell|fftfreq|vector_norm|linalg_cross|powsum|check_errors|flatten_weight|reorder|quantized_lstm_cell|search$|copy$|convert|_use_|grid|weight_to|dropout_state|igamma|lgamma|gamma|clamm|cummax|cummin|hamming|dummy|_apply|tile|weight_norm|_pack_|bag"
    )
    left = set()
    for name in torch._C._dispatch_get_all_op_names():
        space, _, short = name.partition("::")
        plain = re.sub(r"(?<=\w)_$", "", short.partition(".")[0])
        made = any(
            torch._C._dispatch_has_kernel_for_dispatch_key(name, key)
            for key in ("CompositeImplicitAutograd", "CompositeImplicitAutogradNestedTensor")
        )
        if (
            space == "aten"
            and sounds.search(plain)
            and not silent.search(plain)
            and not made
            and plain not in FORMULAS
            and plain not in ARITHMETIC
        ):
            left.add(plain)
    assert left <= {"linalg_pinv"}


@pytest.mark.slow
def test_a_compiled_region_counts_its_products_and_computes_the_same_bits():
    net, x = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 10)), torch.randn(7, 20)
    compiled = torch.compile(lambda rows: (net(rows).relu() @ torch.ones(10, 4)).sum())
    first = compiled(x)
    forward = 2 * 7 * (20 * 30 + 30 * 10 + 10 * 4)
    with Counter() as counter:
        again = compiled(x)
    assert torch.equal(first, again)
    assert (counter.tally.total, counter.tally.uncounted) == (forward, set())


@pytest.mark.slow
def test_the_compiler_leaves_the_counter_alone_where_a_compiled_function_falls_back():
    def broken(rows):
        first = rows @ rows
        torch._dynamo.graph_break()
        return (first @ rows).sum()

    seen = []

    def backend(graph, inputs):
        seen.append(graph)
        return graph.forward

    x = torch.eye(5)
    with Counter() as counter:
        assert torch.compile(broken, backend=backend)(x) == 5
    assert counter.tally.total >= 2 * 2 * 5**3
    # the two halves of the function, and nothing of what counts them
    assert len(seen) == 2
