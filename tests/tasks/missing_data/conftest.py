"""The setups of this folder's tasks."""

import pytest
from missing_small import setups_in


@pytest.fixture(scope="module")
def setups(tmp_path_factory):
    """``setups(task, seed)`` returns the setup of a task."""
    return setups_in(tmp_path_factory.mktemp("missing-data"))
