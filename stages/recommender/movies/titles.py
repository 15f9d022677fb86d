"""Titles of movies as ReDial and MovieLens write them: parsing and normalising.

A MovieLens title puts the article last, adds other names in parentheses and ends in the year:
``Bear, The (Ours, L') (1988)``. ReDial's names come from titles of Wikipedia pages:
``The Shining  (1980)`` with two spaces where the page's title had a qualifier,
``Why Him%3F (2016)`` with URL escapes, or no year at all.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

FIRST_YEAR = 1870
LAST_YEAR = 2099

# as MovieLens sets them behind a title, in English, French, Spanish, Italian, German,
# Portuguese, Danish, Norwegian, Swedish and Dutch
_TRAILING_ARTICLE = re.compile(
    r"^(?P<title>.+),\s*(?P<article>the|an|a|les|le|la|l['\u2019]|une|un|los|las|el|lo|una|il|gli|"
    r"i|der|die|das|den|det|de|ein|eine|en|ett|et|os|as|o|uma|um|het)$",
    re.IGNORECASE,
)
_ENGLISH_ARTICLE = re.compile(r"^(?:the|an|a) (?=.)")
_YEAR = re.compile(r"\(\s*([0-9]{4})\s*(?:[-\u2013\u2014]\s*(?:[0-9]{4})?\s*)?\)$")
_STRAY_SPACE = re.compile(r"\s{2,}\([0-9]{4}\)\s*$|\s$")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ALSO_KNOWN_AS = re.compile(r"^(?:a\.?\s?k\.?\s?a\.?|also known as)[\s:]+", re.IGNORECASE)

_APOSTROPHES = str.maketrans(dict.fromkeys("'\u2018\u2019\u02bc\u00b4`\u2032\u02bb"))
_NUMBER_SIGN = re.compile(r"#(?=[0-9])")
_INITIALS = re.compile(r"(?<=\b\w)[.*](?=\w\b)")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
# letters that no Unicode decomposition takes to the Latin alphabet
_LETTERS = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "\u0131": "i",
        "ħ": "h",
    }
)
# I, V and X stand for numbers only behind a word that is counted, since they are words as well
_ROMAN = {
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "xi": "11",
    "xii": "12",
    "xiii": "13",
}
_COUNTED = re.compile(r"\b(part|episode|chapter|volume|vol) (\w+)\b")
_AFTER_COUNTED = {"i": "1", "v": "5", "x": "10", "one": "1", "two": "2", "three": "3", "four": "4"}


@dataclass(frozen=True)
class ParsedTitle:
    """A name taken apart.

    Attributes:
        title: The name without year, article first, parentheses kept; empty where there is no
            more to it.
        year: The year in parentheses at the end, the first of a range; ``None`` without one.
        alternatives: The names that parentheses at the end divide the title into, the one before
            them first, articles first; empty where there are no such parentheses.
        qualified: Whether a stray space before the year or at the end tells that a qualifier was
            taken away, such as ``(film)`` or ``(2017 film)`` from the title of a Wikipedia page,
            so that other pages had the same title.
    """

    title: str
    year: int | None
    alternatives: tuple[str, ...] = ()
    qualified: bool = False


def clean(name: str) -> str:
    """A name without URL escapes, HTML entities, control characters and stray spaces."""
    if "%" in name:
        name = _ESCAPES.sub(lambda escapes: unquote(escapes[0]), name)
    if "&" in name:
        name = _ENTITY.sub(lambda entity: html.unescape(entity[0]), name)
    if not name.isprintable():
        name = "".join(_without_control(character) for character in name)
    return " ".join(name.split())


def parse(name: str) -> ParsedTitle:
    """Take apart a name as ReDial or MovieLens gives it.

    Args:
        name: Any text, such as ``Bear, The (a.k.a. Grizzly) (Ours, L') (1988)``.
    """
    text = clean(name)
    qualified = bool(_STRAY_SPACE.search(name))
    year = None
    found = _YEAR.search(text)
    if found and FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        year = int(found[1])
        text = text[: found.start()].rstrip()
    outside, inside = _split_parentheses(text)
    if not inside:
        return ParsedTitle(article_first(text), year, qualified=qualified)
    names = [article_first(_ALSO_KNOWN_AS.sub("", part)) for part in (outside, *inside)]
    title = f"{article_first(outside)}{text[len(outside) :]}"
    alternatives = tuple(dict.fromkeys(name for name in names if name))
    return ParsedTitle(title, year, alternatives, qualified)


def article_first(title: str) -> str:
    """``Matrix, The`` as ``The Matrix``; a title without an article behind it as it is."""
    found = _TRAILING_ARTICLE.match(title)
    if not found:
        return title
    article = found["article"]
    space = "" if article.endswith(("'", "\u2019")) else " "
    return f"{article}{space}{found['title'].strip()}"


def normalise(title: str) -> str:
    """A title in the form in which two spellings of it are equal.

    Lower-case words and numbers with one space between them, article first: no accents,
    apostrophes or punctuation, ``&`` as ``and``, Roman numerals from II, and from I behind
    ``Part`` or ``Episode``, as digits. Normalising twice gives the same as once.

    Args:
        title: Any text without a year, such as ``Misérables, Les`` or ``Rocky III``.
    """
    text = article_first(clean(title))
    if not text.isascii():
        text = _to_latin(text)
    text = text.casefold().replace("&", " and ").replace(" + ", " and ")
    text = _NUMBER_SIGN.sub(" no ", text.translate(_APOSTROPHES))
    text = _INITIALS.sub("", text)
    words = [_ROMAN.get(word, word) for word in _BETWEEN_WORDS.sub(" ", text).split()]
    return _COUNTED.sub(_count, " ".join(words))


def without_article(normalised: str) -> str:
    """A normalised title without a leading English article, unless it is nothing else."""
    return _ENGLISH_ARTICLE.sub("", normalised, count=1)


def _without_control(character: str) -> str:
    match unicodedata.category(character):
        case "Cf" | "Cs":  # soft hyphens, joiners, lone surrogates: part of no word
            return ""
        case category if category.startswith(("C", "Z")):
            return " "
        case _:
            return character


def _split_parentheses(text: str) -> tuple[str, list[str]]:
    """The text before the parentheses at the end, and what stands in each of them."""
    inside: list[str] = []
    while text.endswith(")"):
        depth = 0
        for start in range(len(text) - 1, -1, -1):
            depth += (text[start] == ")") - (text[start] == "(")
            if depth == 0:
                break
        if depth or start == 0:  # one that is never opened, or all that there is, is no name
            break
        inside.insert(0, text[start + 1 : -1].strip())
        text = text[:start].rstrip()
    return text, inside


def _to_latin(text: str) -> str:
    # ½ as 1/2 and ³ as 3, words of their own
    text = "".join(f" {c} " if unicodedata.category(c) == "No" else c for c in text)
    for _ in range(2):  # folding case can give letters that decompose again
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if unicodedata.category(c) != "Mn").casefold()
    return text.translate(_LETTERS)


def _count(found: re.Match[str]) -> str:
    return f"{found[1]} {_AFTER_COUNTED.get(found[2], found[2])}"
