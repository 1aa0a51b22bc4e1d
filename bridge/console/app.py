"""The console's addresses: pages, their live streams, forms, and the files beside them."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, quote, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp

from bridge.console import actions
from bridge.console.broadcast import STREAMS_MAX, Broadcast
from bridge.console.pages.attention import attention_facts
from bridge.console.pages.frame import Facts, PageFacts, frame_facts
from bridge.console.pages.now import now_facts
from bridge.console.pages.others import (
    day_facts,
    health_facts,
    login_facts,
    registers_facts,
    terminals_facts,
)
from bridge.console.pages.payment import payment_facts
from bridge.console.pages.payments import csv_text, payments_facts
from bridge.console.pages.unlock import lock, unlock, unlock_facts
from bridge.console.rendering import STATIC, TOKEN_MARK, Renderer
from bridge.console.request_guard import RequestGuard
from bridge.console.visit import (
    COOKIE,
    LANGUAGE_COOKIE,
    Premises,
    Refused,
    Visit,
    visit_of,
)
from bridge.console.words import LANGUAGES
from bridge.errors import JournalError

_LOGGER = logging.getLogger(__name__)

LANGUAGE_SECONDS = 365 * 24 * 3600
FOR_EVER = "public, max-age=31536000, immutable"
STATIC_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
UNREADABLE = "The journal cannot be read or written now. Call the technician."


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its address, its template, and what it shows."""

    path: str
    template: str
    facts: PageFacts


PAGES = (
    Page("/", "now.html", now_facts),
    Page("/attention", "attention.html", attention_facts),
    Page("/payments", "payments.html", payments_facts),
    Page("/payments/{payment_id}", "payment.html", payment_facts),
    Page("/terminals", "terminals.html", terminals_facts),
    Page("/registers", "registers.html", registers_facts),
    Page("/day", "day.html", day_facts),
    Page("/login", "login.html", login_facts),
    Page("/health", "health.html", health_facts),
)
ACTIONS: dict[str, Callable[[Visit, actions.Form], Awaitable[actions.Done]]] = {
    "decide": actions.decide,
    "note-gap": actions.note_gap,
    "take-over": actions.take_over,
    "cancel": actions.cancel,
    "probe": actions.probe,
    "close-day": actions.close_day,
    "log-in": actions.log_in,
}


