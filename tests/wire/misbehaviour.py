"""The wrong things: HTTP errors with OpenAI's own words, and what disturbs a stream on its way."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .frames import Cut, End, Event, Frame, Json, Lines, Pause
from .scenario import Ending, ErrorBody, Refusing, Scenario

INVALID = "invalid_request_error"
KEEP_ALIVE = ": keep-alive\n\n"
EMPTY_PINGS = "event: ping\n\ndata:\n\n"
DATA_PING = "data: ping\n\n"
HTML = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"
WORDS: dict[str, tuple[str, str | None, str]] = {
    # code: (type, param, message)
    "rate_limit_exceeded": (
        "tokens",
        None,
        "Rate limit reached for {model} in organization org-wire on tokens per min (TPM): Limit 30000, Used 29999, "
        "Requested 200. Please try again in 398ms. "
        "Visit https://platform.openai.com/account/rate-limits to learn more.",
    ),
    "insufficient_quota": (
        "insufficient_quota",
        None,
        "You exceeded your current quota, please check your plan and billing details. "
        "For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    "invalid_api_key": (
        INVALID,
        None,
        "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    "unsupported_country_region_territory": ("request_forbidden", None, "Country, region, or territory not supported"),
    "model_not_found": (INVALID, None, "The model `{model}` does not exist or you do not have access to it."),
    "context_length_exceeded": (
        INVALID,
        "input",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
    ),
    "content_filter": (
        "invalid_prompt",
        "prompt",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry.",
    ),
    "conversation_locked": (
        INVALID,
        "conversation",
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
    ),
    "server_error": (
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that! Please contact us through our help "
        "center at help.openai.com if the error persists.",
    ),
}
CODES: dict[int, str | None] = {
    401: "invalid_api_key",
    403: "unsupported_country_region_territory",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
MESSAGES = {
    400: "Invalid request.",
    422: "Unprocessable entity.",
    500: WORDS["server_error"][2],
    503: "The engine is currently overloaded, please try again later.",
}


class Refusal(Exception):
    """An HTTP error in place of an answer.

    `content_type`: where it is not that of JSON or of a page; "" is none. `plain`: the error's fields, of an error
    that each family writes in its own way.
    """

    def __init__(
        self,
        status: int,
        body: Json | list[Json] | str,
        headers: dict[str, str] | None = None,
        content_type: str | None = None,
        plain: Json | None = None,
    ) -> None:
        super().__init__(status, body)
        usual = "text/html; charset=utf-8" if isinstance(body, str) else "application/json"
        self.content_type = usual if content_type is None else content_type
        self.status, self.body, self.headers, self.plain = status, body, headers or {}, plain


def error_body(message: str, kind: str = INVALID, param: str | None = None, code: str | None = None) -> Json:
    """OpenAI's shape of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def invalid(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """The refusal of a request that is wrong in itself."""
    body = error_body(message, INVALID, param, code)
    return Refusal(status, body, plain=body["error"])


def lacking(status: int) -> Refusal:
    """The answer of a compatible server that has no such route: not OpenAI's shape."""
    detail = {404: "Not Found", 405: "Method Not Allowed", 501: "Not Implemented"}.get(status, "Not Found")
    return Refusal(status, {"detail": detail})


def worded(scenario: Scenario) -> bool:
    """The scenario says how an error reads."""
    given = (scenario.code, scenario.error_type, scenario.param, scenario.message)
    return scenario.error_body != "" or any(one is not None for one in given)


def scenario_error(scenario: Scenario, default_code: str | None, model: str) -> Json:
    """The `error` object that a scenario asks for."""
    code = default_code if scenario.code is None else scenario.code
    kind, param, message = WORDS.get(str(code), (INVALID, None, MESSAGES.get(scenario.status or 400, f"Error {code}.")))
    if code is None and (scenario.status or 0) >= 500:
        kind = "server_error"
    text = scenario.message if scenario.message is not None else _filled(message, model)
    kind = kind if scenario.error_type is None else scenario.error_type
    param = param if scenario.param is None else scenario.param
    more = json.loads(scenario.error_extra) if scenario.error_extra else {}
    return literal({"message": text, "type": kind, "param": param, "code": code} | more)


def _filled(message: str, model: str) -> str:
    return message.replace("{model}", model).replace("{key}", "sk-wire***************ire")


def literal(fields: Json) -> Json:
    """The fields, with those that are "null" as null and without those that are "absent"."""
    return {name: None if value == "null" else value for name, value in fields.items() if value != "absent"}


def written(status: int, error: Json, shape: ErrorBody, headers: dict[str, str] | None = None) -> Refusal:
    """An HTTP error in one of the shapes that servers write it in."""
    words = str(error.get("message", ""))
    bodies: dict[str, Json | list[Json] | str] = {
        "flat": {"object": "error", **error},
        "string": {"error": words},
        "message": {"message": words},
        "detail": {"detail": words},
        "list": [{"error": error}],
        "error_code": {"error_code": error.get("code"), "message": words},
        "text": words,
        "html": HTML.format(words),
        "empty": "",
    }
    kinds = {"text": "text/plain; charset=utf-8", "empty": ""}
    return Refusal(status, bodies.get(shape, {"error": error}), headers, kinds.get(shape))


