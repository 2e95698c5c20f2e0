"""Whether a student can carry an adapter is known without its weights, for every architecture."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.architectures import ARCHITECTURES, made
from tests.training.methods.made import made as adapter
from tuner.errors import InputError
from tuner.evaluation import generation
from tuner.models import loading, scoring
from tuner.models.chat import Chat
from tuner.training import fit
from tuner.training.methods import METHODS, Method

ADAPTERS: dict[str, Method] = {
    **{name: adapter(name) for name in METHODS if METHODS[name].model_fields["quantization"].default is None},
    "lora with dropout": adapter("lora", dropout=0.05),
}
ASKED = [{"role": "user", "content": "Why?"}]
EXPERTS = ("mixtral", "qwen3_moe", "olmoe")
REFUSED: dict[tuple[str, str], str] = {
    **{(name, "lora with dropout"): "the experts of .* set dropout to 0" for name in EXPERTS},
    **{(name, "dora"): "ParamWrapper does not work with use_dora" for name in EXPERTS},
    **{(name, "pissa"): "pissa cannot decompose the weights of the student's experts" for name in EXPERTS},
    **{
        (name, "ia3"): f"the student has no k_proj, v_proj, down_proj, and PEFT names no layers of {name} for ia3"
        for name in ("phi3", "qwen3_moe", "gpt_oss", "olmoe", "lfm2", "mamba")
    },
    **{("gpt2", name): "supported" for name in ("oft", "loha", "lokr")},
    ("olmo", "ln_tuning"): "the student has no normalization layer that ln_tuning could train",
    ("falcon", "prefix_tuning"): "PEFT's prefix_tuning has no keys and values that all heads share",
    **{
        (name, "prefix_tuning"): "prefix_tuning needs keys and values in every layer, which the student has not"
        for name in ("lfm2", "mamba", "falcon_h1")
    },
}
"""The reasons, by architecture and adapter."""

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def chat_of(folder: Path) -> Chat:
    return Chat(loading.load_tokenizer(str(folder)), str(folder))


def works(folder: Path, method: Method) -> None:
    """Trains, scores, generates and merges."""
    import torch

    chat = chat_of(folder)
    model: Any = loading.load_model(str(folder), torch.float32)
    adapted: Any = method.adapted(model, str(folder))
    row = chat.encode([*ASKED, {"role": "assistant", "content": "So."}], 512)
    ids = torch.tensor([row.ids])
    scored = adapted(input_ids=ids, logits_to_keep=len(row.ids) - row.start + 1, use_cache=False).logits
    scored = scored[:, -(len(row.ids) - row.start + 1) : -1]
    torch.nn.functional.cross_entropy(scored[0], ids[0, row.start :]).backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in adapted.parameters())
    assert scoring.losses(adapted, [row], chat.tokenizer.pad_token_id)[0] > 0
    assert len(generation.complete(adapted, chat, [ASKED], 3)) == 1
    if method.merges:
        adapted.merge_adapter()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_works_or_is_refused_in_one_line(architecture: str, tmp_path: Path, float32: None) -> None:
    folder = made(tmp_path / "student", architecture)
    for name, method in ADAPTERS.items():
        if reason := REFUSED.get((architecture, name)):
            with pytest.raises(InputError, match=rf"^training\.x: .*{reason}"):
                fit.check(chat_of(folder), {"x": method})
        else:
            fit.check(chat_of(folder), {"x": method})
            works(folder, method)


def test_the_docs_list_what_each_architecture_cannot_carry() -> None:
    table = DOCS.read_text(encoding="utf-8")
    for architecture in ARCHITECTURES:
        refused = ", ".join(
            name.replace(name.split()[0], f"`{name.split()[0]}`")
            for name in ADAPTERS
            if (architecture, name) in REFUSED
        )
        assert f"| `{architecture}` | {refused or '-'} |" in table


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
        fit.check(chat_of(folder), {"x": adapter("lora", targets=("wq",))})