class ConsoleApp:
    """The pages over one service."""

    def __init__(self, premises: Premises, broadcast: Broadcast) -> None:
        """Serve `premises`; `broadcast` says when something changed."""
        self._premises = premises
        self._broadcast = broadcast
        self.renderer = Renderer()

    def asgi(self) -> ASGIApp:
        """Return what a server serves."""
        routes = [Route("/static/{name}", self._static)]
        for page in PAGES:
            routes.append(Route(page.path, self._page(page), name=page.path))
            live = "/live" + ("" if page.path == "/" else page.path)
            routes.append(Route(live, self._live(page)))
            if page.path == "/payments":
                routes.append(Route("/payments.csv", self._csv))
        routes += [
            Route("/unlock", self._unlock, methods=["GET", "POST"]),
            Route("/lock", self._lock, methods=["POST"]),
            Route("/do/{what}", self._act, methods=["POST"]),
        ]
        settings = self._premises.settings
        app = Starlette(routes=routes)
        return RequestGuard(
            app,
            (*settings.hosts, *([] if settings.is_local else [settings.host])),
            is_tls=settings.is_tls,
        )

    # --- pages

    def _page(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            visit = visit_of(request, self._premises)
            try:
                self._see(visit)
                facts = await page.facts(visit)
                return await self._html(visit, page.template, facts)
            except Refused as refused:
                return await self._refusal(visit, refused)
            except JournalError as error:
                _LOGGER.warning("page not shown path=%s reason=%s", page.path, error)
                return await self._refusal(visit, Refused(503, UNREADABLE))

        return answer

    def _see(self, visit: Visit) -> None:
        if visit.role is None:
            raise Refused(401, "")

    async def _html(self, visit: Visit, template: str, facts: Facts, status: int = 200) -> Response:
        """Return a page; who comes for the first time gets a session without a role."""
        sessions = self._premises.sessions
        session = visit.session or sessions.begin()
        flash = take_flash(visit)
        whole = {**facts, "flash": flash}
        # In the console's own thread: a large page must not hold up a payment.
        text = await self._premises.read(partial(self.renderer.page, template, whole))
        response = HTMLResponse(text.replace(TOKEN_MARK, session.token), status)
        if session is not visit.session:
            self._set_session(response, session.id)
        if flash is not None:
            response.delete_cookie(FLASH_COOKIE, path="/", samesite="strict", httponly=True)
        wanted = visit.request.query_params.get("lang", "")
        if wanted in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE,
                wanted,
                max_age=LANGUAGE_SECONDS,
                path="/",
                samesite="strict",
                httponly=True,
                secure=self._premises.settings.is_tls,
            )
        return response

    def _set_session(self, response: Response, session_id: str) -> None:
        response.set_cookie(
            COOKIE,
            session_id,
            path="/",
            samesite="strict",
            httponly=True,
            secure=self._premises.settings.is_tls,
        )

    async def _refusal(self, visit: Visit, refused: Refused) -> Response:
        if refused.status == 401:
            next_page = quote(_next_of(visit))
            return RedirectResponse(f"/unlock?next={next_page}", 303)
        facts = {**frame_facts(visit, ""), "message": refused.message, "status": refused.status}
        if visit.role is None:  # nothing is shown to who may not see
            return PlainTextResponse(visit.words.say(refused.message), refused.status)
        return await self._html(visit, "error.html", facts, refused.status)

    # --- live

    def _live(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            visit = visit_of(request, self._premises)
            if visit.role is None:
                return PlainTextResponse("", 403)
            if self._broadcast.streams >= STREAMS_MAX:
                return PlainTextResponse("", 503)
            return StreamingResponse(
                self._stream(page, request),
                media_type="text/event-stream",
                headers={"x-accel-buffering": "no"},
            )

        return answer

    async def _stream(self, page: Page, request: Request) -> AsyncIterator[str]:
        """Yield the page's living parts whenever they changed, and a beat in between."""
        self._broadcast.streams += 1
        sent: dict[str, str] = {}
        role = visit_of(request, self._premises).role
        try:
            while not self._broadcast.is_over:
                visit = visit_of(request, self._premises)
                if visit.role is not role:
                    yield _event("reload", "")
                    return
                for name, text in (await self._parts(page, visit)).items():
                    if sent.get(name) != text:
                        sent[name] = text
                        token = visit.session.token if visit.session else ""
                        yield _event(name, text.replace(TOKEN_MARK, token))
                yield _event("beat", str(int(visit.now.timestamp())))
                await self._broadcast.next()
        finally:
            self._broadcast.streams -= 1

    async def _parts(self, page: Page, visit: Visit) -> dict[str, str]:
        async def make() -> str:
            try:
                facts = await page.facts(visit)
            except (Refused, JournalError):
                facts = {**frame_facts(visit, page.path), "message": UNREADABLE, "status": 503}
                shown = "error.html"
            else:
                shown = page.template
            return await self._premises.read(partial(self._blocks, shown, facts))

        role = visit.role.word if visit.role is not None else ""
        url = visit.request.url
        key = (url.path, url.query, visit.words.language, role, visit.by)
        parts: dict[str, str] = json.loads(await self._broadcast.shared(key, make))
        return parts

    def _blocks(self, template: str, facts: Facts) -> str:
        block = self.renderer.block
        return json.dumps(
            {"top": block("base.html", "top", facts), "main": block(template, "main", facts)}
        )

    # --- what is done

    async def _act(self, request: Request) -> Response:
        visit = visit_of(request, self._premises)
        try:
            self._see(visit)
            form = await visit.form()
            work = ACTIONS.get(request.path_params["what"])
            if work is None:
                raise Refused(404, "There is no such page.")
            done = await work(visit, form)
        except Refused as refused:
            return await self._refusal(visit, refused)
        except JournalError as error:
            _LOGGER.warning("not done at the console reason=%s", error)
            return await self._refusal(visit, Refused(503, UNREADABLE))
        self._broadcast.note()
        response = RedirectResponse(local_path(form.get("back", ["/"])[0]), 303)
        if done.message:
            keep_flash(response, done)
        return response

    async def _unlock(self, request: Request) -> Response:
        visit = visit_of(request, self._premises)
        try:
            if request.method == "GET":
                return await self._html(visit, "unlock.html", unlock_facts(visit))
            opened, path = await unlock(visit)
        except Refused as refused:
            facts = {**unlock_facts(visit), "message": refused.message}
            return await self._html(visit, "unlock.html", facts, refused.status)
        response = RedirectResponse(path, 303)
        self._set_session(response, opened.id)
        return response

    async def _lock(self, request: Request) -> Response:
        visit = visit_of(request, self._premises)
        try:
            await lock(visit)
        except Refused as refused:
            return await self._refusal(visit, refused)
        return RedirectResponse("/", 303)

    async def _csv(self, request: Request) -> Response:
        visit = visit_of(request, self._premises)
        try:
            self._see(visit)
            lines = await csv_text(visit)
        except Refused as refused:
            return await self._refusal(visit, refused)
        except JournalError:
            return await self._refusal(visit, Refused(503, UNREADABLE))
        name = f"payments-{visit.words.local(visit.now):%Y%m%d-%H%M}.csv"
        return StreamingResponse(
            iter(lines),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    # --- files

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        known = FILES.get(name)
        if known is None:
            return PlainTextResponse("There is no such file.", 404)
        headers = {"cache-control": FOR_EVER}
        return Response(known, media_type=STATIC_TYPES[name[name.rindex(".") :]], headers=headers)


# Read once, with the module: a handful of small files. No path of a request ever reaches a disk.
FILES = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in STATIC_TYPES}
FLASH_COOKIE = "paybridge-said"
FLASH_SECONDS = 30


def keep_flash(response: Response, done: actions.Done) -> None:
    """Have the next page say what came of an action; the cookie is for that page only."""
    text = urlencode({"m": done.message, "d": done.detail[:400], "g": "1" if done.is_good else ""})
    response.set_cookie(
        FLASH_COOKIE,
        text,
        max_age=FLASH_SECONDS,
        path="/",
        samesite="strict",
        httponly=True,
    )


def take_flash(visit: Visit) -> dict[str, str] | None:
    """Return what the last action said, once."""
    from_cookie = visit.request.cookies.get(FLASH_COOKIE)
    if not from_cookie:
        return None
    fields = dict(parse_qsl(from_cookie, max_num_fields=5))
    return {
        "text": visit.words.say(fields.get("m", "")),
        "detail": fields.get("d", ""),
        "good": fields.get("g", ""),
    }


def local_path(text: str) -> str:
    """Return where to go on: a path of ours, never an address of somebody else's."""
    if not text.startswith("/") or text[1:2] in {"/", "\\"} or len(text) > 1_024:
        return "/"
    return text if text.isprintable() else "/"


def _next_of(visit: Visit) -> str:
    url = visit.request.url
    return f"{url.path}?{url.query}" if url.query else url.path


def _event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.split("\n"))
    return f"event: {name}\n{lines}\n"
