"""A small application whose responses are kept, and how it is asked."""

from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
LONG = "words and words " * 200


class Site:
    """An application that counts how often it is asked."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.asked: list[str] = []
        self.text = LONG
        self.headers: dict[str, str] = {}
        self.status = 200
        self.app.add_api_route("/text", self.tell)
        self.app.add_api_route("/posts/{post_id}", self.tell_post)
        self.app.add_api_route("/typed/{post_id}", self.tell_number)

    async def tell(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        return PlainTextResponse(self.text, self.status, headers=self.headers)

    async def tell_post(self, post_id: str) -> Response:
        self.asked.append(post_id)
        return PlainTextResponse(f"{post_id}: {self.text}")

    async def tell_number(self, post_id: int) -> Response:
        self.asked.append(str(post_id))
        return PlainTextResponse(f"{post_id}: {self.text}")
