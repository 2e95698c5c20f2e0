"""Static batches on transformers' `generate`, for models whose rows cannot move between slots."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from tuner.generation import seeds
from tuner.generation.engines import Completion, Request
from tuner.generation.engines.endings import Ending, Endings
from tuner.generation.sampling import RowSampler


class Batches:
    """Completes requests batch after batch; a batch takes as long as its longest row.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        endings: Where its completions end.
        size: Rows in a batch.
    """

    def __init__(self, model: Any, tokenizer: Any, endings: Endings, size: int) -> None:
        self._model, self._tokenizer, self._endings, self.size = model, tokenizer, endings, size

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.complete`; batches have equal sampling settings and similar prompt lengths."""
        while requests:
            key = requests[0].sampling, requests[0].stops
            group = [request for request in requests if (request.sampling, request.stops) == key]
            others = [request for request in requests if (request.sampling, request.stops) != key]
            requests.clear()
            requests.extend(others)
            lengths = [len(self._encode(request.prompt)) for request in group]
            order = sorted(range(len(group)), key=lambda place: (lengths[place], place))
            for start in range(0, len(order), self.size):
                batch = [group[place] for place in order[start : start + self.size]]
                done = self._batch(batch)
                on_tokens(sum(completion.tokens for completion in done))
                yield from zip(batch, done, strict=True)

    def _encode(self, prompt: str) -> list[int]:
        return list(self._tokenizer(prompt, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def _batch(self, requests: list[Request]) -> list[Completion]:
        sampling, ending = requests[0].sampling, self._endings.of(requests[0].stops)
        prompts = [request.prompt for request in requests]
        encoded = self._tokenizer(prompts, add_special_tokens=False, padding=True, return_tensors="pt")
        inputs = {key: value.to(self._model.device) for key, value in encoded.items() if key != "token_type_ids"}
        length = inputs["input_ids"].shape[1]
        uniforms = np.stack([seeds.uniforms(r.seed, r.turn, sampling.max_tokens) for r in requests])
        config = GenerationConfig(
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            eos_token_id=sorted(ending.tokens) or None,
            pad_token_id=self._tokenizer.pad_token_id,
            stop_strings=list(ending.texts) or None,
        )
        output = self._model.generate(
            **inputs,
            generation_config=config,
            logits_processor=[RowSampler(sampling, torch.from_numpy(uniforms), length)],
            tokenizer=self._tokenizer if ending.texts else None,
        )
        return [self._completion(ids, ending) for ids in output[:, length:].tolist()]

    def _completion(self, ids: list[int], ending: Ending) -> Completion:
        """The completion at the first token that ends it; what follows is padding."""
        places = range(1, len(ids) + 1)
        ended = (self._endings.completion(ids[:place], ending) for place in places if self._may_end(ids, place, ending))
        return next(filter(None, ended), None) or self._endings.cut(ids)

    def _may_end(self, ids: list[int], place: int, ending: Ending) -> bool:
        return bool(ending.texts) or ids[place - 1] in ending.tokens
