"""What is found out about a server before and while it is asked: models, keys of requests, seeds, the bearer."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.generation.asked import LIMIT_SECONDS, complete, wait
from tests.generation.served import EXTRAS, Served, requests
from tuner.errors import InputError
from tuner.generation.engines import Completion, endpoint
from tuner.generation.engines.completions import CompletionsEngine


def test_a_single_model_is_recorded_under_the_name_that_the_server_gives(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    server.models = ["house-name"]
    engine = opened(server)
    complete(engine, requests(3))
    assert {body["model"] for body in server.asked} == {"house-name"}
    facts = engine.facts()
    assert (facts.engine, facts.device, facts.dtype) == ("completions", f"127.0.0.1:{server.port}", "server's")
    assert (facts.served_model, facts.slots) == ("house-name", 3)
    assert facts.reproducible == "seeded, not equal to the bit"


def test_of_several_models_the_generator_is_asked(
    server: Served, opened: Callable[..., CompletionsEngine], tiny: Path
) -> None:
    server.models = ["other", f"/elsewhere/{tiny.name}"]
    complete(opened(server), requests(3))
    assert {body["model"] for body in server.asked} == {f"/elsewhere/{tiny.name}"}


def test_several_others_are_refused(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    server.models = ["one", "two"]
    with pytest.raises(InputError, match=r"serves several models, .*: one, two; serve"):
        opened(server)


def test_a_chat_server_is_refused_with_the_reason(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    server.completes = False
    with pytest.raises(InputError, match=r"has no /v1/completions \(status 404\), only chat .* raw prompts"):
        opened(server)


def test_no_server_at_the_address_is_one_line_with_the_url(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    server.die()
    try:
        with pytest.raises(InputError, match=rf"^TUNER_ENDPOINT: {server.url} does not answer: .*; start") as error:
            opened(server)
        assert "\n" not in str(error.value)
    finally:
        server.live()


def test_a_server_that_still_starts_is_waited_for(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "OPEN_SECONDS", LIMIT_SECONDS)
    server.die()
    later = threading.Timer(0.5, server.live)
    later.start()
    assert len(complete(opened(server), requests(3))) == 3
    later.join()


def test_keys_that_a_server_refuses_are_left_out(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    server.refused = EXTRAS
    engine = opened(server)
    complete(engine, requests(5))
    assert not EXTRAS.intersection(*server.asked) and all("seed" in body for body in server.asked)
    assert engine.facts().reproducible == "seeded, not equal to the bit"


def test_a_server_that_lists_nothing_is_asked_for_the_generator(
    server: Served, opened: Callable[..., CompletionsEngine], tiny: Path
) -> None:
    server.models = []
    complete(opened(server), requests(1))
    assert [body["model"] for body in server.asked] == [str(tiny)]


def test_a_server_that_does_not_sample_is_refused(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    server.refused, server.refusal = EXTRAS, "Unexpected fields in the request"
    with pytest.raises(InputError, match=r"is `transformers serve`, .*; serve the model with vLLM"):
        opened(server)


@pytest.mark.parametrize("how", ["refused", "broken"])
def test_a_server_without_seeds_is_recorded_as_such(
    server: Served, opened: Callable[..., CompletionsEngine], how: str
) -> None:
    if how == "refused":
        server.refused = {"seed"}
    else:
        server.broken = lambda body: "seed" in body
    engine = opened(server)
    assert len(complete(engine, requests(5))) == 5
    assert engine.facts().reproducible == "not seeded"
    assert all(body["skip_special_tokens"] is False for body in server.asked)


def test_a_server_that_fails_at_seeds_later_goes_on_without(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    engine = opened(server)
    server.broken = lambda body: "seed" in body
    assert len(complete(engine, requests(10))) == 10
    assert engine.facts().reproducible == "not seeded"
    again = opened(server)
    assert len(complete(again, requests(10))) == 10
    assert again.facts().reproducible == "not seeded" and len(server.asked) == 10


def test_a_server_that_ends_at_a_seed_is_asked_without_when_it_is_back(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    engine = opened(server)

    def restart() -> None:
        wait(lambda: engine._replicas.all[0].broken, "the engine is told that the server failed")
        server.die()
        wait(lambda: not engine._seeds, "the engine finds the server gone")
        server.live()

    server.broken = lambda body: "seed" in body
    restarting = threading.Thread(target=restart)
    restarting.start()
    assert len(complete(engine, requests(10))) == 10
    restarting.join()
    assert engine.facts().reproducible == "not seeded"
    assert not any("seed" in body for body in server.asked)


def test_tokens_are_counted_here_if_the_server_does_not(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    server.usage = False
    server.says = lambda body: "How do I bake"
    engine = opened(server)
    (found,) = complete(engine, requests(1)).values()
    assert found == Completion("How do I bake", engine._count("How do I bake") + 1, "stop")


def test_a_start_token_that_the_server_adds_is_left_to_it(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    count = opened(server)._count
    server.counts = count
    complete(opened(server), requests(1))
    server.counts = lambda prompt: 1 + count(prompt)
    complete(opened(server, size=1), requests(3)[1:])
    assert [body["prompt"] for body in server.asked] == ["<|im_start|>row 0", "row 1", "row 2"]


def test_a_bad_request_is_one_line_and_not_sent_again(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    engine = opened(server)
    server.refused = {"prompt"}
    with pytest.raises(InputError) as error:
        complete(engine, requests(3))
    line = f"TUNER_ENDPOINT: {server.url} refuses a request: status 400, unknown keys ['prompt']"
    assert str(error.value) == line


class TestKey:
    def test_it_is_sent_as_bearer_and_shown_nowhere(
        self, server: Served, opened: Callable[..., CompletionsEngine], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.key = "sk-hidden"
        engine = opened(server, key="sk-hidden")
        complete(engine, requests(3))
        assert set(server.bearers) == {"Bearer sk-hidden"}
        assert "sk-hidden" not in f"{engine.facts()} {caplog.text}"

    @pytest.mark.parametrize(("key", "line"), [("", "wants a key"), ("sk-wrong", "refuses the key")])
    def test_a_wrong_one_is_refused_without_naming_it(
        self, server: Served, opened: Callable[..., CompletionsEngine], key: str, line: str
    ) -> None:
        server.key = "sk-hidden"
        with pytest.raises(InputError, match=f"^TUNER_ENDPOINT_KEY: {server.url} {line}: status 401") as error:
            opened(server, key=key)
        assert "sk-" not in str(error.value) and "\n" not in str(error.value)
