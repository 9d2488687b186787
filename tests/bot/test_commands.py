"""Commands, their Turkish spellings, and the statistics for admins."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from bot import texts
from tests.bot.botapi import BotApi
from tests.bot.conftest import RunningBot
from tweetsent.sessions import writing
from tweetsent.tables import PredictionRow, utc_now

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


def test_updates_that_wait_are_not_dropped_at_the_start(telegram: BotApi) -> None:
    (call,) = telegram.wait_calls("deleteWebhook")
    assert call.params.get("drop_pending_updates") != "true"


@pytest.mark.parametrize("name", texts.guide.ADMIN_COMMANDS)
def test_commands_of_admins_are_refused_to_strangers(telegram: BotApi, name: str) -> None:
    telegram.send(f"/{name} 1")
    telegram.send(f"/{name}", chat=-100)

    (private,), (in_group,) = telegram.wait_sent(1), telegram.wait_sent(1, -100)

    assert {private["text"], in_group["text"]} == {texts.guide.ADMINS_ONLY}


@pytest.mark.parametrize("name", ["inceleme", "disa_aktar", "duyuru"])
def test_what_is_for_private_chats_is_not_shown_in_a_group(
    telegram: BotApi, admin: int, name: str
) -> None:
    telegram.send(f"/{name}", user=admin, chat=-100)

    (sent,) = telegram.wait_sent(1, -100)

    assert "bana özelden yaz" in sent["text"]


def test_stats_without_corrections_are_text_alone(telegram: BotApi, admin: int) -> None:
    telegram.send("harika")
    telegram.wait_sent()
    telegram.send("/stats", user=admin)
    telegram.send("/yardim", user=admin)

    first, second = telegram.wait_sent(2, admin)

    assert "💬 Tahmin: 1 (son 24 saatte 1)" in first["text"]
    assert "Henüz düzeltme yok" in first["text"]
    assert second["text"] == texts.guide.HELP_FOR_ADMINS


def test_stats_of_some_days_or_of_one_model(telegram: BotApi, bot: RunningBot, admin: int) -> None:
    telegram.send("harika")
    telegram.wait_sent()
    bot.classifier.version = "tiny-2"
    telegram.send("berbat")
    telegram.wait_sent(2)
    for words in ("7", "tiny-1 30", "30 tiny-2", "tiny-3"):
        telegram.send(f"/stats {words}", user=admin)

    week, first, second, unknown = (sent["text"] for sent in telegram.wait_sent(4, admin))

    assert week.startswith("📊 İstatistikler: Son 7 gün\n👥 Kullanıcı: 1\n💬 Tahmin: 2 ")
    assert "Son 30 gün · tiny-1" in first
    assert "😞 0 · 😐 0 · 😊 1" in first
    assert "😞 1 · 😐 0 · 😊 0" in second
    assert "“tiny-3” sürümünün hiç yanıtı yok. Yanıtı olan sürümler:\n• tiny-2\n• tiny-1" in unknown


@pytest.mark.parametrize("words", ["0", "-3", "7 30", "7 a b", "3651", "9" * 400])
def test_stats_of_nonsense_tell_the_usage(telegram: BotApi, admin: int, words: str) -> None:
    telegram.send(f"/stats {words}", user=admin)

    assert [sent["text"] for sent in telegram.wait_sent(1, admin)] == [texts.statistics.USAGE]


def test_stats_of_several_days_draw_the_trend(
    telegram: BotApi, database: Engine, admin: int
) -> None:
    for _ in range(2):
        telegram.send("harika")
    telegram.wait_sent(2)
    with writing(database) as session:
        session.execute(
            update(PredictionRow)
            .where(PredictionRow.id == 1)
            .values(created_at=utc_now() - timedelta(days=3))
        )
    telegram.send("/stats", user=admin)
    telegram.send("/stats 3", user=admin)
    telegram.send("/yardim", user=admin)

    text, picture, recent, help_text = telegram.wait_sent(4, admin)

    assert "💬 Tahmin: 2 " in text["text"]
    assert picture["caption"] == "Günlere göre mesajlar."
    assert "💬 Tahmin: 1 " in recent["text"]
    assert help_text["text"] == texts.guide.HELP_FOR_ADMINS


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


@pytest.mark.parametrize(
    ("text", "given"),
    [("/onay geri", False), ("/onay hayır", False), ("/onay evet", True), ("/onay mı?", None)],
)
def test_consent_is_never_guessed(
    telegram: BotApi, bot: RunningBot, text: str, given: bool | None
) -> None:
    telegram.send(text)
    (answer,) = telegram.wait_sent()
    if given is None:
        assert answer["text"] == texts.privacy.CONSENT_QUESTION
        assert len(answer["reply_markup"]["inline_keyboard"][0]) == 2
    else:
        assert ("onay verdin" in answer["text"]) is given


def test_a_slip_in_a_command_is_asked_about(telegram: BotApi) -> None:
    telegram.send("/duzlet olumlu")
    assert telegram.wait_sent()[0]["text"] == texts.guide.did_you_mean("duzelt")
