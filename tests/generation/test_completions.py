"""The engine on servers: every row once, whatever the servers do; real ones on loopback."""

import json
import logging
import os
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows import placement
from tasks.slots import uses_gpu
from tests.generation.served import EXTRAS, SAMPLING, Served, faults, requests, text_of
from tests.warm import Warm
from tuner import loading, planning, suitability
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.generation import engines
from tuner.generation.engines import Completion, Request, completions, journal, replicas
from tuner.generation.engines.completions import CompletionsEngine, EndpointError
from tuner.generation.generate import generate
from tuner.generation.shards import shards
from tuner.generation.sources import Sampling
from tuner.models.resident import release
from tuner.recipe import Recipe
from tuner.settings import Settings, settings

LIMIT_SECONDS = 60.0
"""A limit for waits, with a margin for a machine four times slower."""


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses, since the servers of these tests recover at once."""
    monkeypatch.setattr(replicas, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(replicas, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(completions, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(completions, "OPEN_SECONDS", 0.5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """A function that starts a server."""
    started: list[Served] = []

    def start(*arguments: Any) -> Served:
        started.append(Served(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.die()


@pytest.fixture
def server(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture
def opened(tiny: Path) -> Iterator[Callable[..., CompletionsEngine]]:
    """A function that opens an engine on servers."""
    engines: list[CompletionsEngine] = []

    def open_(*servers: Served, size: int = 8, key: str = "") -> CompletionsEngine:
        urls = ",".join(each.url for each in servers)
        chosen = Settings(engine="completions", endpoint=urls, batch_size=size, endpoint_key=key)  # pyright: ignore[reportArgumentType]
        engines.append(CompletionsEngine(str(tiny), chosen))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.close()


def complete(engine: CompletionsEngine, wanted: Sequence[Request]) -> dict[int, Completion]:
    """The completions by row, each of which must come once."""
    found: dict[int, Completion] = {}
    for request, completion in engine.complete(deque(wanted), lambda tokens: None):
        assert request.row not in found
        found[request.row] = completion
    return found


def wait(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def assert_right(found: dict[int, Completion], server: Served, count: int) -> None:
    """Every row has what the server says to its prompt with its seed."""
    assert sorted(found) == list(range(count))
    said = {body["prompt"]: text_of(body["prompt"], body.get("seed")) for body in server.asked}
    assert all(found[row].text == said[f"<|im_start|>row {row}"] for row in found if f"<|im_start|>row {row}" in said)


def test_every_row_is_completed_once(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    tokens: list[int] = []
    engine = opened(server)
    found = {request.row: each for request, each in engine.complete(deque(requests(40)), tokens.append)}
    assert_right(found, server, 40)
    assert set(server.prompts().values()) == {1}
    assert sum(tokens) == sum(each.tokens for each in found.values()) == 40 * 11
    assert {each.finish for each in found.values()} == {"stop"}
    assert len({each.text for each in found.values()}) == 40


def test_the_same_row_is_asked_with_the_same_seed_by_every_engine(
    server: Served, opened: Callable[..., CompletionsEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = complete(opened(server, size=2), requests(6))
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "other"))
    settings.cache_clear()
    assert complete(opened(server, size=6), requests(6)[::-1]) == first
    assert len(server.asked) == 12


def test_no_requests_give_no_completions(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    assert complete(opened(server), []) == {}


def test_requests_added_meanwhile_go_first(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    queue, order = deque(requests(20)), []
    for request, _ in opened(server, size=1).complete(queue, lambda tokens: None):
        order.append((request.row, request.turn))
        if request.turn == 0:
            queue.appendleft(Request(request.row, 1, request.seed, f"{request.prompt} answer", SAMPLING))
    assert order == [(row, turn) for row in range(20) for turn in (0, 1)]
    assert len({body["seed"] for body in server.asked}) == 40


def test_as_many_are_in_flight_as_set_and_the_most_is_recorded(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    server.seconds = 0.05
    engine = opened(server, size=5)
    complete(engine, requests(20))
    assert server.most == engine.facts().slots == 5


@pytest.mark.parametrize(
    "kinds",
    [
        [(503, {})],
        [(429, {"Retry-After": "0.05"})],
        ["drop"],
        [(500, {}), (502, {})],
        [(503, {}), (429, {"Retry-After": "0"}), "drop", (500, {})],
    ],
)
def test_a_fifth_of_all_requests_may_fail(
    server: Served, opened: Callable[..., CompletionsEngine], kinds: Sequence[Any]
) -> None:
    engine = opened(server)
    server.fault = faults(0.2, kinds)
    found = complete(engine, requests(60))
    assert_right(found, server, 60)
    assert set(server.prompts().values()) == {1}
    assert engine.facts().reproducible == "seeded, not equal to the bit"


def test_an_overload_halves_what_is_in_flight_and_its_pause_is_kept(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    engine = opened(server, size=16)
    times: list[float] = []
    refusals = iter([(429, {"Retry-After": "1"})])

    def fault() -> Any:
        times.append(time.monotonic())
        return next(refusals, None)

    server.fault = fault
    found = complete(engine, requests(1))
    assert len(found) == 1 and len(times) == 2
    assert times[1] - times[0] >= 0.95
    assert engine._limit.allowed == 8


def test_a_slow_answer_is_asked_for_again(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(server, size=4)
    monkeypatch.setattr("tuner.generation.engines.client.DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr("tuner.generation.engines.client.DEADLINE_SECONDS_PER_TOKEN", 0.0)
    slow = iter([True])

    def fault() -> None:
        if next(slow, False):
            time.sleep(1.5)

    server.fault = fault
    assert sorted(complete(engine, requests(8))) == list(range(8))
    assert engine._limit.allowed < 4


def test_replicas_share_the_load(serve: Callable[..., Served], opened: Callable[..., CompletionsEngine]) -> None:
    one, two = serve(), serve()
    one.seconds = two.seconds = 0.02
    found = complete(opened(one, two), requests(60))
    assert sorted(found) == list(range(60))
    assert len(one.asked) + len(two.asked) == 60
    assert min(len(one.asked), len(two.asked)) >= 15


def test_a_replica_may_die_and_return(serve: Callable[..., Served], opened: Callable[..., CompletionsEngine]) -> None:
    one, two = serve(), serve()
    one.seconds = two.seconds = 0.01
    found, before = {}, 0
    queue = deque(requests(40))
    for request, completion in opened(one, two).complete(queue, lambda tokens: None):
        assert request.row not in found
        found[request.row] = completion
        if len(found) == 10:
            two.die()
            before = len(two.asked)
        if len(found) == 20:
            two.live()
        if len(found) >= 30 and len(two.asked) == before and not queue:
            queue.append(requests(len(found) + 200)[-1])  # until it is asked again
    assert set(range(40)) <= set(found)
    assert len(two.asked) > before


def test_a_replica_that_is_not_there_at_first_is_taken_in_later(
    serve: Callable[..., Served], opened: Callable[..., CompletionsEngine]
) -> None:
    one, two = serve(), serve()
    two.die()
    engine = opened(one, two)
    assert engine.facts().device == f"127.0.0.1:{one.port}"
    two.live()
    one.seconds = two.seconds = 0.02
    complete(engine, requests(40))
    assert two.asked
    assert engine.facts().device == f"127.0.0.1:{one.port}, 127.0.0.1:{two.port}"


def test_servers_that_stay_away_end_the_shard_for_its_task_to_be_retried(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.policy import is_transient

    engine = opened(server)
    monkeypatch.setattr(replicas, "PATIENCE_SECONDS", 0.5)
    server.die()
    with pytest.raises(EndpointError, match="no server of TUNER_ENDPOINT completes requests") as error:
        complete(engine, requests(20))
    assert is_transient(error.value)
    server.live()
    assert len(complete(engine, requests(20))) == 20


def test_a_request_that_always_fails_ends_the_shard(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    engine = opened(server)
    server.finish = "abort"
    with pytest.raises(EndpointError, match="failed 10 times at one request: it broke a completion off: abort"):
        complete(engine, requests(1))


def test_an_abandoned_call_leaves_nothing_in_flight(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    engine = opened(server)
    server.seconds = 0.05
    with closing(engine.complete(deque(requests(40)), lambda tokens: None)) as going:
        next(going)
        server.seconds = 10 * LIMIT_SECONDS
        for _ in range(3):
            next(going)
    wait(lambda: not any(each.in_flight for each in engine._replicas.all), "requests end")
    assert len(server.asked) < 30


class TestJournal:
    def test_what_an_abandoned_call_has_finished_is_not_asked_again(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        first, found = opened(server, size=4), {}
        with closing(first.complete(deque(requests(40)), lambda tokens: None)) as going:
            for request, completion in going:
                found[request.row] = completion
                if len(found) == 15:
                    break
        wait(lambda: not any(each.in_flight for each in first._replicas.all), "requests end")
        again = complete(opened(server), requests(40))
        assert again.items() >= found.items() and len(again) == 40
        assert 40 <= len(server.asked) <= 40 + 4

    def test_a_killed_process_costs_only_what_was_in_flight(
        self, server: Served, opened: Callable[..., CompletionsEngine], tiny: Path, warm: Warm
    ) -> None:
        server.seconds = 0.05
        code = (
            "import sys\nfrom collections import deque\nfrom tests.generation.served import requests\n"
            "from tuner.generation.engines import open_engine\nfrom tuner.settings import settings\n"
            f"engine = open_engine({str(tiny)!r}, settings())\n"
            "for request, _ in engine.complete(deque(requests(60)), lambda tokens: None):\n"
            "    print(request.row, flush=True)\n"
        )
        environment = {"TUNER_ENGINE": "completions", "TUNER_ENDPOINT": server.url, "TUNER_BATCH_SIZE": "4"}
        child = subprocess.Popen(
            [warm.python, "-c", code],
            env={**os.environ, **environment},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout
        rows = [int(child.stdout.readline()) for _ in range(20)]
        child.kill()
        child.wait()
        rows += [int(line) for line in child.stdout.read().split("\n") if line.strip()]
        done = len(server.asked)
        assert 20 <= done < 60
        server.seconds = 0.0
        found = complete(opened(server), requests(60))
        assert_right(found, server, 60)
        asked = server.prompts()
        assert sum(asked.values()) <= 60 + 8  # those in flight at the kill, and those sent meanwhile
        assert all(asked[f"<|im_start|>row {row}"] == 1 for row in rows)

    def test_a_torn_line_is_left_out(self, server: Served, opened: Callable[..., CompletionsEngine]) -> None:
        whole = complete(opened(server), requests(5))
        (path,) = settings().folder("journals").iterdir()
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines[:3], lines[3][:40]]))
        assert complete(opened(server), requests(5)) == whole
        assert len(server.asked) == 7

    def test_it_holds_for_the_same_requests_alone(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        complete(opened(server), requests(5))
        other = [Request(each.row, 0, each.seed, each.prompt, Sampling(max_tokens=9)) for each in requests(5)]
        complete(opened(server), other)
        assert len(server.asked) == 10

    def test_old_files_are_removed(
        self, server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = opened(server)
        complete(engine, requests(3))
        with closing(engine.complete(deque(requests(4)), lambda tokens: None)) as going:
            next(going)
        folder = settings().folder("journals")
        assert sorted(path.suffix for path in folder.iterdir()) == [".finished", ".jsonl"]
        monkeypatch.setattr(journal, "FINISHED_SECONDS", -1.0)
        complete(opened(server), requests(4))
        assert sorted(path.suffix for path in folder.iterdir()) == [".finished", ".jsonl"]
        monkeypatch.setattr(journal, "UNFINISHED_SECONDS", -1.0)
        complete(opened(server), requests(1))
        assert [path.suffix for path in folder.iterdir()] == [".finished"]

    def test_it_holds_no_prompt_and_no_key(self, server: Served, opened: Callable[..., CompletionsEngine]) -> None:
        server.key = "sk-hidden"
        complete(opened(server, key="sk-hidden"), requests(3))
        (path,) = settings().folder("journals").iterdir()
        assert "sk-hidden" not in path.read_text() and "row 1" not in path.read_text()
        assert set(json.loads(path.read_text().splitlines()[0])) == {"key", "text", "tokens", "finish", "seeded"}


class TestServers:
    def test_a_single_model_is_recorded_under_the_name_that_the_server_gives(
        self, server: Served, opened: Callable[..., CompletionsEngine]
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
        self, server: Served, opened: Callable[..., CompletionsEngine], tiny: Path
    ) -> None:
        server.models = ["other", f"/elsewhere/{tiny.name}"]
        complete(opened(server), requests(3))
        assert {body["model"] for body in server.asked} == {f"/elsewhere/{tiny.name}"}

    def test_several_others_are_refused(self, server: Served, opened: Callable[..., CompletionsEngine]) -> None:
        server.models = ["one", "two"]
        with pytest.raises(InputError, match=r"serves several models, .*: one, two; serve"):
            opened(server)

    def test_a_chat_server_is_refused_with_the_reason(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        server.completes = False
        with pytest.raises(InputError, match=r"has no /v1/completions \(status 404\), only chat .* raw prompts"):
            opened(server)

    def test_no_server_at_the_address_is_one_line_with_the_url(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        server.die()
        try:
            with pytest.raises(InputError, match=rf"^TUNER_ENDPOINT: {server.url} does not answer: .*; start") as error:
                opened(server)
            assert "\n" not in str(error.value)
        finally:
            server.live()

    def test_a_server_that_still_starts_is_waited_for(
        self, server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(completions, "OPEN_SECONDS", LIMIT_SECONDS)
        server.die()
        later = threading.Timer(0.5, server.live)
        later.start()
        assert len(complete(opened(server), requests(3))) == 3
        later.join()

    def test_keys_that_a_server_refuses_are_left_out(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        server.refused = EXTRAS
        engine = opened(server)
        complete(engine, requests(5))
        assert not EXTRAS.intersection(*server.asked) and all("seed" in body for body in server.asked)
        assert engine.facts().reproducible == "seeded, not equal to the bit"

    @pytest.mark.parametrize("how", ["refused", "broken"])
    def test_a_server_without_seeds_is_recorded_as_such(
        self, server: Served, opened: Callable[..., CompletionsEngine], how: str
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
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        engine = opened(server)
        server.broken = lambda body: "seed" in body
        assert len(complete(engine, requests(10))) == 10
        assert engine.facts().reproducible == "not seeded"
        again = opened(server)
        assert len(complete(again, requests(10))) == 10
        assert again.facts().reproducible == "not seeded" and len(server.asked) == 10

    def test_a_server_that_ends_at_a_seed_is_asked_without_when_it_is_back(
        self, server: Served, opened: Callable[..., CompletionsEngine]
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
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        server.usage = False
        server.says = lambda body: "How do I bake"
        engine = opened(server)
        (found,) = complete(engine, requests(1)).values()
        assert found == Completion("How do I bake", engine._count("How do I bake") + 1, "stop")

    def test_a_start_token_that_the_server_adds_is_left_to_it(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
        count = opened(server)._count
        server.counts = count
        complete(opened(server), requests(1))
        server.counts = lambda prompt: 1 + count(prompt)
        complete(opened(server, size=1), requests(3)[1:])
        assert [body["prompt"] for body in server.asked] == ["<|im_start|>row 0", "row 1", "row 2"]

    def test_a_bad_request_is_one_line_and_not_sent_again(
        self, server: Served, opened: Callable[..., CompletionsEngine]
    ) -> None:
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


def test_the_settings_choose_the_engine(server: Served, tiny: Path) -> None:
    engine = engines.open_engine(str(tiny), Settings(engine="completions", endpoint=f"{server.url}/v1"))
    assert engine.facts().engine == "completions"
    engine.close()
    with pytest.raises(InputError, match=r"^TUNER_ENDPOINT: TUNER_ENGINE=completions needs a server's URL"):
        engines.open_engine(str(tiny), Settings(engine="completions"))


class TestStage:
    @pytest.fixture(autouse=True)
    def released(self) -> Iterator[None]:
        release()
        yield
        release()

    @pytest.fixture
    def recipe(self, server: Served, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
        """A recipe whose generator has no weights on this machine, to be drawn by the server."""
        folder = shutil.copytree(tiny, tmp_path / "tiny")
        (folder / "model.safetensors").unlink()
        monkeypatch.setenv("TUNER_ENGINE", "completions")
        monkeypatch.setenv("TUNER_ENDPOINT", server.url)
        settings.cache_clear()
        return loading.parse(
            f"name: tiny\nmodels: {{generator: {folder}, student: {tiny}}}\n"
            "generation: {rows: 8, shard_rows: 5, instruction: {max_tokens: 12}, response: {max_tokens: 12}}\n"
            "training: {lora: {method: lora}}\n"
        )

    def test_rows_are_drawn_without_weights_and_the_metrics_say_how(
        self, server: Served, recipe: Recipe, tmp_path: Path
    ) -> None:
        from tuner.artifacts import parquet

        metrics = generate(recipe, shards(recipe)[0], tmp_path)
        rows = parquet.read(tmp_path / "rows.parquet").to_pylist()
        assert [row["index"] for row in rows] == [0, 1, 2, 3, 4]
        assert {row["outcome"] for row in rows} == {"complete"}
        assert all(row["response"] == text_of(row["response_prompt"], seed) for row, seed in self.seeded(server, rows))
        assert len({row["instruction"] for row in rows}) == 5
        assert (metrics.engine, metrics.device) == ("completions", f"127.0.0.1:{server.port}")
        assert (metrics.served_model, metrics.dtype, metrics.slots) == ("tiny", "server's", 5)
        assert metrics.reproducible == "seeded, not equal to the bit"
        assert metrics.tokens == sum(row["instruction_tokens"] + row["response_tokens"] for row in rows) == 10 * 11

    def seeded(self, server: Served, rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
        """The rows with the seeds of their responses."""
        seeds = {body["prompt"]: body["seed"] for body in server.asked}
        return [(row, seeds[row["response_prompt"]]) for row in rows]

    def test_a_plan_says_what_it_means(self, server: Served, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = planning.plan(recipe, Store(settings().store))
        line = f"generation by completions at 127.0.0.1:{server.port}: seeded, not equal to the bit"
        assert suitability.check(recipe, plan) == [line]
        monkeypatch.setenv("TUNER_ENDPOINT", "")
        settings.cache_clear()
        with pytest.raises(InputError, match=r"^TUNER_ENDPOINT: "):
            suitability.check(recipe, plan)

    def test_it_needs_no_gpu(self, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
        assert not uses_gpu("generate") and uses_gpu("train")
        monkeypatch.setenv("TUNER_ENGINE", "transformers")
        settings.cache_clear()
        assert uses_gpu("generate")

    def test_rays_workers_are_not_told_the_key_by_us(self, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUNER_ENDPOINT_KEY", "sk-hidden")
        variables = placement._worker_environment()
        assert variables["TUNER_ENGINE"] == "completions" and "sk-hidden" not in variables.values()
