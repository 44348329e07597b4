"""An OpenAI-compatible server on loopback: what it was sent is kept, and what it answers is told to it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from serving import serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assetgraph.inventory.propose.endpoint import Endpoint

#: Answers a question: the object that the model would write, or a whole response.
Answering = Callable[[dict[str, Any]], "dict[str, Any] | Response"]


@dataclass
class Model:
    """The server's model; `answer` gets the question, `waits` are what clients slept between attempts."""

    answer: Answering
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def questions(self) -> list[dict[str, Any]]:
        """What was asked, as the model reads it."""
        return [json.loads(body["messages"][1]["content"]) for body in self.bodies]

    def endpoint(self, **given: Any) -> Endpoint:
        """Return a client that notes its pauses, and does not sleep."""
        return Endpoint(self.url, "small", **{"api_key": "sesame-1234", "wait": self.waits.append, **given})

    async def complete(self, request: Request) -> Response:
        """Answer a request for a completion."""
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("Authorization"))
        said = self.answer(self.questions[-1])
        return said if isinstance(said, Response) else completion(said)


def completion(said: Any, reason: str = "stop") -> Response:
    """Return a completion with one choice; what is no text is written as JSON."""
    content = said if isinstance(said, str) else json.dumps(said)
    message = {"role": "assistant", "content": content}
    return JSONResponse({
        "id": "c1", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    })  # fmt: skip


@contextmanager
def answering(answer: Answering) -> Iterator[Model]:
    """Serve a model."""
    model = Model(answer)
    route = Route("/v1/chat/completions", model.complete, methods=["POST"])
    with serving(Starlette(routes=[route])) as address:
        model.url = f"http://{address}/v1"
        yield model
