"""`/health` for supervisors and `/metrics` for Prometheus, on a port that is not for the public."""

from dataclasses import asdict
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from tweetsent.health import check_health
from tweetsent.retraining import RetrainingService
from tweetsent.service import SentimentService


def monitoring(
    service: SentimentService, retraining: RetrainingService, *, polls: bool
) -> web.Application:
    """The two pages; `polls` says that Telegram must be heard of at all times."""

    async def health(_request: web.Request) -> web.Response:
        state = await check_health(service, retraining)
        problems = state.problems(polls=polls)
        run = state.last_run
        shown = asdict(state) | {
            "ok": not problems,
            "problems": problems,
            "last_run": run and {"id": run.id, "state": run.state.value},
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        return web.json_response(shown, status=status)

    async def metrics(_request: web.Request) -> web.Response:
        body = service.telemetry.exposition(
            service.model_version, model_answers=service.model_answers
        )
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/health", health)
    application.router.add_get("/metrics", metrics)
    return application
