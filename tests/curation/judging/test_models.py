"""What a judge and a reward model do with single rows: their prompts, limits and templates."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import make_tiny_reward_model
from tuner.curation.judging.judge import Judge, as_columns
from tuner.curation.judging.reward import Messages, Rewarder
from tuner.curation.judging.tags import SCALES, TAGS, question
from tuner.models.settings import FIXED_DATE

pytestmark = pytest.mark.usefixtures("float32")

LONG = "Tell me more of it, and of that, too. " * 200


def conversation(*texts: str) -> Messages:
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_reward_model(tmp_path_factory.mktemp("reward"))


def test_the_tag_is_the_likeliest_label_and_the_score_the_expected_place_on_the_scale() -> None:
    likelihoods = np.log([[0.1, 0.1, 0.1, 0.5, 0.2], [0.2, 0.2, 0.2, 0.2, 0.2]])
    rows = as_columns("difficulty", np.vstack([likelihoods, np.full(5, np.nan)]))
    assert rows["tag_difficulty"].to_list() == ["hard", "very easy", None]
    assert rows["tag_difficulty_probability"].to_list() == [pytest.approx(0.5), pytest.approx(0.2), None]
    expected = 0.1 * 0.25 + 0.1 * 0.5 + 0.5 * 0.75 + 0.2
    assert rows["tag_difficulty_score"].to_list() == [pytest.approx(expected), pytest.approx(0.5), None]
    assert "tag_category_score" not in as_columns("category", np.zeros((1, len(TAGS["category"].labels)))).columns


def test_no_label_begins_with_another() -> None:
    for tag in TAGS.values():
        words = list(tag.labels.values())
        assert not [(one, other) for one in words for other in words if one != other and other.startswith(one)]
    assert SCALES == ("difficulty", "quality")


def test_the_question_holds_the_request_and_the_labels() -> None:
    asked = question("Why is the sky blue?", "difficulty")
    assert "Why is the sky blue?" in asked and asked.endswith("very easy, easy, medium, hard, very hard.")
    assert "Afrikaans" not in question("Why?", "language")


def test_a_request_that_is_longer_than_the_judge_reads_has_no_tag(tiny: Path) -> None:
    judge, seen = Judge(str(tiny), FIXED_DATE), list[int]()
    tagged = judge.tag(["Why is the sky blue?", LONG, "And why is grass green?"], "intent", 2, seen.append)
    assert tagged["tag_intent"].is_null().to_list() == [False, True, False]
    assert tagged["tag_intent_probability"].is_null().to_list() == [False, True, False]
    assert seen == [1, 2]


def test_the_reward_is_the_models_for_the_conversation_as_its_template_renders_it(reward_model: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    rows = [
        conversation("Why?", "So."),
        conversation("Why is the sky blue?", "Air scatters blue light.", "And?", "No."),
    ]
    rewards = Rewarder(str(reward_model)).score([(messages, None) for messages in rows], 2, lambda rows: None)
    model = AutoModelForSequenceClassification.from_pretrained(reward_model)
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    for messages, reward in zip(rows, rewards, strict=True):
        ids = tokenizer.apply_chat_template(messages, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            assert model(ids).logits.item() == pytest.approx(reward, abs=1e-5)


def test_a_model_without_a_template_reads_what_came_before_and_the_last_answer(
    reward_model: Path, tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(reward_model, tmp_path / "bare"))
    (bare / "chat_template.jinja").unlink()
    rewarder = Rewarder(str(bare))
    one = rewarder.score([(conversation("Why?", "So.", "And?", "No."), None)], 1, lambda rows: None)
    joined = rewarder.score([(conversation("Why?\n\nSo.\n\nAnd?", "No."), None)], 1, lambda rows: None)
    assert one.tolist() == joined.tolist() and np.isfinite(one).all()


def test_rows_that_are_too_long_or_cannot_be_rendered_have_no_reward(reward_model: Path, tmp_path: Path) -> None:
    strict = Path(shutil.copytree(reward_model, tmp_path / "strict"))
    template = strict / "chat_template.jinja"
    refusal = "{% if messages[0]['content'] == 'Refuse' %}{{ raise_exception('no') }}{% endif %}"
    template.write_text(refusal + template.read_text())
    rows = [conversation("Why?", LONG), conversation("Refuse", "So."), conversation("Why?", "So.")]
    rewards = Rewarder(str(strict)).score([(messages, None) for messages in rows], 4, lambda rows: None)
    assert np.isfinite(rewards).tolist() == [False, False, True]


def test_a_model_whose_configuration_names_no_padding_scores_rows_one_by_one(
    reward_model: Path, tmp_path: Path
) -> None:
    unpadded = Path(shutil.copytree(reward_model, tmp_path / "unpadded"))
    config = json.loads((unpadded / "config.json").read_text())
    (unpadded / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    rows = [(conversation("Why?", "So."), None), (conversation("Why is the sky blue?", "Air scatters it."), None)]
    together = Rewarder(str(unpadded)).score(rows, 2, lambda rows: None)
    alone = [Rewarder(str(unpadded)).score([row], 2, lambda rows: None)[0] for row in rows]
    assert together.tolist() == alone and together[0] != together[1]
