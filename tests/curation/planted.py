"""Made-up personal data, and texts that only look like them; seeded."""

import random
import string
from ipaddress import IPv6Address, ip_address

import phonenumbers

_PLANS = [
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "NL",
    "SE",
    "PL",
    "CH",
    "AT",
    "BE",
    "IE",
    "AU",
    "NZ",
    "IN",
    "JP",
    "BR",
    "MX",
    "ZA",
    "KR",
]
_WITH_ZERO = ["GB", "DE", "FR", "NL", "AU", "JP"]
_ISSUERS = [
    ("4", 16),
    ("51", 16),
    ("55", 16),
    ("2221", 16),
    ("6011", 16),
    ("65", 16),
    ("3530", 16),
    ("34", 15),
    ("37", 15),
    ("36", 14),
]
# The country's own part of an IBAN: digits n, capitals a, either c (SWIFT registry).
_BBANS = {
    "DE": "18n",
    "GB": "4a14n",
    "FR": "10n11c2n",
    "NL": "4a10n",
    "ES": "20n",
    "IT": "1a10n12c",
    "CH": "5n12c",
    "NO": "11n",
    "PL": "24n",
    "MT": "4a5n18c",
}
_NAMES = [
    "anna",
    "j.smith",
    "maria_lopez",
    "o'brien",
    "bob+news",
    "k-meyer",
    "li.wei88",
    "søren",
    "rené.dupont",
    "x",
    "sales.team",
]
_DOMAINS = [
    "gmail.com",
    "lopez.photography",
    "studio.marketing",
    "почта.рф",
    "web.de",
    "cs.ox.ac.uk",
    "müller-shop.de",
    "corp.io",
    "mail.university.edu",
    "firma.co.jp",
    "startup.ai",
    "museum.org",
]


def email(rng: random.Random) -> str:
    name = rng.choice(_NAMES) + rng.choice(["", str(rng.randrange(100))])
    address = f"{name}@{rng.choice(_DOMAINS)}"
    return address.upper() if rng.random() < 0.05 and address.isascii() else address


def phone(rng: random.Random) -> str:
    if rng.random() < 0.5:
        area, exchange, line = rng.randrange(201, 800), rng.randrange(200, 1000), rng.randrange(10_000)
        form = rng.choice(
            [
                "({}) {}-{:04}",
                "{}-{}-{:04}",
                "{}.{}.{:04}",
                "+1-{}-{}-{:04}",
                "+1 ({}) {}-{:04}",
                "1-{}-{}-{:04}",
                "+1{}{}{:04}",
            ]
        )
        return form.format(area, exchange, line) + rng.choice([""] * 9 + [f" ext. {rng.randrange(10, 9999)}"])
    region = rng.choice(_PLANS if rng.random() < 0.7 else _WITH_ZERO)
    kind = rng.choice([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
    sample = phonenumbers.example_number_for_type(region, kind)
    assert sample is not None
    while True:
        digits = str(sample.national_number)
        digits = digits[:-5] + f"{rng.randrange(100_000):05}"
        number = phonenumbers.PhoneNumber(
            sample.country_code, int(digits), italian_leading_zero=sample.italian_leading_zero
        )
        if phonenumbers.is_valid_number(number):
            break
    form = phonenumbers.PhoneNumberFormat
    if region in _WITH_ZERO and rng.random() < 0.5:
        written = phonenumbers.format_number(number, form.NATIONAL)
        if " " in written or "-" in written:
            return written
    written = phonenumbers.format_number(number, rng.choice([form.INTERNATIONAL, form.INTERNATIONAL, form.E164]))
    return written.replace("+", "00", 1) if rng.random() < 0.1 and " " in written else written


def card(rng: random.Random) -> str:
    issuer, length = rng.choice(_ISSUERS)
    body = issuer + "".join(rng.choices(string.digits, k=length - len(issuer) - 1))
    total = sum(int(d) if i % 2 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(body)))
    number = body + str(-total % 10)
    groups = (
        [number[:4], number[4:8], number[8:12], number[12:]]
        if length == 16
        else [number[:4], number[4:10], number[10:]]
    )
    return rng.choice([" ", "-", ""]).join(groups)


def iban(rng: random.Random) -> str:
    country, form = rng.choice(list(_BBANS.items()))
    body, count = "", ""
    for letter in form:
        if letter.isdigit():
            count += letter
            continue
        alphabet = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}[
            letter
        ]
        body, count = body + "".join(rng.choices(alphabet, k=int(count))), ""
    check = 98 - int("".join(str(int(letter, 36)) for letter in f"{body}{country}00")) % 97
    plain = f"{country}{check:02}{body}"
    return plain if rng.random() < 0.5 else " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def key(rng: random.Random) -> str:
    def some(alphabet: str, size: int) -> str:
        return "".join(rng.choices(alphabet, k=size))

    word, hexadecimal = string.ascii_letters + string.digits, "0123456789abcdef"
    url = word + "-_"
    return rng.choice(
        [
            lambda: "AKIA" + some(string.ascii_uppercase + "234567", 16),
            lambda: "ghp_" + some(word, 36),
            lambda: "github_pat_" + some(word, 22) + "_" + some(word, 59),
            lambda: "sk-" + some(word, 48),
            lambda: "sk-proj-" + some(url, 60) + "A1",
            lambda: "sk-ant-api03-" + some(url, 80) + "A1",
            lambda: f"xoxb-{some(string.digits, 12)}-{some(word, 24)}",
            lambda: "AIza" + some(word, 35),
            lambda: "sk_live_" + some(word, 24),
            lambda: "hf_" + some(string.ascii_letters, 34),
            lambda: f"eyJhbGciOiJIUzI1NiJ9.eyJ{some(word, 40)}.{some(word, 43)}",
            lambda: (
                f"-----BEGIN RSA PRIVATE KEY-----\n{some(word, 64)}\n{some(word, 30)}==\n-----END RSA PRIVATE KEY-----"
            ),
            lambda: f'api_key = "{some(hexadecimal, 32)}"',
            lambda: f"'client_secret': '{some(word, 32)}'",
            lambda: f"Authorization: Bearer {some(word, 40)}",
            lambda: f"AUTH_TOKEN={some(word, 32)}",
        ]
    )()


