"""A recipe's rows come from one source or several, each with its share of them, and every row says from which."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuner import loading
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.curation.profiles import OWN_DATA
from tuner.curation.stages import drawn
from tuner.errors import InputError, StageError
from tuner.generation.settings import Generation
from tuner.models.resident import release
from tuner.reading.settings import Contents, Hub
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned
from tuner.stage import Part

RECIPE = "name: mixed\nmodels: {{generator: {model}, student: {model}}}\ntraining: {{lora: {{method: lora}}}}\n"
LIMITS = "instruction: {max_tokens: 8}, response: {max_tokens: 8}"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file of ten rows, one of which cannot be read."""
    path = tmp_path / "mine.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": f"a{at}", "instruction": f"Why does number {at} follow?", "response": f"It is {at}.", "stars": at}
        for at in range(9)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": "a9", "instruction": "No answer"}]))
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of texts: two paragraphs, a table with a column of texts, and a picture."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.md").write_text("Bread rises since yeast makes gas.\n\nSalt slows the yeast down a little.\n\nNo.")
    (folder / "b.jsonl").write_text(json.dumps({"text": "Rivers carry sand to the sea, year after year."}) + "\n")
    (folder / "c.png").write_bytes(b"\x89PNG")
    return folder


def recipe(model: Path, generation: str, *overrides: str) -> Recipe:
    return loading.parse(RECIPE.format(model=model) + f"generation: {generation}\n", overrides)


def make(found: Recipe, store: Store, *stages: str) -> dict[str, list[Part]]:
    """Makes all artifacts of the stages."""
    wanted = planned(found)
    try:
        for stage in stages:
            for part in wanted.of(stage):
                STAGES[stage].make(found, part, store)
    finally:
        release()
    return {stage: wanted.of(stage) for stage in stages}


def rows_of(part: Part, store: Store, file: str = "rows.parquet") -> list[dict[str, Any]]:
    manifest = store.find(part.stage, part.fingerprint)
    assert manifest is not None
    return parquet.read(store.fetch(manifest, file)).to_pylist()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


class TestAmounts:
    """`rows` is shared out; without it each source says how many it gives."""

    def test_shares_add_up(self) -> None:
        sources = {name: {"source": "magpie", "share": share} for name, share in (("a", 1), ("b", 1), ("c", 1))}
        generation = Generation.model_validate({"rows": 100, "sources": sources})
        assert sum(generation.amounts.values()) == 100
        assert set(generation.amounts.values()) == {33, 34}

    def test_existing_rows_are_never_repeated(self, tiny: Path, mine: Path) -> None:
        sources = f"{{a: {{source: magpie}}, b: {{source: file, path: {mine}}}}}"
        assert recipe(tiny, f"{{rows: 100, sources: {sources}}}").generation.amounts == {"a": 50, "b": 10}

    def test_all_existing_rows_are_taken_by_default(self, tiny: Path, mine: Path) -> None:
        assert recipe(tiny, f"{{source: file, path: {mine}}}").generation.amounts == {"file": 10}

    def test_a_draft_gives_as_many_as_are_refined(self, tiny: Path) -> None:
        sources = "{draft: {source: magpie}, better: {source: refine, of: draft}, other: {source: magpie}}"
        amounts = recipe(tiny, f"{{rows: 10, sources: {sources}}}").generation.amounts
        assert amounts == {"better": 5, "other": 5, "draft": 5}

    @pytest.mark.parametrize(
        ("generation", "line"),
        [
            ("{}", "generation: rows: is missing; how many rows are to be drawn?"),
            ("{rows: true}", "generation: rows must be a number, not true"),
            (
                "{source: magic, rows: 1}",
                "generation: unknown source 'magic'; use one of magpie, file, hub, documents, refine",
            ),
            ("{rows: 1, instruktion: {}}", "generation.instruktion: unknown key; did you mean 'instruction'?"),
            (
                "{rows: 1, instruction: {max_token: 3}}",
                "generation.instruction.max_token: unknown key; did you mean 'max_tokens'?",
            ),
            (
                "{rows: 1, sources: {a: {source: magpie, turns: 0}}}",
                "generation.sources.a.turns: Input should be greater than or equal to 1, not 0",
            ),
            (
                "{rows: 1, sources: {a: {source: magpie, turn: 1}}}",
                "generation.sources.a.turn: unknown key; did you mean 'turns'?",
            ),
            (
                "{rows: 1, sources: {a: {system: x}}}",
                "generation.sources.a: needs a 'source': one of magpie, file, hub, documents, refine",
            ),
            (
                "{rows: 1, sources: {a: {source: refine, of: b}}}",
                "generation: sources.a.of: no source 'b' stands above this one",
            ),
            (
                "{rows: 2, sources: {a: {source: magpie, rows: 2}}}",
                "generation: sources.a.rows: generation.rows is given too; set one, or share here",
            ),
            ("{rows: 2, prefix: x, turns: 2}", "generation: prefix is the beginning of a first turn only"),
        ],
    )
    def test_a_mistake_is_named(self, tiny: Path, generation: str, line: str) -> None:
        with pytest.raises(InputError) as caught:
            recipe(tiny, generation)
        assert line in str(caught.value)

    def test_a_file_that_is_missing_is_named_with_its_key(self, tiny: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"^generation\.sources\.file: .*none\.jsonl: no such file; give "):
            recipe(tiny, f"{{source: file, path: {tmp_path / 'none.jsonl'}}}")

    def test_a_recipe_without_a_drawing_source_needs_no_generator(self, tiny: Path, mine: Path) -> None:
        text = f"name: a\nmodels: {{student: {tiny}}}\ntraining: {{lora: {{method: lora}}}}\n"
        found = loading.parse(f"{text}generation: {{source: file, path: {mine}}}\n")
        assert found.generators == {}
        with pytest.raises(InputError, match=r"models\.generator: is missing"):
            loading.parse(f"{text}generation: {{rows: 1}}\n")


