"""Tasks compute on one thread, as runs do."""
