"""What errors of many makes of servers mean, as they were really seen."""

# ruff: noqa: E501  the sentences are as long as they were
from __future__ import annotations

from typing import Any

import pytest

from app.assistants.upstream_errors import upstream_error

VLLM_LENGTH = (
    "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in the messages, "
    "10000 in the completion). Please reduce the length of the messages or completion."
)
LLAMA_LENGTH = {
    "code": 400,
    "message": "request (2024 tokens) exceeds the available context size (1024 tokens), try increasing it",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 2024,
    "n_ctx": 1024,
}
LITELLM = "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - request too big"


def error(**fields: Any) -> dict[str, Any]:
    return {"error": fields}


TOO_LONG: list[tuple[int | None, Any]] = [
    (400, error(message="…", code="context_length_exceeded")),
    (400, {"error": LLAMA_LENGTH}),
    (None, {"error": LLAMA_LENGTH}),
    (400, error(message=VLLM_LENGTH, type="BadRequestError", param=None, code=400)),
    (400, {"object": "error", "message": VLLM_LENGTH, "type": "BadRequestError", "code": 400}),
    (400, error(message=LITELLM, type=None, param=None, code="400")),
    (400, error(message="prompt is too long: 209303 tokens > 200000 maximum", type="invalid_request_error")),
    (400, error(message="input length and `max_tokens` exceed context limit: 179413 + 32768 > 200000")),
    (None, error(message="The input (61709 tokens) is longer than the model's context length.", code=400)),
    (400, error(message="prompt too long; exceeded max context length by 5 tokens", type="api_error")),
    (400, "the input length exceeds the context length"),
    (None, {"error": "Trying to keep the first 15857 tokens when context the overflows. Model loaded with context length 4096"}),
    (None, error(message="Context size has been exceeded.")),
    (400, [error(code=400, message="The input token count (2800010) exceeds the maximum number of tokens allowed (1048575).", status="INVALID_ARGUMENT")]),
    (400, {"object": "error", "message": "Prompt contains 240000 tokens, too large for model with 131072 maximum context length", "code": "3051"}),
    (400, error(message="Please reduce the length of the messages or completion.")),
    (400, error(message="This model's maximum prompt length is 131072 but the request contains 537812 tokens.")),
    (400, error(message="Input is too long for requested model.")),
    (400, error(message="Range of input length should be [1, 98304]", code="invalid_parameter_error")),
    (400, error(message="Your request exceeded model token limit: 262144 (requested: 300000)", type="invalid_request_error")),
    (400, error(message="Provider returned error", code=400, metadata={"raw": '{"error":{"message":"too long","code":"context_length_exceeded"}}'})),
    (413, error(message="Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7013, please reduce your message size", type="tokens", code="rate_limit_exceeded")),
    (429, error(message="Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced", code="rate_limit_exceeded")),
    (400, error(message="max_tokens must be at least 1, got -512.", type="BadRequestError", code=400)),
    (400, error(message="length of prompt_tokens (34567) must be less than max_seq_len (32768).", code=20015)),
    (400, error(message="the input token count is 40000 but model only supports up to 32768.")),
    (400, error(message="prompt tokens too long")),
    (400, "Input too long"),
    (400, error(message="Token limit exceeded")),
    (500, "failed to find free space in the KV cache"),
    (400, error(message="上下文长度超过限制")),
    (413, "<html>413 Request Entity Too Large</html>"),
    (413, error(message="…", code="tokens_limit_reached")),
    (500, error(message="the request exceeds the available context size. try increasing the context size", code=500)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), TOO_LONG)
