"""What the five scores of prototypical rows share."""

from __future__ import annotations

PAPER = "arXiv:1910.13427"
BIBTEX = """@article{carlini2019distribution,
  title = {Distribution Density, Tails, and Outliers in Machine Learning: Metrics and Applications},
  author = {Carlini, Nicholas and Erlingsson, {\\'U}lfar and Papernot, Nicolas},
  journal = {arXiv preprint},
  year = {2019},
  eprint = {1910.13427},
  archivePrefix = {arXiv}
}"""
CLAIM = "Five scores of how typical a row is agree with each other, and choose rows to train on."
TUNING = {"order": ("hard", "easy", "moderate")}
