"""Imputation by optimal transport between batches (arXiv:2002.03860)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard

from ._transport import Transport


class BatchTransport(Transport):
    """Move the hidden cells down the cost of carrying one batch of the table to another."""

    card: ClassVar = MethodCard(
        name="ot",
        title="Optimal transport between batches",
        track=("imputation", "missing-data"),
        paper="arXiv:2002.03860",
        bibtex="""@inproceedings{muzellec2020missing,
  title = {Missing Data Imputation using Optimal Transport},
  author = {Muzellec, Boris and Josse, Julie and Boyer, Claire and Cuturi, Marco},
  booktitle = {International Conference on Machine Learning},
  year = {2020},
  eprint = {2002.03860},
  archivePrefix = {arXiv}
}""",
        claim="As accurate as the best imputers or more so, also where many values are missing.",
        deviates="The exact cost with plain distances, as TDM has it; the authors take Sinkhorn "
        "divergences of squared distances. Rows that are not in the table get the mean of the ten "
        "nearest completed rows.",
        signal="features",
        libraries=("scipy",),
        stacked=True,
        defaults_from="here",
    )
