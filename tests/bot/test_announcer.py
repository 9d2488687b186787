"""/duyuru: asking, sending to all private chats, stopping, and going on after a kill."""

import signal
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from bot import announcer, texts, transport
from tests.bot.botapi import PATIENCE_SECONDS, RESET, RESET_AFTERWARDS, BotApi, Fault, Params
from tests.bot.conftest import RunningBot
from tests.bot.test_corrections import buttons
from tests.bot.test_running import process
from tweetsent.announcements import Announcements
from tweetsent.errors import StoreError
from tweetsent.settings import Settings

TEXT = "Yarın 10:00-11:00 arası\nbakımdayım.  😴"
FLOOD = "Too Many Requests: retry after 1"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DELAYS_SECONDS", (0.01,))
    monkeypatch.setattr(transport, "_LONGEST_FLOOD_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(announcer, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(announcer, "SHOW_SECONDS", 0.0)


@pytest.fixture
def chats(database: Engine) -> Announcements:
    return Announcements(database)


def known(telegram: BotApi, chats: Announcements, users: range) -> None:
    """These users wrote to the bot before."""
    for user in users:
        telegram.message("merhaba", user=user)
        chats.remember_chat(user)


def asked(telegram: BotApi, user: int, text: str = TEXT, **content: object) -> Params:
    """The question whether to send an announcement."""
    before = len(telegram.sent(user))
    telegram.send(f"/duyuru {text}", user=user, **content)
    return telegram.wait_sent(before + 2, user)[-1]


def confirm(telegram: BotApi, user: int) -> Params:
    question = asked(telegram, user)
    telegram.press(question, buttons(question)[0], user=user)
    return question


def state(telegram: BotApi, message: Params) -> str:
    """What a message of the bot says now."""
    return str(telegram.messages[message["chat"]["id"], message["message_id"]]["text"])


def end_of(telegram: BotApi, chats: Announcements, question: Params) -> list[str]:
    """What is said of how it ended, once it is forgotten."""
    telegram.wait(lambda: state(telegram, question).startswith(("✅", "⏹")))
    telegram.wait(lambda: chats.at_work() is None)
    return state(telegram, question).splitlines()


def got(telegram: BotApi, users: range, text: str = TEXT) -> list[int]:
    """How often each user got the announcement."""
    return [[sent["text"] for sent in telegram.sent(user)].count(text) for user in users]


def test_everybody_who_wrote_gets_it_once_and_in_order(
    telegram: BotApi, chats: Announcements, admin: int
) -> None:
    telegram.send("harika", user=105)
    telegram.send("selam", user=9, chat=-100)  # a group is no private chat
    telegram.wait_sent(1, 105)
    users = range(101, 105)
    known(telegram, chats, users)

    question = asked(telegram, admin)
    assert question["text"] == texts.announcements.question(6)
    assert telegram.sent(admin)[0]["text"] == TEXT
    assert got(telegram, users) == [0] * 4
    telegram.press(question, buttons(question)[0], user=admin)

    assert end_of(telegram, chats, question) == ["✅ Duyuru bitti.", "📬 Giden: 6 / 6"]
    order = [
        call.result["chat"]["id"]
        for call in telegram.of("sendMessage")
        if call.params["text"] == TEXT
    ]
    assert order == [admin, admin, *range(101, 106)]
    edits = [call.params["text"].splitlines() for call in telegram.of("editMessageText")]
    assert ["📣 Duyuru gönderiliyor", "▰▰▰▰▰▱▱▱▱▱ %50", "📬 Giden: 3 / 6"] in edits


def test_the_text_may_be_that_of_a_message_replied_to(telegram: BotApi, admin: int) -> None:
    message = telegram.message("Duyurulacak metin", user=admin)
    question = asked(telegram, admin, "", reply_to_message=message)
    assert question["text"] == texts.announcements.question(1)
    assert telegram.sent(admin)[0]["text"] == "Duyurulacak metin"
    photo = telegram.message(None, user=admin, photo=[])
    telegram.send("/duyuru", user=admin, reply_to_message=photo)
    telegram.send("/duyuru", user=admin)
    answers = [sent["text"] for sent in telegram.wait_sent(4, admin)[2:]]
    assert answers == [texts.announcements.NO_TEXT, texts.announcements.USAGE]


def test_a_no_sends_nothing_and_the_buttons_are_dead(
    telegram: BotApi, chats: Announcements, admin: int
) -> None:
    known(telegram, chats, range(101, 103))
    question = asked(telegram, admin)
    yes, no = buttons(question)
    telegram.press(question, no, user=admin)
    telegram.wait(lambda: state(telegram, question) == texts.announcements.CANCELLED)
    telegram.press(question, yes, user=admin)
    answer = telegram.wait_calls("answerCallbackQuery", 2)[-1]
    assert answer.params["text"] == texts.answers.BUTTON_UNKNOWN
    second = asked(telegram, admin)  # with the first one's id: it is the message that counts
    telegram.press(question, yes, user=admin)
    telegram.wait_calls("answerCallbackQuery", 3)
    assert state(telegram, second) == texts.announcements.question(3)
    assert got(telegram, range(101, 103)) == [0, 0]


def test_only_admins_can_press(telegram: BotApi, chats: Announcements, admin: int) -> None:
    known(telegram, chats, range(101, 103))
    question = asked(telegram, admin)
    telegram.press(question, buttons(question)[0], user=101)
    (answer,) = telegram.wait_calls("answerCallbackQuery")
    assert answer.params["text"] == texts.guide.ADMINS_ONLY
    assert got(telegram, range(101, 103)) == [0, 0]


def test_who_blocked_the_bot_is_counted_and_not_written_to_again(
    telegram: BotApi, chats: Announcements, admin: int
) -> None:
    known(telegram, chats, range(101, 106))
    telegram.block(101)
    telegram.settle()
    telegram.block(103, announced=False)
    first = confirm(telegram, admin)
    assert end_of(telegram, chats, first)[1:] == ["📬 Giden: 4 / 5", "🚫 Botu engellemiş: 1"]
    second = confirm(telegram, admin)
    assert end_of(telegram, chats, second)[1:] == ["📬 Giden: 4 / 4"]


def test_faults_are_waited_out_and_nobody_gets_it_twice(
    telegram: BotApi, chats: Announcements, admin: int
) -> None:
    users = range(101, 108)
    known(telegram, chats, users)
    question = asked(telegram, admin)
    flood = Fault.of(429, FLOOD, retry_after=1)
    down = Fault.of(503, "Service Unavailable")
    telegram.faults["sendMessage"] += [flood, down, down, Fault(502), RESET, RESET_AFTERWARDS]
    telegram.press(question, buttons(question)[0], user=admin)
    lines = end_of(telegram, chats, question)
    # Of a proxy's error and of a connection that broke nobody knows whether it arrived.
    assert lines[1:] == ["📬 Giden: 5 / 8", "❔ Ulaşmamış olabilir: 3"]
    assert got(telegram, users) == [0, 1, 1, 1, 1, 1, 1]


def test_a_second_one_must_wait_and_the_first_can_be_stopped(
    telegram: BotApi,
    bot: RunningBot,
    chats: Announcements,
    admin: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users = range(101, 120)
    known(telegram, chats, users)
    monkeypatch.setattr(announcer, "GAP_SECONDS", 0.2)
    waiting = asked(telegram, admin)
    draft = chats.draft(7, 1, "Öteki duyuru")  # another admin was asked as well
    chats.asked(draft.id, 2)
    telegram.press(waiting, buttons(waiting)[0], user=admin)
    telegram.wait(lambda: sum(got(telegram, users)) >= 2)
    assert chats.start(draft.id, 7, 2) is None
    telegram.send("/duyuru yenisi", user=admin)
    telegram.wait(lambda: telegram.sent(admin)[-1]["text"] == texts.announcements.BUSY)

    (stop,) = buttons(telegram.messages[admin, waiting["message_id"]])
    telegram.press(waiting, stop, user=admin)

    lines = end_of(telegram, chats, waiting)
    count = sum(got(telegram, users))
    assert lines == ["⏹ Duyuru durduruldu.", f"📬 Giden: {count + 1} / 20"]
    assert count < len(users)
    assert chats.start(draft.id, 7, 2) is not None


def test_a_stop_ends_a_long_wait(telegram: BotApi, chats: Announcements, admin: int) -> None:
    known(telegram, chats, range(101, 103))
    question = asked(telegram, admin)
    long_flood = Fault.of(429, "Too Many Requests: retry after 3000", retry_after=3000)
    telegram.faults["sendMessage"].append(long_flood)
    send = buttons(question)[0]
    telegram.press(question, send, user=admin)
    telegram.wait(lambda: not telegram.faults["sendMessage"])
    telegram.wait(lambda: state(telegram, question).startswith("📣"))
    telegram.faults["sendMessage"].extend([long_flood] * 2)
    telegram.press(question, send, user=admin)  # a second tap hurries it once and no more
    telegram.wait_calls("editMessageText", 2)
    time.sleep(0.5)
    assert telegram.faults["sendMessage"]
    telegram.faults["sendMessage"].clear()
    # The second tap changed the message only if the first one's chat was still being written to.
    telegram.calls = [
        call for call in telegram.calls if not (call.refusal and call.method == "editMessageText")
    ]
    (stop,) = buttons(telegram.messages[admin, question["message_id"]])
    telegram.press(question, stop, user=admin)
    assert end_of(telegram, chats, question)[1] == "📬 Giden: 0 / 3"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_after_a_kill_it_goes_on_where_it_was(
    settings: Settings,
    api: BotApi,
    bot: RunningBot,
    chats: Announcements,
    admin: int,
    number: signal.Signals,
) -> None:
    users = range(101, 161)
    known(api, chats, users)
    killed = process(settings)
    question = confirm(api, admin)
    api.wait(lambda: sum(got(api, users)) >= 5)
    killed.send_signal(number)
    killed.communicate(timeout=PATIENCE_SECONDS)
    before = sum(got(api, users))
    assert before < len(users)

    bot.start()

    lines = end_of(api, chats, question)
    counts = got(api, users)
    assert max(counts) == 1
    # The one that a kill broke in on may have got it or not; a signal lets it go out.
    assert sum(counts) >= len(users) - (number is signal.SIGKILL)
    assert lines[0] == "✅ Duyuru bitti."


def test_a_command_that_comes_twice_asks_once(
    telegram: BotApi, chats: Announcements, admin: int
) -> None:
    message = telegram.message(f"/duyuru {TEXT}", user=admin)
    telegram.push({"message": message})
    telegram.wait_sent(2, admin)
    telegram.push({"message": message})  # as after a crash, before it was marked as done
    telegram.send("/onay", user=admin)
    telegram.wait(lambda: "onay verdin" in telegram.sent(admin)[-1]["text"])
    assert len(telegram.sent(admin)) == 3


def test_no_text_and_no_id_is_logged(
    telegram: BotApi, chats: Announcements, admin: int, redacted_log: Callable[[], str]
) -> None:
    known(telegram, chats, range(987001, 987003))
    telegram.block(987001, announced=False)
    end_of(telegram, chats, confirm(telegram, admin))
    assert "finished, 3 chats tried, 2 got it, 1 are closed" in redacted_log()
    assert "98700" not in redacted_log()
    assert "bakımdayım" not in redacted_log()


def test_a_database_that_fails_for_a_while_costs_nobody_the_announcement(
    telegram: BotApi,
    chats: Announcements,
    admin: int,
    monkeypatch: pytest.MonkeyPatch,
    redacted_log: Callable[[], str],
) -> None:
    users = range(101, 104)
    known(telegram, chats, users)
    question = asked(telegram, admin)
    next_recipient = Announcements.next_recipient
    faults = [StoreError("database t: is locked")] * 3

    def failing(self: Announcements, announcement_id: int) -> int | None:
        if faults:
            raise faults.pop()
        return next_recipient(self, announcement_id)

    monkeypatch.setattr(Announcements, "next_recipient", failing)
    telegram.press(question, buttons(question)[0], user=admin)

    assert end_of(telegram, chats, question)[1] == "📬 Giden: 4 / 4"
    assert got(telegram, users) == [1, 1, 1]
    assert redacted_log().count("is locked") == 1


def test_a_chat_that_cannot_be_remembered_is_answered_all_the_same(
    telegram: BotApi, monkeypatch: pytest.MonkeyPatch, redacted_log: Callable[[], str]
) -> None:
    def failing(self: Announcements, chat_id: int) -> bool:
        raise StoreError("database t: is locked")

    monkeypatch.setattr(Announcements, "remember_chat", failing)
    telegram.send("harika")

    assert telegram.wait_sent(1)[0]["text"].startswith("😊 Olumlu")
    assert "a chat can't be remembered" in redacted_log()