class TestFile:
    """A person's rows go through the same stages."""

    def test_its_rows_say_where_they_come_from(self, tiny: Path, mine: Path, store: Store) -> None:
        parts = make(recipe(tiny, f"{{sources: {{mine: {{source: file, path: {mine}}}}}}}"), store, "read")
        rows = rows_of(parts["read"][0], store, "rows/00000.parquet")
        assert [row["row_id"] for row in rows] == [f"mine:a{at}" for at in range(9)]
        assert {(row["source"], row["outcome"]) for row in rows} == {("mine", "complete")}
        assert [row["stars"] for row in rows] == list(range(9))
        manifest = store.find("read", parts["read"][0].fingerprint)
        assert manifest is not None
        assert (manifest.metrics["rows"], list(manifest.metrics["set_aside"].values())) == (9, [1])

    def test_a_part_of_it_is_chosen_by_the_seed(self, tiny: Path, mine: Path, store: Store) -> None:
        chosen: list[set[str]] = []
        for seed in (1, 2, 1):
            found = recipe(tiny, f"{{source: file, path: {mine}, rows: 5}}", f"seed={seed}")
            (part,) = make(found, store, "read")["read"]
            chosen.append({row["row_id"] for row in rows_of(part, store, "rows/00000.parquet")})
        assert chosen[0] == chosen[2] != chosen[1]

    def test_its_fingerprint_is_that_of_its_contents(self, tiny: Path, mine: Path) -> None:
        def fingerprint(path: Path) -> str:
            return planned(recipe(tiny, f"{{source: file, path: {path}}}")).one("read", "file").fingerprint

        first = fingerprint(mine)
        moved = mine.parent / "elsewhere" / "mine.jsonl"
        moved.parent.mkdir()
        moved.write_bytes(mine.read_bytes())
        assert fingerprint(moved) == first
        mine.write_text(mine.read_text().replace("It is 3.", "It is four."))
        assert fingerprint(mine) != first

    def test_the_plan_of_a_recipe_that_was_read_needs_no_file(self, tiny: Path, mine: Path) -> None:
        found = recipe(tiny, f"{{source: file, path: {mine}}}")
        wanted = [part.fingerprint for part in planned(found)]
        mine.unlink()
        again = loading.parse(loading.text(found))
        assert again == found and [part.fingerprint for part in planned(again)] == wanted

    def test_a_file_that_changes_while_a_run_waits_is_not_read(self, tiny: Path, mine: Path, store: Store) -> None:
        found = recipe(tiny, f"{{source: file, path: {mine}}}")
        mine.write_text(mine.read_text() + "\n")
        with pytest.raises(StageError, match="has changed since the run began"):
            make(found, store, "read")

    def test_it_is_curated_as_what_people_chose(self, tiny: Path, mine: Path) -> None:
        alone = recipe(tiny, f"{{source: file, path: {mine}}}", "curation.quality.minimum=0.5")
        assert (alone.curation.profile, alone.curation.quality.minimum) == (OWN_DATA, 0.5)
        sources = f"{{a: {{source: magpie}}, b: {{source: file, path: {mine}}}}}"
        mixed = recipe(tiny, f"{{rows: 20, sources: {sources}}}", "curation.form={response_words: [5, 90]}")
        assert mixed.curation_of("a") == mixed.curation
        assert mixed.curation_of("b").form.response_words == (5, 90)
        assert mixed.curation_of("b").form.instruction_words == (1, 20_000)
        assert mixed.curation_of("b").language is None and mixed.curation.language is not None
        assert loading.parse(loading.text(mixed)) == mixed


