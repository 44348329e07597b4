"""A client of OpenAI-compatible endpoints: POST <url>/chat/completions, answered by JSON that follows a schema.

Nothing is sent anywhere but to the URL of the settings: redirects are not followed. Requests, answers, time and
attempts are bounded, and the key never stands in a message.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from assetgraph.errors import Unavailable

CONNECT_SECONDS = 5.0
#: A model may think this long about one question.
ANSWER_SECONDS = 120.0
ATTEMPTS = 3
#: Before the second attempt; doubled before each one after it, and never more than MOST_WAIT, whatever is asked for.
FIRST_WAIT = 1.0
MOST_WAIT = 30.0
MOST_SENT_BYTES = 128 << 10
MOST_ANSWER_BYTES = 512 << 10
#: What an endpoint answers when the same may be right another time.
_AGAIN = frozenset({408, 409, 425, 429})

log = structlog.get_logger("assetgraph.proposals")


class EndpointFailed(Unavailable):
    """The endpoint was not reached, or could not answer, in all attempts: other questions would fare no better."""

    code = "ENDPOINT_FAILED"


class EndpointRefused(Unavailable):
    """The endpoint refuses: a wrong URL, model or key; `whole`: every other question would be refused as well."""

    code = "ENDPOINT_REFUSED"

    def __init__(self, message: str, *, whole: bool) -> None:
        super().__init__(message)
        self.whole = whole


class EndpointAnswer(Unavailable):
    """What the endpoint answered is not what was asked for, or too long."""

    code = "ENDPOINT_ANSWER"


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, which model, and as whom; `wait` sleeps between attempts."""

    url: str
    model: str
    api_key: str = ""
    wait: Callable[[float], None] = time.sleep
    answer_seconds: float = ANSWER_SECONDS

    @property
    def source(self) -> str:
        """What proposals call it."""
        return f"endpoint:{self.model}"[:200]

    def ask(self, system: str, question: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
        """Return the object that the model answers; raises EndpointFailed, EndpointRefused or EndpointAnswer."""
        body = orjson.dumps({
            "model": self.model, "temperature": 0,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": orjson.dumps(question).decode()},
            ],
            "response_format": {
                "type": "json_schema", "json_schema": {"name": "proposals", "strict": True, "schema": schema},
            },
        })  # fmt: skip
        if len(body) > MOST_SENT_BYTES:
            raise EndpointAnswer(f"a question of {len(body)} bytes is not sent; at most {MOST_SENT_BYTES} are")
        pause = FIRST_WAIT
        for attempt in range(1, ATTEMPTS + 1):
            status, answer, after = self._post(body)
            if status == 200:
                return _object_of(answer)
            if status and status < 500 and status not in _AGAIN:
                raise EndpointRefused(
                    f"the endpoint answered {status}{_reason(answer, self.api_key)}",
                    whole=status not in (400, 413, 422),
                )
            said = f"answered {status}" if status else f"cannot be reached ({answer.decode()})"
            log.warning("endpoint failed", attempt=attempt, said=said)
            if attempt < ATTEMPTS:
                self.wait(min(max(pause, after), MOST_WAIT))
                pause *= 2
        raise EndpointFailed(f"the endpoint {said}, {ATTEMPTS} times")

    def _post(self, body: bytes) -> tuple[int, bytes, float]:
        """Return (status, body, seconds to wait for); status 0 and the name of the error when there was no answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        until = time.monotonic() + self.answer_seconds
        try:
            timeout = httpx.Timeout(self.answer_seconds, connect=min(CONNECT_SECONDS, self.answer_seconds))
            with (
                httpx.Client(timeout=timeout) as client,
                client.stream("POST", f"{self.url.rstrip('/')}/chat/completions", content=body, headers=headers) as got,
            ):
                read = bytearray()
                for part in got.iter_bytes():
                    read += part
                    if len(read) > MOST_ANSWER_BYTES:
                        raise EndpointAnswer(f"the endpoint answered more than {MOST_ANSWER_BYTES} bytes")
                    if time.monotonic() > until:
                        return 0, b"SlowAnswer", 0.0  # a byte now and then keeps httpx's own clock from running out
                asked = got.headers.get("Retry-After", "")
                return got.status_code, bytes(read), float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return 0, type(error).__name__.encode(), 0.0


def _reason(answer: bytes, secret: str) -> str:
    """Return what an error of the protocol says, cut short; never the key."""
    try:
        message = str(json.loads(answer)["error"]["message"])[:2_000]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    message = " ".join((message.replace(secret, "***") if secret else message).split())
    return f": {message[:200]}"


def _object_of(answer: bytes) -> dict[str, Any]:
    """Return the JSON object in the first choice of a completion."""
    try:
        choice = json.loads(answer)["choices"][0]
        if choice.get("finish_reason") == "length":
            raise EndpointAnswer("the endpoint's answer was cut off")
        found = json.loads(choice["message"]["content"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise EndpointAnswer(f"the endpoint's answer is no completion with JSON ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise EndpointAnswer("the endpoint's answer is no JSON object")
    return found
