# ruff: noqa: RUF001 - words of many scripts
r"""Telephone numbers in running text.

Digits with gaps are most often something else: a sum, a range, a row of a matrix, an order. A number is one of a
telephone where its form or its context says so. Found are

- by form alone: `+44 20 7946 0958` and, alone among words, `0049 30 901820`, if the country's numbering plan knows
  them; `(212) 555-0173` and `(020) 7946 0958`; numbers with 555 as area or exchange, the sign of made-up ones;
- by form and context, `212-334-4556` and, with the national prefix 0, `01234 567890`: if a word such as `phone`,
  `reach` or `电话` stands in the same sentence, or an e-mail address, and none of calculation (`compute`, `row`);
- directly after such a word, in any grouping, what a country's plan knows, and `555-1234`.

The plans are those of Google's libphonenumber (`phonenumbers`, Apache-2.0). Toll-free numbers are not found, since
they are hotlines; nor are parts of a longer number, a sum, a date or a decimal.
"""

import re

import phonenumbers

from tuner.curation.columns.spans import Span, around, free

# Letters with upper and lower case are followed by no letter; the other scripts by anything.
_NAMES = (
    # English; also names of fields in data and code, such as `phone_number` and `phoneNumber`.
    r"(?:cell|tele|mobile)?phones?(?:[ _]?(?:numbers?|no))?|tel|mobile|cell|fax|whatsapp|wa\.me|viber|sms|"
    r"call(?:ing)?|dial(?:ing)?|contact|landline|reachable|reached\s(?:at|on|under)|"
    r"(?:text|message|reach|ring)\s(?:me|us|him|her|them)|"
    # German, Dutch, Scandinavian, Finnish
    r"telefon(?:e|isch|nummern?|nr)?|handy(?:nummer)?|mobil(?:nummer|telefon|nr)?|festnetz|anrufen|anruf|erreichbar|"
    r"erreichen|rückruf|rufnummer|durchwahl|telefoon(?:nummer)?|mobiel|bellen|tlf|puhelin|puh|"
    # French, Spanish, Portuguese, Italian, Romanian
    r"téléphone(?:z|r)?|telephone|tél|portable|appel(?:er|ez)|joindre|joignable|teléfonos?|telefonos?|tfno|móvil|movil|"
    r"celular|llam(?:ar|e|a|ame|arme|enos)|llámame|llámeme|telefone|telemóvel|ligue|ligar|contacto|contato|"
    r"telefono|cellulare|cell|chiam(?:are|a|ami|ate)|contattare|telefonul|"
    # Polish, Czech, Hungarian, Turkish, Indonesian, Vietnamese
    r"telefonu|komórk\w*|zadzwo\w*|dzwoni\w*|zavolejte|volejte|hív\w*|telefonszám|cep|arayın|telepon|hubungi|"
    r"điện thoại|sđt|đt|gọi|"
    # Russian, Ukrainian, Greek
    r"телефон\w*|тел|моб(?:ильн\w*)?|сотов\w*|(?:по)?звон\w*|набер\w*|факс|вотсап|ватсап|τηλέφωνο|τηλ|κινητό"
)
_NAMES_WITHOUT_CASE = (
    r"电话|電話|手机|手機|致电|致電|拨打|撥打|联系|聯繫|聯絡|联络|传真|傳真|热线|熱線|座机|微信|携帯|ファックス|ファクス|連絡|"
    r"전화|휴대폰|핸드폰|연락|팩스|โทร|มือถือ|फ़ोन|फोन|मोबाइल|هاتف|جوال|الهاتف|اتصل|واتساب|تلفن|موبایل|טלפון|נייד"
)
_BETWEEN = (
    r"number|no|nr|is|at|on|me|us|him|her|them|my|our|his|your|the|to|office|home|work|private|personal|direct|cell|or|and|"
    r"phone|mobile|line|under|for|info|via|anytime|now|new|customer|today|tomorrow|"
    r"nummer|lautet|ist|unter|der|die|mich|uns|ihn|sie|bitte|an|auf|von|"
    r"numéro|num|est|le|au|mon|moi|nous|número|es|al|el|mi|me|número|em|no|é|o|meu|numero|è|il|mio|allo|mij|op|is|numer|to|pod|"
    r"номер\w*|мне|на|по|мой|наш|это|numarası|numaram|số|là"
)
_BETWEEN_WITHOUT_CASE = r"号码|號碼|番号|번호|号|號|是|为|為|请|您|我|的|本人|或|方式|は|が|を|に|まで|は|는|은|로"
_BLANKLESS = r"\u3040-\u30ff\u4e00-\u9fff\u0e00-\u0eff\uac00-\ud7af"
_NAME = (
    rf"(?:(?:(?<![^\W_{_BLANKLESS}])|(?<=[a-z]{{3}})(?-i:(?=[PMF])))(?<!\[)(?:{_NAMES})(?![^\W\d_{_BLANKLESS}])"
    rf"|(?:{_NAMES_WITHOUT_CASE}))"
)

