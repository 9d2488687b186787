"""The Telegram bot by polling: start, listen, stop."""

import asyncio
import logging

import telegram.error
from telegram import BotCommand, Update

from bot import texts
from bot.application import build_application, handle
from bot.attempt import Failure
from bot.context import BotApplication
from bot.fetching import Fetcher
from bot.inbox import Inbox, RawUpdate
from bot.redaction import describe
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
                await _listen(application, service, stop)
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
    await _show_commands(application)


async def _show_commands(application: BotApplication) -> None:
    """Fills the menu of commands, without which the bot works as well."""
    try:
        await application.bot.set_my_commands(
            [BotCommand(name, text) for name, text in texts.guide.COMMANDS.items()]
        )
    except telegram.error.TelegramError as error:
        log.warning("the menu of commands can't be set: %s", describe(error))


async def _listen(
    application: BotApplication, service: SentimentService, stop: asyncio.Event
) -> None:
    async def handle_raw(raw: RawUpdate, is_last_try: bool) -> Failure | None:
        update = Update.de_json(raw, application.bot)
        return await handle(application, update, is_last_try=is_last_try)

    inbox = Inbox(service, handle_raw)
    reporter, labeller = application.bot_data.reporter, application.bot_data.labeller
    try:
        reporter.start(application.bot)
        await labeller.start(application.bot)
        await inbox.resume()
        log.info("bot @%s is listening", application.bot.username)
        await Fetcher(application.bot, inbox).run(stop)
    finally:
        await inbox.stop()
        await labeller.close()
        await reporter.close()
