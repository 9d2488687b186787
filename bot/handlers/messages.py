"""Messages to classify, their edits, and those that hold nothing to read."""

import re
from contextlib import nullcontext, suppress

from telegram import Message, Update
from telegram.constants import ChatType, MessageEntityType
from telegram.error import BadRequest
from telegram.ext import filters

from bot import texts
from bot.context import BotContext
from bot.handlers.origins import origin_name
from bot.handlers.replying import reply, sender_id, typing
from bot.keyboards import answer_keyboard
from tweetsent.errors import NotFoundError, NoWordsError
from tweetsent.records import Incoming
from tweetsent.text import fold

ASK = "duygu"
_COMMAND = re.compile(r"/(\w+)(?:@\w+)?")


class Addressed(filters.MessageFilter):
    """Private messages, and in groups those that mention the bot or reply to it."""

    def filter(self, message: Message) -> bool:
        """Whether the message is meant for the bot."""
        if message.chat.type == ChatType.PRIVATE:
            return True
        bot = message.get_bot()
        replied = message.reply_to_message
        if replied and replied.from_user and replied.from_user.id == bot.id:
            return True
        return any(name.casefold() == f"@{bot.username}".casefold() for name in _mentions(message))


_ADDRESSED = Addressed()


class Own(filters.MessageFilter):
    """What the bot wrote, be it by way of a user who chose its inline result."""

    def filter(self, message: Message) -> bool:
        """Whether the words are the bot's."""
        own_id = message.get_bot().id
        return any(user and user.id == own_id for user in (message.from_user, message.via_bot))


_OWN = Own()


def _mentions(message: Message) -> list[str]:
    kinds: list[str | None] = [MessageEntityType.MENTION]
    if message.text is not None:
        return list(message.parse_entities(kinds).values())
    if message.caption is not None:
        return list(message.parse_caption_entities(kinds).values())
    return []


async def on_text(update: Update, context: BotContext) -> None:
    """Classifies a text or caption and replies with the result and the correction buttons.

    No more than the bot's name, in a reply, means the message replied to.
    """
    message = update.message
    if message is None:
        return
    try:
        await _answer(_subject(message) or message, context, request=message)
    except NoWordsError:
        # Another part of the album may have words.
        if message.media_group_id is None:
            raise


async def on_ask(message: Message, context: BotContext, _rest: str) -> None:
    """`/duygu`: classifies the text after it, or else the message replied to."""
    subject = _subject(message)
    if subject is None:
        await reply(message, texts.chats.ASK_WHAT)
        return
    await _answer(subject, context, request=message)


async def on_post(update: Update, context: BotContext) -> None:
    """Classifies a channel's post; one without words stays unanswered."""
    if update.channel_post is not None:
        with suppress(NoWordsError):
            await _answer(update.channel_post, context, request=update.channel_post)


async def on_edit(update: Update, context: BotContext) -> None:
    """Brings the answer to an edited message up to date.

    A message that had no answer gets one if it is meant for the bot and has words now, such as a
    caption that was forgotten. An edit without words changes nothing: neither the answer nor what
    is stored.
    """
    message = update.edited_message or update.edited_channel_post
    if message is None:
        return
    with suppress(NoWordsError, NotFoundError):
        if not _ADDRESSED.filter(message):
            await context.service.find(message.chat.id, message.message_id)
        await _answer(message, context, request=message)


async def on_unsupported(update: Update, _context: BotContext) -> None:
    """Says what the bot can read, for stickers, voice, pictures without words and the like."""
    # The parts of an album come as messages of their own; the one with the caption is answered.
    if update.message is not None and update.message.media_group_id is None:
        await reply(update.message, texts.answers.UNSUPPORTED)


async def _answer(subject: Message, context: BotContext, *, request: Message) -> None:
    """Shows the result of `subject`, unless it was shown since the message that asks for it.

    The answer replies to the subject. One that shows the result of an earlier text is changed.
    """
    in_channel = subject.chat.type == ChatType.CHANNEL
    # Telegram shows nobody typing in channels, and most edits change nothing.
    is_quiet = in_channel or request.edit_date is not None
    async with nullcontext() if is_quiet else typing(request):
        analysis = await context.service.analyse(_incoming(subject))
        prediction = analysis.prediction
        if prediction.message_id != subject.message_id:  # another part of its album was answered
            return
        text = texts.answers.answer(analysis, with_hint=not in_channel)
        if origin := origin_name(subject):
            text = f"{texts.chats.origin(origin)}\n{text}"
        keyboard = None if in_channel else answer_keyboard(prediction)
        answer_id = prediction.answer_message_id
        # The numbers of a chat's messages grow.
        if answer_id is None or answer_id < request.message_id:
            answer_id = (await reply(subject, text, keyboard)).message_id
        elif prediction.is_answer_stale:
            with suppress(BadRequest):  # it was deleted, or changed before a crash
                await context.bot.edit_message_text(
                    text, subject.chat.id, answer_id, reply_markup=keyboard
                )
        else:
            return
    # Killed before this note, the next start doesn't answer again (see bot.attempt).
    await context.service.answered(prediction.id, answer_id)


def _subject(message: Message) -> Message | None:
    """The message itself if it says anything, or else the one of somebody else it replies to."""
    if _own_text(message).strip():
        return message
    replied = message.reply_to_message
    # In a topic, a message that replies to nothing comes as a reply to the topic's beginning.
    if replied is None or replied.forum_topic_created or _OWN.filter(replied):
        return None
    return replied


def _incoming(message: Message) -> Incoming:
    return Incoming(
        user_id=sender_id(message),
        chat_id=message.chat.id,
        message_id=message.message_id,
        text=_own_text(message),
        is_forward=message.forward_origin is not None,
        is_group=message.chat.type != ChatType.PRIVATE,
        album=message.media_group_id,
        is_edited=message.edit_date is not None,
    )


def _own_text(message: Message) -> str:
    """What a message says beside the bot's name and `/duygu`; nothing for other commands."""
    text = message.text or message.caption or ""
    command = None if message.forward_origin else _COMMAND.match(text)
    if command is not None:
        text = text[command.end() :] if fold(command[1]) == ASK else ""
    # Needed in groups to be heard, the name says nothing of the sentiment.
    name = re.escape(message.get_bot().username)
    return re.sub(rf"@{name}\b", "", text, flags=re.IGNORECASE)
