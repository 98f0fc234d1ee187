"""The training loop: loss, schedule, moving average, and checkpoints that survive a kill.

Given the number of steps and no time limit, the result on a CPU is a function of data, seed and threads: the order is
drawn up front and nothing but dropout, where there is any, is random during training. With ``minutes`` the learning
rate follows the clock too, and the result depends on the machine; what was done stands in the checkpoint's record. The
number of threads does not: a checkpoint may be taken up with another, for weights that differ in their last digits.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from index.errors import InputError
from rag.training.data import Group
from rag.training.loss import loss, targets
from rag.training.network import Reader, pack

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one phase learns. ``batch`` counts sequences; ``floor`` is the last learning rate as a share of ``peak``.

    ``null_weight`` weighs the loss of each passage taken alone, in groups of several; ``minutes`` bounds the time spent
    in steps (None: all steps). ``average`` is the decay of the moving average of the weights, a step. With ``bf16``
    products are computed in bfloat16 (weights, norms and losses stay fp32). ``groups`` is the hash of what is learnt
    from (``groups_hash``), which the arguments and the code decide; records older than the field have none. ``dropout``
    is the share of units dropped; of the loss ``taught`` is the divergence from a teacher's odds at the temperature
    ``heat`` (see ``loss``).
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
    dropout: float = 0.0
    taught: float = 0.0
    heat: float = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps done, groups seen, seconds spent in steps, and the loss: the mean of the steps, from the hundredth on an
    exponential average in which a step counts one hundredth.
    """

    step: int = 0
    groups: int = 0
    seconds: float = 0.0
    loss: float = 0.0


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
    return cut(groups, size, len)


def cut(items: Sequence[Item], size: int, sequences: Callable[[Item], int]) -> list[list[Item]]:
    """Cut anything so, by how many ``sequences`` each stands for."""
    parts: list[list[Item]] = [[]]
    count = 0
    for item in items:
        if count >= size:
            parts.append([])
            count = 0
        parts[-1].append(item)
        count += sequences(item)
    return parts if parts[-1] else parts[:-1]


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
        self.reader.dropout = recipe.dropout
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

    def step(self, batch: Sequence[Group], progress: float, odds: Sequence[NDArray[np.float16]] | None = None) -> float:
        """Learn from one batch; return its mean loss a group. ``odds``: a teacher's logits of each group."""
        for settings in self._optimiser.param_groups:
            settings["lr"] = learning_rate(self.recipe, progress)
        packed = pack([(example.ids, example.first) for group in batch for example in group])
        device = self.reader.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.recipe.bf16):
            logits = self.reader.forward(packed, learning=True)
        theirs = None if odds is None else torch.from_numpy(np.concatenate(odds)).to(device).float()
        right = targets(batch, self.recipe.null_weight, device)
        lost = loss(right, logits, theirs, self.recipe.taught, self.recipe.heat)
        lost.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(self.reader.weights.values()), self.recipe.clip)
        self._optimiser.step()
        self._optimiser.zero_grad()
        # The average forgets its random or foreign start quickly: early on its window is as short as the run.
        keep = min(self.recipe.average, (1 + self.progress.step) / (10 + self.progress.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.reader.weights.values()), 1.0 - keep)
        return float(lost.detach())

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
        try:
            opened = safe_open(self.checkpoint, "pt", device=str(self.reader.device))
            record: dict[str, str] = opened.metadata() or {}  # type: ignore[no-untyped-call]
            then = Recipe(**json.loads(record["recipe"]))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.checkpoint}: no checkpoint ({error}); remove it to start afresh") from error
        with opened as file:
            # The time limit may change between two runs of one recipe: it can be lengthened or cut short.
            if replace(then, minutes=None) != replace(self.recipe, minutes=None):
                now = replace(self.recipe, minutes=then.minutes)
                other = [name for name, value in asdict(then).items() if value != getattr(now, name)]
                raise InputError(
                    f"{self.checkpoint}: written by another recipe (its {', '.join(other)}); remove it to start afresh"
                )
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
        odds: Sequence[NDArray[np.float16]] | None = None,
    ) -> Progress:
        """Learn from the groups, in order, from where the checkpoint stands to the last step or the time limit.

        ``odds``: a teacher's logits, (tokens, 2) for each group, the passages one after another.

        ``report`` gets the progress and its share of the whole, 0..1, every 20 steps. A checkpoint is written every
        ``every_minutes`` and at the end.
        """
        plan = batches(groups, self.recipe.batch)
        limit = None if self.recipe.minutes is None else self.recipe.minutes * 60
        saved = clock = time.monotonic()
        begun = self.progress.step
        while self.progress.step < len(plan):
            done = self.progress
            share = done.step / len(plan)
            if limit is not None:
                share = max(share, done.seconds / limit)
            if share >= 1.0:
                break
            count = done.groups + len(plan[done.step])
            lost = self.step(plan[done.step], share, None if odds is None else odds[done.groups : count])
            now = time.monotonic()
            mean = lost if done.step == 0 else done.loss + (lost - done.loss) / min(done.step + 1, 100)
            self.progress = Progress(done.step + 1, count, done.seconds + now - clock, mean)
            clock = now
            if self.progress.step % 20 == 0:
                report(self.progress, share)
            if now - saved > every_minutes * 60:
                self.save()
                saved = time.monotonic()
                clock = time.monotonic()
        if self.progress.step > begun or not self.checkpoint.is_file():  # else it would change for nothing
            self.save()
        return self.progress


def say(line: str) -> None:
    """One line of a run's log, on stderr."""
    print(f"{time.strftime('%H:%M:%S', time.gmtime())} [{os.getpid()}] {line}", file=sys.stderr, flush=True)


def write_tensors(path: Path, tensors: dict[str, Tensor], record: dict[str, str]) -> None:
    """Write a safetensors file with metadata ``record`` by an atomic rename; InputError when it cannot be."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.touch()  # with the rights of any new file, which safetensors' own would not have
        rights = partial.stat().st_mode
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata=record)
        partial.chmod(rights)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error}); give another place") from error
