"""The Telegram bot, by polling or by a webhook: start, listen, stop."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import telegram.error

from bot.admission import Admission
from bot.application import build_application, handle
from bot.arrival import Arrival
from bot.attempt import Failure
from bot.context import BotApplication
from bot.fetching import Fetcher
from bot.http import listening
from bot.inbox import Inbox
from bot.menus import show_menus
from bot.monitoring import monitoring
from bot.stopping import stop_on_signals, unless
from bot.webhook import Webhook
from tweetsent.errors import ConfigError, TelegramError
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService
from tweetsent.settings import Settings

log = logging.getLogger(__name__)


async def run_bot(
    settings: Settings, service: SentimentService, retraining: RetrainingService
) -> None:
    """Runs the bot until SIGINT or SIGTERM, then finishes what it has begun.

    It polls unless the settings name the webhook's URL. The caller closes the services. Raises
    ConfigError without a token or when a port can't be had, and TelegramError when Telegram can't
    be reached at the start or refuses the token or the URL.
    """
    if settings.telegram_bot_token is None:
        raise ConfigError("TELEGRAM_BOT_TOKEN is not set: ask @BotFather for one")
    application = build_application(settings, service, retraining)
    with stop_on_signals() as stop:
        try:
            await unless(stop, _connect(application, settings))
            if not stop.is_set():
                await _listen(application, settings, stop)
        finally:
            await application.shutdown()
            # A failed start leaves the application closed but the HTTP client open.
            await application.bot.shutdown()


async def _connect(application: BotApplication, settings: Settings) -> None:
    """Checks token and connection, and makes ready for polling where that is asked for."""
    with _readable_errors(settings):
        await application.initialize()
        if settings.telegram_webhook_url is None:
            await application.bot.delete_webhook(drop_pending_updates=False)
    await show_menus(application.bot, application.bot_data.admin_ids)


@contextmanager
def _readable_errors(settings: Settings) -> Iterator[None]:
    """TelegramError, without the token, in place of the library's errors."""
    try:
        yield
    except telegram.error.InvalidToken:
        # The library's own words quote the token.
        raise TelegramError(
            "Telegram refuses TELEGRAM_BOT_TOKEN: copy it again from @BotFather"
        ) from None
    except telegram.error.TelegramError as error:
        raise TelegramError(
            f"can't reach Telegram at {settings.telegram_api_base_url}: {error}"
        ) from None


async def _listen(application: BotApplication, settings: Settings, stop: asyncio.Event) -> None:
    async def handle_arrival(arrival: Arrival, is_last_try: bool) -> Failure | None:
        return await handle(application, arrival.update, is_last_try=is_last_try)

    bot, data = application.bot, application.bot_data
    telemetry = data.service.telemetry
    admission = Admission(settings, data.admin_ids)
    inbox = Inbox(data.service, bot, handle_arrival, admission.admits)
    telemetry.watch_queue(lambda: inbox.length)
    uses_webhook = settings.telegram_webhook_url is not None
    async with AsyncExitStack() as stack:
        if settings.tweetsent_http_listen:
            pages = monitoring(data.service, data.retraining, polls=not uses_webhook)
            server = listening(
                settings.tweetsent_http_listen, pages, setting="TWEETSENT_HTTP_LISTEN"
            )
            await stack.enter_async_context(server)
        # Closed from the last one to the first: handlers may still ask for what is above them.
        for close in (
            data.reporter.close,
            data.announcer.close,
            data.labeller.close,
            admission.close,
            inbox.stop,
        ):
            stack.push_async_callback(close)
        data.reporter.start(bot)
        data.announcer.start(bot)
        await data.labeller.start(bot)
        await inbox.resume()
        log.info("bot @%s is listening", bot.username)
        if uses_webhook:
            with _readable_errors(settings):
                await Webhook(bot, inbox, telemetry, settings).run(stop)
        else:
            await Fetcher(bot, inbox, telemetry).run(stop)
