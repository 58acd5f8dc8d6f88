"""A causal language model with its tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from bench.errors import DataUnavailable


class LanguageModel:
    """A causal language model with its tokenizer.

    Attributes:
        net: the model, on its device.
        tokenizer: pads on the left.
    """

    def __init__(self, net: Any, tokenizer: Any) -> None:
        self.net, self.tokenizer = net, tokenizer
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.padding_side = "left"

    @classmethod
    def load(
        cls,
        source: str,
        device: torch.device,
        *,
        gguf: str = "",
        dtype: torch.dtype = torch.float32,
    ) -> LanguageModel:
        """Read a model and its tokenizer.

        Args:
            source: name on the hub, or a folder.
            device: where to put it.
            gguf: file in the folder that holds both, where they are stored so.
            dtype: of the weights.

        Raises:
            DataUnavailable: it is not here, or not readable.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
        from transformers.utils import logging

        file = {"gguf_file": gguf} if gguf else {}
        unpacked = {"quantization_config": GgufConfig(dequantize=True)} if gguf else {}
        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **file)
            net = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **file, **unpacked)
        except (OSError, ValueError) as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            raise DataUnavailable(
                f"the language model {source!r} could not be read ({type(error).__name__}: "
                f"{reason}); give the folder of a saved Hugging Face model "
                "with its tokenizer, or the name of one on the hub that this machine can reach."
            ) from error
        return cls(net.to(device), tokenizer)

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Yield the parameters of the model."""
        yield from self.net.parameters()

    def ends(self) -> list[int]:
        """Return the tokens that end a completion."""
        said = self.net.generation_config.eos_token_id
        return sorted(
            {self.tokenizer.eos_token_id, *([said] if isinstance(said, int) else said or [])}
            - {None}
        )

    def answers(
        self, prompts: Sequence[Any], *, new: int, samples: int = 0, batch: int = 64
    ) -> list[list[tuple[str, bool]]]:
        """Continue each prompt.

        Args:
            prompts: texts, or lists of messages for the chat template.
            new: most tokens of a completion.
            samples: completions drawn at temperature 1; 0: the most likely one alone.
            batch: prompts at a time.

        Returns:
            For each prompt its completions: text, and whether it ended by itself.
        """
        from transformers import GenerationConfig

        ends, repeat = self.ends(), max(1, samples)
        draw = (
            {
                "do_sample": True,
                "temperature": 1.0,
                "top_k": 0,
                "top_p": 1.0,
                "num_return_sequences": samples,
            }
            if samples
            else {"do_sample": False}
        )
        settings = GenerationConfig(
            max_new_tokens=new, pad_token_id=self.tokenizer.pad_token_id, eos_token_id=ends, **draw
        )
        found: list[list[tuple[str, bool]]] = []
        with torch.no_grad(), _resting(self.net):
            for start in range(0, len(prompts), batch):
                inputs = self._encoded(prompts[start : start + batch])
                out = self.net.generate(**inputs, generation_config=settings)[
                    :, inputs["input_ids"].shape[1] :
                ]
                ended = torch.isin(out, torch.tensor(ends, device=out.device)).any(-1).tolist()
                texts = list(
                    zip(
                        self.tokenizer.batch_decode(out, skip_special_tokens=True),
                        ended,
                        strict=True,
                    )
                )
                found += [texts[place : place + repeat] for place in range(0, len(texts), repeat)]
        return found

    def _encoded(self, prompts: Sequence[Any]) -> Any:
        if isinstance(prompts[0], str):
            encoded = self.tokenizer(list(prompts), return_tensors="pt", padding=True)
        else:
            texts = [
                self.tokenizer.apply_chat_template(
                    prompt, tokenize=False, add_generation_prompt=True
                )
                for prompt in prompts
            ]
            encoded = self.tokenizer(
                texts, return_tensors="pt", padding=True, add_special_tokens=False
            )
        return {name: encoded[name].to(self.net.device) for name in ("input_ids", "attention_mask")}

    def letters(self, ids: Sequence[int]) -> list[str]:
        """Return the text of each token, to be shown."""
        return [str(self.tokenizer.decode([token])) for token in ids]


@contextmanager
def _resting(net: Any) -> Iterator[None]:
    """Put a model in eval mode for a while."""
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)
