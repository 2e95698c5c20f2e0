r"""E-mail addresses in running text of any script.

An address ends where the script of its letters does, since scripts without blanks, and Cyrillic after a comma left
out, stand directly beside it: of `联系zhang@qq.com谢谢` only the middle is one. Its top-level domain is judged by its
form (letters, RFC 3696 section 2), not by a list, which would be out of date; what names files and attributes in
code (`icon@2x.png`, `x@w.transpose`) is none. Internationalised addresses (RFC 6531) are found too; the
top-level domains of scripts without blanks are those of the IANA root zone, since nothing else tells where they end.

Also found are the unambiguous ways to hide one: `[at]`, `(at)`, `[dot]`, a full-width or an encoded sign. Words alone
(anna at web dot de) are not, since "look at amazon dot com" reads the same.

Not addresses of a person: the names of messages (`20151105131424.GA3@host.de`), those at domains reserved for examples
(RFC 2606: `example.com`, `.test` and the like) and those that say themselves that they are to be filled in
(`your.name@web.de`, `me@yourcompany.com`).
"""

import re
from collections.abc import Iterator

from tuner.curation.columns.spans import Span, around

_LATIN = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff"
_BLANKLESS = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
_L = rf"0-9{_LATIN}"
_OTHER = rf"[^\W{_LATIN}{_BLANKLESS}]"  # alphabets such as Cyrillic, with digits
_AT = r"(?:[@\uff20]|%40|&#64;|&commat;|\s?[\[({<]\s?(?i:at)\s?[\])}>]\s?)"
_DOT = r"(?:[.\uff0e]|\s?[\[({<]\s?(?i:dot|punkt)\s?[\])}>]\s?)"
LIKELY = r"@[^\s@]|\x{ff20}|%40|&#64;|&commat;|[\[({<] ?(?i-u:at) ?[\])}>]"
"""Matches every text that may contain an address. For Rust's `regex`."""

# fmt: off
_BLANKLESS_TOPS = "|".join((
    "中国", "中國", "公司", "网络", "網絡", "在线", "中文网", "商城", "商店", "网址", "网站", "网店", "集团",
    "政务", "公益", "香港", "台灣", "台湾", "澳門", "新加坡", "移动", "手机", "我爱你", "组织机构", "机构",
    "信息", "娱乐", "游戏", "企业", "购物", "广东", "佛山", "世界", "时尚", "健康", "慈善", "八卦", "招聘",
    "食品", "餐厅", "书籍", "新闻", "みんな", "コム", "ストア", "セール", "ファッション", "クラウド",
    "ポイント", "ไทย", "คอม", "ລາວ",
))
# What stands behind a full stop in code and names of files, and is no top-level domain.
_NO_TOPS = frozenset({
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "bmp", "tif", "tiff", "html", "htm", "css", "scss", "js", "mjs",
    "ts", "jsx", "tsx", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "csv", "tsv", "log",
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "tar", "gz", "tgz", "bz", "rar", "exe", "dll", "jar", "whl",
    "deb", "rpm", "java", "cpp", "hpp", "php", "rb", "go", "kt", "cs", "vb", "hs", "swift", "sql", "lua", "ipynb",
    "service", "socket", "timer", "target", "mount", "slice", "path", "vue", "wav", "dart", "plist",
    "transpose", "shape", "dtype", "reshape", "flatten", "ravel", "astype", "numpy", "mean", "sum", "std", "var",
    "max", "min", "inv", "inverse", "conj", "real", "imag", "size", "ndim", "device", "grad", "values", "copy", "clone",
    "item", "tolist", "weight", "bias", "length", "split", "strip", "replace", "format", "index",
    "localhost", "localdomain", "tld", "po", "pot", "header",
})
# Top-level domains that are names of functions too, when a bracket follows.
_FUNCTIONS = frozenset({"at", "to", "mm", "mv", "gt", "lt", "ne", "dot", "fit", "call", "map", "run", "open", "ml"})
# fmt: on