def test_a_conversation_that_is_too_long_is_told_by_code_type_status_or_words(status: int | None, body: Any) -> None:
    assert upstream_error(body, status).code == "context_too_long"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, error(message="Rate limit reached for tokens per min: Limit 6000", code=429), "assistant_busy"),
        (429, "context length", "assistant_busy"),
        (401, error(message="Incorrect API key", code=None), "assistant_misconfigured"),
        (401, {"error": "Unauthorized"}, "assistant_misconfigured"),
        (400, error(message="max_tokens is too large: 9000. This model supports at most 4096 completion tokens",
                    param="max_tokens"), "assistant_refused"),
        (400, error(message="No connected db.", type="no_db_connection", code="400"), "assistant_misconfigured"),
        (400, error(message="Invalid model name passed in model=x", type="invalid_request_error", code="400"),
         "assistant_misconfigured"),
        (500, error(message="boom", code=400), "assistant_unavailable"),
        (400, error(message="Your account exceeded its monthly token limit"), "assistant_quota"),
        (400, error(message="'max_tokens' is too large: 5000. This model's maximum context length is 4096 tokens."),
         "assistant_refused"),
        (400, error(message="Something", type="server_error"), "assistant_refused"),
    ],
)  # fmt: skip
def test_what_is_not_about_length_is_not_told_as_that(status: int, body: Any, code: str) -> None:
    assert upstream_error(body, status).code == code


@pytest.mark.parametrize("where", ["code", "type"])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize(
    ("word", "code", "transient"),
    [
        (429, "assistant_busy", True), ("429", "assistant_busy", True), (402, "assistant_quota", False),
        (400, "assistant_refused", False), ("422", "assistant_refused", False), (401, "assistant_misconfigured", False),
        (503, "assistant_unavailable", True), ("rate_limit_error", "assistant_busy", True),
        ("overloaded_error", "assistant_busy", True), ("insufficient_quota", "assistant_quota", False),
        ("authentication_error", "assistant_misconfigured", False), ("invalid_request_error", "assistant_refused", False),
        ("server_error", "assistant_unavailable", True), ("content_filter", "content_filtered", False),
        ("something_new", "assistant_unavailable", True),
    ],
)  # fmt: skip
def test_in_a_stream_a_number_is_a_status_and_a_type_counts_like_a_code(
    where: str, nested: bool, word: object, code: str, transient: bool
) -> None:
    fields = {"message": "Something went wrong.", where: word}
    found = upstream_error({"error": fields} if nested else fields)
    assert (found.code, found.transient) == (code, transient)


MISSING_ROUTE: list[tuple[int | None, Any]] = [
    (404, error(message="Invalid URL (POST /v1/responses)", type="invalid_request_error", param="", code="")),
    (404, error(code=404, message="File Not Found", type="not_found_error")),
    (404, error(message="x", code="not_found")),
    (404, {"detail": "Not Found"}),
    (404, "404 page not found"),
    (404, ""),
    (404, "<html>nginx</html>"),
    (404, error(message="The model route was not found", code=None)),
    (405, {"detail": "Method Not Allowed"}),
    (501, error(message="not implemented", code="convert_request_failed")),
    (500, error(message="not implemented", type="new_api_error", code="convert_request_failed")),
    (400, error(message="Unknown endpoint /v1/responses", code=400)),
    (403, {"message": "Missing Authentication Token"}),
    (403, "<html><h1>403 Forbidden</h1></html>"),
    (403, error(message="Path /v1/responses is not allowed", code="route_forbidden")),
    (400, "Unsupported path"),
    (None, {"error": "Unexpected endpoint or method. (POST /v1/responses)"}),
    (None, error(code=404, message="no such page")),
]


@pytest.mark.parametrize(("status", "body"), MISSING_ROUTE)
def test_a_missing_route_is_told_with_many_statuses_and_bodies(status: int | None, body: Any) -> None:
    found = upstream_error(body, status)
    assert found.no_such_route
    assert not found.transient


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, error(message="The model `x` does not exist", code="model_not_found")),
        (404, error(message="…", code="DeploymentNotFound")),
        (404, error(message="The model `x` does not exist.", type="NotFoundError", param="model", code=404)),
        (401, error(message="Invalid URL", code=None)),
        (404, error(message="Vector store with id ['vs_1'] not found.", type="invalid_request_error", param="tools")),
        (429, error(message="unknown endpoint", code=None)),
        (500, error(message="The server had an error", type="server_error")),
        (400, error(message="Unsupported parameter: 'max_tokens'. In the Responses API, use 'max_output_tokens'.",
                    param="max_tokens", code="unsupported_parameter")),
    ],
)  # fmt: skip
def test_a_missing_model_and_other_trouble_are_no_missing_route(status: int, body: Any) -> None:
    assert not upstream_error(body, status).no_such_route