@pytest.mark.usefixtures("float32")
class TestDocuments:
    """Texts are responses; the model writes what they answer."""

    def test_texts_are_cut_and_asked_about(self, tiny: Path, texts: Path, store: Store) -> None:
        settings = f"source: documents, path: {texts}, words: [4, 12], instruction: {{max_tokens: 8}}"
        found = recipe(tiny, f"{{{settings}, shard_rows: 2}}")
        parts = make(found, store, "read", "generate")
        rows = [row for part in parts["generate"] for row in rows_of(part, store)]
        assert sorted((row["origin"], row["response"]) for row in rows) == [
            ("a.md 1", "Bread rises since yeast makes gas."),
            ("a.md 2", "Salt slows the yeast down a little.\n\nNo."),
            ("b.jsonl 1", "Rivers carry sand to the sea, year after year."),
        ]
        assert all(row["response"] in row["instruction_prompt"] and row["instruction_tokens"] > 0 for row in rows)
        assert [row["response_tokens"] for row in rows] == [0, 0, 0]
        fewer = make(recipe(tiny, f"{{{settings}, shard_rows: 2, rows: 2}}"), store, "read", "generate")
        assert fewer["generate"][0].fingerprint == parts["generate"][0].fingerprint


@pytest.mark.usefixtures("float32")
class TestSeveral:
    """Sources stand side by side in one run; a refined one stands behind that which refines it."""

    @pytest.fixture
    def mixed(self, tiny: Path, mine: Path) -> Recipe:
        sources = (
            f"{{magpie: {{source: magpie, rows: 5, {LIMITS}}}, mine: {{source: file, path: {mine}}}, "
            f"draft: {{source: magpie, generator: {tiny}, {LIMITS}}}, "
            f"better: {{source: refine, of: draft, rows: 3, {LIMITS}}}}}"
        )
        return recipe(tiny, f"{{shard_rows: 3, sources: {sources}}}", "curation.duplicates.near=null")

    def test_every_row_says_from_which_it_comes(self, mixed: Recipe, store: Store) -> None:
        parts = make(mixed, store, "read", "generate", "examine", "match", "curate")
        assert [part.label for part in parts["generate"]] == ["shard 1", "shard 2", "draft shard 1", "better shard 1"]
        assert [each.shard.label for each in drawn(planned(mixed))] == [
            "shard 1",
            "shard 2",
            "mine shard 1",
            "better shard 1",
        ]
        (curated,) = parts["curate"]
        rows = [row for number in range(4) for row in rows_of(curated, store, f"rows/{number:05}.parquet")]
        counts = {name: sum(row["source"] == name for row in rows) for name in mixed.generation.sources}
        assert counts == {"magpie": 5, "mine": 9, "draft": 0, "better": 3}
        drafts = rows_of(parts["generate"][2], store)
        assert [row["origin"] for row in rows if row["source"] == "better"] == [row["row_id"] for row in drafts]
        assert len({row["row_id"] for row in rows}) == len(rows)
        assert {row["stars"] for row in rows if row["source"] != "mine"} == {None}

    def test_rows_of_a_file_are_refined_too(self, tiny: Path, mine: Path, store: Store) -> None:
        sources = f"{{mine: {{source: file, path: {mine}}}, better: {{source: refine, of: mine, {LIMITS}}}}}"
        found = recipe(tiny, f"{{rows: 10, shard_rows: 6, sources: {sources}}}", "curation.duplicates.near=null")
        parts = make(found, store, "read", "generate", "examine", "match", "curate")
        rows = [row for part in parts["generate"] for row in rows_of(part, store)]
        assert [row["origin"] for row in rows] == [f"mine:a{at}" for at in range(9)]
        made = [store.find(part.stage, part.fingerprint) for part in parts["generate"]]
        assert [each.metrics["rows"] for each in made if each] == [6, 3]  # one of ten could not be read
        assert [each.shard.source for each in drawn(planned(found))] == ["better", "better"]

    def test_a_source_beside_others_has_the_rows_that_it_has_alone(self, tiny: Path, mixed: Recipe) -> None:
        alone = recipe(tiny, f"{{rows: 5, shard_rows: 3, {LIMITS}}}")
        fingerprints = [part.fingerprint for part in planned(alone).of("generate")]
        assert fingerprints == [part.fingerprint for part in planned(mixed).of("generate")[:2]]

    def test_later_rounds_draw_and_do_not_read_again(self, mixed: Recipe) -> None:
        generation = mixed.generation.model_copy(update={"rounds": 2})
        shards = [each.shard for each in drawn(planned(mixed.model_copy(update={"generation": generation})))]
        assert [(shard.round, shard.source) for shard in shards] == [
            (0, "magpie"),
            (0, "magpie"),
            (0, "mine"),
            (0, "better"),
            (1, "magpie"),
            (1, "magpie"),
            (1, "better"),
        ]


