r"""The kinds of personal data: how each is found and verified.

A kind has expressions for columns, in the syntax of Rust's `regex`, which find too much, and a function that finds the
exact places in one text. A check digit or a registry decides where there is one: Luhn for cards
(ISO/IEC 7812-1), mod 97 and the length of the country for IBANs (ISO 13616), the numbering plans of libphonenumber
for telephones, the registries of special addresses (RFC 6890) for IPs.

Not personal data, since they belong to nobody: addresses at the domains reserved for examples (RFC 2606); IP
addresses that are private, loopback, link-local, reserved, multicast or for documentation; toll-free numbers, which
are hotlines. Dotted quads of four numbers below 20 are taken for versions or sections (1.2.3.4).
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tuner.curation.columns.spans import Span
from tuner.curation.detectors import phones


@dataclass(frozen=True)
class Kind:
    """One kind of personal data.

    Attributes:
        name: Recorded with a row that contains it.
        mask: Replaces it when it is redacted; contains no personal data.
        likely: Matches every text that may contain it; fast enough for all rows.
        places: The beginning and end of each place in a text, sorted, not overlapping.
        exacter: A stricter expression for the rows that `likely` matches; None if that is strict enough.
    """

    name: str
    mask: str
    likely: str
    places: Callable[[str], Iterable[Span]]
    exacter: str | None = None


# Top-level domains of three letters and more in which people have mailboxes. Any two letters pass as a country;
# anything else, such as file names (icon@2x.png) and attributes in code (a@b.transpose), is rejected.
# fmt: off
_DOMAINS = frozenset({
    "com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "name", "pro", "aero", "coop", "museum", "jobs",
    "mobi", "travel", "tel", "cat", "asia", "post", "xxx", "app", "dev", "xyz", "online", "site", "tech", "store",
    "shop", "club", "cloud", "blog", "news", "email", "live", "world", "life", "today", "agency", "company",
    "solutions", "digital", "design", "studio", "media", "art", "space", "fun", "page", "link", "work", "group",
    "team", "global", "network", "software", "systems", "center", "community", "academy", "school", "university",
    "education", "health", "care", "clinic", "finance", "bank", "money", "capital", "ventures", "consulting",
    "services", "support", "international", "london", "berlin", "paris", "tokyo", "nyc", "eus", "bayern", "hamburg",
    "koeln", "wien", "swiss", "africa", "lat", "icu", "top", "win", "vip", "one", "ltd", "llc", "inc", "gmbh", "law",
    "legal", "engineering", "energy", "eco", "earth", "green", "house", "homes", "family", "love", "me", "mail",
})
# fmt: on
_EMAIL = re.compile(
    r"(?<![\w.+%-])\w(?:[\w.+%'-]{0,62}[\w+-])?@((?:[\w-]{1,63}\.)+)(xn--[\w-]{2,59}|\w{2,63})(?![\w(])"
)
_EXAMPLE_DOMAIN = re.compile(r"(?:\A|\.)example\.(?:com|net|org)\Z", re.IGNORECASE)

_CARD = re.compile(
    r"(?<![\w.,+-])(?<![0-9] )(?:"
    r"(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})|35(?:2[89]|[3-8][0-9]))"
    r"([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?!\1[0-9]{4}(?![0-9]))"
    r"|3[47][0-9]{2}([ -]?)[0-9]{6}\2[0-9]{5}"
    r"|3(?:0[0-5]|[689][0-9])[0-9]([ -]?)[0-9]{6}\3[0-9]{4}"
    r")(?![\w]|[.,][0-9])"
)

_IBAN = re.compile(r"(?<![\w])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}")
# The SWIFT registry of IBAN formats.
# fmt: off
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}
# fmt: on

# Prefixes as their issuers publish them. The groups `guess_*` below are tested for entropy too.
_TOKENS = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{16,}"
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}"  # Google
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|hf_[A-Za-z0-9]{30,40}|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,}"
    r"|SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{40,46}"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}"  # JSON web token (RFC 7519)
)
_PEM = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_SECRET_NAME = r"(?:api[_-]?key|secret|token|passw(?:or)?d|access[_-]?key|private[_-]?key|credentials?)"
_KEY = re.compile(
    rf"{_PEM}[\s\S]*?(?:-----END (?:[A-Z0-9]+ ){{0,3}}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    rf"|(?<![\w-])(?:{_TOKENS})(?![\w-])"
    r"|(?<![\w-])(?P<guess_1>sk-[A-Za-z0-9_-]{20,})"  # OpenAI, Anthropic and many after them
    r"|(?i:(?<![\w-])bearer)\s{1,4}(?P<guess_2>[A-Za-z0-9._~+/-]{20,}=*)"
    rf"|(?i:{_SECRET_NAME}[\w-]{{0,20}}[\"']?\s{{0,4}}(?:=|:|=>|:=)\s{{0,4}}[\"'`])(?P<guess_3>[A-Za-z0-9_+/=.!@#$%^&*~-]{{16,256}})[\"'`]"
    r"|(?<![A-Za-z0-9_])[A-Z0-9_]{0,40}(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]{0,40}=(?P<guess_4>[A-Za-z0-9_+/=.-]{16,256})(?![\w(\[])"
)
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|change|insert|xxxx|\*\*|1234567|abcdef|dummy|sample|redacted", re.IGNORECASE
)
_MIN_ENTROPY, _MIN_ENTROPY_HEX = 3.5, 3.0
"""Bits per character from which a value beside a word like `token` is a secret: the generic rule of gitleaks, and for
hexadecimal digits, which have 4 bits at most, the limit of detect-secrets."""
_HEX = re.compile(r"[0-9a-fA-F-]+")

_IPV4 = re.compile(
    r"(?<![\w.-])(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?![\w-]|\.(?:[0-9]|in-addr))"
)
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])")
_VERSION_BEFORE = re.compile(
    r"(?:version|ver\.?|release|build|firmware|section|chapter|clause|rfc|[=<>]=)\s*:?\s*\Z|\bv\.?\s?\Z", re.IGNORECASE
)
_SMALL = 20


def _emails(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        domain, top = match.groups()
        known = len(top) == 2 or top.startswith("xn--") or not top.isascii() or top.lower() in _DOMAINS
        if not known or (top.isascii() and not top.islower() and not top.isupper()):
            continue
        shell = match.group().startswith("git@") and text[match.end() : match.end() + 1] == ":"
        if not shell and not _EXAMPLE_DOMAIN.search(domain + top):
            yield match.span()


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        if _luhn(re.sub(r"[ -]", "", match.group())):
            yield match.span()


def _luhn(digits: str) -> bool:
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)) % 10 == 0


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        begin, length = match.start(), _IBAN_LENGTHS.get(match.group()[:2])
        places = [at for at in range(begin, match.end()) if text[at].isalnum()]
        if length is None or len(places) < length:
            continue
        end = places[length - 1] + 1
        plain = "".join(text[at] for at in places[:length])
        closed = end == len(text) or not text[end].isalnum()
        if closed and int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1:
            yield begin, end


def _keys(text: str) -> Iterator[Span]:
    for match in _KEY.finditer(text):
        if match.lastgroup is None:
            yield match.span()
        elif _is_secret(match.group(match.lastgroup)):
            yield match.span(match.lastgroup)


def _is_secret(value: str) -> bool:
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    enough = _MIN_ENTROPY_HEX if _HEX.fullmatch(value) else _MIN_ENTROPY
    return mixed and _PLACEHOLDER.search(value) is None and entropy(value) >= enough


def entropy(value: str) -> float:
    """Shannon entropy of a text's characters, bits per character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def _addresses(text: str) -> Iterator[Span]:
    spans = [match.span() for match in _IPV4.finditer(text) if _is_ipv4(text, match)]
    spans += [match.span() for match in _IPV6.finditer(text) if _is_public(match.group())]
    yield from sorted(spans)


