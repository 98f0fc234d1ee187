"""The training loop: loss, schedule, moving average, and checkpoints that survive a kill.

Given the number of steps and no time limit, the result is a function of data, seed and threads: the order is drawn up
front and nothing random happens during training. With ``minutes`` the learning rate follows the clock too, and the
result depends on the machine; what was done stands in the checkpoint's record. The number of threads does not: a
checkpoint may be taken up with another, for weights that differ in their last digits.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from index.errors import InputError
from rag.training.data import Example, Group
from rag.training.network import Reader, pack


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one phase learns. ``batch`` counts sequences; ``floor`` is the last learning rate as a share of ``peak``.

    ``null_weight`` weighs the loss of each passage taken alone, in groups of several; ``minutes`` bounds the time spent
    in steps (None: all steps). ``average`` is the decay of the moving average of the weights, a step. With ``bf16``
    products are computed in bfloat16 (weights, norms and losses stay fp32). ``groups`` is the hash of what is learnt
    from (``groups_hash``), which the arguments and the code decide; records older than the field have none.
    """

    phase: str
    peak: float
    floor: float
    batch: int
    seed: int
    data: str
    weight_decay: float = 0.01
    warmup: float = 0.03
    clip: float = 1.0
    null_weight: float = 0.5
    average: float = 0.995
    minutes: float | None = None
    started_from: str = ""
    bf16: bool = False
    groups: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps done, groups seen, seconds spent in steps, and the loss: the mean of the steps, from the hundredth on an
    exponential average in which a step counts one hundredth.
    """

    step: int = 0
    groups: int = 0
    seconds: float = 0.0
    loss: float = 0.0


def group_loss(group: Group, logits: Sequence[Tensor], null_weight: float) -> Tensor:
    """Negative marginal log-likelihood of the right starts and ends of one question; ``logits`` (length, 2) a passage.

    One passage: a softmax over [CLS] and the passage's tokens. Several: one softmax over no answer and the tokens of
    all passages (Clark & Gardner 2018, "shared normalisation"). There each logit counts less that of [CLS] in its own
    passage, and no answer is 0, because answering compares spans of several passages by that margin; plus
    ``null_weight`` times the mean loss of each passage alone.
    """
    alone = torch.stack([_passage_loss(example, part) for example, part in zip(group, logits, strict=True)]).mean()
    if len(group) == 1:
        return alone
    margins = [part - part[:1] for part in logits]
    none = torch.zeros(1, 2)
    every = [none, *[part[example.first : -1] for example, part in zip(group, margins, strict=True)]]
    starts = [part[list(example.starts), 0] for example, part in zip(group, margins, strict=True)]
    ends = [part[list(example.ends), 1] for example, part in zip(group, margins, strict=True)]
    if not any(example.starts for example in group):
        starts, ends = [none[:, 0]], [none[:, 1]]
    gold = torch.cat(starts).logsumexp(0) + torch.cat(ends).logsumexp(0)
    return (torch.cat(every).logsumexp(0).sum() - gold) / 2 + null_weight * alone


def _passage_loss(example: Example, logits: Tensor) -> Tensor:
    every = torch.cat([logits[:1], logits[example.first : -1]]).logsumexp(0).sum()
    starts, ends = (list(example.starts), list(example.ends)) if example.starts else ([0], [0])
    return (every - logits[starts, 0].logsumexp(0) - logits[ends, 1].logsumexp(0)) / 2


def groups_hash(groups: Sequence[Group]) -> str:
    """sha256 over the examples of the groups, in order, hexadecimal: a step number means nothing in another order."""
    digest = hashlib.sha256()
    for group in groups:
        digest.update(f"{len(group)} ".encode())
        for example in group:
            digest.update(f"{len(example.ids)} {example.first} {example.starts} {example.ends} ".encode())
            digest.update(example.ids.tobytes())
    return digest.hexdigest()


def batches(groups: Sequence[Group], size: int) -> list[list[Group]]:
    """Cut the groups, in order, into batches that reach ``size`` sequences each (the last may fall short)."""
    cut: list[list[Group]] = [[]]
    count = 0
    for group in groups:
        if count >= size:
            cut.append([])
            count = 0
        cut[-1].append(group)
        count += len(group)
    return cut if cut[-1] else cut[:-1]


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Linear warm-up, then linear from ``peak`` to ``floor`` x peak; ``progress`` in 0..1."""
    if progress < recipe.warmup:
        return recipe.peak * max(progress, 1e-3) / recipe.warmup
    left = (1.0 - min(progress, 1.0)) / (1.0 - recipe.warmup)
    return recipe.peak * (recipe.floor + (1.0 - recipe.floor) * left)


