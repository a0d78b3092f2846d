"""`/health/live`, `/health` and `/metrics`: for whoever watches over this process, not for people."""

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bots.web.guard import guard, may_use_api
from shared.monitor import Monitor
from shared.settings import Settings

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
NO_STORE = {"cache-control": "no-store"}
METHODS = ["GET", "HEAD"]


def monitoring_router(monitor: Monitor, public: Settings | None) -> APIRouter:
    """The three routes. `public`: strangers reach them, too.

    Then only who may use the API gets numbers and reasons; the others get whether all is well.
    """

    async def live() -> Response:
        """The event loop turns."""
        return JSONResponse({"status": "ok"}, headers=NO_STORE)

    async def ready(request: Request) -> Response:
        """The process can do its work."""
        report = await monitor.report()
        is_told_more = public is None or may_use_api(request, public)
        told = report.model_dump() if is_told_more else {"status": report.status}
        return JSONResponse(told, 200 if report.is_ready else 503, NO_STORE)

    async def metrics() -> Response:
        """Everything that Prometheus wants to know."""
        return Response(await monitor.metrics(), headers=NO_STORE, media_type=TEXT_FORMAT)

    router = APIRouter(include_in_schema=False)
    router.add_api_route("/health/live", live, methods=METHODS)
    router.add_api_route("/health", ready, methods=METHODS)
    guards = [guard(public)] if public else []
    router.add_api_route("/metrics", metrics, methods=METHODS, dependencies=guards)
    return router


def monitoring_app(monitor: Monitor) -> FastAPI:
    """The same three and nothing else, for a port that only the monitoring reaches."""
    app = FastAPI(openapi_url=None)
    app.include_router(monitoring_router(monitor, public=None))
    return app
