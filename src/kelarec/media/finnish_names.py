"""How Finnish bends names: every form of a given or family name, a street or a place that a writer may use.

A generator by rule: vowel stems and consonant stems, consonant gradation, vowel harmony, singular and plural case
endings. Where grammar leaves two forms open, or names differ from common words (Mika, Mikan; Satu, Satun or Sadun),
both are given: a form too many masks a word too much, a form too few lets a name through.

Source: Iso suomen kielioppi (Suomalaisen Kirjallisuuden Seura), the sections on gradation, stem types and the
inflection of names; rules only, no word list.
"""

import re
from functools import lru_cache
from typing import Final

_VOWELS: Final = "aeiouyäöå"
_TWO_VOWELS: Final = re.compile(rf"[{_VOWELS}]{{2}}\Z")

# Strong grade, then what it becomes before a closed syllable; the first that fits decides, other names keep the strong.
_GRADES: Final = (
    ("nk", "ng"), ("mp", "mm"), ("nt", "nn"), ("lt", "ll"), ("rt", "rr"),
    ("kk", "k"), ("pp", "p"), ("tt", "t"), ("ht", "hd"),
    ("lk", "l"), ("rk", "r"), ("hk", "h"), ("lp", "lv"), ("rp", "rv"),
)  # fmt: skip
_SINGLE_GRADES: Final = (("k", ""), ("p", "v"), ("t", "d"))
_ALWAYS_GRADED: Final = ("kk", "pp", "tt")
_REVERSE_GRADES: Final = (("ng", "nk"), ("mm", "mp"), ("nn", "nt"), ("ll", "lt"), ("rr", "rt"), ("d", "t"), ("v", "p"))


@lru_cache(maxsize=4096)
def list_inflections(word: str) -> frozenset[str]:
    """Return the forms of one word of a name, in lower case, the word itself among them.

    Words of one letter, and those without a vowel, are not bent.
    """
    name = word.lower()
    if len(name) < 2 or not any(letter in _VOWELS for letter in name):  # noqa: PLR2004  one letter
        return frozenset({name})
    forms = {name}
    for back in _harmonies(name):
        for strong, weak in _vowel_stems(name):
            forms |= _singular(strong, weak, back=back)
            forms |= _plural(strong, weak, back=back)
        forms |= _consonant_forms(name, back=back)
    return frozenset(forms)


def _harmonies(name: str) -> tuple[bool, ...]:
    """Whether endings have back vowels, as far as the name tells; both ways where it is foreign or mixed."""
    harmonic = [letter for letter in name if letter in "aouåäöy"]
    if not harmonic:
        return (False, True) if name[-1] not in _VOWELS else (False,)
    is_back = harmonic[-1] in "aouå"
    is_mixed = any((letter in "aouå") != is_back for letter in harmonic)
    is_compound = name.endswith(("tie", "piha", "mäki", "niemi", "kivi"))  # what stands before does not count
    return (is_back, not is_back) if is_mixed or is_compound else (is_back,)


def _vowel_stems(name: str) -> set[tuple[str, str]]:
    """Return pairs of stems: before an open syllable (strong) and before a closed one (weak)."""
    if name.endswith("nen"):
        return {(f"{name[:-3]}se", f"{name[:-3]}se")}
    if name[-1] in _VOWELS:
        return _stems_of_vowel_name(name)
    if name[-1] == "s":
        return _stems_of_s_name(name)
    stems = {(f"{name}i", f"{name}i")}
    if name.endswith(("in", "en")) and len(name) > 4:  # noqa: PLR2004  Tammin is bent, Jan is foreign
        stems.add((f"{name[:-1]}me", f"{name[:-1]}me"))
    if name.endswith(("el", "er", "ar", "är", "en", "yn", "al")):
        stems.add((f"{name}e", f"{name}e"))
    return stems


def _stems_of_vowel_name(name: str) -> set[tuple[str, str]]:
    bases = {name}
    if name[-1] == "i":
        bases.add(f"{name[:-1]}e")  # Lahti, Lahden
    if name[-1] == "e":
        bases.add(f"{name}e")  # Laine, Laineen
    stems = {(base, weak) for base in bases for weak in _weaken(base)}
    if name[-1] == "e":
        stems |= {(f"{strong}e", f"{strong}e") for strong in _strengthen(name)}  # Rinne, Rinteen
    if name.endswith("si"):
        stems.add((f"{name[:-2]}te", f"{name[:-2]}de"))  # Vesi, Veden
        if name[-3:-2] in set("nlr"):
            stems.add((f"{name[:-2]}te", f"{name[:-2]}{name[-3]}e"))  # Kansi, Kannen
    return stems


