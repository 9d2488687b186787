"""What is masked and, as important, what is not: dates, prices and order numbers stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.masking import CARD, EMAIL, IBAN, IDENTITY, PHONE, mask_personal

DIGITS = "0123456789"


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text(DIGITS, min_size=count, max_size=count)


def identity_number(nine: str) -> str:
    """Nine digits with the two check digits of a TCKN."""
    values = [int(digit) for digit in nine]
    tenth = (7 * sum(values[::2]) - sum(values[1::2])) % 10
    return f"{nine}{tenth}{(sum(values) + tenth) % 10}"


def turkish_iban(account: str) -> str:
    """22 digits as an IBAN: 98 minus the remainder with the check digits 00; T is 29, R is 27."""
    return f"TR{98 - int(f'{account}292700') % 97:02d}{account}"


def card_number(start: str) -> str:
    """Digits with a check digit after them that fits by trying all ten."""

    def total(number: str) -> int:
        pairs = enumerate(reversed(number))
        return sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in pairs)

    return next(start + last for last in DIGITS if total(start + last) % 10 == 0)


def changed(number: str, place: int, by: int) -> str:
    """The number with another digit at a place."""
    return f"{number[:place]}{(int(number[place]) + by) % 10}{number[place + 1 :]}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("bak https://t.co/x @ali", "bak http @user"),
        ("yaz: ali.veli+x@ornek.com.tr!", f"yaz: {EMAIL}!"),
        ("İBAN: TR33 0006 1005 1978 6457 8413 26 HEMEN", f"İBAN: {IBAN} HEMEN"),
        ("tr330006100519786457841326", IBAN),
        ("DE89370400440532013000'e yolla", f"{IBAN}'e yolla"),
        ("kartım 4111 1111 1111 1111, sktsi 12/27", f"kartım {CARD}, sktsi 12/27"),
        ("5555-5555-5555-4444", CARD),
        ("3782 822463 10005", CARD),
        ("TC 10000000146 benim", f"TC {IDENTITY} benim"),
        ("10000000146'yım", f"{IDENTITY}'yım"),
        ("ara 05321234567", f"ara {PHONE}"),
        ("+90 532 123 45 67.", f"{PHONE}."),
        ("+905321234567", PHONE),
        ("0090 532 123 4567", PHONE),
        ("0 (532) 123-45-67", PHONE),
        ("0532.123.45.67", PHONE),
        ("5321234567 numaram", f"{PHONE} numaram"),
        ("(212) 555 12 34", PHONE),
        ("0212 555 12 34", PHONE),
        ("212 555 12 34", PHONE),
        ("0850 222 0 222 ve 08502220222", f"0850 222 0 222 ve {PHONE}"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert mask_personal(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "05.12.2024 14:30'da geldi",
        "2024-12-05T13:45:20",
        "12/05/2024 - 15/05/2024",
        "1.532.123,45 TL ödedim",
        "5.321.234.567 dolar",
        "532.123.456,78 lira",
        "12.345.678.950,00 TL",
        "sipariş no 1234567890",
        "sipariş 12345678901 gelmedi",  # eleven digits, wrong check digits
        "kargo takip 4111111111111112",  # sixteen digits, wrong check digit
        "takip no 7310000000000003",  # Luhn fits, no network starts with 7
        "TR34 0006 1005 1978 6457 8413 26",
        "444 0 555'i ara",
        "saat 08:30 ile 17.45 arası, 100 200 30 40",
        "%50 indirim, 3x5321, 2 000 000",
        "a@b ve @@@",
        "DE89370400440532013001",
    ],
)
def test_dates_prices_and_order_numbers_stay(text: str) -> None:
    assert mask_personal(text) == text


@given(st.sampled_from("123456789"), digits(8))
def test_every_identity_number_is_masked_and_no_other(first: str, rest: str) -> None:
    number = identity_number(first + rest)
    assert mask_personal(f"no {number}.") == f"no {IDENTITY}."
    for wrong in (changed(number, 9, 1), changed(number, 10, 1), f"{number}0"):
        assert IDENTITY not in mask_personal(wrong)


@given(
    digits(22),
    st.integers(1, 22),
    st.sampled_from(["", " ", "-"]),
    st.integers(4, 25),
    st.integers(1, 9),
)
def test_every_turkish_iban_is_masked_in_any_groups(
    account: str, size: int, separator: str, place: int, by: int
) -> None:
    iban = turkish_iban(account)
    groups = [iban[:4], *(iban[start : start + size] for start in range(4, 26, size))]
    assert mask_personal(f"hesap {separator.join(groups)} idi") == f"hesap {IBAN} idi"
    # The check digits find every change of one digit.
    assert IBAN not in mask_personal(changed(iban, place, by))


@given(st.sampled_from(["4", "51", "2221", "65", "9792"]), digits(15), st.integers(0, 15))
def test_every_card_is_masked_and_no_number_with_a_wrong_check_digit(
    start: str, rest: str, place: int
) -> None:
    number = card_number((start + rest)[:15])
    groups = [number[at : at + 4] for at in range(0, 16, 4)]
    for written in (number, " ".join(groups), "-".join(groups)):
        assert mask_personal(f"kart {written}!") == f"kart {CARD}!"
    assert CARD not in mask_personal(changed(number, place, 1))


@given(
    st.sampled_from(["0", "+90", "0090", "+90 ", "0 ", ""]),
    st.sampled_from(["501", "532", "545", "555", "561"]),
    digits(7),
    st.sampled_from(["", " ", ".", "-"]),
)
def test_every_mobile_number_is_masked(prefix: str, area: str, rest: str, separator: str) -> None:
    number = prefix + separator.join((area, rest[:3], rest[3:5], rest[5:]))
    assert mask_personal(f"ara: {number} lütfen") == f"ara: {PHONE} lütfen"


@given(st.dates(), st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y", "%d %m %Y", "%Y%m%d"]))
def test_no_date_is_masked(date: object, form: str) -> None:
    text = f"{date:{form}} günü"
    assert mask_personal(text) == text


@given(st.integers(0, 10**12))
def test_no_price_is_masked(lira: int) -> None:
    price = f"{lira:,}".replace(",", ".")
    for text in (f"{price},99 TL", f"{price} TL"):
        assert mask_personal(text) == text


@given(st.text(st.sampled_from("0159 -.,@aT+()R"), max_size=60))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask_personal(text)
    assert mask_personal(once) == once
