"""Rows are taken whole, as indexing takes them."""

import torch

from bench.training.rows import beside, taken


def test_rows_are_those_of_indexing_and_gradients_too():
    generator = torch.Generator().manual_seed(0)
    for shape in ((), (3,), (2, 3, 4)):
        x = torch.randn(4, 7, *shape, generator=generator, requires_grad=True)
        for rows in (
            torch.randint(7, (4, 5), generator=generator),
            torch.randint(7, (4, 6), generator=generator)[:, ::2],
        ):
            found = beside(x, rows)
            expected = torch.stack([part[own] for part, own in zip(x, rows, strict=True)])
            assert torch.equal(found, expected)
            assert torch.equal(taken(x[0], rows), x[0][rows])
            weight = torch.randn(found.shape, generator=generator)
            one, other = (
                torch.autograd.grad((weight * part).sum(), x)[0] for part in (found, expected)
            )
            torch.testing.assert_close(one, other)