def ip(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return str(IPv6Address((0x2A02 << 112) | (rng.getrandbits(40) << 72) | rng.getrandbits(rng.choice([16, 64]))))
    while True:
        address = ip_address(rng.getrandbits(32))
        if address.is_global and not address.is_multicast and max(address.packed) >= 20:
            return str(address)


PLANTS = {"email": email, "phone": phone, "card": card, "iban": iban, "key": key, "ip": ip}

SENTENCES = {
    "email": [
        "Please write to {} before Friday.",
        "Contact: {}",
        "You can reach Anna ({}) at any time.",
        "<{}> wrote:",
        "mailto:{}",
    ],
    "phone": [
        "Call me at {} after six.",
        "Tel.: {}",
        "The number is {}.",
        "Her mobile is {}, the office is closed.",
        "{} is where I can be reached.",
    ],
    "card": ["Charge {} please.", "My card number is {}, it expires 12/27.", "Card: {}", "Pay with {}."],
    "iban": ["Transfer it to {} by Monday.", "IBAN: {}", "The account {} was closed."],
    "key": ["Use this:\n{}\nand restart.", "export it as {}", "I found {} in the logs."],
    "ip": ["The request came from {} at noon.", "ssh root@{}", "Ping {} first.", "host={}", "Block [{}]."],
}


def decoy(rng: random.Random) -> str:
    """A text with digits, dots or signs that is not personal data."""
    n = rng.randrange
    day = f"{n(1900, 2100)}-{n(1, 13):02}-{n(1, 29):02}"
    isbn = f"{n(10)}{n(10**8):08}"
    return rng.choice(
        [
            f"in {n(1900, 2000)}-{n(2000, 2030)}",
            f"on {day}",
            f"at {day} {n(24):02}:{n(60):02}:{n(60):02}",
            f"on {n(1, 29):02}.{n(1, 13):02}.{n(1900, 2100)}",
            f"${n(1, 1000)},{n(1000):03}.{n(100):02}",
            f"{n(1, 1000)}.{n(1000):03}.{n(1000):03},{n(100):02} euros",
            f"{rng.random() * 10:.14f}",
            f"{rng.random() * 10:.6e}",
            f"{n(10**11, 10**18)}",
            f"{n(10**5)} + {n(10**5)} = {n(10**6)}",
            f"{n(200, 1000)}-{n(100, 1000)} = {n(1000)}",
            f"{n(200, 1000)} * {n(200, 1000)} = {n(100_000, 1_000_000)}",
            f"ISBN 978-{isbn[0]}-{isbn[1:4]}-{isbn[4:9]}-{n(10)}",
            f"ISBN {isbn[0]}-{isbn[1:4]}-{isbn[4:9]}-{n(10)}",
            f"version {n(1, 30)}.{n(20)}.{n(20)}",
            f"version {n(1, 99)}.{n(99)}.{n(99)}.{n(99)}",
            f"Chrome/{n(80, 130)}.0.{n(1000, 7000)}.{n(256)}",
            f"section {n(1, 9)}.{n(1, 9)}.{n(1, 9)}.{n(1, 9)}",
            f"{n(1000, 10_000)} + {n(1000, 2000)} - {n(1000, 10_000)}",
            f"[[{n(200, 999)} {n(200, 999)} {n(1000, 9999)}], [{n(200, 999)} {n(200, 999)} {n(1000, 9999)}]]",
            f"{n(200, 1000)}-{n(200, 1000)}-{n(1000, 10_000)}",
            rng.choice(
                [
                    "user@localhost",
                    "a @ b",
                    "the @property decorator",
                    "@someone",
                    "icon@2x.png",
                    "x@W.transpose(0)",
                    "git@github.com:o/r.git",
                ]
            ),
            rng.choice(
                [
                    "127.0.0.1",
                    "0.0.0.0",
                    "192.168.1.17",
                    "10.0.0.8",
                    "255.255.255.0",
                    "192.0.2.7",
                    "203.0.113.9",
                    "::1",
                    "fe80::1",
                    "2001:db8::1",
                ]
            ),
            rng.choice(
                [
                    "someone@example.com",
                    "std::vector<int>",
                    "a[1:2:3]",
                    "12:30:45",
                    "aa:bb:cc:dd:ee:ff",
                    "1-800-273-8255",
                    "9-1-1",
                ]
            ),
            "".join(rng.choices("0123456789abcdef", k=40)),
            f"{n(16**8):08x}-{n(16**4):04x}-4{n(16**3):03x}-a{n(16**3):03x}-{n(16**12):012x}",
            rng.choice(
                [
                    'api_key = "YOUR_API_KEY_HERE"',
                    "token = tokenizer.encode(text)",
                    "sk-learn-is-a-python-library-for-it",
                    "SECRET_KEY=changeme12345678",
                ]
            ),
            ", ".join(str(n(10, 10_000)) for _ in range(8)),
            " ".join(str(n(10, 10_000)) for _ in range(8)),
            f"{n(1, 20)}-{n(20, 60)}-{n(60, 99)}",
            f"#{n(10**7)}",
            f"{n(100, 999)}/{n(100, 999)}/{n(1000, 9999)}",
        ]
    )
