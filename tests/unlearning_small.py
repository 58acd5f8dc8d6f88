"""The recipe of unlearning that the tests of its methods share: six hundred digits, seconds a case."""

SMALL = {
    "data": "digits",
    "n_train": 600,
    "n_val": 200,
    "n_pool": 400,
    "widths": (64, 64),
    "epochs": 20,
    "batch_size": 32,
}
