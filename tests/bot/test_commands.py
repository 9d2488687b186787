"""Commands, their Turkish spellings, and the statistics for admins."""

from bot import texts
from tests.bot.botapi import BotApi
from tests.bot.conftest import RunningBot
from tweetsent.records import Consent

COMMANDS = {
    "/start": texts.guide.START,
    "/start abc": texts.guide.START,
    "/yardim": texts.guide.HELP,
    "/yardım": texts.guide.HELP,
    "/help": texts.guide.HELP,
    "/gizlilik": texts.privacy.privacy(Consent.UNASKED),
    "/GİZLİLİK": texts.privacy.privacy(Consent.UNASKED),
    "/privacy": texts.privacy.privacy(Consent.UNASKED),
    "/onay": texts.privacy.CONSENT_GRANTED,
    "/onay_geri": texts.privacy.CONSENT_REFUSED,
    "/duygu": texts.chats.ASK_WHAT,
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

    assert answers[1] == texts.privacy.privacy(Consent.GRANTED)
    assert answers[3] == texts.privacy.privacy(Consent.REFUSED)


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
