"""The one place where handlers, service and Telegram client are put together."""

import time
from functools import partial
from typing import cast

from telegram import Update
from telegram.ext import (
    ApplicationBuilder,
    BaseRateLimiter,
    CallbackQueryHandler,
    ChatMemberHandler,
    ContextTypes,
    InlineQueryHandler,
    MessageHandler,
    filters,
)
from telegram.request import BaseRequest

from bot.announcer import Announcer
from bot.attempt import Failure, new_attempt
from bot.context import BotApplication, BotContext, BotData
from bot.handlers.announcements import on_membership, remember_chat
from bot.handlers.buttons import on_press
from bot.handlers.commands import IS_COMMAND, on_command
from bot.handlers.errors import on_error
from bot.handlers.files import TABLE, on_file
from bot.handlers.inline import on_inline_query
from bot.handlers.messages import Addressed, Own, on_edit, on_post, on_text, on_unsupported
from bot.labeller import Labeller
from bot.reports import Reporter
from bot.throttle import Throttle
from bot.transport import BotApiRequest
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings

_NO_TOKEN = "0:none"
_CONNECTIONS = 64
TIMEOUT_SECONDS = 10.0
"""How long Telegram may take to answer a call."""


def build_application(
    settings: Settings,
    service: SentimentService,
    retraining: RetrainingService,
    *,
    request: BaseRequest | None = None,
    admin_ids: frozenset[int] | None = None,
) -> BotApplication:
    """The application with all handlers, not yet initialised; its caller feeds it updates.

    `request` takes the place of HTTP (then no token is needed), `admin_ids` that of the settings.
    """
    token = settings.telegram_bot_token
    builder = ApplicationBuilder()
    if request is None:
        request = BotApiRequest(connections=_CONNECTIONS, read_timeout=TIMEOUT_SECONDS)
        builder = builder.rate_limiter(cast(BaseRateLimiter[None], Throttle()))
    admins = settings.tweetsent_admin_ids if admin_ids is None else admin_ids
    data = BotData(
        service,
        retraining,
        Reporter(service, retraining, admins),
        Announcer(service),
        Labeller(service, settings),
        admins,
        settings.tweetsent_keep_days,
    )
    application = (
        builder.token(token.get_secret_value() if token else _NO_TOKEN)
        .base_url(f"{settings.telegram_api_base_url}/bot")
        .base_file_url(f"{settings.telegram_api_base_url}/file/bot")
        .request(request)
        .get_updates_request(request)
        # The library calls it without arguments to make the data.
        .context_types(ContextTypes(context=BotContext, bot_data=cast(type[BotData], lambda: data)))
        .updater(None)
        .job_queue(None)
        .build()
    )
    _add_handlers(application, settings.tweetsent_channels)
    return application


def _add_handlers(application: BotApplication, channel_ids: frozenset[int]) -> None:
    new = filters.UpdateType.MESSAGE & ~Own()
    channels = filters.Chat(channel_ids)
    post = filters.UpdateType.CHANNEL_POST & channels & ~Own()
    edited = filters.UpdateType.EDITED_MESSAGE | filters.UpdateType.EDITED_CHANNEL_POST & channels
    edited = edited & ~Own()
    with_text = filters.TEXT | filters.CAPTION
    unreadable = filters.ChatType.PRIVATE & ~filters.StatusUpdate.ALL
    application.add_handler(MessageHandler(new & filters.ChatType.PRIVATE, remember_chat), -1)
    application.add_handler(ChatMemberHandler(on_membership, ChatMemberHandler.MY_CHAT_MEMBER))
    application.add_handler(CallbackQueryHandler(on_press))
    application.add_handler(MessageHandler(new & IS_COMMAND, on_command))
    application.add_handler(MessageHandler(new & TABLE & Addressed(), on_file))
    application.add_handler(MessageHandler(new & with_text & Addressed(), on_text))
    application.add_handler(MessageHandler(edited & with_text, on_edit))
    application.add_handler(MessageHandler(post & with_text, on_post))
    application.add_handler(InlineQueryHandler(on_inline_query))
    application.add_handler(MessageHandler(new & unreadable, on_unsupported))
    application.add_error_handler(on_error)


async def handle(
    application: BotApplication, update: Update, *, is_last_try: bool = True
) -> Failure | None:
    """Runs the handlers for one update; returns what ended them, or None.

    Before the last try the user hears nothing of what may pass.
    """
    started = time.perf_counter()
    service = application.bot_data.service
    note = partial(service.inbox_sending, update.update_id)
    with new_attempt(note, is_last=is_last_try) as attempt:
        await application.process_update(update)
    service.telemetry.handled(
        _kind_of(update),
        time.perf_counter() - started,
        attempt.failure.kind if attempt.failure else None,
    )
    return attempt.failure


def _kind_of(update: Update) -> str:
    return next((kind for kind in Update.ALL_TYPES if getattr(update, kind)), "other")
