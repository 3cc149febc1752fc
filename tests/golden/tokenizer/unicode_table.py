#!/usr/bin/env python3
"""Prints the tables of models/tokenizer/newer_characters.cpp: characters that are newer than Unicode 14, as the
regular expressions of the `tokenizers` package (0.23: Unicode 16) class them. Run with Python 3.11 (Unicode 14)."""
import unicodedata

from tokenizers import Regex, pre_tokenizers

assert unicodedata.unidata_version == "14.0.0"
NEW = "".join(chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Cn")
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf".split()
SCRIPTS = ("Arabic Armenian Bengali Bopomofo Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Han Hangul "
           "Hebrew Hiragana Kannada Katakana Khmer Lao Latin Malayalam Mongolian Myanmar Sinhala Tamil Telugu Thai "
           "Tibetan").split()


def ranges(name):
    members = sorted({ord(c) for part, _ in pre_tokenizers.Split(Regex(rf"\p{{{name}}}"), "removed", invert=True)
                      .pre_tokenize_str(NEW) for c in part})
    result = []
    for c in members:
        if result and result[-1][1] == c - 1:
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def main():
    rows = sorted((first, last, category) for category in CATEGORIES for first, last in ranges(category))
    print(", ".join(f'{{0x{first:X}, 0x{last:X}, "{category}"}}' for first, last, category in rows))
    for script in SCRIPTS:
        print(f'{{"{script}", R"(' + "".join(f"\\x{{{a:X}}}-\\x{{{b:X}}}" for a, b in ranges(script)) + ')"},')


if __name__ == "__main__":
    main()
