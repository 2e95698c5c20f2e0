r"""Telephone numbers in running text.

A telephone number is recognised by how it is written. Found are

- international numbers, `+44 20 7946 0958` or `0049 30 901820`, that their country's numbering plan knows;
- the North American form, `(555) 123-4567`, `555-123-4567`, `1.555.123.4567`: its form is enough, since 555 and the
  like are in no plan; with blanks only, `202 555 0173`, the plan decides;
- grouped numbers with the national prefix 0, `01234 567890`, that one of a few countries' plans knows;
- directly after a word such as `phone` or `call`, digits in any grouping, also `555-1234`.

The plans are those of Google's libphonenumber (`phonenumbers`, Apache-2.0). Toll-free numbers are not found, since
they are hotlines; nor are parts of a longer number, a sum or a date.
"""

import re

import phonenumbers

from tuner.curation.columns.spans import Span, around, free

_NAME = (
    r"phone|telephone|tel|mobile|cell(?:phone)?|fax|whatsapp|sms|call|dial|contact"
    r"|(?:text|reach)\s(?:me|us|him|her|them)"
)
_BETWEEN = r"number|no|nr|is|at|on|me|us|him|her|them|my|our|the|office|home|work|or|phone|mobile|line|under|for|info"
_LIKELY_GAP = r"[ .()/\x{a0}\x{2011}-]{0,3}"
DIGITS = rf"[0-9](?:{_LIKELY_GAP}[0-9]){{6}}"
"""Seven digits with short gaps, which all forms contain. For Rust's `regex`."""
LIKELY = (
    rf"(?:\+|00)\s?\(?[1-9](?:{_LIKELY_GAP}[0-9]){{6}}"
    r"|[2-9][0-9]{2}\)?[ .\x{a0}\x{2011}-]?[0-9]{3}[ .\x{a0}\x{2011}-][0-9]{4}"
    r"|(?-u:\b)0[1-9][0-9]{0,4}\)?[ ./\x{a0}\x{2011}-][0-9]{2}"
    rf"|(?i-u:\b(?:{_NAME})\b)[^0-9\n]{{0,60}}[0-9](?:{_LIKELY_GAP}[0-9]){{6}}"
)
"""The forms without their context: stricter than DIGITS, and slower. For Rust's `regex`."""

_GAP = r"[ .()/\u00a0\u2011-]{0,3}"
_SEPARATED = r"[ .\u00a0\u2011-]"
# Not within a word, a number, a sum or a web address.
_BEFORE = r"(?<![\w.,+/=#$\u20ac\u00a3&?-])(?<![0-9)]\s[*^\u00d7\u00f7]\s)"
_AFTER = r"(?![\w]|[.,:/\u2011-][0-9]|\s?[=^\u00d7\u00f7]|\s?\*\s?[0-9(])"
_EXTENSION = re.compile(r",?\s?(?:x|ext\.?|extension)\s?[0-9]{1,5}(?![0-9])", re.IGNORECASE)

_INTERNATIONAL = re.compile(rf"(?<![\w.+/=)-])(?:\+\s?\(?|00(?=[1-9]))[1-9](?:{_GAP}[0-9]){{6,14}}")
_AMERICAN = re.compile(
    rf"{_BEFORE}(?:1[ .-])?(?:\([2-9][0-9]{{2}}\){_SEPARATED}?[0-9]{{3}}{_SEPARATED}[0-9]{{4}}"
    rf"|[2-9][0-9]{{2}}(?P<sign>[.\u2011-])[0-9]{{3}}(?P=sign)[0-9]{{4}}"
    rf"|(?P<blank>[2-9][0-9]{{2}} [2-9][0-9]{{2}}[ -][0-9]{{4}})){_AFTER}(?! [0-9])"
)
_NATIONAL = re.compile(
    rf"{_BEFORE}(?:\(0[1-9][0-9]{{0,4}}\)|0[1-9][0-9]{{0,4}})"
    rf"(?:[ ./\u00a0\u2011-][0-9]{{2,8}}){{1,4}}{_AFTER}(?! [0-9])"
)
_NAMED = re.compile(
    rf"(?i:\b(?:{_NAME})\b(?:[\s:.()#=-]|\b(?:{_BETWEEN})\b){{0,10}})"
    rf"(?P<number>(?<![\w.,$\u20ac\u00a3/-])[0-9](?:[ .()\u00a0\u2011-]{{0,3}}[0-9]){{6,14}}){_AFTER}(?! [0-9])"
)
_LOCAL = re.compile(r"[2-9][0-9]{2}[ .\u2011-][0-9]{4}")
_TOLL_FREE = re.compile(r"(?:1[ .-])?\(?8(?:00|33|44|55|66|77|88)")
_AFTER_NUMBER = re.compile(r"[0-9] ")
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[-./ ][0-9]{1,2}[-./ ][0-9]{1,2}|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:19|20)[0-9]{2}"
)

