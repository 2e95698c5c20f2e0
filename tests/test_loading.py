"""A recipe that is wrong ends in one line that names the key or the line, and says what would be right."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tuner import loading
from tuner.errors import InputError
from tuner.recipe import Recipe

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
        ("training={}", "training", "give at least one, such as 'lora: {method: lora}'"),
        ("training=", "training", "valid dictionary"),
        ("training.lora={r: 8}", "training.lora", "needs a 'method': lora or prompt_tuning"),
        ("training.lora.method=dpo", "training.lora", "no method 'dpo'; it is lora or prompt_tuning"),
        ("training.lora.targets=[]", "training.lora.targets", "is all-linear or a list of projection names"),
        ("training.lora.targets=q_proj", "training.lora.targets", "is all-linear or a list of projection names"),
        ("training.lora.scheduler=cos", "training.lora.scheduler", "'linear', 'cosine' or 'constant'"),
        ("training.prompt_tuning.packing=true", "training.prompt_tuning", "set packing to false"),
        ("training.a b={method: lora}", "training.a b", "letters, digits"),
        ("name=../x", "name", "'../x' is no name: letters, digits"),
        ('name=""', "name", "is no name: letters, digits"),
        ('name="a\\n"', "name", "is no name: letters, digits"),
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
    assert complaint(text=text) == "r.yaml: line 4: the key 'lora' is given twice; give each a name of its own"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: [1", "at line 1"),
        ("name: x\nmodels: a: b\n", "at line 2"),
        ("name: !!python/object:os.system x\n", "at line 1"),
        ("a: 1\n---\nb: 2\n", "at line 2"),
        ("a: *b", "at line 1"),
        ("? [a]\n: b\n", "at line 1"),
        ("name: \x00", "special characters"),
        ("name: \ud800", "special characters"),
        ("[" * 5000, "recursion"),
        ("seed: " + "9" * 5000, "4300 digits"),
        ("a: 2024-99-99", "month"),
        ("a: !!bool maybe", ""),
        ("a: !!timestamp never", ""),
        ("a: !!int ''", ""),
    ],
)
def test_text_that_is_not_yaml_says_where(text: str, where: str) -> None:
    line = complaint(text=text)
    assert line.startswith("r.yaml: not valid YAML")
    assert where in line


@pytest.mark.parametrize("text", ["- a\n- b\n", "hello", "", "3", "!!set {a, b}"])
def test_anything_but_a_mapping_is_told_the_keys(text: str) -> None:
    assert complaint(text=text) == (
        f"r.yaml: a recipe is a YAML mapping with the keys {', '.join(Recipe.model_fields)}"
    )


@pytest.mark.parametrize(
    ("override", "right"),
    [
        ("noequals", "write it as a.b=value"),
        ("=3", "write it as a.b=value"),
        ("generation..rows=3", "write it as a.b=value"),
        ("generation.rows.a=3", "'rows' holds a value, not further keys"),
        ("generation.rows=[", "the value is not valid YAML"),
        ("seed=2024-99-99", "the value is not valid YAML"),
        ("seed=!!bool maybe", "the value is not valid YAML"),
    ],
)
def test_an_override_that_cannot_be_read_is_named(override: str, right: str) -> None:
    assert complaint(override) == f"--set {override}: {right}"


def test_overrides_are_typed_as_yaml_and_make_sections() -> None:
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

    def test_a_missing_file_is_told_the_shipped_recipes(self, tmp_path: Path) -> None:
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
def test_a_recipe_as_text_reads_as_the_same_recipe(prefix: str | None, name: str) -> None:
    plain = loading.load("fair", ["generation.rounds=3"]).model_dump(mode="json")
    plain["generation"]["prefix"] = prefix
    plain["training"] = {name: plain["training"]["lora"]}
    recipe = Recipe.model_validate(plain)
    assert loading.parse(loading.text(recipe)) == recipe


def test_an_adapter_cannot_be_called_what_the_untrained_model_is_called() -> None:
    with pytest.raises(InputError, match="'base'"):
        loading.load("quickstart", ["training.base={method: lora}"])