_LIKELY_GAP = r"[ .()/\x{a0}\x{2011}-]{0,3}"
DIGITS = rf"[0-9](?:{_LIKELY_GAP}[0-9]){{6}}"
"""Seven digits with short gaps, which all forms contain. For Rust's `regex`."""
LIKELY = (
    rf"(?:\+|00)\(?[1-9](?:{_LIKELY_GAP}[0-9]){{6}}"
    r"|[2-9][0-9]{2}\)?[ .\x{a0}\x{2011}-]?[0-9]{3}[ .\x{a0}\x{2011}-][0-9]{4}"
    r"|0[1-9][0-9]{0,4}\)?[ ./\x{a0}\x{2011}-][0-9]{2}"
    rf"|(?i:{_NAMES}|{_NAMES_WITHOUT_CASE})[^0-9\n]{{0,60}}[0-9](?:{_LIKELY_GAP}[0-9]){{6}}"
)
"""The forms without their context: stricter than DIGITS, and slower. For Rust's `regex`."""

_GAP = r"(?:[ .\u00a0\u2011/-]|[ .\u00a0-]?\(|\)[ .\u00a0\u2011/-]?)?"
_SEPARATED = r"[ .\u00a0\u2011-]"
# Not within a word, a number, a sum or a web address.
_BEFORE = (
    r"(?<![A-Za-z0-9_.,+/=#$\u20ac\u00a3&?^\u00d7\u00f7-])(?<![0-9)]\*)(?<!<<)"
    r"(?<![0-9)=+*/^\u2212\u2013\u00d7\u00f7-]\s)(?<!\s[x]\s)"
)
_AFTER = (
    r"(?![A-Za-z0-9_]|[.,:/\u2011-][0-9]|\s?[=^\u00d7\u00f7]|>>|\s?\*\s?[0-9(]|\s?[+/\u2212-]\s?[0-9(]"
    r"|\s?[%\u20ac\u00a3$]|\s(?:times|calls|cycles|rows|users|people|dollars|euros|bytes|units|minutes|seconds|days)\b)"
)
_EXTENSION = re.compile(r",?\s?(?:x|ext\.?|extension)\s?[0-9]{1,5}(?![0-9])", re.IGNORECASE)

