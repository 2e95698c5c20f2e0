r"""Keys and tokens: what opens an account, by the prefix that its issuer gives it or by the name it stands behind.

The prefixes are those that issuers publish for scanners of secrets; the list follows the rules of gitleaks
(github.com/gitleaks/gitleaks, MIT) and GitHub's secret scanning. Values behind a name such as `token`, in a header or
as the password of a URL have to look drawn at random too. Not keys: what says that it is to be filled in
(`ghp_xxxx`, `your-api-key`), and what ends in `EXAMPLE`, as in the documentation of AWS.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from tuner.curation.columns.spans import Span

TOKENS = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas)-[A-Za-z0-9_-]{20,}(?:\.[0-9a-z]{9})?"  # GitLab
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{10,}"  # Slack
    r"|hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{16,}"
    r"|discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,}"
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28}"  # Google
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{32,}"  # Stripe
    r"|hf_[A-Za-z0-9]{30,40}|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,}|rubygems_[a-f0-9]{48}"
    r"|gsk_[A-Za-z0-9]{48,}|xai-[A-Za-z0-9]{70,}|pplx-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{37}"  # Groq and others
    r"|SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{40,46}"  # SendGrid
    r"|key-[0-9a-f]{32}|[0-9a-f]{32}-us[0-9]{1,2}|SK[0-9a-f]{32}"  # Mailgun, Mailchimp, Twilio
    r"|do[opr]_v1_[a-f0-9]{64}|dapi[0-9a-f]{32}|dckr_pat_[A-Za-z0-9_-]{27}"  # DigitalOcean, Databricks, Docker
    r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}"  # Shopify, Square
    r"|hv[bs]\.[A-Za-z0-9_-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"  # HashiCorp
    r"|glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_[A-Za-z0-9+/]{32,}|NRAK-[A-Z0-9]{27}|sntry[su]_[A-Za-z0-9_=/+-]{40,}"
    r"|lin_api_[A-Za-z0-9]{40}|ntn_[A-Za-z0-9]{46}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|dp\.pt\.[A-Za-z0-9]{43}"
    r"|ATATT3[A-Za-z0-9_=-]{60,}|sbp_[a-f0-9]{40}|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}|tskey-[a-z]+-[A-Za-z0-9-]{20,}"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{58}|ops_eyJ[A-Za-z0-9+/=_-]{60,}"
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"  # Telegram
    r"|[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}"  # Discord
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}"  # JSON web token (RFC 7519)
)
_PEM = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_NAME = r"(?:(?:api|access|account|private|auth)[_-]?key|secret|token|passw(?:or)?d|credentials?)"
LIKELY = (
    r"-----BEGIN|A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{4}|gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]-|xapp-|hooks\.slack|api/webhooks/"
    r"|AIza|ya29\.|GOCSPX|[rs]k_(?:live|test)|whsec_|hf_[A-Za-z0-9]{4}|npm_[A-Za-z0-9]{4}|pypi-A|rubygems_|gsk_|xai-|pplx-|r8_"
    r"|SG\.[A-Za-z0-9]{4}|key-[0-9a-f]{4}|[0-9a-f]-us[0-9]|SK[0-9a-f]{4}|do[opr]_v1|dapi[0-9a-f]{4}|dckr_|shp[a-z]{2}_|sq0"
    r"|hv[bs]\.|\.atlasv1|gls?[ac]_|NRAK|sntry|lin_api|ntn_|PMAK|dp\.pt|ATATT3|sbp_|pscale_|tskey|AGE-SECRET|ops_eyJ|:AA|eyJ"
    r"|\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{9}"
    rf"|sk-[A-Za-z0-9_-]{{4}}|[Bb](?:earer|EARER)\s|(?i-u:{_NAME})[0-9A-Za-z_-]*[\"']?\s*[=:]|_?(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]*=|AccountKey="
    r"|://[^\s/:@]+:[^\s/:@]+@"
)
"""Matches every text that may contain a key; small, since it is searched for in all rows. For Rust's `regex`."""
EXACTER = (
    rf"{_PEM}|(?:{TOKENS})|sk-[A-Za-z0-9_-]{{20}}|(?i-u:bearer)\s+[A-Za-z0-9._~+/-]{{20}}"
    rf"|(?i-u:{_NAME}[0-9a-z_-]{{0,20}}[\"']?\s*(?:=|:|=>|:=)\s*[\"'`])[A-Za-z0-9_+/=.!@#$%^&*~-]{{16}}"
    r"|(?:KEY|TOKEN|SECRET|PASSWORD|AccountKey)[A-Z0-9_]*=[A-Za-z0-9_+/=.-]{16}"
    r"|://[^\s/:@]+:[^\s/:@]{8}"
)
"""The same, stricter and slower."""
_KEY = re.compile(
    rf"{_PEM}[\s\S]*?(?:-----END (?:[A-Z0-9]+ ){{0,3}}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    rf"|(?<![A-Za-z0-9_-])(?P<token>{TOKENS})(?![A-Za-z0-9_-])"
    r"|(?<![A-Za-z0-9_-])(?P<guess_1>sk-[A-Za-z0-9_-]{20,})"  # OpenAI, Anthropic and many after them
    r"|(?i:(?<![A-Za-z0-9_-])bearer)\s{1,4}(?P<guess_2>[A-Za-z0-9._~+/-]{20,}=*)"
    rf"|(?i:{_NAME}[A-Za-z0-9_-]{{0,20}}[\"']?\s{{0,4}}(?:=|:|=>|:=)\s{{0,4}}[\"'`])(?P<guess_3>[A-Za-z0-9_+/=.!@#$%^&*~-]{{16,256}})[\"'`]"
    r"|(?<![A-Za-z0-9_])(?:[A-Z0-9_]{0,40}(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]{0,40}|AccountKey)=(?P<guess_4>[A-Za-z0-9_+/=.-]{16,256})(?![A-Za-z0-9_(\[])"
    r"|://[^\s/:@]{1,64}:(?P<login>[^\s/:@]{8,128})(?=@)"
)
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|change|insert|xxxx|\*\*|1234567|abcdef|dummy|sample|redacted|password|[<>{}]",
    re.IGNORECASE,
)
_FILLED_IN = re.compile(r"your|example|placeholder|redacted|dummy|xxxx|\*\*|\.\.\.|0000000000", re.IGNORECASE)
_MIN_ENTROPY, _MIN_ENTROPY_HEX, _MIN_ENTROPY_LOGIN = 3.5, 3.0, 2.5
"""Bits per character from which a value beside a word like `token` is a secret: the generic rule of gitleaks, and for
hexadecimal digits, which have 4 bits at most, the limit of detect-secrets; less for passwords, which are shorter."""
_HEX = re.compile(r"[0-9a-fA-F-]+")


def places(text: str) -> Iterator[Span]:
    """The beginning and end of each key in a text, in order."""
    for match in _KEY.finditer(text):
        group = match.lastgroup
        if group is None or (group == "token" and not _FILLED_IN.search(match.group())):
            yield match.span()
        elif group != "token" and _is_secret(match.group(group), _MIN_ENTROPY_LOGIN if group == "login" else None):
            yield match.span(group)


def _is_secret(value: str, enough: float | None) -> bool:
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    enough = enough or (_MIN_ENTROPY_HEX if _HEX.fullmatch(value) else _MIN_ENTROPY)
    return mixed and _PLACEHOLDER.search(value) is None and entropy(value) >= enough


def entropy(value: str) -> float:
    """Shannon entropy of a text's characters, bits per character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
