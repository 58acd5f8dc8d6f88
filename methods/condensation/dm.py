"""Dataset condensation with distribution matching (arXiv:2110.04181)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks import condensation_augment as siamese
from bench.tracks.condensation import ClassSampler, Problem, SmallSet, labels_of, real_rows
from bench.tracks.condensation_calls import seen


class DistributionMatching(Method):
    """Match the mean feature of every class in nets that were never trained."""

    card: ClassVar = MethodCard(
        name="dm",
        title="Dataset condensation with distribution matching",
        track=("condensation", "condensation-calibration"),
        paper="arXiv:2110.04181",
        bibtex="""@inproceedings{zhao2023dataset,
  title = {Dataset Condensation with Distribution Matching},
  author = {Zhao, Bo and Bilen, Hakan},
  booktitle = {WACV},
  year = {2023},
  eprint = {2110.04181},
  archivePrefix = {arXiv}
}""",
        claim="Matching mean features in random nets needs no inner training and is level with "
        "or above gradient matching at a small part of its cost.",
        official_code="ok",
        deviates="Number of updates and real batch are the task's; the evaluation that ranks does "
        "not augment.",
        defaults_from="paper",
        tuning={"lr_img": (0.3, 1.0, 3.0, 10.0), "mom_img": (0.5, 0.9)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"updates": 20000},
        "paper-cifar10-ipc100": {"updates": 20000, "lr_img": 10.0},
    }

    updates: Annotated[int, Meta(ge=0)] = 0
    """Changes of the images; 0: the problem's budget."""
    lr_img: Annotated[float, Meta(gt=0)] = 1.0
    """Learning rate of the images."""
    mom_img: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Momentum of the images."""
    strategy: str = "color_crop_cutout_flip_scale_rotate"
    """Siamese augmentations, joined by underscores; empty: none."""

    def shown(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return what of the images the loss sees: all."""
        return images

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Minimise sum_c || mean f(real_c) - mean f(synthetic_c) ||^2 over
        the images, f a fresh net each time (eq. 4).
        """
        net, shape = problem.net(), problem.x.shape[1:]
        sampler = ClassSampler(problem, run.torch_generator("order", "matching", device="cpu"))
        weights, draws = (
            run.torch_generator("init", "matching", device="cpu"),
            run.torch_generator("augment", "matching", device="cpu"),
        )
        private = run.torch_generator("method", device="cpu")
        images = (
            problem.x[real_rows(problem, run)]
            .view(problem.n_classes, problem.ipc, *shape)
            .requires_grad_()
        )
        optimiser = torch.optim.SGD([images], lr=self.lr_img, momentum=self.mom_img)
        names = siamese.operations(self.strategy, problem.flips)
        updates = self.updates or problem.updates
        tick = run.progress(updates, "updates")
        for _ in range(updates):
            params = [tensor.to(problem.x.device) for tensor in net.init([weights])]
            real, synthetic = sampler.draw(problem.batch_real), self.shown(images, private)
            if names:
                drawn = siamese.draw(names, problem.n_classes, (shape[1], shape[2]), draws)
                real, synthetic = siamese.apply(drawn, real), siamese.apply(drawn, synthetic)
            target = (
                seen(net, params, real.flatten(0, 1), "features")[0]
                .unflatten(0, real.shape[:2])
                .mean(1)
            )
            found = (
                net.features(params, synthetic.flatten(0, 1)[None])[0]
                .unflatten(0, synthetic.shape[:2])
                .mean(1)
            )
            (images.grad,) = torch.autograd.grad((target - found).square().sum(), images)
            optimiser.step()
            run.count(
                forward=real.shape[0] * real.shape[1] + problem.budget, backward=problem.budget
            )
            tick()
        return SmallSet(x=images.detach().flatten(0, 1), y=labels_of(problem))
