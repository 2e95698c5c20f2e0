"""What the checks found in a row that they rejected or marked, in words."""

from collections.abc import Callable

from tuner.report.curated import Row
from tuner.report.wording import count, finite, number, percent, plain

DUPLICATES = ("duplicate", "near_duplicate", "semantic_duplicate")

_PARTS = ("length", "language", "repetition", "format", "toxicity", "content")


def relation(row: Row) -> str:
    """How a duplicate relates to the row that was kept in its place, such as `near duplicate, 0.83`."""
    names = _reasons_and_marks(row)
    kind = next((reason for reason in reversed(DUPLICATES) if reason in names), "duplicate")
    if kind == "duplicate":
        return "exact duplicate"
    similarity = finite(row.get("similarity"))
    return plain(kind) if similarity is None else f"{plain(kind)}, {number(similarity, 2)}"


def details(row: Row) -> list[list[str]]:
    """What was found in a row, as pairs of a name and a text, which may quote the row.

    Args:
        row: A row as read by `Curated.rows`; what needs a missing column is left out.
    """
    names = _reasons_and_marks(row)
    texts = [(name, text(row)) for reasons, name, text in _DETAILS if not reasons or names & reasons]
    return [[name, text] for name, text in texts if text]


def details_of(row: Row, reason: str) -> list[tuple[str, str]]:
    """The details of a row that belong to one reason, as pairs of a name and a text, which may quote the row."""
    return [(name, found) for reasons, name, text in _DETAILS if reason in reasons and (found := text(row))]


def _reasons_and_marks(row: Row) -> set[str]:
    return {*(row.get("reasons") or []), *(row.get("marks") or [])}


def _text(column: str) -> Callable[[Row], str]:
    return lambda row: (row.get(column) or "").strip()


def _words(text: str) -> Callable[[Row], str]:
    return lambda row: "" if row.get(f"{text}_words") is None else count(row[f"{text}_words"])


def _times(column: str) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        ratio = finite(row.get(column))
        return "" if ratio is None else f"{number(ratio, 2)} times the limit"

    return text


def _share(row: Row) -> str:
    share = finite(row.get("repetition_ratio"))
    return "" if share is None else f"{percent(share)} of the response"


def _language(row: Row) -> str:
    if not row.get("language"):
        return ""
    confidence = finite(row.get("language_confidence"))
    return row["language"] if confidence is None else f"{row['language']}, probability {number(confidence, 2)}"


def _parts(row: Row) -> str:
    scores = {part: finite(row.get(f"quality_{part}")) for part in _PARTS}
    return ", ".join(f"{part} {number(score, 2)}" for part, score in scores.items() if score is not None)


def _overlap(row: Row) -> str:
    shared, benchmark = row.get("benchmark_overlap") or "", row.get("benchmark") or ""
    return f"{benchmark}: {shared}" if benchmark and shared else benchmark or shared


_DETAILS: tuple[tuple[set[str], str, Callable[[Row], str]], ...] = (
    ({"short_instruction", "long_instruction"}, "words of the instruction", _words("instruction")),
    ({"short_response", "long_response"}, "words of the response", _words("response")),
    ({"wrong_language"}, "language", _language),
    ({"repeated_word"}, "most frequent word", _share),
    ({"repeated_lines"}, "repeated lines", _times("gopher_lines")),
    ({"frequent_ngram"}, "most frequent phrase", _times("gopher_top_ngram")),
    ({"repeated_ngrams"}, "repeated phrases", _times("gopher_repeated_ngrams")),
    ({"toxic"}, "terms found", _text("toxic_terms")),
    ({"personal_data"}, "personal data", _text("personal_data_kinds")),
    ({"benchmark_overlap", "near_benchmark"}, "shared with benchmark", _overlap),
    ({"low_quality"}, "parts of the score", _parts),
    (set(), "removed from the instruction", _text("sanitized_off")),
)
"""The details shown of a row: the reasons for which each is shown (empty: always), its name, and its text."""
