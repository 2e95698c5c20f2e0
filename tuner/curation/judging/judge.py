"""A judge: a chat model that tags rows with the likeliest of the labels of a kind."""

import datetime
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.curation.judging.likelihood import Likelihoods
from tuner.curation.judging.tags import TAGS, Kind, column, probability_column, question, score_column
from tuner.errors import InputError
from tuner.models import chat, loading, precision
from tuner.models.chat import Chat
from tuner.models.memory import in_batches
from tuner.models.settings import Models

F64 = NDArray[np.float64]

KEY = "curation.judging.judge"


def chat_of(model: str, date: datetime.date, key: str = KEY) -> Chat:
    """The tokenizer and chat template of a judge.

    Args:
        model: The model, as written in the recipe.
        date: The day that its chat template prints, if it prints one.
        key: Its key in the recipe, for the error.

    Raises:
        InputError: If it cannot be loaded, has no chat template, or one that cannot be used.
    """
    tokenizer = loading.load_tokenizer(model)
    if not tokenizer.chat_template:
        raise InputError(f"{key}: {model} has no chat template, so that it cannot be asked")
    return chat.of(tokenizer, Models(generator=model, student=model, date=date), "generator")


class Judge:
    """A loaded judge.

    Args:
        model: The model, as written in the recipe.
        date: The day that its chat template prints, if it prints one.
        key: Its key in the recipe, for errors.

    Attributes:
        longest: Tokens of the longest prompt that it reads, with room for an answer; None if any.
        parameters: How many it has.

    Raises:
        InputError: As `chat_of` does.
    """

    def __init__(self, model: str, date: datetime.date, key: str = KEY) -> None:
        self._chat = chat_of(model, date, key)
        loaded = loading.load_model(model, precision.inference())
        self._likelihoods = Likelihoods(loaded)
        self.device, self.dtype = loaded.device.type, str(loaded.dtype).removeprefix("torch.")
        self.longest = loading.positions(loaded.config)
        self.parameters = loaded.num_parameters()

    def tag(
        self, instructions: Sequence[str], kind: Kind, batch_size: int, on_rows: Callable[[int], None]
    ) -> pl.DataFrame:
        """Tags instructions.

        Args:
            instructions: What users ask.
            kind: What for.
            batch_size: Rows in a batch; fewer if the memory does not suffice.
            on_rows: Called with the number of rows done, from time to time.

        Returns:
            The columns `tags.column`, `probability_column` and, of a scale, `score_column`, all null where the request
            is longer than the judge reads.
        """
        asked = [question(instruction, kind) for instruction in instructions]
        return as_columns(kind, self.likelihoods(asked, list(TAGS[kind].labels.values()), batch_size, on_rows))

    def likelihoods(
        self, asked: Sequence[str], words: Sequence[str], batch_size: int, on_rows: Callable[[int], None]
    ) -> F64:
        """How likely each of some answers is to each question.

        Args:
            asked: The questions.
            words: The answers, none of which begins with another.
            batch_size: As for `tag`.
            on_rows: As for `tag`, with questions for rows.

        Returns:
            Log-likelihoods in nats that an answer begins so, shape (questions, answers); NaN where the question is
            longer than the judge reads.
        """
        prompts = [self._prompt(each) for each in asked]
        begun = self._prompt("")
        begun_ids = self._chat.ids(begun)
        answers = [self._chat.continued(begun, begun_ids, each) for each in words]
        encoded = [self._chat.ids(prompt) for prompt in prompts]
        room = None if self.longest is None else self.longest - max(map(len, answers))
        fitting = [row for row, ids in enumerate(encoded) if room is None or len(ids) <= room]
        # The longest first, so that running out of memory shows at once.
        order = sorted(fitting, key=lambda row: (-len(encoded[row]), row))
        scores = np.full((len(prompts), len(answers)), np.nan)
        results = in_batches(
            order, batch_size, lambda rows: list(self._likelihoods.of([encoded[r] for r in rows], answers))
        )
        for done, (row, values) in enumerate(zip(order, results, strict=True), 1):
            scores[row] = values
            on_rows(done)
        return scores

    def _prompt(self, asked: str) -> str:
        return f"{self._chat.prompt([{'role': 'user', 'content': asked}])}{self._chat.template.lead}"


def as_columns(kind: Kind, scores: F64) -> pl.DataFrame:
    """The tag of each row, its probability among the labels of the kind and, of a scale, the expected place on it.

    No label begins with another, so that the labels exclude each other. The probability is that of the label if the
    judge answers with any of them, and is high also where it is unlikely to do so.

    Args:
        kind: The kind of tag.
        scores: Log-likelihoods in nats, shape (rows, labels); NaN where a row was not judged.
    """
    tag, judged = TAGS[kind], ~np.isnan(scores[:, 0])
    known = np.where(judged[:, None], scores, 0.0)
    shares = np.exp(known - known.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    best = shares.argmax(axis=1)
    columns = {
        column(kind): pl.Series(list(tag.labels), dtype=pl.String).gather(best),
        probability_column(kind): pl.Series(shares.max(axis=1)),
    }
    if tag.ordered:
        columns[score_column(kind)] = pl.Series(shares @ np.linspace(0, 1, len(tag.labels)))
    rows = pl.Series(judged)
    return pl.DataFrame(columns).select(pl.when(rows).then(pl.all()))
