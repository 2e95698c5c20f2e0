r"""The kinds of personal data: how each is found and verified.

A kind has expressions for columns, in the syntax of Rust's `regex`, which find too much, and a function that finds the
exact places in one text. A check digit or a registry decides where there is one: Luhn for cards
(ISO/IEC 7812-1), mod 97 and the length of the country for IBANs (ISO 13616), the numbering plans of libphonenumber
for telephones, the registries of special addresses (RFC 6890) for IPs.

Not personal data, since they belong to nobody or to the public: what `mail_addresses`, `keys` and `phones` say; IP
addresses that are private, loopback, link-local, reserved, multicast or for documentation (RFC 1918, 5737, 3849, 9637),
networks (`88.198.0.0`) and the public resolvers of names; card numbers that payment services publish for tests. Dotted
quads of four numbers below 20, behind a word such as `version`, a product (`Chrome/120.0.0.0`) or `OID`, and with the
ending of a file, are versions, sections or identifiers of objects.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tuner.curation.columns.spans import Span
from tuner.curation.detectors import keys, mail_addresses, phones


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


_CARD = re.compile(
    r"(?<![\w.,+#/=<-])(?<![0-9] )(?:"
    r"(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})|35(?:2[89]|[3-8][0-9]))"
    r"([ \xa0-]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?!\1[0-9]{4}(?![0-9]))"
    r"|3[47][0-9]{2}([ \xa0-]?)[0-9]{6}\2[0-9]{5}"
    r"|3(?:0[0-5]|[689][0-9])[0-9]([ \xa0-]?)[0-9]{6}\3[0-9]{4}"
    r")(?!\w|[.,][0-9]|\s?[=^/+]|\s?\*\s?[0-9]|\s-\s)",
    re.ASCII,
)
# Published for tests by Stripe, PayPal, Adyen, Braintree and Worldpay.
# fmt: off
_TEST_CARDS = frozenset({
    "4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "4000000000000002",
    "4000000000000077", "4000000000009995", "4000000000000069", "4000000000000127", "4000000000003220",
    "4000002500003155", "4000002760003184", "4000008260003178", "4000000000003055", "4000000000009235",
    "4000000000000101", "4000000000000341", "4005519200000004", "4009348888881881", "4012000033330026",
    "4012000077777777", "4217651111111119", "4500600000000061", "4444333322221111", "4917610000000000",
    "4462030000000000", "4988438843884305", "4166676667666746", "4646464646464644", "4000620000000007",
    "4000060000000006", "4293189100000008", "4571000000000001", "4212345678901237", "4999999999999996",
    "5555555555554444", "5105105105105100", "5200828282828210", "5454545454545454", "2223003122003222",
    "2222400070000005", "2223000048400011", "2223520443560010", "5100060000000002", "5500000000000004",
    "5555341244441115", "5577000055770004", "5136333333333335", "5585558555855583", "5555444433331111",
    "6011111111111117", "6011000990139424", "6011981111111113", "6011601160116611", "6445644564456445",
    "6200000000000005", "6243030000000001", "3530111333300000", "3566002020360505", "3569990010095841",
    "378282246310005", "371449635398431", "378734493671000", "370000000000002", "374251018720018",
    "340000000000009", "343434343434343",
    "30569309025904", "38520000023237", "36227206271667", "36006666333344", "36148900647913", "30000000000004",
})
# fmt: on
_OTHER_NUMBER = re.compile(
    r"(?i:orders?|tracking|invoice|serial|shipment|parcel|imei|isbn|ean|barcode|ticket|reference|ref|transaction|user|message"
    r"|session|tweet|id|hash|seed|timestamp|订单|编号|单号)(?:\s?(?:number|no|id|code))?(?:\sis)?[\s.:#=号是\uff1a]{0,3}\Z"
    r"|[0-9)]\s?[*/+=^\u00d7\u00f7-]\s\Z|\b(?i:plus|minus|times)\s\Z|(?i:comput|calculat|add|subtract|multipl|divid)\w*\s\Z"
)

_IBAN = re.compile(r"(?<![A-Za-z0-9_])[A-Z]{2}[0-9]{2}(?:[ \u00a0-]?[A-Z0-9]){11,30}")
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

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FILE = r"\.(?:tar|t?gz|zip|jar|exe|whl|deb|rpm|dll|so|msi|pkg|dmg|apk|nupkg)\b"
_IPV4 = re.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.[0-9]|\.in-addr|{_FILE})", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])", re.ASCII)
_VERSION_BEFORE = re.compile(
    r"(?:(?:versi[oóã]n?e?s?|(?<![^\W_])(?:v|ver|release|build|firmware|driver|patch|update|section|sec|chapter|clause|article|paragraph"
    r"|table|figure|fig|step|exercise|rfc|oid|object identifier|верси[яию])|版本|バージョン|버전)[\w-]*"
    r"|§|(?<![=!])[=<>~]=(?!=)|\^|(?<![\w.])[a-z][\w-]*/)"
    r"[\s.:=\"'`*<>(_]{0,4}"
    r"(?:v?(?:[0-9]+\.){3}[0-9]+\s?(?:,|;|->|→|\u2013|-|(?:to|and|or|bis|und|auf)\b)\s?(?:v|and )?)*\Z",
    re.IGNORECASE,
)
_UPGRADED = re.compile(
    r"\b(?:upgrad|updat|patch|roll|bump|downgrad|backport)\w*\s(?:(?:(?!\b(?:ips?|address\w*|records?|hosts?|dns|servers?"
    r"|route\w*|gateways?)\b)[^\n])*[\s(])?(?:to|from)\s[\"'`]?\Z"
    r"|\b(?:upgrade|bump|roll)\s\Z|\b(?:v8|node(?:\.js)?|kernel|linux|chrom(?:e|ium)|openssl|android)\s(?:is\s)?(?:at\s|to\s)?\Z"
    r"|(?<![0-9.])-?[0-9]*\.[0-9]+[\s,]\Z",  # decimals, as in the path of a drawing
    re.IGNORECASE,
)
_VERSION_AFTER = re.compile(r"\s?\(?(?:release|update|patch|build|beta|firmware|driver|version)\b", re.IGNORECASE)
_SMALL = 20
_DOCUMENTED = tuple(ipaddress.ip_network(network) for network in ("2001:db8::/32", "3fff::/20"))
_OBJECTS = ("2.5.29.", "1.3.101.")
"""The beginnings of identifiers of objects (ISO/IEC 8824) of four numbers, one of them large: certificates' parts."""
# Of Google, Cloudflare, Quad9, OpenDNS, Level 3, Yandex, AdGuard, CleanBrowsing, Control D, 114DNS, AliDNS, DNSPod,
# Baidu, Verisign, Comodo, DNS.WATCH.
# fmt: off
_RESOLVERS = frozenset(map(ipaddress.ip_address, (
    "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3", "9.9.9.9", "9.9.9.10",
    "9.9.9.11", "149.112.112.112", "149.112.112.10", "149.112.112.11", "208.67.222.222", "208.67.220.220",
    "208.67.222.123", "208.67.220.123", "4.2.2.1", "4.2.2.2", "4.2.2.3", "4.2.2.4", "4.2.2.5", "4.2.2.6",
    "77.88.8.8", "77.88.8.1", "77.88.8.88", "77.88.8.7", "94.140.14.14", "94.140.15.15", "94.140.14.15", "94.140.15.16",
    "185.228.168.9", "185.228.169.9", "185.228.168.168", "76.76.2.0", "76.76.10.0", "76.76.19.19", "114.114.114.114",
    "114.114.115.115", "223.5.5.5", "223.6.6.6", "119.29.29.29", "180.76.76.76", "64.6.64.6", "64.6.65.6",
    "8.26.56.26", "8.20.247.20", "84.200.69.80", "84.200.70.40", "2001:4860:4860::8888", "2001:4860:4860::8844",
    "2606:4700:4700::1111", "2606:4700:4700::1001", "2620:fe::fe", "2620:fe::9", "2620:119:35::35", "2620:119:53::53",
    "2400:3200::1", "2400:3200:baba::1", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff",
)))
# fmt: on


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"[^0-9]", "", match.group())
        other = _OTHER_NUMBER.search(text[max(0, match.start() - 30) : match.start()])
        if _luhn(digits) and digits not in _TEST_CARDS and len(set(digits)) > 2 and not other:
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


