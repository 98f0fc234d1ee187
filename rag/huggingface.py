"""Any Hugging Face model for extractive question answering as a reader's network (``--reader NAME``), in PyTorch.

NAME is a folder or a name that the local Hugging Face cache knows; nothing is downloaded. Only safetensors weights are
read, and no code that comes with a model is run.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.embed import offline
from index.errors import ModelError
from index.minilm import encodable
from rag.minireader import QUESTION_TOKENS, STRIDE, TOKENS
from rag.spans import Floats, Window

BATCH = 8
Ids = npt.NDArray[np.int64]


class HuggingFaceReader:
    """A ``rag.spans.Network``; calls may come from several threads."""

    def __init__(self, name: str) -> None:
        """Load tokenizer and weights; ModelError when they cannot be had or are not for this task."""
        with offline():  # ``local_files_only`` keeps no library from asking for other things than files
            from transformers import AutoModelForQuestionAnswering, AutoTokenizer
            from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, local_files_only=True)
            self._model, told = AutoModelForQuestionAnswering.from_pretrained(
                name,
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
        except Exception as error:  # transformers raises whatever the file system or a model's files do
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(
                f"the reader {name!r} cannot be loaded ({first.rstrip('.')}): "
                "give the folder of a Hugging Face model for extractive question answering, the name of one that was "
                f"fetched with `hf download {name}`, or `none`"
            ) from error
        if told["missing_keys"]:
            raise ModelError(f"the model {name!r} was not trained to answer questions: give one that was, or `none`")
        if not self._tokenizer.is_fast or self._tokenizer.cls_token_id is None:
            raise ModelError(
                f"the tokenizer of {name!r} gives no offsets or has no [CLS]: give another model, or `none`"
            )
        self._model.eval().float()
        self._longest = min(TOKENS, self._tokenizer.model_max_length)
        self._typed = "token_type_ids" in self._tokenizer.model_input_names
        self._lock = threading.Lock()
        self.identity = f"{Path(name).name}@{_digest(self._model)[:16]}"

    def windows(self, question: str, texts: Sequence[str]) -> list[Window]:
        """Cover each text by windows of at most 384 tokens (or what the model takes), neighbours sharing 128."""
        question = encodable(question)
        with self._lock:  # a tokenizer's settings for cutting are not its caller's own
            asked = self._tokenizer(question, add_special_tokens=False, truncation=True, max_length=QUESTION_TOKENS)
            cut = question[: asked.token_to_chars(len(asked["input_ids"]) - 1).end] if asked["input_ids"] else question
            made = self._tokenizer(
                [cut] * len(texts),
                list(texts),
                truncation="only_second",
                max_length=self._longest,
                stride=min(STRIDE, self._longest // 3),
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
            )
        found = []
        for row, text in enumerate(made["overflow_to_sample_mapping"]):
            inside = [place for place, sequence in enumerate(made.sequence_ids(row)) if sequence == 1]
            offsets = np.array([made["offset_mapping"][row][place] for place in inside], np.int64).reshape(-1, 2)
            first = inside[0] if inside else len(made["input_ids"][row])
            found.append(Window(text, np.array(made["input_ids"][row], np.int64), first, offsets))
        return found

    def logits(self, windows: Sequence[Window]) -> list[Floats]:
        """Start and end logits, in batches of windows of like length."""
        import torch

        results: dict[int, Floats] = {}
        for numbers, ids, mask, types in _padded(windows, self._tokenizer.pad_token_id or 0):
            inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
            if self._typed:
                inputs["token_type_ids"] = types
            with torch.inference_mode():
                output = self._model(**{key: torch.from_numpy(value) for key, value in inputs.items()})
            values = torch.stack([output.start_logits, output.end_logits], -1).float().numpy()
            for row, i in zip(values, numbers, strict=True):
                window = windows[i]
                none = int(np.flatnonzero(window.ids == self._tokenizer.cls_token_id)[0])
                passage = row[window.first : window.first + len(window.offsets)]
                results[i] = np.concatenate([row[none : none + 1], passage])
        return [results[i] for i in range(len(windows))]


def _padded(windows: Sequence[Window], pad: int) -> Iterator[tuple[list[int], Ids, Ids, Ids]]:
    """Batches of at most ``BATCH`` windows of like length: their numbers, token ids, attention mask and segments.

    The arrays are int64 (windows, tokens of the longest): ids are ``pad`` and mask and segment 0 behind a window's end;
    the segment is 1 from its ``first`` token on.
    """
    order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
    for at in range(0, len(order), BATCH):
        numbers = order[at : at + BATCH]
        lengths = np.array([len(windows[i].ids) for i in numbers])
        places = np.arange(lengths.max())
        mask = (places < lengths[:, None]).astype(np.int64)
        types = mask * (places >= np.array([windows[i].first for i in numbers])[:, None])
        ids = np.full(mask.shape, pad, np.int64)
        for row, i in zip(ids, numbers, strict=True):
            row[: len(windows[i].ids)] = windows[i].ids
        yield numbers, ids, mask, types


def _digest(model: Any) -> str:
    """sha256 over the names and bytes of a model's tensors, hexadecimal."""
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.contiguous().flatten().numpy().tobytes())
    return digest.hexdigest()