class Trainer:
    """One phase under way: the reader, its optimiser (AdamW) and the moving average of its weights."""

    def __init__(self, reader: Reader, recipe: Recipe, checkpoint: Path) -> None:
        """Start afresh; ``resume`` takes up what ``checkpoint`` holds."""
        self.reader = reader
        self.recipe = recipe
        self.checkpoint = checkpoint
        self.progress = Progress()
        self.average = {name: tensor.detach().clone() for name, tensor in reader.weights.items()}
        decayed = [tensor for tensor in reader.weights.values() if tensor.ndim > 1]
        plain = [tensor for tensor in reader.weights.values() if tensor.ndim == 1]
        self._optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=recipe.peak,
            fused=True,
        )

    def step(self, batch: Sequence[Group], progress: float) -> float:
        """Learn from one batch; return its mean loss a group."""
        for settings in self._optimiser.param_groups:
            settings["lr"] = learning_rate(self.recipe, progress)
        packed = pack([(example.ids, example.first) for group in batch for example in group])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            logits = self.reader.forward(packed)
        parts = iter(torch.split(logits.float(), packed.lengths))
        losses = [group_loss(group, [next(parts) for _ in group], self.recipe.null_weight) for group in batch]
        loss = torch.stack(losses).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(self.reader.weights.values()), self.recipe.clip)
        self._optimiser.step()
        self._optimiser.zero_grad()
        # The average forgets its random or foreign start quickly: early on its window is as short as the run.
        keep = min(self.recipe.average, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.reader.weights.values()), 1.0 - keep)
        return float(loss.detach())

    def save(self) -> None:
        """Write weights, average, optimiser state and progress, in one file, by an atomic rename."""
        tensors: dict[str, Tensor] = {}
        for name, tensor in self.reader.weights.items():
            state = self._optimiser.state.get(tensor, {})
            tensors[f"weight.{name}"] = tensor.detach()
            tensors[f"average.{name}"] = self.average[name]
            tensors |= {f"{key}.{name}": state[key] for key in ("exp_avg", "exp_avg_sq", "step") if key in state}
        record = {"recipe": json.dumps(asdict(self.recipe)), "progress": json.dumps(asdict(self.progress))}
        write_tensors(self.checkpoint, tensors, record)

    def resume(self) -> bool:
        """Take up the checkpoint, if there is one. Raises InputError when another recipe wrote it."""
        if not self.checkpoint.is_file():
            return False
        with safe_open(self.checkpoint, "pt") as file:
            record = file.metadata() or {}
            then = Recipe(**json.loads(record.get("recipe", "{}")))
            # The time limit may change between two runs of one recipe: it can be lengthened or cut short.
            if replace(then, minutes=None) != replace(self.recipe, minutes=None):
                raise InputError(f"{self.checkpoint}: written by another recipe ({then}); remove it to start afresh")
            for name, tensor in self.reader.weights.items():
                with torch.no_grad():
                    tensor.copy_(file.get_tensor(f"weight.{name}"))
                self.average[name] = file.get_tensor(f"average.{name}")
                keys = [key for key in ("exp_avg", "exp_avg_sq", "step") if f"{key}.{name}" in file.keys()]  # noqa: SIM118
                if keys:
                    self._optimiser.state[tensor] = {key: file.get_tensor(f"{key}.{name}") for key in keys}
        self.progress = Progress(**json.loads(record["progress"]))
        return True

    def run(
        self,
        groups: Sequence[Group],
        report: Callable[[Progress, float], None],
        every_minutes: float = 4.0,
    ) -> Progress:
        """Learn from the groups, in order, from where the checkpoint stands to the last step or the time limit.

        ``report`` gets the progress and its share of the whole, 0..1, every 20 steps. A checkpoint is written every
        ``every_minutes`` and at the end.
        """
        plan = batches(groups, self.recipe.batch)
        limit = None if self.recipe.minutes is None else self.recipe.minutes * 60
        saved = clock = time.monotonic()
        while self.progress.step < len(plan):
            done = self.progress
            share = done.step / len(plan)
            if limit is not None:
                share = max(share, done.seconds / limit)
            if share >= 1.0:
                break
            loss = self.step(plan[done.step], share)
            now = time.monotonic()
            mean = loss if done.step == 0 else done.loss + (loss - done.loss) / min(done.step + 1, 100)
            count = done.groups + len(plan[done.step])
            self.progress = Progress(done.step + 1, count, done.seconds + now - clock, mean)
            clock = now
            if self.progress.step % 20 == 0:
                report(self.progress, share)
            if now - saved > every_minutes * 60:
                self.save()
                saved = time.monotonic()
                clock = time.monotonic()
        self.save()
        return self.progress


def write_tensors(path: Path, tensors: dict[str, Tensor], record: dict[str, str]) -> None:
    """Write a safetensors file with metadata ``record`` by an atomic rename."""
    partial = path.with_name(path.name + ".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata=record)
    partial.replace(path)
