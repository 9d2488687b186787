"""The Telegram bot by polling: start, listen, stop."""

import asyncio
import logging

import telegram.error
from telegram import Update

from bot.admission import Admission
from bot.application import build_application, handle
from bot.attempt import Failure
from bot.context import BotApplication
from bot.fetching import Fetcher
from bot.inbox import Inbox, RawUpdate
from bot.menus import show_menus
from bot.stopping import stop_on_signals, unless
from tweetsent.errors import ConfigError, TelegramError
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings

log = logging.getLogger(__name__)


async def run_polling(
    settings: Settings, service: SentimentService, retraining: RetrainingService
) -> None:
    """Runs the bot until SIGINT or SIGTERM, then finishes what it has begun.

    The caller closes the services. Raises ConfigError without a token, and TelegramError when
    Telegram can't be reached at the start or refuses the token.
    """
    if settings.telegram_bot_token is None:
        raise ConfigError("TELEGRAM_BOT_TOKEN is not set: ask @BotFather for one")
    application = build_application(settings, service, retraining)
    with stop_on_signals() as stop:
        try:
            await unless(stop, _connect(application, settings))
            if not stop.is_set():
                await _listen(application, settings, service, stop)
        finally:
            await application.shutdown()
            # A failed start leaves the application closed but the HTTP client open.
            await application.bot.shutdown()


async def _connect(application: BotApplication, settings: Settings) -> None:
    """Checks token and connection, and makes ready for polling."""
    try:
        await application.initialize()
        await application.bot.delete_webhook(drop_pending_updates=False)
    except telegram.error.InvalidToken:
        # The library's own words quote the token.
        raise TelegramError(
            "Telegram refuses TELEGRAM_BOT_TOKEN: copy it again from @BotFather"
        ) from None
    except telegram.error.TelegramError as error:
        raise TelegramError(
            f"can't reach Telegram at {settings.telegram_api_base_url}: {error}"
        ) from None
    await show_menus(application.bot, application.bot_data.admin_ids)


async def _listen(
    application: BotApplication,
    settings: Settings,
    service: SentimentService,
    stop: asyncio.Event,
) -> None:
    async def handle_raw(raw: RawUpdate, is_last_try: bool) -> Failure | None:
        update = Update.de_json(raw, application.bot)
        return await handle(application, update, is_last_try=is_last_try)

    admission = Admission(application.bot, settings, application.bot_data.admin_ids)
    inbox = Inbox(service, handle_raw, admission.admits)
    data = application.bot_data
    try:
        data.reporter.start(application.bot)
        data.announcer.start(application.bot)
        await data.labeller.start(application.bot)
        await inbox.resume()
        log.info("bot @%s is listening", application.bot.username)
        await Fetcher(application.bot, inbox).run(stop)
    finally:
        await inbox.stop()
        await admission.close()
        await data.labeller.close()
        await data.announcer.close()
        await data.reporter.close()
