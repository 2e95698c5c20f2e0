"""Whether a student can carry an adapter is known without its weights, for every architecture."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.architectures import ARCHITECTURES, made
from tuner.errors import InputError
from tuner.evaluation import generation, loss
from tuner.models import loading
from tuner.models.chat import Chat
from tuner.training import fit
from tuner.training.methods import Method
from tuner.training.methods.lora import Lora
from tuner.training.methods.prompt_tuning import PromptTuning

ADAPTERS: dict[str, Method] = {
    "lora": Lora(method="lora", dropout=0),
    "lora with dropout": Lora(method="lora", dropout=0.05),
    "prompt_tuning": PromptTuning(method="prompt_tuning"),
}
ASKED = [{"role": "user", "content": "Why?"}]
REFUSED = {(name, "lora with dropout") for name in ("mixtral", "qwen3_moe", "olmoe")}
DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def chat_of(folder: Path) -> Chat:
    return Chat(loading.load_tokenizer(str(folder)), str(folder))


def works(folder: Path, method: Method) -> None:
    """Trains, scores, generates and merges."""
    import torch
    from peft import get_peft_model

    chat = chat_of(folder)
    model: Any = loading.load_model(str(folder), torch.float32)
    adapted: Any = get_peft_model(model, method.peft_config(model, str(folder)))
    row = chat.encode([*ASKED, {"role": "assistant", "content": "So."}], 512)
    ids = torch.tensor([row.ids])
    scored = adapted(input_ids=ids, logits_to_keep=len(row.ids) - row.start + 1, use_cache=False).logits
    scored = scored[:, -(len(row.ids) - row.start + 1) : -1]
    torch.nn.functional.cross_entropy(scored[0], ids[0, row.start :]).backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in adapted.parameters())
    assert loss.losses(adapted, [row], chat.tokenizer.pad_token_id)[0] > 0
    assert len(generation.complete(adapted, chat, [ASKED], 3)) == 1
    if method.merges:
        adapted.merge_adapter()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_works_or_is_refused_in_one_line(architecture: str, tmp_path: Path, float32: None) -> None:
    folder = made(tmp_path / "student", architecture)
    for name, method in ADAPTERS.items():
        if (architecture, name) in REFUSED:
            with pytest.raises(InputError, match=r"^training\.x: the experts of .* set dropout to 0$"):
                fit.check(chat_of(folder), {"x": method})
        else:
            fit.check(chat_of(folder), {"x": method})
            works(folder, method)


def test_the_docs_list_every_architecture() -> None:
    table = DOCS.read_text(encoding="utf-8")
    for architecture in ARCHITECTURES:
        dropout = "0 only" if (architecture, "lora with dropout") in REFUSED else "yes"
        assert f"| `{architecture}` | yes | {dropout} | yes |" in table


def test_an_encoder_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig

    config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    config.architectures = ["BertForMaskedLM"]
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"is no causal language model: its configuration says BertForMaskedLM$"):
        loading.skeleton(str(tmp_path))


def test_a_token_without_an_embedding_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "student", "llama", vocab_size=259)
    with pytest.raises(InputError, match=r"its tokenizer's '.*' is token 259, but it has 259 embeddings$"):
        fit.check(chat_of(folder), {})


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "student", "llama")
    with pytest.raises(InputError, match="the student has no module called 'wq'"):
        fit.check(chat_of(folder), {"x": Lora(method="lora", targets=("wq",))})
