"""Whatever is typed, with or without a command, gets an answer and no traceback."""

import asyncio
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot import texts
from bot.console import run_chat
from bot.handlers.commands import _COMMANDS
from tests.bot.tiny import TinyClassifier, open_services, settings_for

SPECIALS = ["9" * 5000, "٣", "²", "-1", "0", "1e5", "nan", "@", "/", "=1+1", "../../etc/passwd"]
SPECIALS += ["%s {0}", "tiny-1", "7 tiny-1", "olumlu olumsuz", "İ" * 300, "😊" * 4000, "a" * 4096]
ARGUMENTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=60),
    st.integers().map(str),
    st.sampled_from(SPECIALS),
)
COMMANDS = sorted(set(_COMMANDS) - {"egit"})  # which starts a process
LINES = st.builds(
    lambda command, between, argument: f"/{command}{between}{argument}",
    st.sampled_from([*COMMANDS, "", "düzelt", "DUZELT", "yok", "9", "9" * 5000]),
    st.sampled_from([" ", "", "@duygu_bot ", "\t", "@"]),
    ARGUMENTS,
)


class Conversation:
    """What one user says in the terminal, one line after the other, of one database."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.settings = settings_for(folder, database, "http://127.0.0.1:1", None)

    def say(self, *lines: str) -> str:
        """All that the bot answers to the lines."""
        written = io.StringIO()

        async def main() -> None:
            command = (sys.executable, "-c", "")
            service, retraining = open_services(self.settings, TinyClassifier(), command)
            try:
                said = io.StringIO("".join(f"{line}\n" for line in lines), newline="\n")
                await run_chat(self.settings, service, retraining, stdin=said, stdout=written)
            finally:
                await retraining.close()
                await service.close()

        asyncio.run(main())
        return written.getvalue()


@pytest.fixture(scope="module")
def conversation(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[Conversation]:
    return Conversation(tmp_path_factory.mktemp("chat"), empty_database)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.one_of(LINES, ARGUMENTS), min_size=10, max_size=20))
@example(lines=[f"/{command} {'9' * 5000}" for command in COMMANDS])
@example(lines=[f"/{command} \u202e%s{{0}}" for command in COMMANDS])
@example(lines=["/" + "9" * 5000, "/٣", "/0", "harika", "/3"])
def test_no_line_is_an_error(
    conversation: Conversation, caplog: pytest.LogCaptureFixture, lines: list[str]
) -> None:
    caplog.clear()
    answers = conversation.say(*lines, "harika bir son")

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    assert texts.errors.OTHER not in answers
    assert "Traceback" not in answers
    assert "😊 Olumlu" in answers