_INTERNATIONAL = re.compile(rf"(?<![A-Za-z0-9_.+/=)-])(?:\+\(?|00(?=[1-9]))[1-9](?:{_GAP}[0-9]){{6,14}}")
_AMERICAN = re.compile(
    rf"{_BEFORE}(?:\+?1[ .-])?(?:(?P<bracket>\()[2-9][0-9]{{2}}\){_SEPARATED}?[0-9]{{3}}{_SEPARATED}[0-9]{{4}}"
    rf"|[2-9][0-9]{{2}}(?P<sign>[.\u2011-])[0-9]{{3}}(?P=sign)[0-9]{{4}}"
    rf"|(?P<blank>(?<!\[)[2-9][0-9]{{2}} [2-9][0-9]{{2}}[ -][0-9]{{4}})){_AFTER}(?! [0-9])"
)
_NATIONAL = re.compile(
    rf"{_BEFORE}(?:(?P<bracket>\()0[1-9][0-9]{{0,4}}\)|0[1-9][0-9]{{0,4}})"
    rf"(?:[ ./\u00a0\u2011-]?[0-9]{{2,8}}){{1,4}}{_AFTER}(?! [0-9])"
)
_NAMED = re.compile(
    rf"(?i:{_NAME}(?:[\s:：.,,，()（）#=>\"'*|/–—_-]|(?<![^\W\d_])(?:{_BETWEEN})(?![^\W\d_])|{_BETWEEN_WITHOUT_CASE}){{0,12}})"
    rf"(?P<number>(?<![A-Za-z0-9_.,$\u20ac\u00a3-])(?<!(?<!wa\.me)/)(?:\+ ?)?"
    rf"\(?[0-9](?:[ .()/\u00a0\u2011-]{{0,3}}[0-9]){{6,14}}){_AFTER}(?! [0-9])"
)
_MEANT = re.compile(
    rf"(?i:{_NAME}|\b(?:the|my|his|her|our|their|your|'s|’s|direct|private)\snumber\b|\b(?:meine|seine|ihre|die)\snummer\b"
    r"|\bm[io]n? n[uú]m[eé]ro\b|\bномер\w*|号码|番号|번호)|[^\W_]@[^\W\d_]|\[EMAIL\]"
)
_MEANT_AFTER = re.compile(rf"(?i:{_NAME}|\breach)|[^\W_]@[^\W\d_]|\[EMAIL\]")
_CALCULATED = re.compile(
    r"(?i)\b(?:comput\w*|calculat\w*|subtract\w*|minus|plus|sums?|differences?|equations?|evaluat\w*|solv\w*|simplif\w*"
    r"|results?|equals?|multipl\w*|divid\w*|rows?|sequences?|series|matri\w*|vectors?|arrays?|digits?|range|from|next"
    r"|function|berechn\w*|rechn\w*|calcul\w*)\b|计算|等于|減|减|加"
)
_OTHER_NUMBER = re.compile(
    r"(?i)(?:isbn|issn|doi|orders?|invoice|tracking|serial|reference|ref|ticket|case|sku|model|part|item|article|account|id"
    r"|zip|code|version|policy|tax|ssn|passport|vin|bestell\w*|rechnung\w*|订单|编号|単|zakaz|заказ\w*)"
    r"(?:\s(?:number|no|nr|id|code))?(?:\s(?:is|ist|was))?[\s.:#=-]{0,3}\Z"
)
_END_OF_SENTENCE = re.compile(r"\n|[.!?](?:\s|\Z)|[。！？]")
_LOCAL = re.compile(r"[2-9][0-9]{2}[ .\u2011-][0-9]{4}")
_TOLL_FREE = re.compile(r"(?:\+?1[ .-])?\(?8(?:00|33|44|55|66|77|88)")
_MADE_UP = re.compile(r"(?:\+?1[ .-])?\(?(?:555|[2-9][0-9]{2}\)?[ .\u2011-]?555)")
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[-./ ]?(?:0[1-9]|1[0-2]|[1-9])[-./ ]?[0-3]?[0-9](?![0-9])"
    r"|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:19|20)[0-9]{2}|[0-9]{4}[-\u2011 ](?:19|20)[0-9]{2}\Z"
)
_ISO_DATE = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-[0-3][0-9](?![0-9])")
_DECIMAL = re.compile(r"\+[0-9]+\.[0-9]+")
_LONE_DIGITS = re.compile(r"(?<![0-9])[0-9](?![0-9])")

_RUN = re.compile(r"[0-9](?:[ .()/\u00a0\u2011-]{0,3}[0-9]){6,}")
_WINDOW = 75
"""Characters around a run of digits that matter: the longest word before it, an extension after it."""
_NEAR_BEFORE, _NEAR_AFTER = 60, 45
"""Characters of the same sentence in which a word gives a number its context."""

