"""Commands, their Turkish spellings, and the statistics for admins."""

from datetime import UTC, datetime

from bot import texts
from tests.bot.botapi import BotApi
from tests.bot.conftest import RunningBot

PRIVACY = f"{texts.privacy.privacy(keep_days=None)}\n\n{texts.privacy.consent_state(None)}"
COMMANDS = {
    "/start": texts.guide.START,
    "/start abc": texts.guide.START,
    "/yardim": texts.guide.HELP,
    "/yardım": texts.guide.HELP,
    "/help": texts.guide.HELP,
    "/gizlilik": PRIVACY,
    "/GİZLİLİK": PRIVACY,
    "/privacy": PRIVACY,
    "/olmayan": texts.guide.UNKNOWN_COMMAND,
    "/olmayan@duygu_bot": texts.guide.UNKNOWN_COMMAND,
    "/şöyle bir şey": texts.guide.UNKNOWN_COMMAND,
}


def test_commands_are_answered_and_not_classified(telegram: BotApi, bot: RunningBot) -> None:
    for command in COMMANDS:
        telegram.send(command)

    answers = telegram.wait_sent(len(COMMANDS))

    assert {answer["reply_to_message"]["text"]: answer["text"] for answer in answers} == COMMANDS
    assert bot.classifier.texts == []


def test_consent_is_given_shown_and_withdrawn(telegram: BotApi) -> None:
    for command in ("/onay", "/gizlilik", "/onay_geri", "/gizlilik"):
        telegram.send(command)

    answers = [sent["text"] for sent in telegram.wait_sent(4)]

    today = texts.wording.date(datetime.now(UTC))
    assert f"{today} tarihinde onay verdin; düzeltmelerini" in answers[0]
    assert answers[1].endswith(f"Şu an: {today} tarihinde onay verdin. ✅")
    assert f"{today} itibarıyla" in answers[2]
    assert answers[3].endswith(f"Şu an: onay vermedin ({today} tarihinde hayır dedin).")


def test_in_a_group_privacy_tells_nothing_of_the_user(telegram: BotApi) -> None:
    telegram.send("/onay", chat=-100)
    telegram.send("/gizlilik", chat=-100)

    answer = telegram.wait_sent(2, -100)[1]["text"]

    assert answer.endswith(texts.privacy.STATE_IN_PRIVATE)
    assert "Şu an" not in answer


def test_the_menu_is_set_at_the_start(telegram: BotApi) -> None:
    (call,) = telegram.wait_calls("setMyCommands")

    assert '"duzelt"' in call.params["commands"]
    assert telegram.of("deleteWebhook")[0].params.get("drop_pending_updates") != "true"


def test_stats_are_refused_to_strangers(telegram: BotApi) -> None:
    telegram.send("/stats")

    assert [sent["text"] for sent in telegram.wait_sent()] == [texts.guide.ADMINS_ONLY]


def test_stats_without_corrections_are_text_alone(telegram: BotApi, admin: int) -> None:
    telegram.send("harika")
    telegram.wait_sent()
    telegram.send("/stats", user=admin)
    telegram.send("/yardim", user=admin)

    first, second = telegram.wait_sent(2, admin)

    assert "💬 Tahmin: 1 (son 24 saatte 1)" in first["text"]
    assert "Henüz düzeltme yok" in first["text"]
    assert second["text"] == texts.guide.HELP_FOR_ADMINS


def test_stats_with_corrections_come_with_a_picture(telegram: BotApi, admin: int) -> None:
    telegram.send("harika")
    (answer,) = telegram.wait_sent()
    telegram.send("/duzelt olumsuz", reply_to_message=answer)
    telegram.wait_sent(2)
    telegram.send("/stats", user=admin)

    text, picture = telegram.wait_sent(2, admin)

    assert "doğruluk: %0 · Makro-F1: 0,00" in text["text"]
    assert "✏️ Düzeltme: 1 (eğitim izni olan: 0)" in text["text"]
    assert "🤖 tiny-1: 1 tahmin" in text["text"]
    assert picture["caption"] == texts.statistics.PICTURE_CAPTION
    assert telegram.of("sendPhoto")[0].files["photo"].startswith(b"\x89PNG")
