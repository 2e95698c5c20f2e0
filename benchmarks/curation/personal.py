# ruff: noqa: RUF001 - lines in many scripts
"""Personal data made up by rule, and what looks like them and is none. All seeded; none is known to be anybody's.

Numbers that have check digits get right ones; telephone numbers are valid by their country's plan (libphonenumber's
example number with other last digits); addresses are public ones drawn at random. All are written as their publishers
and style guides write them: what people garble on purpose (name at host dot com) is not among them.
"""

import ipaddress
import random
import string
from collections.abc import Callable

import phonenumbers

_PEOPLE = ("maria.lopez", "j.smith", "k-meyer", "bob+lists", "li.wei88", "anna", "t_okafor", "rené.dupont", "info2")
_HOSTS = ("gmail.com", "web.de", "cs.ox.ac.uk", "mail.university.edu", "firma.co.jp", "startup.ai", "verein.org")
_COUNTRIES = ("GB", "DE", "FR", "ES", "IT", "NL", "SE", "PL", "CH", "AT", "AU", "IN", "JP", "BR", "ZA", "KR")
_ISSUERS = (("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("6011", 16), ("3530", 16), ("34", 15), ("37", 15))
# The part of an IBAN that follows the check digits: n digits, a capitals (SWIFT's registry).
_ACCOUNTS = {"DE": "n" * 18, "GB": "a" * 4 + "n" * 14, "NL": "a" * 4 + "n" * 10, "ES": "n" * 20, "PL": "n" * 24}
_WORD = string.ascii_letters + string.digits


def _email(rng: random.Random) -> str:
    return f"{rng.choice(_PEOPLE)}{rng.choice(('', str(rng.randrange(100))))}@{rng.choice(_HOSTS)}"


def _phone(rng: random.Random) -> str:
    if rng.random() < 0.4:
        area, exchange, line = rng.randrange(201, 800), rng.randrange(200, 1000), rng.randrange(10_000)
        form = rng.choice(("({}) {}-{:04}", "{}-{}-{:04}", "{}.{}.{:04}", "+1-{}-{}-{:04}", "+1 ({}) {}-{:04}"))
        return form.format(area, exchange, line)
    kind = rng.choice((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE))
    sample = phonenumbers.example_number_for_type(rng.choice(_COUNTRIES), kind)
    assert sample is not None
    while True:
        digits = f"{str(sample.national_number)[:-5]}{rng.randrange(100_000):05}"
        number = phonenumbers.PhoneNumber(
            sample.country_code, int(digits), italian_leading_zero=sample.italian_leading_zero
        )
        if phonenumbers.is_valid_number(number):
            break
    form = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(number, rng.choice((form.INTERNATIONAL, form.INTERNATIONAL, form.E164)))


def _card(rng: random.Random) -> str:
    issuer, length = rng.choice(_ISSUERS)
    body = issuer + _some(string.digits, length - len(issuer) - 1, rng)
    # Luhn (ISO/IEC 7812-1): every second digit from the right counts double, its digits added up.
    total = sum(int(d) if at % 2 else sum(divmod(2 * int(d), 10)) for at, d in enumerate(reversed(body)))
    number = body + str(-total % 10)
    cuts = (4, 8, 12) if length == 16 else (4, 10)
    parts = [number[low:high] for low, high in zip((0, *cuts), (*cuts, length), strict=True)]
    return rng.choice((" ", "-", "")).join(parts)


def _iban(rng: random.Random) -> str:
    country, form = rng.choice(list(_ACCOUNTS.items()))
    account = "".join(rng.choice(string.digits if letter == "n" else string.ascii_uppercase) for letter in form)
    # ISO 13616: letters as numbers from 10, the country and 00 behind; what is left modulo 97, from 98.
    check = 98 - int("".join(str(int(letter, 36)) for letter in f"{account}{country}00")) % 97
    plain = f"{country}{check:02}{account}"
    return plain if rng.random() < 0.5 else " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def _key(rng: random.Random) -> str:
    makers: tuple[Callable[[], str], ...] = (
        lambda: "AKIA" + _some(string.ascii_uppercase + "234567", 16, rng),
        lambda: "ghp_" + _some(_WORD, 36, rng),
        lambda: "sk-proj-" + _some(_WORD, 48, rng) + "a7",
        lambda: "hf_" + _some(string.ascii_letters, 34, rng),
        lambda: f"xoxb-{_some(string.digits, 12, rng)}-{_some(_WORD, 24, rng)}",
        lambda: "AIza" + _some(_WORD, 35, rng),
        lambda: f"eyJhbGciOiJIUzI1NiJ9.eyJ{_some(_WORD, 40, rng)}.{_some(_WORD, 43, rng)}",
        lambda: f'password = "{_some(_WORD, 22, rng)}7a"',
    )
    return rng.choice(makers)()


def _ip(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return str(ipaddress.IPv6Address((0x2A02 << 112) | (rng.getrandbits(40) << 72) | rng.getrandbits(64)))
    while True:
        address = ipaddress.ip_address(rng.getrandbits(32))
        # Four small numbers are more often a version than an address, and nobody could tell.
        if address.is_global and not address.is_multicast and max(address.packed) >= 20:
            return str(address)


PLANTS: dict[str, Callable[[random.Random], str]] = {
    "email": _email,
    "phone": _phone,
    "card": _card,
    "iban": _iban,
    "key": _key,
    "ip": _ip,
}
"""Makes personal data of each kind."""

LINES = {
    "email": (
        "Please write to {} before Friday.", "Contact: {}", "You can reach her ({}) at any time.", "Mail <{}>.",
        "Her address is {}(home).", '{{"name": "Kim", "email": "{}"}}', "[write](mailto:{})", "Bitte an {}.",
        "Escríbeme: {}!", "请联系{}谢谢", "请发邮件到{}，我会尽快回复。", "メールは{}までお願いします。",
        "Почта:{},пишите", "อีเมลของผมคือ{}ครับ", "البريد الإلكتروني: {}", "이메일은 {}입니다.",
    ),
    "phone": (
        "Call me at {} after six.", "Tel.: {}", "The number is {}.", "{} is where I can be reached.", "Fax {}",
        '{{"name": "Kim", "phone": "{}"}}', "Text or WhatsApp me: {}", "Sie erreichen mich unter {}.", "Llámame al {}.",
        "Appelez-moi au {} demain.", "我的电话是{}，请打给我。", "電話番号は{}です。", "Позвоните мне: {}",
        "โทร {} นะครับ", "اتصل بي على {}", "연락처는 {}입니다.", "Ligue para {} por favor.", "Zadzwoń pod {} wieczorem.",
    ),
    "card": (
        "Charge {} please.", "My card number is {}, it expires soon.", "Card: {}", "Visa {} 04/27", '"card": "{}"',
        "Meine Kreditkarte {} wurde gesperrt.", "Ma carte bancaire: {}", "我的卡号是{}。", "カード番号は{}です。",
        "Номер карты {}.",
    ),
    "iban": (
        "Transfer it to {} by Monday.", "IBAN: {}", "The account {} was closed.", "Bitte auf {} überweisen.",
        "Le virement sur {} est parti.", "请汇款到{}。", '"iban": "{}"', "Переведите на {}.",
    ),
    "key": (
        "Use {} and restart.", "I found {} in the logs.", "Export it: {}", "我的密钥是 {} 。", "Ключ: {}", "# {}",
        "Der Schlüssel ist {}.",
    ),
    "ip": (
        "The request came from {} at noon.", "ssh root@{}", "Ping {} first.", "Block [{}].", "服务器地址是{}。",
        '{} - - [10/Oct/2020:13:55:36 +0000] "GET / HTTP/1.1" 200', "Accepted password for kim from {} port 51234 ssh2",
        "Der Server {} antwortet nicht.", "Подключитесь к {}.", '"client": "{}"',
    ),
}  # fmt: skip
"""What it stands in, by kind."""

_NOBODYS = (
    "someone@example.com", "192.168.1.17", "127.0.0.1", "255.255.255.0", "::1", "icon@2x.png",
    "user@localhost", "1-800-273-8255", 'api_key = "YOUR_API_KEY_HERE"', "token = tokenizer.encode(text)", "12:30:45",
    "aa:bb:cc:dd:ee:ff",
)  # fmt: skip


def decoy(rng: random.Random) -> str:
    """A line with digits, dots or signs that is no personal data."""
    n = rng.randrange
    day = f"{n(1900, 2100)}-{n(1, 13):02}-{n(1, 29):02}"
    return "It said {} there.".format(
        rng.choice(
            (
                f"{n(1900, 2000)}-{n(2000, 2030)}",
                f"{day} {n(24):02}:{n(60):02}:{n(60):02}",
                f"{n(1, 29):02}.{n(1, 13):02}.{n(1900, 2100)}",
                f"${n(1, 1000)},{n(1000):03}.{n(100):02}",
                f"{rng.random() * 10:.14f}",
                f"{n(10**11, 10**18)}",
                f"{n(200, 1000)}-{n(100, 1000)} = {n(1000)}",
                f"ISBN 978-{n(10)}-{n(100, 1000)}-{n(10_000, 100_000)}-{n(10)}",
                f"version {n(1, 99)}.{n(99)}.{n(99)}.{n(99)}",
                f"Chrome/{n(80, 130)}.0.{n(1000, 7000)}.{n(256)}",
                f"section {n(1, 9)}.{n(1, 9)}.{n(1, 9)}.{n(1, 9)}",
                _some("0123456789abcdef", 40, rng),
                f"{n(16**8):08x}-{n(16**4):04x}-4{n(16**3):03x}-a{n(16**3):03x}-{n(16**12):012x}",
                " ".join(str(n(10, 10_000)) for _ in range(8)),
                f"#{n(10**7)}",
                rng.choice(_NOBODYS),
            )
        )
    )


def _some(alphabet: str, size: int, rng: random.Random) -> str:
    return "".join(rng.choices(alphabet, k=size))