_TOP = r"(?:xn--[0-9A-Za-z-]{2,59}|[A-Za-z]{2,24})"
_LATIN_DOMAIN = rf"(?:[{_L}](?:[{_L}-]{{0,61}}[{_L}])?{_DOT})+{_TOP}(?![{_L}@])"
_WIDE_DOMAIN = (
    rf"(?:\w(?:[\w-]{{0,61}}\w)?{_DOT})+"
    rf"(?:{_BLANKLESS_TOPS}|(?:(?![0-9_]){_OTHER}){{2,24}}(?!\w)|{_TOP}(?![{_L}@]))"
)
_WITHIN = rf"[{_L}_+%'-]"
_LATIN_NAME = rf"(?<![{_L}+%-])(?<![{_L}_]\.)[{_L}]{_WITHIN}{{0,62}}(?:\.{_WITHIN}{{1,62}}){{0,8}}"
_ADDRESS = re.compile(
    rf"(?:{_LATIN_NAME}|(?<![\w.+%'-])(?!_){_OTHER}(?:{_OTHER}|[.+-]){{0,62}}){_AT}(?P<domain>{_LATIN_DOMAIN}|{_WIDE_DOMAIN})"
    rf"|(?<![\w.+%'-])\w[\w.+-]{{0,62}}(?<=[{_BLANKLESS}]){_AT}(?!{_LATIN_DOMAIN})(?P<wide>{_WIDE_DOMAIN})"
)
_SIGN = re.compile(_AT)
_WINDOW = 260
"""Characters around a sign within which its address stands (RFC 5321: 64 before it, 255 behind)."""
_STOP = re.compile(_DOT)
_LONG_ALONE = frozenset({"com", "net", "org", "edu", "gov"})
"""Top-level domains below which only those of two letters stand (`com.au`)."""
_PLACE = r"(?:domain|company|website|site|organi[sz]ation|org|business|e?mail|host|server|app|school|university)"
_NOBODYS_DOMAIN = re.compile(
    rf"(?:\A|\.)(?:example[.-].*|(?:.*\.)?(?:example|test|invalid|localhost)|(?:your[-_]?{_PLACE}|my[-_]?(?:domain|company))\..*)\Z|\Adomain\.\w+\Z"
)
_NOBODYS_NAME = re.compile(
    r"(?:your|my)[-._]?(?:first|last|user)?[-._]?(?:name|e?mail|user|id|address|account)(?:[-._]?(?:address|here))?"
)
_MESSAGE = re.compile(
    r"[0-9]{10,}\.[\w.+-]+|[0-9A-F]{8}\.[0-9A-F]{5,8}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII
)
"""The names that programs give messages (`Message-ID`, RFC 5322)."""
_RETINA = re.compile(r"[0-9]x|v[0-9]+")
_BEFORE_NAME = re.compile(r"\w+[给給是为為到至向于は](?=\w)")
"""Ends of words that stand directly before a name in a script without blanks: to, is, as."""
_LOGIN = re.compile(r"://[^\s/@]*\Z")


def places(text: str) -> Iterator[Span]:
    """The beginning and end of each address in a text, in order."""
    windows = around((sign.span() for sign in _SIGN.finditer(text)), _WINDOW, len(text))
    for match in (match for window in windows for match in _ADDRESS.finditer(text, *window)):
        name = _SIGN.split(match.group(), maxsplit=1)[0]
        begin = match.start("domain") if match["domain"] else match.start("wide")
        stops = [stop.span() for stop in _STOP.finditer(text, begin, match.end())]
        bounds = list(zip([begin, *(end for _, end in stops)], [*(at for at, _ in stops), match.end()], strict=True))
        while len(bounds) > 2 and _begins_sentence(text[slice(*bounds[-2])], text[slice(*bounds[-1])]):
            bounds.pop()
        end = bounds[-1][1]
        if _is_address(name, [text[low:high].lower() for low, high in bounds]) and not _is_code(text, match, end):
            lead = _BEFORE_NAME.match(text, match.start(), begin) if match["wide"] else None
            yield lead.end() if lead else match.start(), end


def _begins_sentence(before: str, last: str) -> bool:
    """Whether the last label is the first word of the next sentence, its blank left out: `anna@web.de.Thanks`."""
    return (last[0].isupper() and before.islower()) or (before.lower() in _LONG_ALONE and len(last) > 2)


def _is_address(name: str, labels: list[str]) -> bool:
    known = labels[-1] not in _NO_TOPS and not _RETINA.fullmatch(labels[0]) and labels[-1].strip("0123456789") != ""
    nobodys = _NOBODYS_DOMAIN.search(".".join(labels)) or _NOBODYS_NAME.fullmatch(name.lower())
    return known and not nobodys and not _MESSAGE.fullmatch(name)


def _is_code(text: str, match: re.Match[str], end: int) -> bool:
    """Whether it is a remote of git, the login of a URL, or a product of matrices whose function is called."""
    before, behind = text[max(0, match.start() - 40) : match.start()], text[end : end + 1]
    top = re.split(r"[.\s]", text[match.start() : end])[-1]
    attribute = top.isascii() and not (top.islower() or top.isupper() or top.istitle()) and top.isalpha()
    called = behind == "(" and top.lower() in _FUNCTIONS
    short = behind in ("(", "[") and len(match.group()) <= 6
    return (
        attribute
        or called
        or short
        or (match.group().startswith("git@") and behind == ":")
        or bool(_LOGIN.search(before))
    )