_RUN = re.compile(rf"[0-9](?:{_GAP}[0-9]){{6,}}")
_WINDOW = 45
"""Characters around a run of digits that matter: the longest word before it, an extension after it."""

_REGIONS = ("GB", "FR", "DE", "IT", "NL", "BE", "CH", "AT", "IE", "AU", "NZ", "ZA", "JP", "SE")
"""Countries that write national numbers with a leading 0."""
_NAMED_REGIONS = ("US", "IN", "ES", "PL", "BR", "MX", *_REGIONS)


def places(text: str) -> list[Span]:
    """The beginning and end of each telephone number in a text, in order, extension included."""
    numbers: list[Span] = []
    windows = around((run.span() for run in _RUN.finditer(text)), _WINDOW, len(text))
    for pattern, exact in _FORMS:
        matches = {_span(match): match for window in windows for match in pattern.finditer(text, *window)}
        spans = (exact(matches[span]) for span in free(numbers, matches))
        numbers = sorted([*numbers, *(span for span in spans if span is not None)])
    return [(begin, _end_of_extension(text, end)) for begin, end in numbers]


def _span(match: re.Match[str]) -> Span:
    return match.span("number") if "number" in match.re.groupindex else match.span()


def _end_of_extension(text: str, end: int) -> int:
    extension = _EXTENSION.match(text, end)
    return extension.end() if extension else end


def _international(match: re.Match[str]) -> Span | None:
    begin, number, text = match.start(), match.group(), match.string
    # Another number may follow, so take the longest part that ends at a gap and that a plan knows.
    for length in range(len(number), 7, -1):
        at_gap = number[length - 1].isdigit() and not text[begin + length : begin + length + 1].isalnum()
        plus = "+" + number[2:length] if number.startswith("00") else number[:length]
        if at_gap and _known(plus, (None,)):
            return begin, begin + length
    return None


def _american(match: re.Match[str]) -> Span | None:
    if _TOLL_FREE.match(match.group()):
        return None
    if match["blank"] is not None:
        among_others = _AFTER_NUMBER.fullmatch(match.string[max(0, match.start() - 2) : match.start()])
        return match.span() if not among_others and _known(match.group(), ("US",)) else None
    return match.span()


def _national(match: re.Match[str]) -> Span | None:
    known = 9 <= sum(map(str.isdigit, match.group())) <= 12 and _known(match.group(), _REGIONS)
    return match.span() if known else None


def _named(match: re.Match[str]) -> Span | None:
    number = match["number"]
    if _DATE.match(number):
        return None
    known = sum(map(str.isdigit, number)) >= 9 and _known(number, _NAMED_REGIONS)
    return match.span("number") if known or _LOCAL.fullmatch(number) else None


def _known(number: str, regions: tuple[str | None, ...]) -> bool:
    """Whether a region's plan knows the number; the first that does decides, and toll-free numbers do not count."""
    for region in regions:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        kind = phonenumbers.number_type(parsed)
        # 555 is in no plan, but common in made-up numbers.
        american = parsed.country_code == 1 and region in (None, "US") and phonenumbers.is_possible_number(parsed)
        if kind != phonenumbers.PhoneNumberType.UNKNOWN or american:
            return kind != phonenumbers.PhoneNumberType.TOLL_FREE
    return False


_FORMS = ((_INTERNATIONAL, _international), (_AMERICAN, _american), (_NATIONAL, _national), (_NAMED, _named))
"""The pattern of each form and the function that verifies a match, in order of priority."""
