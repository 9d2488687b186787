"""The owner's login: one password, asked on a page without scripts."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tweetsent.ui import texts
from tweetsent.ui.access import (
    LOGIN_PATH,
    OWNER_COOKIE,
    OWNER_PATH,
    Access,
    start_session,
)

LOGOUT_PATH = "/cikis"
_PAGE = """<!doctype html>
<html lang="tr"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 22rem; margin: 15vh auto;
  padding: 0 1rem }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem;
  margin: .3rem 0; border: 1px solid #8a8a8a; border-radius: .5rem }}
button {{ background: #2f6fb0; color: #fff; border-color: #2f6fb0; cursor: pointer }}
[role=alert] {{ color: #c2410c }}
</style></head><body><main><h1>{title}</h1>{body}<p><a href="/">{back}</a></p></main></body></html>
"""
_FORM = """<form method="post">
<label for="password">{label}</label>
<input id="password" name="password" type="password" autocomplete="current-password"
  required autofocus>
<p role="alert">{problem}</p><button>{button}</button></form>"""


def login_routes(access: Access) -> list[Route]:
    """The pages that lead to the owner's, and out of them."""

    async def show(_request: Request) -> Response:
        return _page("" if access.password else None)

    async def log_in(request: Request) -> Response:
        address = request.client.host if request.client else ""
        if access.password is None or not access.may_try(address):
            return _page(texts.TOO_MANY_LOGINS, 429)
        async with request.form(max_files=0, max_fields=1, max_part_size=4096) as form:
            token = access.log_in(str(form.get("password", "")))
        if token is None:
            return _page(texts.WRONG_PASSWORD, 401)
        response = RedirectResponse(f"{OWNER_PATH}/", 303)
        start_session(response, request, token)
        return response

    async def log_out(request: Request) -> Response:
        access.log_out(request.cookies)
        response = RedirectResponse("/", 303)
        response.delete_cookie(OWNER_COOKIE)
        return response

    return [
        Route(LOGIN_PATH, show, methods=["GET"]),
        Route(LOGIN_PATH, log_in, methods=["POST"]),
        Route(LOGOUT_PATH, log_out, methods=["POST"]),
    ]


def _page(problem: str | None, status: int = 200) -> Response:
    """The form with what was wrong, or without a password in the settings how to get one."""
    body = f"<p>{escape(texts.NO_OWNER_PAGES)}</p>"
    if problem is not None:
        body = _FORM.format(
            label=texts.PASSWORD, problem=escape(problem), button=escape(texts.LOG_IN)
        )
    return HTMLResponse(_PAGE.format(title=texts.LOGIN, body=body, back=texts.TO_FRONT), status)
