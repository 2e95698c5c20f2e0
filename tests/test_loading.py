"""An invalid recipe gives one line that names the key or the line and says what would be right."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.mutated import mutated
from tuner import loading
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import planned

SOON = 20.0
"""Processor seconds, generous for a slow machine: parsing takes tenths of one, and minutes if it is unbounded."""

MINIMAL = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 10}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""


def parse(*overrides: str, text: str = MINIMAL) -> Recipe:
    return loading.parse(text, overrides, "r.yaml")


def complaint(*overrides: str, text: str = MINIMAL) -> str:
    with pytest.raises(InputError) as caught:
        parse(*overrides, text=text)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.exit_code == 2
    return line


@pytest.mark.parametrize(
    ("override", "key", "right"),
    [
        ("nmae=x", "nmae", "did you mean 'name'?"),
        ("flavour=x", "flavour", "known are name, seed, models"),
        ("generation.row=3", "generation.row", "did you mean 'rows'?"),
        ("generation.instruction.temprature=1", "generation.instruction.temprature", "did you mean 'temperature'?"),
        ("training.lora.learning_rat=1", "training.lora.learning_rat", "did you mean 'learning_rate'?"),
        ("training.lora.virtual_tokens=3", "training.lora.virtual_tokens", "known are "),
        ("training.prompt_tuning.virtual_token=3", "training.prompt_tuning.virtual_token", "'virtual_tokens'"),
    ],
)
def test_an_unknown_key_is_named_with_what_was_meant(override: str, key: str, right: str) -> None:
    line = complaint(override)
    assert line.startswith(f"r.yaml: {key}: unknown key")
    assert right in line


@pytest.mark.parametrize(
    ("override", "key", "right"),
    [
        ("generation.rows=abc", "generation.rows", "valid integer"),
        ("generation.rows=1.5", "generation.rows", "valid integer"),
        ("generation.rows=2e-4", "generation.rows", "valid integer"),
        ("generation.rows=-5", "generation.rows", "greater than or equal to 1, not -5"),
        ("generation.rows=true", "generation", "rows must be a number, not true"),
        ("generation.rounds=0", "generation.rounds", "greater than or equal to 1, not 0"),
        ("seed=-1", "seed", "greater than or equal to 0"),
        ("models.student=5", "models.student", "valid string, not 5"),
        ("curation=null", "curation", "not None"),
        ("curation.form.instruction_words=[5, 3]", "curation.form", "instruction_words must be [fewest, most]"),
        ("training={}", "training", "add at least one, such as 'lora: {method: lora}'"),
        ("training=", "training", "valid dictionary"),
        ("training.lora={r: 8}", "training.lora", "needs a 'method': one of lora, rslora,"),
        ("training.lora.method=dpo", "training.lora", "unknown method 'dpo'; use one of lora, rslora,"),
        ("training.lora.targets=[]", "training.lora.targets", "must be all-linear or a list of projection names"),
        ("training.lora.targets=q_proj", "training.lora.targets", "must be all-linear or a list of projection names"),
        (
            "training.lora.scheduler=cos",
            "training.lora.scheduler",
            "'linear', 'cosine', 'cosine_floor', 'stable_decay' or 'constant'",
        ),
        (
            "training.prompt_tuning.packing=true",
            "training.prompt_tuning",
            "cannot be trained with packing: True, since PEFT drops",
        ),
        ("training.a b={method: lora}", "training.a b", "letters, digits"),
        ("name=../x", "name", "'../x' is not a valid name: at most 64 letters"),
        ('name=""', "name", "is not a valid name: at most 64 letters"),
        ('name="a\\n"', "name", "is not a valid name: at most 64 letters"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(override: str, key: str, right: str) -> None:
    line = complaint(override)
    assert line.startswith(f"r.yaml: {key}: ")
    assert right in line


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999"])
@pytest.mark.parametrize(
    "key",
    [
        "seed",
        "generation.rows",
        "generation.instruction.temperature",
        "generation.response.top_p",
        "generation.response.min_p",
        "curation.quality.minimum",
        "split.validation",
        "split.tuning",
        "training.lora.learning_rate",
        "training.lora.weight_decay",
        "training.lora.alpha",
        "training.lora.epochs",
        "training.prompt_tuning.warmup",
    ],
)
def test_a_number_that_is_not_finite_is_refused(key: str, value: str) -> None:
    line = complaint(f"{key}={value}")
    assert line.startswith(f"r.yaml: {key}: ")
    assert "finite number" in line


def test_a_missing_key_is_named() -> None:
    assert complaint(text="name: x\n") == "r.yaml: models: is missing"


def test_two_adapters_of_one_name_are_refused_with_the_line() -> None:
    text = "name: a\ntraining:\n  lora: {method: lora}\n  lora: {method: lora}\n"
    assert complaint(text=text) == "r.yaml: line 4: the key 'lora' appears twice; rename or remove one"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: [1", "at line 1"),
        ("name: x\nmodels: a: b\n", "at line 2"),
        ("name: !!python/object:os.system x\n", "at line 1"),
        ("a: 1\n---\nb: 2\n", "at line 2"),
        ("a: *b", "at line 1"),
        ("name: \x00", "special characters"),
        ("name: \ud800", "special characters"),
        ("a: 2024-99-99", "month"),
        ("a: !!bool maybe", ""),
        ("a: !!timestamp never", ""),
        ("a: !!int ''", ""),
        ("a: !!binary é", ""),
        ("a: !!set [b]", ""),
    ],
)
def test_invalid_yaml_is_reported_with_its_line(text: str, where: str) -> None:
    line = complaint(text=text)
    assert line.startswith("r.yaml: not valid YAML")
    assert where in line


@pytest.mark.parametrize("text", ["- a\n- b\n", "hello", "", "3", "!!set {a, b}"])
def test_anything_but_a_mapping_is_refused_with_the_allowed_keys(text: str) -> None:
    assert complaint(text=text) == (
        f"r.yaml: a recipe is a YAML mapping with the keys {', '.join(Recipe.model_fields)}"
    )


@pytest.mark.parametrize(
    ("override", "right"),
    [
        ("noequals", "write it as a.b=value"),
        ("=3", "write it as a.b=value"),
        ("generation..rows=3", "write it as a.b=value"),
        ("generation.rows.a=3", "'rows' is a value and has no further keys"),
        ("generation.rows=[", "the value is not valid YAML at line 1: "),
        ("seed=2024-99-99", "the value is not valid YAML: month must be in 1..12"),
        ("seed=!!bool maybe", "the value is not valid YAML: 'maybe'"),
        ("seed=[[[[[[[[[[[[[[[[[[[[[", "the value is line 1: values are nested more than 20 levels deep"),
    ],
)
def test_an_override_that_cannot_be_read_is_named(override: str, right: str) -> None:
    assert complaint(override).startswith(f"--set {override}: {right}")


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]\n" for number in range(1, 12)
)
"""Aliases that expand to a million million values."""


class TestTooLarge:
    """Refused in one line, before any value is constructed."""

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("[" * 5000, "line 1: values are nested more than 20 levels deep"),
            ("- " * 5000, "line 1: values are nested more than 20 levels deep"),
            ("a:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, 300)), "line 20: values are nested more than 20"),
            ("? " * 5000, "line 1: values are nested more than 20 levels deep"),
            (LAUGHS, "line 4: a recipe has at most 5,000 keys and values, with aliases expanded"),
            ("a: &a [b, *a]\n", "line 1: the alias *a refers to a value that contains it"),
            ("a: &a\n  b: {c: *a}\n", "line 2: the alias *a refers to a value that contains it"),
            ("a: [" + "b," * 6000 + "]", "line 1: a recipe has at most 5,000 keys and values"),
            ("a: b\n" * 3000, "line 2500: a recipe has at most 5,000 keys and values"),
            ("seed: " + "9" * 5000, "line 1: a number has 5,000 digits; at most 50 are allowed"),
            ("seed: 0x" + "f" * 60_000, "line 1: a number has 60,002 digits; at most 50 are allowed"),
            ("seed: " + "1:" * 20_000 + "1", "line 1: a number has 40,001 digits; at most 50 are allowed"),
            ("seed: " + "1:" * 300 + "1.5", "line 1: a number has 603 digits; at most 50 are allowed"),
            ("? [a]\n: b\n", "line 1: a key is a list or a mapping; use a name"),
            ("? {a: b}\n: b\n", "line 1: a key is a list or a mapping; use a name"),
        ],
        ids=lambda each: each[:20],
    )
    def test_text(self, text: str, line: str) -> None:
        began = time.thread_time()
        assert complaint(text=text).startswith(f"r.yaml: {line}")
        assert complaint(f"seed={text}").startswith("--set seed=")
        assert time.thread_time() - began < SOON

    def test_a_scalar_that_is_almost_a_number(self) -> None:
        began = time.thread_time()
        assert complaint(text=f"{MINIMAL}seed: {'1' * 60_000}x").startswith("r.yaml: seed: Unable to parse")
        assert time.thread_time() - began < SOON

    def test_a_long_key_is_cut(self) -> None:
        assert len(complaint(text=f"{'k' * 50_000}: 1\n")) < 300
        assert len(complaint(text=f"'{'k' * 50_000}': 1\n'{'k' * 50_000}': 1\n")) < 300
        assert len(complaint(f"{'k' * 50_000}=1")) < 500
        assert len(complaint(f"name={'k' * 50_000}")) < 300

    def test_an_override_with_too_many_keys(self) -> None:
        line = complaint(f"{'.'.join('a' * 50_000)}=1")
        assert line.endswith("...: nests 50,000 keys; at most 20 are allowed")
        assert len(line) < 500

    def test_control_characters_are_not_printed(self) -> None:
        assert complaint(text=MINIMAL + '"a\\nb\\e[2J": 1\n').startswith("r.yaml: a b [2J: unknown key")
        assert complaint("a\nb\x1b=[").startswith("--set a b =[: the value is not valid YAML")

    def test_more_shards_than_can_be_planned(self) -> None:
        many = "generation: 100,000,000 rows are 100,000,000 shards of 1, too many to plan; raise shard_rows"
        assert complaint("generation.rows=100000000", "generation.shard_rows=1") == f"r.yaml: {many}"
        line = complaint("generation.rows=200", "generation.shard_rows=1", "generation.rounds=100")
        assert "200 rows in each of 100 rounds are 20,000 shards of 1" in line
        assert "too many to plan" in complaint("generation.rows=300", "generation.rounds=500")
        assert parse("generation.rows=100", "generation.rounds=500").generation.rounds == 500
        assert parse("generation.rows=100000000", "generation.shard_rows=100000").generation.rows == 100_000_000

    def test_a_small_alias_is_expanded(self) -> None:
        text = MINIMAL.replace("lora: {method: lora}", "lora: &lora {method: lora, r: 4}\n  other: *lora")
        assert parse(text=text).training["other"] == parse(text=text).training["lora"]


def test_overrides_are_parsed_as_yaml_and_create_sections() -> None:
    recipe = parse("generation.rows=20", "split.validation=2e-1", "training.extra={method: lora, r: 4}")
    assert recipe.generation.rows == 20
    assert recipe.split.validation == 0.2
    assert list(recipe.training) == ["lora", "prompt_tuning", "extra"]


@pytest.mark.parametrize("spelling", ["2e-4", "2E-4", "2.0e-4", ".2e-3", "0.0002"])
def test_an_exponent_is_a_number(spelling: str) -> None:
    assert parse(f"training.lora.learning_rate={spelling}").training["lora"].learning_rate == 2e-4


def test_a_name_that_only_looks_like_a_number_stays_a_name() -> None:
    assert parse("name=e5").name == "e5"


class TestFiles:
    def refused(self, source: Path | str) -> str:
        with pytest.raises(InputError) as caught:
            loading.load(str(source))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_a_missing_file_is_refused_with_the_shipped_recipes(self, tmp_path: Path) -> None:
        line = self.refused(tmp_path / "none.yaml")
        assert line.startswith(f"{tmp_path}/none.yaml: no such recipe")
        assert "quickstart" in line

    def test_a_folder_is_no_recipe(self, tmp_path: Path) -> None:
        assert self.refused(tmp_path) == f"{tmp_path}: not a file; give the path of a recipe (YAML)"

    def test_a_binary_file_is_no_recipe(self, tmp_path: Path) -> None:
        path = tmp_path / "model.bin"
        path.write_bytes(bytes(range(256)) * 4)
        assert self.refused(path) == f"{path}: not a text file; a recipe is YAML in UTF-8"

    def test_a_recipe_has_a_largest_size(self, tmp_path: Path) -> None:
        path = tmp_path / "large.yaml"
        path.write_bytes(b"# " + b"x" * 10_000_000)
        assert self.refused(path) == f"{path}: 10,000,002 bytes; a recipe has at most {loading.MAX_BYTES:,}"
        assert f"a recipe has at most {loading.MAX_BYTES:,}" in complaint(text="# " + "x" * 10_000_000)
        largest = MINIMAL + "#" * (loading.MAX_BYTES - len(MINIMAL))
        assert parse(text=largest) == parse()
        assert "a recipe has at most" in complaint(text=f"{largest}#")

    def test_a_file_is_read_by_its_path(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        path.write_text(MINIMAL)
        assert loading.load(str(path)) == parse()

    def test_a_shipped_recipe_has_a_name_and_a_path(self) -> None:
        assert loading.load("quickstart").name == "quickstart"
        assert loading.load("configs/quickstart.yaml") == loading.load("quickstart")


PIECES = st.sampled_from(
    ["!!int ", "!!bool x", "&a ", "*a", "<<: ", "? ", ": ", "- ", "{", "}", "[", "]", "\n", "name"]
)


@hypothesis_settings(max_examples=150)
@given(st.one_of(st.text(max_size=80), st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=15).map("".join)))
def test_no_text_raises_anything_but_an_input_error(text: str) -> None:
    for attempt in (lambda: loading.parse(text), lambda: loading.parse(MINIMAL, [text])):
        try:
            attempt()
        except InputError as error:
            assert str(error)


@hypothesis_settings(max_examples=60)
@given(st.sampled_from(loading.shipped()), st.randoms(use_true_random=False))
def test_a_mutated_recipe_is_parsed_or_refused_quickly_in_one_line(name: str, dice: random.Random) -> None:
    text = mutated(loading.read(name), dice)
    began = time.thread_time()
    try:
        planned(loading.parse(text, source="r.yaml"))
    except InputError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 700
    assert time.thread_time() - began < SOON


@hypothesis_settings(max_examples=100)
@given(
    key=st.sampled_from(["name", "seed", "models", "generation", "curation", "split", "training", "training.lora.r"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_no_value_raises_anything_but_an_input_error(key: str, value: object) -> None:
    import json

    try:
        loading.parse(MINIMAL, [f"{key}={json.dumps(value)}"])
    except InputError as error:
        assert str(error)


@hypothesis_settings(max_examples=60)
@given(prefix=st.none() | st.text(max_size=20), name=st.sampled_from(["lora", "2e4", "1e-3", "null", "true", "1.0"]))
@example(prefix="a\x85b", name="lora")
@example(prefix="\u2028a\u2029", name="lora")
def test_a_recipe_as_text_parses_to_the_same_recipe(prefix: str | None, name: str) -> None:
    plain = loading.load("fair", ["generation.rounds=3"]).model_dump(mode="json")
    plain["generation"]["sources"]["magpie"]["prefix"] = prefix
    plain["training"] = {name: plain["training"]["lora"]}
    recipe = Recipe.model_validate(plain)
    assert loading.parse(loading.text(recipe)) == recipe


def test_an_adapter_cannot_be_called_base() -> None:
    with pytest.raises(InputError, match="'base'"):
        loading.load("quickstart", ["training.base={method: lora}"])