_REGIONS = (
    "GB", "FR", "DE", "IT", "NL", "BE", "CH", "AT", "IE", "AU", "NZ", "ZA", "JP", "SE", "KR", "CN", "TW", "FI", "TR",
    "UA", "RO", "BR", "AR", "IN", "PK", "ID", "TH", "VN", "MY", "PH", "NG", "KE", "EG", "IL", "SA", "IR", "HR", "BG",
    "RS", "SK",
)  # fmt: skip
"""Countries that write national numbers with a leading 0."""
_NAMED_REGIONS = (
    "US", "ES", "PL", "MX", "RU", "PT", "CZ", "DK", "NO", "GR", "HU", "HK", "SG", "CO", "CL", "PE", *_REGIONS,
)  # fmt: skip


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


_CLOSED = re.compile(_AFTER)


def _international(match: re.Match[str]) -> Span | None:
    begin, number, text = match.start(), match.group(), match.string
    among_numbers = re.search(r"[0-9)]\s?\Z", text[max(0, begin - 2) : begin])
    # Another number may follow, so take the longest part that ends at a gap and that a plan knows.
    for length in range(len(number), 7, -1):
        part, end = number[:length], begin + length
        if not part[-1].isdigit() or text[end : end + 1].isdigit() or not _CLOSED.match(text, end):
            continue
        if len(_LONE_DIGITS.findall(part)) > 3:
            continue
        grouped = any(sign in part for sign in " -/\u00a0\u2011(")
        if part[0] == "0":
            alone = grouped and not among_numbers and not re.match(r" [0-9]", text[end : end + 2])
            if alone and _known("+" + part[2:], (None,)):
                return begin, end
        elif (grouped or not (among_numbers or _DECIMAL.fullmatch(part))) and _known(part, (None,)):
            return begin, end
    return None


def _american(match: re.Match[str]) -> Span | None:
    if _TOLL_FREE.match(match.group()):
        return None
    made_up = _MADE_UP.match(match.group()) is not None
    if match["bracket"] is None and not _meant(match, made_up):
        return None
    known = made_up or match["blank"] is None or _known(match.group(), ("US",))
    return match.span() if known else None


def _national(match: re.Match[str]) -> Span | None:
    number = match.group()
    if not 9 <= sum(map(str.isdigit, number)) <= 12 or number.isdigit():
        return None
    meant = match["bracket"] is not None or _meant(match, form=False)
    return match.span() if meant and _known(number, _REGIONS) else None


def _meant(match: re.Match[str], form: bool) -> bool:
    """Whether its sentence says that a number is one of a telephone, or its form does and no word denies it."""
    text, begin, end = match.string, match.start(), match.end()
    lead = text[max(0, begin - _NEAR_BEFORE) : begin]
    before = _END_OF_SENTENCE.split(lead)[-1]
    after = _END_OF_SENTENCE.split(text[end : end + _NEAR_AFTER], maxsplit=1)[0]
    if _OTHER_NUMBER.search(lead) or _CALCULATED.search(before) or _CALCULATED.search(after):
        return False
    return form or _MEANT.search(before) is not None or _MEANT_AFTER.search(after) is not None


def _named(match: re.Match[str]) -> Span | None:
    number, begin = match["number"], match.start("number")
    if (
        (" - " in number and number[0] not in "+(0")
        or _DATE.match(number)
        or _ISO_DATE.search(number)
        or _OTHER_NUMBER.search(match.string[max(0, begin - 30) : begin])
    ):
        return None
    if match.string.endswith("wa.me/", 0, begin):
        return match.span("number") if _known("+" + number, (None,)) else None
    if (open_ := number.count("(") - number.count(")")) < 0 or number[0] == "(":
        begin += open_  # a bracket around the number, or one that opened before it
    digits, grouped = sum(map(str.isdigit, number)), not number.isdigit()
    known = digits >= (8 if grouped else 9) and _known(number, (None,) if number[0] == "+" else _NAMED_REGIONS)
    return (begin, match.end("number")) if known or _LOCAL.fullmatch(number) else None


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
