"""Any causal language model of Hugging Face on maths questions."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Case, Preset, Reference, Setup, TaskCard

from ._language import METRICS, LanguageTask, apart

HINT = "Reason step by step, and put the final answer into \\boxed{}."


class HubMaths(LanguageTask):
    """Answer questions of GSM8K or MATH; the last box, number or what
    stands behind #### is compared with the gold answer.
    """

    card: ClassVar = TaskCard(
        name="hub-maths",
        title="GSM8K and MATH with any language model",
        track="policy-optimization",
        datasets=("gsm8k", "competition-math"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"gsm8k": {}},
                params={
                    "steps": 1,
                    "prompts": 2,
                    "group": 4,
                    "max_new": 16,
                    "minibatches": 1,
                    "passes": 8,
                    "lora": 4,
                    "n_held_out": 4,
                    "n_watched": 0,
                    "samples": 1,
                },
                seeds=1,
                timeout=600,
            ),
            "paper": Preset(
                variants={"gsm8k": {}, "math": {"questions": "competition-math", "max_new": 512}},
                params={
                    "max_new": 256,
                    "prompts": 16,
                    "passes": 16,
                    "lora": 64,
                    "recompute": True,
                    "n_held_out": 256,
                },
                seeds=3,
                timeout=43200,
            ),
        },
        test_set="official",
        budget="100 batches of 16 prompts with 16 rollouts each",
        lengths_vary=True,
        references=(
            Reference(name="grpo", kind="low"),
            Reference(
                name="no-training",
                kind="control",
                title="The model that every method starts from",
                solve="keep_the_model",
            ),
        ),
        libraries=("trl", "transformers", "peft", "datasets"),
    )

    model: str = "Qwen/Qwen2.5-0.5B-Instruct"
    """Name on the hub, or folder, of the model and its tokenizer."""
    questions: Literal["gsm8k", "competition-math"] = "gsm8k"
    """The dataset."""
    chat: bool = True
    """Ask through the tokenizer's chat template."""

    def prepare(self, run: Setup) -> Case:
        """Read the questions; the first of the test split are held out."""
        training, held_out = (
            run.dataset(self.questions, split=split) for split in ("train", "test")
        )
        training, held_out = (
            type(part)(tuple(f"{question}\n{HINT}" for question in part.questions), part.answers)
            for part in (training, held_out)
        )
        return self.case(apart(training, held_out), held_out, source=self.model, chat=self.chat)
