"""The nearest LoRA of an adapter does what the adapter does, as far as its rank allows, and says how far that is."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training import architectures
from tests.training.methods.made import made
from tuner.errors import InputError
from tuner.models import loading
from tuner.models.conversion import Nearest, nearest_lora
from tuner.training.methods import METHODS

CONVERTED = [name for name, method in METHODS.items() if method.serves_as_lora == "converted"]
FULL = 32
"""The largest rank of the tiny student's narrowest layer, its `k_proj`."""
IDS = torch.arange(3, 43)[None]


@pytest.fixture(autouse=True)
def exact(float32: None) -> None:
    """Everything is computed in float32."""


def student(folder: Path) -> Any:
    return loading.load_model(str(folder), torch.float32).eval()


def adapted(method: str, folder: Path, **settings: object) -> Any:
    """A student with an adapter on it, which differs from a new one in every weight."""
    torch.manual_seed(4)
    model = made(method, **settings).adapted(student(folder), str(folder))
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.1 * torch.randn_like(weight)
    return model.eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def with_lora(nearest: Nearest, folder: Path) -> Any:
    from peft import get_peft_model, set_peft_model_state_dict

    model = get_peft_model(student(folder), nearest.config)  # pyright: ignore[reportArgumentType]
    assert not set_peft_model_state_dict(model, nearest.weights).unexpected_keys
    return model.eval()


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_peft_says(tiny: Path, method: str) -> None:
    from peft import PeftModel

    settings = made(method)
    if settings.quantization or settings.is_prompt:
        return
    model = settings.adapted(student(tiny), str(tiny))
    can = isinstance(model, PeftModel) and model.supports_lora_conversion()
    assert can == (settings.serves_as_lora != "not at all")


@pytest.mark.parametrize("method", CONVERTED)
def test_with_a_rank_that_suffices_it_does_the_same(tiny: Path, method: str) -> None:
    model = adapted(method, tiny, targets=("k_proj",))
    nearest = nearest_lora(model, FULL)
    assert nearest.kept == pytest.approx(1, abs=1e-5)
    assert (nearest.config.r, nearest.config.lora_alpha, nearest.config.task_type) == (FULL, FULL, "CAUSAL_LM")
    assert nearest.config.target_modules == {"k_proj"}
    torch.testing.assert_close(logits(with_lora(nearest, tiny)), logits(model), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(model), logits(student(tiny)), atol=1e-3)


@pytest.mark.parametrize("method", ["vera", "loha"])
def test_the_rank_of_a_vera_and_the_square_of_a_lohas_suffice(tiny: Path, method: str) -> None:
    """16 and 4."""
    model = adapted(method, tiny)
    assert nearest_lora(model, 16).kept == pytest.approx(1, abs=1e-5)
    assert nearest_lora(model, 15).kept < 1 - 1e-5


@pytest.mark.parametrize("method", CONVERTED)
def test_what_is_kept_is_the_share_of_the_change_of_the_merged_weights(tiny: Path, method: str) -> None:
    plain = {name: weight.clone() for name, weight in student(tiny).state_dict().items()}
    nearest = nearest_lora(adapted(method, tiny), 4)
    whole = adapted(method, tiny).merge_and_unload().state_dict()
    low = with_lora(nearest, tiny).merge_and_unload().state_dict()
    missing = sum((whole[name] - low[name]).square().sum().item() for name in plain)
    change = sum((whole[name] - plain[name]).square().sum().item() for name in plain)
    assert 0.1 < nearest.kept < 0.999
    assert nearest.kept == pytest.approx(1 - missing / change, abs=1e-4)


def test_a_larger_rank_keeps_more_and_the_adapter_stays_as_it_was(tiny: Path) -> None:
    model = adapted("dora", tiny)
    before = logits(model)
    kept = [nearest_lora(model, rank).kept for rank in (2, 8, FULL)]
    assert kept == sorted(set(kept))
    assert torch.equal(logits(model), before)


def test_an_untrained_adapter_loses_nothing(tiny: Path) -> None:
    assert nearest_lora(made("vera").adapted(student(tiny), str(tiny)), 1).kept == 1


@pytest.mark.parametrize("method", ["dora", "vera"])
def test_layers_with_transposed_weights(tmp_path: Path, method: str) -> None:
    """GPT-2's, of which none has a rank above 32."""
    folder = architectures.made(tmp_path / "gpt2", "gpt2")
    model = adapted(method, folder)
    nearest = nearest_lora(model, 32)
    assert nearest.kept == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(logits(with_lora(nearest, folder)), logits(model), rtol=1e-4, atol=1e-4)


def test_a_rank_that_a_layer_does_not_have_is_refused(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"^rank 33: model\.layers\.0\.self_attn\.k_proj has a rank of 32 at most"):
        nearest_lora(adapted("dora", tiny), 33)


def test_an_adapter_that_only_turns_the_input_is_refused(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"PEFT converts no Linear to a LoRA, as model\.layers\.0\.\S+ is"):
        nearest_lora(adapted("oft", tiny), 4)


def test_progress_counts_the_layers(tiny: Path) -> None:
    told: list[tuple[int, int]] = []
    nearest_lora(adapted("dora", tiny), 4, lambda done, of: told.append((done, of)))
    assert told == [(number, 14) for number in range(1, 15)]
