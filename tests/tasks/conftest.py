"""Tasks compute on one thread, as runs do."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Bits are promised on one thread, and two that wait for each other
    are slower on small nets.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
