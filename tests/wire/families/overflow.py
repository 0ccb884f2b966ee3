"""What servers say to a request that is too long for their model: as changes of a Scenario. Pure.

Sources, by the words' name. llamacpp, ollama_json: public clients of ggml-org/llama.cpp tools/server that quote it.
vllm: vllm-project/vllm#20409. vllm_flat: open-compass/opencompass#1824. sglang: QwenLM/Qwen3#1321,
sgl-project/sglang#12081. lmstudio: lmstudio-ai/lmstudio-bug-tracker#237, #2322. litellm, anthropic:
OpenHands/OpenHands#5350. gemini: BerriAI/litellm#18282. openrouter: refly-ai/refly#1177. ollama, mistral, groq, xai,
bedrock, qwen, kimi: the lists of wordings that public clients keep. databricks: hearsay.
"""

from __future__ import annotations

import json
from typing import Any

ANTHROPIC = (
    '{{"type":"error","error":{{"type":"invalid_request_error",'
    '"message":"prompt is too long: {asked} tokens > {limit} maximum"}}}}'
)
MAXIMUM = "This model's maximum context length is {limit} tokens. However, you requested {asked} tokens"
PLAIN: dict[str, Any] = {"code": "null", "param": "null"}
WORDS: dict[str, dict[str, Any]] = {
    "openai": {"code": "context_length_exceeded"},
    "openai_chat": {
        "code": "context_length_exceeded",
        "param": "messages",
        "message": "This model's maximum context length is {limit} tokens. However, your messages resulted in {asked} "
        "tokens. Please reduce the length of the messages.",
    },
    "llamacpp": {
        "code": 400,
        "error_type": "exceed_context_size_error",
        "param": "absent",
        "message": "request ({asked} tokens) exceeds the available context size ({limit} tokens), try increasing it",
        "error_extra": '{{"n_prompt_tokens":{asked},"n_ctx":{limit}}}',
    },
    "vllm": {
        "code": 400,
        "error_type": "BadRequestError",
        "param": "null",
        "message": f"{MAXIMUM} ({{asked}} in the messages, 0 in the completion). Please reduce the length of the "
        "messages or completion.",
    },
    "sglang": {
        "code": 400,
        "error_type": "BadRequestError",
        "param": "null",
        "message": "The input ({asked} tokens) is longer than the model's context length ({limit} tokens).",
        "error_body": "flat",
    },
    "ollama": PLAIN | {"message": "prompt too long; exceeded max context length by {over} tokens"},
    "lmstudio": PLAIN
    | {
        "error_type": "internal_error",
        "message": "Trying to keep the first {asked} tokens when context the overflows. However, the model is loaded "
        "with context length of only {limit} tokens, which is not enough. Try to load the model with a larger context "
        "length, or provide a shorter input. Error Data: n/a, Additional Data: n/a",
    },
    "litellm": {
        "code": "400",
        "error_type": "null",
        "param": "null",
        "message": "litellm.BadRequestError: litellm.ContextWindowExceededError: OpenAIException - "
        f"{MAXIMUM}. Received Model Group=model\nAvailable Model Group Fallbacks=None",
    },
    "anthropic": {
        "code": "400",
        "error_type": "null",
        "param": "null",
        "message": f"litellm.BadRequestError: AnthropicException - {ANTHROPIC}. Received Model Group=model",
    },
    "mistral": {
        "code": "3051",
        "error_type": "invalid_request_prompt",
        "param": "null",
        "message": "Prompt contains {asked} tokens and 0 draft tokens, too large for model with {limit} maximum "
        "context length",
        "error_body": "flat",
    },
    "gemini": {
        "code": 400,
        "error_type": "absent",
        "param": "absent",
        "message": "The input token count ({asked}) exceeds the maximum number of tokens allowed ({limit}).",
        "error_extra": '{{"status":"INVALID_ARGUMENT"}}',
        "error_body": "list",
    },
    "databricks": {
        "code": "BAD_REQUEST",
        "message": "Bad request: prompt token count ({asked}) cannot exceed {limit}.\n",
        "error_body": "error_code",
    },
    "openrouter": {
        "code": 400,
        "error_type": "absent",
        "param": "absent",
        "message": "This endpoint's maximum context length is {limit} tokens. However, you requested about {asked} "
        'tokens ({asked} of text input). Please reduce the length of either one, or use the "middle-out" transform to '
        "compress your prompt automatically.",
    },
    "groq": {
        "code": "context_length_exceeded",
        "param": "messages",
        "message": "Please reduce the length of the messages or completion.",
    },
    "xai": PLAIN
    | {"message": "This model's maximum prompt length is {limit} but the request contains {asked} tokens."},
    "bedrock": PLAIN | {"message": "Input is too long for requested model."},
    "qwen": {
        "code": "invalid_parameter_error",
        "param": "null",
        "message": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, {limit}]",
    },
    "kimi": PLAIN
    | {"message": "Invalid request: Your request exceeded model token limit: {limit} (requested: {asked})"},
}
WORDS["azure"] = WORDS["openai_chat"]
WORDS["vllm_flat"] = WORDS["vllm"] | {"error_body": "flat"}
WORDS["ollama_json"] = PLAIN | {
    "message": '{{"error":{{"code":400,"message":"request ({asked} tokens) exceeds the available context size ({limit} '
    'tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":{asked},"n_ctx":{limit}}}}}'
}
IN_STREAM = ("lmstudio", "sglang")
"""Words that come after a 200 where a stream was asked for."""


def overflow(words: str, chars: int, limit: int, in_stream: bool) -> dict[str, Any]:
    """The changes of a scenario that refuse so many characters, where so many are the limit."""
    if words not in WORDS:
        raise ValueError(f"The double has no words of {words!r} for what is too long; it has {', '.join(WORDS)}.")
    asked, most = chars // 4 + 1, max(1, limit // 4)
    numbers = {"asked": asked, "limit": most, "over": max(1, asked - most)}
    told = {name: value.format(**numbers) if isinstance(value, str) else value for name, value in WORDS[words].items()}
    json.loads(told.get("error_extra") or "{}")
    if not in_stream:
        return {"status": 400, "after": 0, **told}
    return {"ending": "failed" if words == "openai" else "error_nested", "after": 0, **told}
