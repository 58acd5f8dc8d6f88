"""What torch's dispatcher does not see is named."""

from __future__ import annotations

import ctypes
import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from bench.counts import Counter


def named(work):
    with Counter() as counter:
        work()
    return counter.tally.uncounted


X = torch.randn(6, 6)
A = np.random.default_rng(0).standard_normal((6, 6))


@pytest.mark.parametrize("leave", [
    lambda: X.numpy(), lambda: np.asarray(X), lambda: np.array(X.tolist()) @ A, lambda: np.from_dlpack(X), lambda: torch.Tensor.numpy(X), lambda: X.__array__(),
])  # fmt: skip
def test_tensors_that_become_arrays_are_named(leave):
    assert named(leave) & {"NumPy", "DLPack"}


def test_a_count_within_a_count_hides_nothing_from_the_outer_one():
    with Counter() as outer:
        with Counter() as inner:
            X @ X
            X.numpy() @ A
        X @ X
    assert (inner.tally.total, outer.tally.total) == (2 * 6**3, 4 * 6**3)
    assert inner.tally.uncounted == outer.tally.uncounted == {"NumPy"}


def test_addresses_of_tensors_are_named():
    assert named(lambda: X.data_ptr()) == {"addresses of tensors"}


@pytest.mark.parametrize("work", [
    lambda: A @ A, lambda: np.dot(A, A), lambda: A.dot(A), lambda: np.linalg.eigh(A), lambda: np.einsum("ij,jk", A, A), lambda: np.fft.fft(A),
    lambda: (lambda library, left: library.dot(left, left))(np, A),
])  # fmt: skip
def test_products_of_arrays_are_named(work):
    assert "NumPy" in named(work)


def test_draws_labels_and_single_numbers_by_way_of_numpy_are_no_work():
    def work():
        generator = np.random.default_rng(0)
        rows = torch.from_numpy(generator.permutation(6))
        labels = X.argmax(1).numpy()
        mixed = torch.from_numpy(np.stack([generator.beta(1, 1, 6)])).float()
        return float(X.sum().numpy()), np.bincount(labels), X[rows] * mixed

    assert named(work) == set()


def test_libraries_with_compiled_code_are_named():
    def fit():
        from sklearn.linear_model import LogisticRegression

        LogisticRegression().fit(A, np.arange(6) % 2)

    def nearest():
        from scipy.spatial import cKDTree

        cKDTree(A).query(A)

    assert "sklearn" in named(fit)
    assert "scipy" in named(nearest)
    assert "ctypes" in named(lambda: ctypes.CDLL(None).getpid())


def test_importing_a_library_is_no_work():
    for name in [name for name in sys.modules if name.partition(".")[0] == "xgboost"]:
        del sys.modules[name]

    def work():
        import sqlite3  # noqa: F401

        import sklearn.datasets._base  # noqa: F401

    assert named(work) <= {"sklearn"}


def test_threads_and_processes_are_named():
    def thread():
        worker = threading.Thread(target=lambda: X @ X)
        worker.start()
        worker.join()

    def child():
        worker = multiprocessing.get_context("fork").Process(target=lambda: None)
        worker.start()
        worker.join()

    assert named(thread) == {"another thread"}
    assert named(lambda: subprocess.run([sys.executable, "-c", ""], check=True)) == {
        "another process"
    }
    assert named(child) == {"another process"}


def test_work_for_a_thread_that_was_there_before_is_named():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        assert named(lambda: pool.submit(lambda: X @ X).result()) == {"another thread"}


def test_what_is_done_apart_is_counted_apart_and_a_pause_counts_nothing():
    with Counter() as counter:
        X @ X
        with counter.apart() as part:
            X @ X[0]
        with counter.paused():
            X @ X
    assert (counter.tally.total, part.total) == (2 * 6**3, 2 * 6**2)


def test_a_profile_that_was_set_before_is_put_back():
    events = []
    sys.setprofile(lambda *event: events.append(event))
    try:
        with Counter():
            pass
        assert sys.getprofile() is not None
    finally:
        sys.setprofile(None)
    assert events


def test_nothing_is_counted_after_the_counter_ended():
    with Counter() as counter:
        X @ X
    X @ X
    X.numpy()
    assert (counter.tally.total, counter.tally.uncounted) == (2 * 6**3, set())
