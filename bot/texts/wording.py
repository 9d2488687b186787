"""How labels, numbers and bars are written."""

from datetime import datetime, timedelta, timezone

from tweetsent.labels import Label

_BAR_CELLS = 10
_UNITS = ((86_400, "gün"), (3_600, "sa"), (60, "dk"))
_TURKEY = timezone(timedelta(hours=3))  # all year round, since 2016


def name(label: Label) -> str:
    """A label as users see it: face and word."""
    return f"{label.emoji} {label.turkish}"


def bar(share: float) -> str:
    """A share of 0 to 1 as a bar of ten cells; it is full only at 1."""
    filled = min(int(share * _BAR_CELLS), _BAR_CELLS)
    return f"{'▰' * filled}{'▱' * (_BAR_CELLS - filled)}"


def percent(share: float) -> str:
    """A share in whole percent, as Turkish writes it; it is %100 only at 1."""
    return f"%{min(round(100 * share), 99 if share < 1 else 100)}"


def shortened(text: str, longest: int) -> str:
    """At most so many UTF-16 units of a text, as Telegram counts, with a "…" where it was cut."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * longest:
        return text
    return units[: 2 * (longest - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def decimal(number: float) -> str:
    """Two places behind a comma."""
    return f"{number:.2f}".replace(".", ",")


def count(number: int) -> str:
    """A whole number with points between the thousands."""
    return f"{number:,}".replace(",", ".")


def duration(seconds: float) -> str:
    """In the two largest units, or in seconds below a minute."""
    left = int(seconds)
    parts: list[str] = []
    for length, unit in _UNITS:
        if left >= length or parts:
            parts.append(f"{left // length} {unit}")
        left %= length
    return " ".join(parts[:2]) or f"{left} sn"


def date(at: datetime) -> str:
    """The day of a time, in Turkey."""
    return f"{at.astimezone(_TURKEY):%d.%m.%Y}"


def moment(at: datetime) -> str:
    """A time, in Turkey."""
    return f"{at.astimezone(_TURKEY):%d.%m.%Y %H:%M}"