def _is_ipv4(text: str, match: re.Match[str]) -> bool:
    small = all(int(part) < _SMALL for part in match.group().split("."))
    before = text[max(0, match.start() - 20) : match.start()]
    return not small and _VERSION_BEFORE.search(before) is None and _is_public(match.group())


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # too many groups, or two gaps
        return False
    return parsed.is_global and not parsed.is_multicast


KINDS: tuple[Kind, ...] = (
    Kind(
        "key",
        "[KEY]",
        rf"{_PEM}|(?:{_TOKENS})|sk-[A-Za-z0-9_-]{{20}}|(?i-u:bearer)\s+[A-Za-z0-9._~+/-]{{20}}"
        rf"|(?i-u:{_SECRET_NAME}[0-9a-z_-]{{0,20}}[\"']?\s*(?:=|:|=>|:=)\s*[\"'`])[A-Za-z0-9_+/=.!@#$%^&*~-]{{16}}"
        r"|(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]*=[A-Za-z0-9_+/=.-]{16}",
        _keys,
    ),
    Kind("email", "[EMAIL]", r"[^\s@]@[^\s@]+\.[^\s@]{2}", _emails),
    Kind("iban", "[IBAN]", r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11}", _ibans),
    Kind("card", "[CARD]", r"[2-6][0-9]{3}[ -]?[0-9]{4}(?:[ -]?[0-9]){6}", _cards),
    Kind("ip", "[IP]", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){3}", _addresses),
    Kind("phone", "[PHONE]", phones.DIGITS, phones.places, phones.LIKELY),
)
"""In order of priority: a place that overlaps one of an earlier kind is not found."""
