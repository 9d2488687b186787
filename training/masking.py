"""Personal data out of texts that others may read: what has a form or check digits is replaced.

Knows e-mail addresses, links, mentions, IBANs, bank cards, Turkish identity numbers (TCKN) and
Turkish phone numbers. Names and addresses have no form of their own and stay.
"""

import re
from collections.abc import Callable

from tweetsent.text import mask

EMAIL, IBAN, CARD, IDENTITY, PHONE = "[eposta]", "[iban]", "[kart]", "[kimlik]", "[telefon]"

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# A Turkish one in any groups, those of other countries in one piece.
_IBAN = re.compile(
    r"(?<![^\W_])(?:TR[0-9]{2}(?:[ -]?[0-9]){22}|[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})(?![^\W_])",
    re.IGNORECASE,
)
# Not a part of a longer number, nor of one with a fraction or with thousands apart.
_START, _END = r"(?<![0-9])(?<![0-9][.,])", r"(?![0-9])(?![.,][0-9])"
_CARD = re.compile(
    rf"{_START}(?:[0-9]{{13,19}}|[0-9]{{4}}([ -])[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}"
    rf"|[0-9]{{4}}([ -])[0-9]{{6}}\2[0-9]{{5}}){_END}"
)
# What networks issue: Visa 4, Mastercard 2 and 5, American Express and Diners 3, Maestro 6, Troy.
_CARD_START = re.compile("[2-6]|9792")
_IDENTITY = re.compile(rf"{_START}[1-9][0-9]{{10}}{_END}")
_MOBILE, _AREA = "5[0-6][0-9]", "[2-4][0-9]{2}|8[05]0"
_REST = r"[ .-]?[0-9]{3}[ .-]?[0-9]{2}[ .-]?[0-9]{2}"
_PHONE = re.compile(
    # With the country or the trunk prefix any number, without one a mobile number or one in the
    # groups that only phone numbers have.
    rf"{_START}(?:(?:(?:\+|00)90|0)[ .-]?(?:\((?:{_MOBILE}|{_AREA})\)|(?:{_MOBILE}|{_AREA})){_REST}"
    rf"|{_MOBILE}{_REST}"
    rf"|\((?:{_MOBILE}|{_AREA})\){_REST}"
    rf"|(?:{_AREA})([ -])[0-9]{{3}}\1[0-9]{{2}}\1[0-9]{{2}}){_END}"
)


def mask_personal(text: str) -> str:
    """The text with a word in place of personal data; what was masked before stays as it is."""
    text = mask(_EMAIL.sub(EMAIL, text))
    for pattern, is_valid, word in (
        (_IBAN, _is_iban, IBAN),
        (_CARD, _is_card, CARD),
        (_IDENTITY, _is_identity, IDENTITY),
        (_PHONE, bool, PHONE),
    ):
        text = pattern.sub(_replacing(is_valid, word), text)
    return text


def _replacing(is_valid: Callable[[str], bool], word: str) -> Callable[[re.Match[str]], str]:
    return lambda match: word if is_valid(re.sub("[ -]", "", match[0])) else match[0]


def _is_iban(iban: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as 10 to 35, modulo 97."""
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _is_card(number: str) -> bool:
    """Luhn's check digit (ISO/IEC 7812-1), and a start that card networks use."""
    doubled = [2 * int(digit) for digit in number[-2::-2]]
    total = sum(map(int, number[-1::-2])) + sum(value - 9 * (value > 9) for value in doubled)
    return total % 10 == 0 and _CARD_START.match(number) is not None


def _is_identity(number: str) -> bool:
    digits = [int(digit) for digit in number]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[9] == tenth and digits[10] == sum(digits[:10]) % 10
