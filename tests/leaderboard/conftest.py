"""What the board imports when it first needs it, imported before any test
is timed, and a small suite.
"""

import pytest
import scipy.special  # noqa: F401
from board_toy import SUITE


@pytest.fixture
def suite_file(tmp_path):
    """The path of the small suite."""
    path = tmp_path / "suite-small.toml"
    path.write_text(SUITE)
    return path
