"""An alias moves atomically, keeps its history, can be rolled back, and never moves because of a damaged file."""

import json
import multiprocessing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.artifacts.conftest import Trained
from tests.present import present
from tuner.artifacts import aliases
from tuner.artifacts.aliases import Entry
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import InputError


def point(store: Store, manifest: Manifest, alias: str = "champion", **more: Any) -> Entry:
    name = manifest.identity["name"]
    return aliases.point(
        store, alias, run=f"run-{name}", adapter="lora", fingerprint=manifest.fingerprint, why="", **more
    )


def test_an_alias_that_was_never_set_is_none(store: Store) -> None:
    assert aliases.current(store, "champion") is None
    assert aliases.history(store, "champion") == []
    assert aliases.names(store) == []


def test_an_alias_points_at_the_adapter_of_its_last_move(store: Store, trained: Trained) -> None:
    a, b = trained("a"), trained("b")
    first = aliases.point(store, "champion", run="one", adapter="lora", fingerprint=a.fingerprint, why="the first")
    second = point(store, b)
    assert (first.alias, first.number, first.run, first.adapter) == ("champion", 1, "one", "lora")
    assert (first.fingerprint, first.why, first.undoes) == (a.fingerprint, "the first", None)
    assert aliases.current(store, "champion") == second
    assert aliases.history(store, "champion") == [first, second]
    point(store, a, "challenger")
    assert aliases.names(store) == ["challenger", "champion"]
    assert aliases.current(store, "champion") == second


def test_an_alias_may_name_a_training_with_a_further_seed(store: Store, trained: Trained) -> None:
    a = trained("a")
    moved = aliases.point(store, "champion", run="run-a", adapter="lora#12", fingerprint=a.fingerprint, why="")
    assert aliases.current(store, "champion") == moved and moved.adapter == "lora#12"


@pytest.mark.parametrize("alias", ["", "..", "../runs", "a/b", "-x", "a b"])
def test_an_alias_is_a_plain_name(alias: str, store: Store, trained: Trained) -> None:
    for use in (lambda: point(store, trained("a"), alias), lambda: aliases.current(store, alias)):
        with pytest.raises(InputError, match=r"^alias .*a name has letters"):
            use()


def test_an_alias_points_only_at_a_complete_adapter(store: Store, trained: Trained) -> None:
    made = trained("a")
    with pytest.raises(InputError, match=r"alias champion: adapter lora of run x \(0{12}\) is not complete in"):
        aliases.point(store, "champion", run="x", adapter="lora", fingerprint="0" * 64, why="")
    store.remove([f"artifacts/train/{made.fingerprint}/{made.attempt}/adapter/adapter_model.safetensors"])
    with pytest.raises(InputError, match=r"is damaged \(adapter/adapter_model.safetensors is missing\)"):
        point(store, made)
    assert aliases.history(store, "champion") == []


class TestRollback:
    def test_each_rollback_goes_back_one_adapter(self, store: Store, trained: Trained) -> None:
        a, b, c = (trained(name) for name in "abc")
        for each in (a, b, c):
            point(store, each)
        back = aliases.rollback(store, "champion")
        assert (back.fingerprint, back.undoes, back.number) == (b.fingerprint, 3, 4)
        assert back.why == "rolled back from run-c lora"
        assert aliases.rollback(store, "champion").fingerprint == a.fingerprint
        with pytest.raises(InputError, match=r"points at run-a lora and never pointed at another"):
            aliases.rollback(store, "champion")
        assert present(aliases.current(store, "champion")).fingerprint == a.fingerprint

    def test_a_rolled_back_move_is_skipped(self, store: Store, trained: Trained) -> None:
        a, b, c = (trained(name) for name in "abc")
        point(store, a)
        point(store, b)
        aliases.rollback(store, "champion")
        point(store, c)
        assert aliases.rollback(store, "champion").fingerprint == a.fingerprint

    def test_of_an_unknown_alias_lists_the_existing_ones(self, store: Store, trained: Trained) -> None:
        with pytest.raises(InputError, match=r"alias champion: no such alias in .*; existing aliases: none yet$"):
            aliases.rollback(store, "champion")
        point(store, trained("a"), "candidate")
        with pytest.raises(InputError, match=r"existing aliases: candidate$"):
            aliases.rollback(store, "champion")

    def test_to_a_removed_adapter_is_refused(self, store: Store, trained: Trained) -> None:
        a, b = trained("a"), trained("b")
        point(store, a)
        point(store, b)
        store.remove([f"artifacts/train/{a.fingerprint}/manifest.json"])
        with pytest.raises(InputError, match=r"adapter lora of run run-a .* is not complete"):
            aliases.rollback(store, "champion")
        assert present(aliases.current(store, "champion")).fingerprint == b.fingerprint