def _stems_of_s_name(name: str) -> set[tuple[str, str]]:
    base = name[:-1]
    stems = {(f"{base}kse", f"{base}kse"), (f"{name}i", f"{name}i")}  # Markus, Markuksen; Jonas, Jonasin
    if base[-1:] in {"a", "ä", "i", "e"}:
        stems |= {(f"{each}{each[-1]}", f"{each}{each[-1]}") for each in {base, *_strengthen(base)}}  # Kangas, Kankaan
    if name.endswith(("us", "ys")):
        stems.add((f"{base}{base[-1]}te", f"{base}{base[-1]}de"))  # Rauhallisuus, -suuden
        stems.add((f"{base}te", f"{base}de"))
    return stems


def _split(stem: str) -> tuple[str, str]:
    """Part a stem before its last vowel or long vowel: what stands before is what gradation changes."""
    end = len(stem)
    while end and stem[end - 1] in _VOWELS:
        end -= 1
    return stem[:end], stem[end:]


def _weaken(stem: str) -> set[str]:
    before, vowels = _split(stem)
    if not before or before == stem or len(vowels) > 1:
        return {stem}
    for strong, weak in _GRADES:
        if before.endswith(strong) and len(before) > len(strong):
            weakened = before[: -len(strong)] + weak + vowels
            extra = {before[: -len(strong)] + f"{strong[0]}j" + vowels} if strong in {"lk", "rk", "hk"} else set()
            return {weakened, *extra} if strong in _ALWAYS_GRADED else {stem, weakened, *extra}
    for strong, weak in _SINGLE_GRADES:
        if before.endswith(strong) and before[-2:-1] in set(_VOWELS):
            return {stem, before[:-1] + weak + vowels, *({before[:-1] + "v" + vowels} if strong == "k" else set())}
    return {stem}


def _strengthen(stem: str) -> set[str]:
    before, vowels = _split(stem)
    found = {stem}
    for weak, strong in _REVERSE_GRADES:
        if before.endswith(weak) and len(before) > len(weak):
            found.add(before[: -len(weak)] + strong + vowels)
    if before[-1:] in {"k", "p", "t"} and before[-2:-1] in set(_VOWELS + "lnr"):
        found.add(before + before[-1] + vowels)  # Rikas, Rikkaan
    return found


def _a(text: str, *, back: bool) -> str:
    return text if back else text.translate(str.maketrans("aou", "äöy"))


def _singular(strong: str, weak: str, *, back: bool) -> set[str]:
    closed = ("n", "ssa", "sta", "lla", "lta", "lle", "ksi", "tta", "t", "kseen")
    forms = {weak + _a(ending, back=back) for ending in closed}
    forms |= {strong + _a(ending, back=back) for ending in ("a", "na", "nsa", "ksensa")}
    forms.add(f"{strong}{strong[-1]}n")  # Pekka, Pekkaan
    if strong.endswith("se"):
        forms.add(strong[:-1] + _a("ta", back=back))  # Virtanen, Virtasta
    if strong.endswith("te"):
        forms.add(strong[:-1] + _a("ta", back=back))
    if _TWO_VOWELS.search(strong):
        forms |= {strong + _a("ta", back=back), f"{strong}seen", f"{strong}h{strong[-1]}n"}
    return forms


def _plural(strong: str, weak: str, *, back: bool) -> set[str]:
    endings = (
        "a",
        "ta",
        "en",
        "den",
        "tten",
        "ssa",
        "sta",
        "lla",
        "lta",
        "lle",
        "na",
        "ksi",
        "in",
        "hin",
        "ihin",
        "tta",
    )
    stems = {base + "i" for base in _plural_bases(strong)} | {base + "i" for base in _plural_bases(weak)}
    forms = {stem + _a(ending, back=back) for stem in stems for ending in endings}
    forms |= {base + "j" + _a(ending, back=back) for base in _plural_bases(strong) for ending in ("a", "en")}
    forms.add(f"{strong}jen")
    if strong.endswith("i"):
        forms |= {strong[:-1] + "ej" + _a("a", back=back), f"{strong[:-1]}eihin"}
    if strong.endswith("se"):
        forms |= {f"{strong[:-1]}ten", f"{strong[:-1]}ien"}
    return forms


def _plural_bases(stem: str) -> set[str]:
    last = stem[-1]
    if last == "a":
        return {stem[:-1], f"{stem[:-1]}o"}
    if last == "ä":
        return {stem[:-1], f"{stem[:-1]}ö"}
    if last == "i":
        return {f"{stem[:-1]}e"}
    if last == "e":
        return {stem[:-1]}
    return {stem}


def _consonant_forms(name: str, *, back: bool) -> set[str]:
    """Return forms that are built on a name as it ends: the partitive of Laine, Tuomas, Tammin."""
    if name[-1] == "e":
        return {name + _a("tta", back=back), f"{name}esee"}
    if name[-1] in "snrl":
        return {name + _a("ta", back=back), name + _a("tta", back=back)}
    return set()
