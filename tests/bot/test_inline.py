"""Inline mode: one result while the user types, nothing stored, nothing queued up."""

import json

from sqlalchemy import Engine, func, select

from bot import texts
from tests.bot.botapi import BOT, BotApi, Fault
from tests.bot.conftest import RunningBot
from tweetsent.sessions import reading
from tweetsent.tables import InboxRow, PredictionRow, User


def rows(database: Engine) -> dict[str, int]:
    with reading(database) as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in (InboxRow, PredictionRow, User)
        }


def test_a_text_gets_one_result_that_posts_it(telegram: BotApi, database: Engine) -> None:
    query_id = telegram.type_inline("Bugün harika")

    (call,) = telegram.wait_calls("answerInlineQuery")

    (result,) = json.loads(call.params["results"])
    assert call.params["inline_query_id"] == query_id
    assert result["title"] == "😊 Olumlu · %93"
    assert result["description"] == "▰▰▰▰▰▰▰▰▰▱ Bugün harika"
    assert result["input_message_content"] == {
        "message_text": "Bugün harika\n\n😊 Olumlu · %93\n▰▰▰▰▰▰▰▰▰▱"
    }
    assert (call.params["cache_time"], call.params["is_personal"]) == ("0", "true")
    telegram.settle()
    telegram.wait(lambda: not any(rows(database).values()))


def test_nothing_to_classify_gets_a_hint(telegram: BotApi, bot: RunningBot) -> None:
    for number, query in enumerate(["", "  ", "👍"], 1):
        telegram.type_inline(query)
        call = telegram.wait_calls("answerInlineQuery", number)[-1]
        assert json.loads(call.params["results"]) == []
        assert json.loads(call.params["button"])["text"] == texts.inline.HINT
    assert bot.classifier.texts == []

    telegram.send("/start inline")
    assert telegram.wait_sent()[0]["text"] == texts.guide.START


def test_only_the_newest_query_of_a_user_is_classified(telegram: BotApi, bot: RunningBot) -> None:
    telegram.type_inline("bekle")
    telegram.wait(lambda: bot.classifier.waiting == 1)
    for query in ("h", "ha", "har", "harika"):
        newest = telegram.type_inline(query)
    telegram.type_inline("berbat", user=8)
    telegram.wait_calls("answerInlineQuery")
    telegram.settle()
    bot.classifier.release.set()

    calls = telegram.wait_calls("answerInlineQuery", 3)

    assert bot.classifier.texts == ["bekle", "berbat", "harika"]
    assert calls[-1].params["inline_query_id"] == newest


def test_queries_do_not_displace_messages(telegram: BotApi, bot: RunningBot) -> None:
    telegram.type_inline("bekle")
    telegram.wait(lambda: bot.classifier.waiting == 1)
    telegram.send("berbat")
    telegram.type_inline("harika")
    telegram.settle()
    bot.classifier.release.set()

    telegram.wait_calls("answerInlineQuery", 2)
    assert [answer["text"][0] for answer in telegram.wait_sent()] == ["😞"]


def test_a_query_that_failed_is_neither_tried_again_nor_kept(
    api: BotApi, bot: RunningBot, database: Engine
) -> None:
    bot.start()
    api.forget(api.type_inline("berbat"))
    api.type_inline("bozuk")
    api.faults["answerInlineQuery"].extend([Fault.of(403, "Forbidden: no")])
    api.type_inline("enfes", user=8)
    api.wait(lambda: not api.faults["answerInlineQuery"])
    api.send("harika")

    assert [answer["text"][0] for answer in api.wait_sent()] == ["😊"]
    api.wait(lambda: rows(database)["inbox"] == 0)
    assert bot.classifier.texts.count("enfes") == 1


def test_a_posted_result_is_no_message_for_the_bot(telegram: BotApi, bot: RunningBot) -> None:
    said = telegram.message("harika\n\n😊 Olumlu", via_bot=BOT)
    telegram.push({"message": said})
    telegram.edit(said)
    telegram.send("/duygu", reply_to_message=said)
    telegram.send("berbat")

    what, answer = (sent["text"] for sent in telegram.wait_sent(2))
    assert what == texts.chats.ASK_WHAT
    assert answer.startswith("😞")
    assert bot.classifier.texts == ["berbat"]