class TestHub:
    """A data set of the hub is pinned to the commit that it has when the recipe is read."""

    COMMIT = "c" * 40

    @pytest.fixture
    def hub(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
        """What is asked of a hub with one data set."""
        import datasets
        import huggingface_hub

        asked: list[tuple[Any, ...]] = []
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps({"instruction": f"Why {at}?", "response": "So."}) + "\n" for at in range(4)))
        load = datasets.load_dataset

        def dataset_info(_: Any, name: str, revision: str | None = None) -> Any:
            asked.append((name, revision))
            if name == "owner/none":
                raise OSError("no such data set")
            return SimpleNamespace(sha=self.COMMIT)

        def load_dataset(name: str, config: str | None, split: str | None, revision: str | None) -> Any:
            asked.append((name, config, split, revision))
            return load("json", data_files=str(path), split=split, cache_dir=str(tmp_path / "cache"))

        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    def test_its_commit_stands_in_the_recipe(self, tiny: Path, hub: list[tuple[Any, ...]], store: Store) -> None:
        found = recipe(tiny, "{source: hub, dataset: 'owner/talk:train'}")
        source = found.generation.sources["hub"]
        assert isinstance(source, Hub) and source.contents == Contents(sha256=self.COMMIT, rows=4)
        assert hub == [("owner/talk", None), ("owner/talk", None, "train", self.COMMIT)]
        (part,) = make(found, store, "read")["read"]
        assert hub[2:] == [("owner/talk", None, "train", self.COMMIT)]
        assert rows_of(part, store, "rows/00000.parquet")[0]["row_id"] == "hub:row-000000001"

    def test_a_recipe_that_was_read_does_not_ask_again(self, tiny: Path, hub: list[tuple[Any, ...]]) -> None:
        found = recipe(tiny, "{source: hub, dataset: 'owner/talk:train', revision: v1}")
        assert hub[0] == ("owner/talk", "v1")
        hub.clear()
        assert planned(loading.parse(loading.text(found))).one("read", "hub") == planned(found).one("read", "hub")
        assert hub == []

    def test_one_that_cannot_be_read_is_named(self, tiny: Path, hub: list[tuple[Any, ...]]) -> None:
        with pytest.raises(InputError, match=r"^generation\.sources\.hub: hf://owner/none: cannot be read: no such"):
            recipe(tiny, "{source: hub, dataset: owner/none}")
        assert hub == [("owner/none", None)]
        with pytest.raises(InputError, match=r"generation\.dataset"):
            recipe(tiny, "{source: hub, dataset: none}")