class TestAsAStack:
    @given(moves=st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=12))
    @limits(max_examples=30)
    def test_moves_and_rollbacks(self, moves: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
        store = Store(str(tmp_path_factory.mktemp("store")))
        stack: list[str] = []
        for move in moves:
            if move == "back":
                if len(stack) < 2:
                    with pytest.raises(InputError):
                        aliases.rollback(store, "champion")
                    continue
                stack.pop()
                aliases.rollback(store, "champion")
            else:
                stack.append(move)
                point(store, store.build(Spec("train", 1, {"name": move}, {}, move), lambda folder: {}))
            assert present(aliases.current(store, "champion")).run == f"run-{stack[-1]}"


def move(url: str, fingerprint: str, times: int, ready: Any) -> None:
    ready.wait(30)
    for _ in range(times):
        aliases.point(Store(url), "champion", run="same", adapter="lora", fingerprint=fingerprint, why="same")


def test_concurrent_moves_all_end_in_the_history(store: Store, store_url: str, trained: Trained) -> None:
    """The moves are equal and of the same second, and are still told apart."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(3)
    made = trained("a")
    processes = [context.Process(target=move, args=(store_url, made.fingerprint, 5, ready)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert [entry.number for entry in aliases.history(store, "champion")] == list(range(1, 16))


class TestDamage:
    @pytest.mark.parametrize("damage", ["empty", "half", "another's", "binary"])
    def test_a_damaged_move_is_named_and_moves_nothing(self, damage: str, store: Store, trained: Trained) -> None:
        a, b = trained("a"), trained("b")
        first, second = point(store, a), point(store, b)
        path = "aliases/champion/000002.json"
        text = present(store.read(path))
        other = json.dumps({**json.loads(text), "number": 1}).encode()
        store.replace(path, {"empty": b"", "half": text[:40], "another's": other, "binary": b"\xff\x00"}[damage])
        line = f"{store.url}/{path} is not readable; remove it and set the alias again with tuner promote"
        for use in (aliases.current, aliases.history, aliases.rollback):
            with pytest.raises(InputError) as caught:
                use(store, "champion")
            assert str(caught.value) == line
        store.replace(path, text)
        assert aliases.history(store, "champion") == [first, second]

    def test_an_earlier_damaged_move_does_not_hide_the_current_one(self, store: Store, trained: Trained) -> None:
        point(store, trained("a"))
        second = point(store, trained("b"))
        store.replace("aliases/champion/000001.json", b"{")
        assert aliases.current(store, "champion") == second
        with pytest.raises(InputError, match=r"000001\.json is not readable"):
            aliases.rollback(store, "champion")

    def test_the_partial_file_of_a_killed_process_is_no_move(self, store: Store, trained: Trained) -> None:
        first = point(store, trained("a"))
        store.replace("aliases/champion/000002.json.0123456789abcdef", b"{}")
        store.replace("aliases/other/notes.txt", b"mine")
        assert aliases.history(store, "champion") == [first]
        assert aliases.names(store) == ["champion"]
