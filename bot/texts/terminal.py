"""What only the terminal chat says."""

NO_BUTTON = "Seçilecek böyle bir düğme yok."


def buttons_hint(labels: list[str]) -> str:
    """The buttons of a message where there is nothing to tap: in the terminal."""
    numbered = "  ".join(f"[{number}] {text}" for number, text in enumerate(labels, 1))
    keys = ", ".join(f"/{number}" for number in range(1, len(labels) + 1))
    return f"{numbered}  (seçmek için {keys})"
