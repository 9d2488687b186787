"""Commands: finding the one that was typed, and the ones that need no more than a text.

The library's command handler knows only commands that Telegram marked, which excludes every
Turkish letter, so `/düzelt` would be classified as a message.
"""

import difflib
import re

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import filters

from bot import texts
from bot.context import BotContext
from bot.handlers.access import Command, for_admins, in_private
from bot.handlers.announcements import on_announce
from bot.handlers.corrections import on_correct
from bot.handlers.export import on_export
from bot.handlers.health import on_health
from bot.handlers.messages import ASK, on_ask
from bot.handlers.model import on_model, on_roll_back
from bot.handlers.own_data import on_erase, on_history, on_numbers, on_own_data
from bot.handlers.replying import reply, sender_id
from bot.handlers.retraining import on_retrain
from bot.handlers.review import on_review
from bot.handlers.stats import on_stats
from bot.keyboards import consent_keyboard
from tweetsent.text import clean, fold

IS_COMMAND = filters.Regex(r"^/\w") & ~filters.FORWARDED
"""Messages that begin with a command, known or not."""
ASKS = IS_COMMAND & filters.Regex(rf"(?i)^/{ASK}\b")
"""The one command that needs the model."""
_COMMAND = re.compile(r"/(\w+)(?:@(\w+))?(.*)")


async def on_command(update: Update, context: BotContext) -> None:
    """Runs the command that a message begins with, in whatever letters it was typed."""
    message = update.message
    match = _COMMAND.match(clean(message.text or "")) if message else None
    if message is None or match is None:
        return
    name, addressee, rest = match.groups()
    to_me = addressee is not None and addressee.casefold() == context.bot.username.casefold()
    if addressee is not None and not to_me:
        return
    command = _COMMANDS.get(fold(name))
    if command is not None:
        await command(message, context, rest.strip())
    elif to_me or message.chat.type == ChatType.PRIVATE:
        close = difflib.get_close_matches(fold(name), texts.guide.COMMANDS, n=1, cutoff=_CLOSE)
        text = texts.guide.did_you_mean(close[0]) if close else texts.guide.UNKNOWN_COMMAND
        await reply(message, text)


async def _start(message: Message, _context: BotContext, _rest: str) -> None:
    await reply(message, texts.guide.START)


async def _help(message: Message, context: BotContext, _rest: str) -> None:
    is_admin = sender_id(message) in context.admin_ids
    await reply(message, texts.guide.HELP_FOR_ADMINS if is_admin else texts.guide.HELP)


async def _privacy(message: Message, context: BotContext, _rest: str) -> None:
    state = texts.privacy.STATE_IN_PRIVATE
    if message.chat.type == ChatType.PRIVATE:
        state = texts.privacy.consent_state(await context.service.person(sender_id(message)))
    await reply(message, f"{texts.privacy.privacy(context.keep_days)}\n\n{state}")


async def _grant(message: Message, context: BotContext, rest: str) -> None:
    word = fold(rest)
    if word in _NO:
        await _refuse(message, context, rest)
        return
    if word and word not in _YES:  # consent is never guessed
        question = texts.privacy.CONSENT_QUESTION
        await reply(message, question, consent_keyboard(sender_id(message)))
        return
    at = await context.service.set_consent(sender_id(message), True)
    await reply(message, texts.privacy.consent_saved(True, at))


async def _refuse(message: Message, context: BotContext, _rest: str) -> None:
    at = await context.service.set_consent(sender_id(message), False)
    await reply(message, texts.privacy.consent_saved(False, at))


_YES = {"evet", "ver", "veriyorum", "kabul"}
_NO = {"hayir", "geri", "geri al", "iptal", "verme", "vermiyorum", "istemiyorum"}
_CLOSE = 0.75

_COMMANDS: dict[str, Command] = {
    "start": _start,
    "yardim": _help,
    "help": _help,
    "gizlilik": _privacy,
    "privacy": _privacy,
    "onay": _grant,
    "onay_geri": _refuse,
    ASK: on_ask,
    "duzelt": on_correct,
    "gecmis": in_private(on_history, texts.own_data.IN_PRIVATE),
    "istatistik": in_private(on_numbers, texts.own_data.IN_PRIVATE),
    "verilerim": in_private(on_own_data, texts.own_data.IN_PRIVATE),
    "unut": in_private(on_erase, texts.own_data.IN_PRIVATE),
    "stats": for_admins(on_stats),
    "saglik": for_admins(on_health),
    "model": for_admins(on_model),
    "geri_al": for_admins(on_roll_back),
    "egit": for_admins(on_retrain),
    "inceleme": for_admins(in_private(on_review, texts.review.IN_PRIVATE)),
    "disa_aktar": for_admins(in_private(on_export, texts.export.IN_PRIVATE)),
    "duyuru": for_admins(in_private(on_announce, texts.announcements.IN_PRIVATE)),
}
