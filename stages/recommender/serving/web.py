"""Page and API on one port of this machine: ``recommend serve``.

The page is Gradio's, mounted beside the API. Nothing that either needs lies elsewhere: the page's
letters are the system's, its scripts come with Gradio, and the API's documentation with
``fastapi-offline``.
"""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.trustedhost import TrustedHostMiddleware

from stages.recommender.errors import UserError
from stages.recommender.serving import api
from stages.recommender.serving.api_guards import (
    BodyLimit,
    OpenPaths,
    RateLimit,
    SafeHeaders,
    local_names,
)
from stages.recommender.serving.api_service import Service
from stages.recommender.serving.web_page import TITLE, page

REQUESTS_PER_MINUTE = 600
"""Of one address; a page asks once or twice a second while somebody types."""

_MOST_CONNECTIONS = 256
_FONTS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "DejaVu Sans",
    "sans-serif",
)
_STYLE = Path(__file__).with_name("web.css")


def build(
    models: Path,
    host: str = "127.0.0.1",
    requests_per_minute: int = REQUESTS_PER_MINUTE,
    new_movies: Path | None = None,
) -> FastAPI:
    """The application, page and API.

    Args:
        models: Folder of trained models; it may be empty, or not be there.
        host: The address that it will be served at.
        requests_per_minute: Of one address.
        new_movies: A file of movies to add to those models that read what a movie is.
    """
    service = Service(models, new_movies)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await service.load()
        except UserError as error:  # the other models answer, and who asks this one is told
            print(f"the best model cannot be loaded: {error}", file=sys.stderr)
        yield
        service.close()

    app = FastAPIOffline(
        title=TITLE,
        description="Movies for a request in plain words, by the trained models.",
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        static_url="/api/docs/static",
        favicon_url="/favicon.ico",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        lifespan=lifespan,
    )
    app.include_router(api.routes(service))
    api.tell_problems(app)
    # the last one added is the first one asked
    app.add_middleware(BodyLimit)
    app.add_middleware(RateLimit, per_minute=requests_per_minute)
    app.add_middleware(OpenPaths)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=local_names(host), www_redirect=False)
    app.add_middleware(SafeHeaders)
    gr.mount_gradio_app(
        app,
        page(service),
        path="/",
        theme=_theme(),
        css_paths=_STYLE,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        max_file_size=1,
    )
    return app


def serve(
    models_folder: Path,
    host: str,
    port: int,
    requests_per_minute: int = REQUESTS_PER_MINUTE,
    new_movies: Path | None = None,
) -> None:
    """Serve page and API until interrupted.

    Args:
        models_folder: Of trained models.
        host: Address to listen at.
        port: Port to listen at; 0 takes a free one.
        requests_per_minute: Of one address.
        new_movies: A file of movies to add to those models that read what a movie is.

    Raises:
        UserError: The port is taken, or the address is not this machine's.
    """
    with _listening(host, port) as listening:
        app = build(models_folder, host, requests_per_minute, new_movies)
        taken = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        print(f"Ask for a movie at http://{shown}:{taken}/ (Ctrl-C ends it)", flush=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
            proxy_headers=False,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _theme() -> gr.themes.Base:
    """Gradio's, in letters of the reader's system, with the contrast that WCAG AA asks for."""
    theme = gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", font=_FONTS, font_mono=("monospace",)
    )
    return theme.set(
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_600",
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # from now on who asks waits until the models are loaded
    except OSError as error:
        listening.close()
        problem = (error.strerror or str(error)).lower()
        raise UserError(
            f"port {port} of {host} cannot be listened at ({problem}); name another with --port"
        ) from None
    return listening