def _addresses(text: str) -> Iterator[Span]:
    spans = [match.span() for match in _IPV4.finditer(text) if _is_ipv4(text, match)]
    spans += [match.span() for match in _IPV6.finditer(text) if _is_public(match.group())]
    yield from sorted(spans)


def _is_ipv4(text: str, match: re.Match[str]) -> bool:
    address = match.group()
    small = all(int(part) < _SMALL for part in address.split("."))
    before = text[max(0, match.start() - 50) : match.start()]
    other = small or address.endswith(".0") or address.startswith(_OBJECTS)
    version = _VERSION_BEFORE.search(before) or _UPGRADED.search(before) or _VERSION_AFTER.match(text, match.end())
    return not other and not version and _is_public(address)


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # too many groups, or two gaps
        return False
    documented = any(parsed in network for network in _DOCUMENTED)
    return parsed.is_global and not parsed.is_multicast and not documented and parsed not in _RESOLVERS


KINDS: tuple[Kind, ...] = (
    Kind("key", "[KEY]", keys.LIKELY, keys.places, keys.EXACTER),
    Kind("email", "[EMAIL]", mail_addresses.LIKELY, mail_addresses.places),
    Kind("iban", "[IBAN]", r"[A-Z]{2}[0-9]{2}(?:[ \x{a0}-]?[A-Z0-9]){11}", _ibans),
    Kind("card", "[CARD]", r"[2-6][0-9]{3}[ \x{a0}-]?[0-9]{4}(?:[ \x{a0}-]?[0-9]){6}", _cards),
    Kind("ip", "[IP]", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){3}", _addresses),
    Kind("phone", "[PHONE]", phones.DIGITS, phones.places, phones.LIKELY),
)
"""In order of priority: a place that overlaps one of an earlier kind is not found."""
