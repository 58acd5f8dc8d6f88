"""What the board imports when it first needs it, imported before any test is timed."""

import scipy.special  # noqa: F401
