"""Compare weights of classes with those of the public package on the same probabilities.

``python tests/methods/target_shift/against_abstention.py FOLDER`` prints the weights of the public
package, which ``test_abstention.py`` compares ours with. FOLDER holds the package ``abstention``
(0.1.3.1), as ``pip install --no-deps --target FOLDER abstention==0.1.3.1`` puts it there; nothing
of it is copied.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[2]))

from target_shift_small import classes_problem

CASES = {
    "calibrated": {"seed": 0, "rows": 400},
    "too sure": {"seed": 1, "rows": 400, "distort": (2.0, 1.0)},
    "few rows": {"seed": 2, "rows": 60, "target": (0.5, 0.3, 0.15, 0.05)},
}
"""Name -> how the problem is drawn."""
METHODS = ("bbse", "bbse-soft", "rlls", "rlls-soft", "em", "em-saerens")


def public(case, method):
    """Return the weights (C,) of the public package; its cone problem is solved by SciPy."""
    with warnings.catch_warnings():
        # it imports scipy.misc, which newer versions of SciPy announce to remove
        warnings.filterwarnings("ignore", "scipy.misc is deprecated", DeprecationWarning)
        from abstention import label_shift
        from abstention.calibration import TempScaling

    classes = classes_problem(**case).classes
    p_val, p_target = (part.double().numpy() for part in (classes.p_val, classes.p_target))
    labels = np.eye(classes.n_classes)[classes.y_val.numpy()]
    soft = method.endswith("-soft")
    if method == "em":
        z_val, z_target = (
            part.double().numpy() for part in (classes.logits_val, classes.logits_target)
        )
        calibrate = TempScaling(bias_positions="all")(z_val, labels)
        p_val, p_target = calibrate(z_val), calibrate(z_target)
    if method.startswith("em"):
        adapter = label_shift.EMImbalanceAdapter(
            estimate_priors_from_valid_labels=method == "em-saerens",
            tolerance=1e-10,
            max_iterations=100_000,
        )
    elif method.startswith("rlls"):
        adapter = label_shift.RLLSImbalanceAdapter(soft=soft)
        adapter.compute_w_opt = _nearest
    else:
        adapter = label_shift.BBSEImbalanceAdapter(soft=soft)
    return adapter(
        valid_labels=labels, tofit_initial_posterior_probs=p_target, valid_posterior_probs=p_val
    ).multipliers


def _nearest(C_yy, mu_y, mu_train_y, rho):
    """Return 1 + argmin ||C theta - b|| + rho ||theta|| over theta >= -1, by SciPy."""
    from scipy.optimize import minimize

    def loss(theta):
        away = np.linalg.norm(C_yy @ theta - (mu_y - mu_train_y))
        return away + rho * np.linalg.norm(theta)

    size = len(mu_y)
    starts = [np.full(size, 0.1), np.linalg.lstsq(C_yy, mu_y - mu_train_y)[0].clip(-1)]
    found = [
        minimize(
            loss,
            start,
            bounds=[(-1, None)] * size,
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-15, "maxiter": 100_000, "maxfev": 100_000},
        )
        for start in starts
    ]
    return 1 + min(found, key=lambda one: one.fun).x


def ours(case, method, run):
    """Return our weights (C,)."""
    from bench.builtin.methods.target_shift.bbse import BlackBoxShift
    from bench.builtin.methods.target_shift.em import CalibratedEM
    from bench.builtin.methods.target_shift.em_saerens import PlainEM
    from bench.builtin.methods.target_shift.rlls import RegularizedShift

    made = {
        "bbse": BlackBoxShift(),
        "bbse-soft": BlackBoxShift(soft=True),
        "rlls": RegularizedShift(),
        "rlls-soft": RegularizedShift(soft=True),
        "em": CalibratedEM(),
        "em-saerens": PlainEM(),
    }
    return made[method].solve(classes_problem(**case), run).weights.numpy()


if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    torch.set_num_threads(1)
    for name, case in CASES.items():
        for method in METHODS:
            print(name, method, np.round(public(case, method), 5).tolist())
