"""Models that cannot do what a recipe wants are refused before anything is computed."""

from pathlib import Path

import pytest

from tuner import loading, planning, suitability
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.models import chat
from tuner.settings import settings
from tuner.training.sweeps import tpe


def check(generator: str | Path, student: str | Path, *overrides: str) -> list[str]:
    text = (
        f"name: tiny\nmodels: {{generator: '{generator}', student: '{student}'}}\n"
        "generation: {rows: 8}\ntraining: {lora: {method: lora}}\n"
    )
    recipe = loading.parse(text, overrides)
    return suitability.check(recipe, planning.plan(recipe, Store(settings().store)))


def test_models_that_fit_are_looked_at_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(tiny, tiny) == []
    monkeypatch.setattr(chat, "load", lambda *_: pytest.fail("looked at again"))
    assert check(tiny, tiny) == []
    with pytest.raises(pytest.fail.Exception):
        check(tiny, tiny, "training.lora.r=4")


def test_a_generator_without_a_chat_template_is_refused(tiny: Path, base: Path) -> None:
    with pytest.raises(InputError, match=r"has no chat template, so no instructions can be generated"):
        check(base, tiny)


def test_a_student_without_one_is_lent_the_generators(tiny: Path, base: Path) -> None:
    assert check(tiny, base) == []


def test_a_generator_without_one_is_given_the_one_that_is_named(tiny: Path, base: Path) -> None:
    assert check(base, tiny, f"models.chat_template.generator={tiny}") == []


@pytest.mark.parametrize("steered", ["generation.system=shipped:code", "generation.languages=[en]"])
def test_a_template_that_renders_no_system_prompt_is_refused_where_one_is_wanted(base: Path, steered: str) -> None:
    template = (
        "{% for m in messages %}{% if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    (base / "chat_template.jinja").write_text(template)
    assert check(base, base) == []
    with pytest.raises(InputError, match="its chat template renders no system prompt"):
        check(base, base, steered)


def test_a_target_that_the_student_has_not_is_refused(tiny: Path) -> None:
    with pytest.raises(InputError, match="the student has no module called 'wq'"):
        check(tiny, tiny, "training.lora.targets=[wq]")


def test_a_trial_whose_target_the_student_has_not_is_refused(tiny: Path) -> None:
    with pytest.raises(InputError, match=r"training\.lora\.sweep \(targets .*the student has no module called 'wq'"):
        check(tiny, tiny, "training.lora.sweep={targets: [all-linear, [wq]], learning_rate: [1e-3, 1e-2]}")


def test_a_batch_that_the_processes_of_a_training_cannot_share_is_refused(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_TRAIN_PROCESSES", "3")
    settings.cache_clear()
    with pytest.raises(InputError, match=r"^training\.lora\.batch_size: 8 rows .* choose a multiple of 3$"):
        check(tiny, tiny)


def test_a_sweep_by_an_extra_that_is_missing_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpe.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^training\.lora\.sweep\.how: tpe needs the extra `tpe`"):
        check(tiny, tiny, "training.lora.sweep={how: tpe, trials: 4, learning_rate: {from: 1e-4, to: 1e-2}}")


def test_models_that_cannot_answer_or_score_candidates_are_refused(tiny: Path, base: Path) -> None:
    with pytest.raises(InputError, match="is no reward model: its configuration says LlamaForCausalLM"):
        check(tiny, tiny, f"preference={{scorer: {{reward: '{tiny}'}}}}")
    with pytest.raises(InputError, match=r"preference\.scorer\.judge: .* has no chat template, so that it cannot"):
        check(tiny, tiny, f"preference={{scorer: {{judge: '{base}'}}}}")
    with pytest.raises(InputError, match="has no chat template"):
        check(tiny, tiny, f"preference={{scorer: {{rules: [form]}}, candidates: {{models: ['{base}']}}}}")
    assert check(tiny, tiny, f"preference={{scorer: {{judge: '{tiny}'}}, candidates: {{models: ['{tiny}']}}}}") == []


def test_models_that_cannot_judge_are_refused(tiny: Path, base: Path) -> None:
    with pytest.raises(
        InputError, match=r"curation.judging.judge: .* has no chat template, so that it cannot be asked"
    ):
        check(tiny, tiny, f"curation.judging={{judge: '{base}', tags: [quality]}}")
    with pytest.raises(InputError, match="is no reward model: its configuration says LlamaForCausalLM"):
        check(tiny, tiny, f"curation.judging={{reward: '{tiny}'}}")
    assert check(tiny, tiny, f"curation.judging={{judge: '{tiny}', tags: [quality], reward: 'pypi:made-up==1.0'}}") == [
        "curation.judging.reward was not checked: pypi:made-up==1.0 is fetched when it is needed"
    ]


def test_a_model_that_is_not_here_is_named(tiny: Path) -> None:
    assert check("pypi:made-up==1.0", tiny) == [
        "models.generator was not checked: pypi:made-up==1.0 is fetched when it is needed",
        "models.student was not checked: pypi:made-up==1.0 is fetched when it is needed",
    ]


HUB = "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE"


def test_a_hub_model_that_is_refused_here_may_be_a_workers(
    tiny: Path, refusing_s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HUB, f"{refusing_s3}/{{repo_id}}/{{revision}}/{{filename}}")
    refused = "was not checked: the hub refuses access to owner/name from here"
    assert check(tiny, "owner/name") == [f"models.student {refused}"]
    assert check("owner/name", tiny) == [f"models.generator {refused}", f"models.student {refused}"]


def test_a_hub_that_cannot_be_reached_is_asked_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("asked again"))
    monkeypatch.setattr(HUB, "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    unreachable = "owner/name is not on this machine, and the hub cannot be reached"
    assert check(tiny, "owner/name") == [f"models.student was not checked: {unreachable}"]
