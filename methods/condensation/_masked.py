"""What the cards of the two methods of arXiv:2307.12463 share."""

from __future__ import annotations

CALIBRATION = """@inproceedings{zhu2023rethinking,
  title = {Rethinking Data Distillation: Do Not Overlook Calibration},
  author = {Zhu, Dongyao and Lei, Bowen and Zhang, Jie and Fang, Yanbo and Xie, Yiqun and Zhang,
    Ruqi and Xu, Dongkuan},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2307.12463},
  archivePrefix = {arXiv}
}"""
