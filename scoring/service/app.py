"""The application: what is put together for one service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from scoring.service import status
from scoring.service.door import Door
from scoring.service.keeper import ModelKeeper
from scoring.service.options import ServiceOptions
from scoring.service.problems import add_handlers
from scoring.service.tokens import Tokens


def create_app(options: ServiceOptions, keeper: ModelKeeper | None = None) -> FastAPI:
    """Make the application of a service.

    Parameters
    ----------
    options : ServiceOptions
        What it is started with.
    keeper : ModelKeeper, optional
        One that has loaded its model already.

    Returns
    -------
    FastAPI
        Its ``state`` holds ``options``, ``keeper`` (``keeper.current`` is the model at work, to be taken
        once for all that is scored together), ``tokens``, and ``stopping``: an event that is set when the
        service begins to stop, on which every endless answer has to end.

    Raises
    ------
    SettingsError
        If the token file cannot be used.
    """
    keeper = keeper or ModelKeeper(options)
    tokens = Tokens(options.token_file)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not keeper.is_ready:
            await asyncio.to_thread(keeper.load)
        following = asyncio.create_task(keeper.follow())
        try:
            yield
        finally:
            app.state.stopping.set()
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            keeper.close()

    app = FastAPI(title="scoring", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.options = options
    app.state.keeper = keeper
    app.state.tokens = tokens
    app.state.stopping = asyncio.Event()
    add_handlers(app)
    # Each part of the service brings a router of its own.
    app.include_router(status.router)
    if options.origins:
        app.add_middleware(CORSMiddleware, allow_origins=options.origins, allow_methods=["GET", "POST"])
    app.add_middleware(Door, options=options, tokens=tokens)  # the last added is the outermost
    return app