REFUSED_PARAMETER: dict[str, tuple[str, str | None, bool]] = {
    # words: (message, code, whether `param` names it)
    "unsupported": ("Unsupported parameter: '{0}' is not supported with this model.", "unsupported_parameter", True),
    "instead": (
        "Unsupported parameter: '{0}' is not supported with this model. Use '{1}' instead.",
        "unsupported_parameter",
        True,
    ),
    "unknown": ("Unknown parameter: '{0}'.", "unknown_parameter", True),
    "unrecognized": ("Unrecognized request argument supplied: {0}", None, False),
    "litellm": (
        "litellm.UnsupportedParamsError: openai does not support parameters: ['{0}'], for model={2}. To drop these, "
        "set `litellm.drop_params=True` or for proxy: `litellm_settings: drop_params: true`",
        "400",
        False,
    ),
    "plain": ("{0} is not supported by this server", None, False),
}
OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def refuse_parameters(body: Json, scenario: Scenario, model: str) -> None:
    """Raises for the first parameter in the request that the scenario does not take."""
    for name in scenario.refuse_parameter.split(","):
        if name and body.get(name) is not None:
            raise refused_parameter(name, body[name], scenario.refuse_words, model)


def refused_parameter(name: str, value: object, words: Refusing, model: str = "the model") -> Refusal:
    """The refusal of one parameter, in one of the wordings that servers have for it."""
    if words == "extra_forbidden":
        return extra_forbidden({name: value})
    if words == "databricks":
        message = f'Bad request: json: unknown field "{name}"\n'
        return Refusal(400, {"error_code": "BAD_REQUEST", "message": message})
    message, code, named = REFUSED_PARAMETER[words]
    text = message.format(name, OTHER_NAME.get(name, f"other_{name}"), model)
    return Refusal(400, error_body(text, INVALID, name if named else None, code))


def extra_forbidden(extra: Json) -> Refusal:
    """Mistral's 422: pydantic's list of errors in place of the message."""
    detail = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": value}
        for name, value in extra.items()
    ]
    body = {"object": "error", "message": {"detail": detail}, "type": INVALID, "param": None, "code": None}
    return Refusal(422, body | {"raw_status_code": 422})


def refuse(scenario: Scenario, model: str) -> None:
    """Raises what the scenario's `status` asks for, if any."""
    status = scenario.status
    if status is None:
        return
    if status == 502 and not worded(scenario):
        raise Refusal(status, HTML.format("502 Bad Gateway"))
    if status in (405, 501) and not worded(scenario):
        raise lacking(status)
    headers = {}
    error = scenario_error(scenario, CODES.get(status), model)
    if error.get("code") == "rate_limit_exceeded" and scenario.retry_after is None:
        headers["Retry-After"] = "1"
    elif scenario.retry_after:
        headers["Retry-After"] = scenario.retry_after
    refusal = written(status, error, scenario.error_body, headers)
    refusal.plain = None if worded(scenario) else error
    raise refusal


def transport_ending(ending: Ending | None) -> Frame | None:
    """The frame of an ending that is no event of the API: the stream just stops."""
    if ending in ("cut", "reset"):
        return Cut(reset=ending == "reset")
    return End() if ending == "end" else None


def disturbed(frames: Iterator[Frame], scenario: Scenario, delay: float, unknown: Event) -> Iterator[Frame]:
    """The same frames, slowed down and with what the scenario interleaves."""
    sent, troubled = 0, False
    if scenario.stall_events > 0:
        yield from stalled(scenario, scenario.stall_events)
    for number, frame in enumerate(frames):
        is_delta = isinstance(frame, Event) and frame.delta
        if not troubled and (is_delta or sent) and (sent >= scenario.after or not is_delta):
            troubled = True
            yield from _trouble(scenario, frame)
        if number % 3 == 1:
            yield from _noise(scenario, unknown)
        if is_delta:
            sent += 1
            if delay > 0:
                yield Pause(delay)
        yield frame


def _trouble(scenario: Scenario, frame: Frame) -> Iterator[Frame]:
    if scenario.broken_json and isinstance(frame, Event):
        yield Event(frame.name, json.dumps(frame.data)[:-8])  # The event itself follows, whole.
    if scenario.stall > 0:
        yield from stalled(scenario, scenario.stall)


def stalled(scenario: Scenario, seconds: float) -> Iterator[Frame]:
    """So many seconds without an event, perhaps with comments."""
    every = scenario.stall_comments
    while 0 < every < seconds:
        yield Pause(every)
        yield Lines(KEEP_ALIVE)
        seconds -= every
    yield Pause(seconds)


def _noise(scenario: Scenario, unknown: Event) -> Iterator[Frame]:
    if scenario.unknown:
        yield unknown
    if scenario.comments:
        yield Lines(KEEP_ALIVE)
    if scenario.pings:
        yield Lines(EMPTY_PINGS)
    if scenario.data_pings:
        yield Lines(DATA_PING)