@pytest.mark.parametrize(
    ("status", "body", "names"),
    [
        (400, error(message="Unrecognized request argument supplied: stream_options", code=None), {"stream_options"}),
        (400, error(message="Unknown parameter: 'stream_options'.", param="stream_options"), {"stream_options"}),
        (422, {"object": "error", "message": {"detail": [
            {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted",
             "input": {"include_usage": True}},
            {"type": "extra_forbidden", "loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]}},
         {"stream_options", "store"}),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"], "msg": "…"}]},
         {"stream_options"}),
        (400, {"error_code": "BAD_REQUEST", "message": 'Bad request: json: unknown field "stream_options"'},
         {"stream_options"}),
        (400, error(message="Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                    "'max_completion_tokens' instead.", param="max_tokens"), {"max_tokens"}),
        (400, error(message="Unsupported value", param="reasoning.summary"), {"reasoning"}),
        (400, error(message="unknown argument: store"), {"store"}),
        (400, error(message="'tools' is not supported by this model"), {"tools"}),
        (400, "System role not supported"  , {"system"}),
        (500, error(message="create() got an unexpected keyword argument 'stream_options'"), {"stream_options"}),
        (400, error(message="We keep tools in our store; instructions follow. That is not supported."), set()),
        (400, error(message="stream_options 不支持"), {"stream_options"}),
        (400, error(message="Stream options are not supported"), {"stream_options"}),
        (400, error(message="unknown field `store`, expected one of `model`, `input`, `instructions`, `tools`"), {"store"}),
        (400, error(message="Unknown parameters: store, instructions"), {"store", "instructions"}),
        (400, error(message="Reasoning is not supported by this model"), {"reasoning"}),
        (400, error(message="registry.example/model does not support tools"), {"tools"}),
        (400, {"message": "bad request", "field": "store"}, {"store"}),
        (400, error(message="property store should not exist"), {"store"}),
        (500, error(message="Something is wrong with stream_options or so"), set()),
        (422, {"detail": [{"type": "string_type", "loc": ["body", "messages", 0], "msg": "Input should be a string",
                           "input": "unsupported parameter: 'store' stream_options"}]}, set()),
        (400, error(message="1 validation error [type=string_type, input_value='unknown stream_options', input_type=str]"),
         set()),
    ],
)  # fmt: skip
def test_the_parameters_that_a_refusal_names_are_found_and_no_others(status: int, body: Any, names: set[str]) -> None:
    found = upstream_error(body, status)
    assert found.parameters | found.mentioned == names


@pytest.mark.parametrize(
    "body", [None, "", b"\xff\xfe", [], [[]], {}, {"error": None}, {"error": {"code": {"a": [1]}}}, {"code": True}, 7,
             "{" * 50_000, {"error": {"message": "x" * 1_000_000}}],
    ids=lambda body: repr(body)[:20],
)  # fmt: skip
def test_no_body_makes_reading_it_fail(body: object) -> None:
    found = upstream_error(body, 400)
    assert found.code == "assistant_refused"


def test_a_refusal_hands_on_no_text_of_the_other_side() -> None:
    found = upstream_error(error(message="the key sk-secret is wrong", code="sk-secret-0123", type="api_error"), 401)
    assert "sk-secret" not in found.message + found.detail


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": {"message": "x", "status_code": 429}}, "assistant_busy"),
        ({"error": {"message": "x", "code": "HTTP_429"}}, "assistant_busy"),
        ({"error": {"message": "x", "code": 402.0}}, "assistant_quota"),
        ({"error": "429 Too Many Requests"}, "assistant_busy"),
        ({"error": {"message": "Rate limit exceeded"}}, "assistant_busy"),
        ({"error": {"message": "Error code: 401 - wrong key"}}, "assistant_misconfigured"),
        ({"error": {"message": "余额不足"}}, "assistant_quota"),
        ({"error": {"message": "4290 things went wrong"}}, "assistant_unavailable"),
    ],
)
def test_a_status_is_found_where_a_stream_tells_it(body: object, code: str) -> None:
    assert upstream_error(body).code == code
