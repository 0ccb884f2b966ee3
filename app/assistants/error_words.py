"""Error vocabulary of model servers: codes, types, and patterns for their sentences.

Collected from the sources and public reports of OpenAI, Azure, llama.cpp, vLLM, SGLang, Ollama, LM Studio, LiteLLM,
OpenRouter, Mistral, Gemini, Anthropic behind gateways, Groq, new-api and others. All in lower case.
"""

from __future__ import annotations

import re

from app.errors import Code


def _words(code: Code, words: str) -> dict[str, Code]:
    return dict.fromkeys(words.split(), code)


BY_CODE: dict[str, Code] = {
    **_words(
        Code.CONTEXT_TOO_LONG,
        """context_length_exceeded exceed_context_size_error context_window_exceeded contextwindowexceedederror
        model_context_window_exceeded prompt_too_long input_too_long request_too_large tokens_limit_reached
        string_above_max_length""",
    ),
    **_words(
        Code.CONTENT_FILTERED,
        """content_filter content_policy_violation contentpolicyviolationerror responsibleaipolicyviolation
        data_inspection_failed moderation_blocked""",
    ),
    **_words(
        Code.ASSISTANT_QUOTA,
        """insufficient_quota insufficient_credits insufficient_balance insufficient_user_quota payment_required
        billing_error billing_hard_limit_reached billing_not_active credit_balance_too_low
        pre_consume_token_quota_failed""",
    ),
    **_words(
        Code.ASSISTANT_BUSY,
        """rate_limit rate_limit_exceeded rate_limit_error ratelimiterror too_many_requests resource_exhausted
        overloaded_error engine_overloaded server_overloaded server_busy throttling conversation_locked""",
    ),
    **_words(
        Code.ASSISTANT_MISCONFIGURED,
        """invalid_api_key authentication_error authenticationerror invalid_authentication unauthenticated unauthorized
        permission_error permission_denied permissiondeniederror no_db_connection""",
    ),
}
"""Codes that say what is wrong, whatever the status."""

MISSING_MODEL = frozenset(
    _words(
        Code.ASSISTANT_MISCONFIGURED,
        """model_not_found modelnotfound modelnotfounderror model_not_exist model_does_not_exist deploymentnotfound
        deployment_not_found no_such_model unknown_model invalid_model""",
    )
)

BY_KIND: dict[str, Code] = {
    **_words(
        Code.ASSISTANT_UNAVAILABLE,
        """server_error internal_error internal_server_error internalservererror api_error apierror upstream_error
        service_unavailable service_unavailable_error serviceunavailableerror bad_gateway timeout_error timeout
        unavailable""",
    ),
    **_words(
        Code.ASSISTANT_REFUSED,
        "invalid_request_error badrequesterror bad_request invalid_argument invalid_request validation_error",
    ),
    **_words(Code.ASSISTANT_MISCONFIGURED, "not_found_error notfounderror not_found"),
}
"""Codes and types that count only where there is no status: a general name says less than a number."""

BY_STATUS = {
    401: Code.ASSISTANT_MISCONFIGURED,
    402: Code.ASSISTANT_QUOTA,
    403: Code.ASSISTANT_MISCONFIGURED,
    404: Code.ASSISTANT_MISCONFIGURED,
    405: Code.ASSISTANT_MISCONFIGURED,
    408: Code.ASSISTANT_UNAVAILABLE,
    409: Code.ASSISTANT_BUSY,
    413: Code.CONTEXT_TOO_LONG,
    429: Code.ASSISTANT_BUSY,
    501: Code.ASSISTANT_MISCONFIGURED,
}
NOT_ABOUT_LENGTH = (401, 402, 403, 404, 405, 429)
"""Statuses at which a sentence about tokens or limits is about something else."""
NO_SUCH_ROUTE = (404, 405, 501)
OBJECTS = ("conversation", "thread", "assistant", "run", "model")
"""Words by which the text of a 404 says that the route is there, and what it was asked for is not."""

OBJECT = re.compile(r"\bvector[ _]stores?\b|\bwith id\b", re.I)
"""Words of a 404 that is about something that a request names besides its model."""

TOO_LONG = re.compile(
    r"""context[ _-]?(length|window|size|limit|overflow) | \bn_ctx\b | max_seq_len | kv\ cache
    | \b(prompt|inputs?|messages?|request|conversation)\ ((\w+\ )?(is|are|was)\ )?too\ (long|large)
    | \b(prompt|input)\ \w+\ too\ (long|large)
    | too\ many\ (input\ |prompt\ |total\ )?tokens
    | \b(max(imum)?|allowed)\ (allowed\ )?(input|prompt|sequence|model)[ _]?(length|len|tokens|size)
    | \b(tokens?(\ count)?|length|inputs?|prompt)\b[^.]{0,80}
      \b(exceeds?|exceeded|cannot\ exceed|(longer|greater|larger|more|less)\ than|over\ the|up\ to)
      \b[^.]{0,80}\b(max(imum)?|limit|context|allowed|tokens?|model|\d{3,})
    | \btoken\ limit\ exceeded | (exceeds?|exceeded)\b[^.]{0,40}\btoken\ limit
    | max_tokens\ must\ be\ at\ least\ 1,\ got\ -
    | reduce\ (the\ |your\ )?((length|size)\ of\ (the\ |your\ )?)?(messages?|prompt|input|conversation)
    | range\ of\ input\ length
    | `inputs`\ (tokens|must)
    | prompt\ exceeds\ max
    | 上下文 | 超长 | 超过.{0,10}(限制|长度)""",
    re.I | re.X,
)
TOO_LARGE = re.compile(r"request too large|reduce your message size|tokens must be reduced", re.I)
"""Said with the code of a rate limit by services that count tokens a minute: no waiting makes such a request fit."""
ANSWER_TOO_LONG = re.compile(r"max_(completion_|output_)?tokens\b['\"`]?[^.]{0,40}\btoo large", re.I)
"""It is the limit of the answer that does not fit."""
MODEL = re.compile(
    r"(invalid|unknown|no such) model\b|\bmodel\b.{0,80}\b(not found|does not exist|not exist)", re.I | re.S
)
"""Words for a missing model. They decide what an operator is told, never whether a route is missing."""
NO_CREDIT = re.compile(
    r"insufficient (balance|credits?|quota|funds)|credit balance is too low|out of credits|余额不足"
    r"|\byour (account|plan)\b[^.]{0,40}\b(exceeded|reached)\b|\b(monthly|daily) (\w+ )?(limit|quota)",
    re.I,
)
TOO_BUSY = re.compile(r"rate limit|too many requests|overloaded", re.I)
FILTERED = re.compile(r"content (management policy|filter|policy violation)|inappropriate content", re.I)
ROUTE = re.compile(
    r"""invalid\ url | not\ implemented | unexpected\ (endpoint|method|route)
    | (unknown|unrecogni[sz]ed|unsupported|invalid)\ (request\ )?(url|endpoint|path|route|api)\b
    | no\ (such\ )?(route|endpoint|handler)\b
    | \b(route|endpoint|path|url|v1/responses)\b[^.]{0,40}
      \b(not\ (be\ )?(found|supported|available|enabled|exist|allowed|permitted)|forbidden|denied|blocked)
    | \bnot\ (supported|available|enabled)[^.]{0,40}\b(v1/responses|responses\ api)\b
    | \bresponses\ api[^.]{0,20}\bnot\ (supported|available|enabled)
    | cannot\ post\ / | missing\ authentication\ token""",
    re.I | re.X,
)
OBJECTION = re.compile(
    r"""unsupported | unrecogni[sz]ed | unknown | unexpected | invalid | extra | additional | deprecated | forbidden
    | not\ (been\ )?(supported|permitted|allowed|recogni[sz]ed|accepted|available|implemented|verified)
    | (does\ not|doesn't|don't|cannot)\ (support|accept|allow|recogni[sz]e|take)
    | no\ longer | must\ be | should\ not | too\ large""",
    re.I | re.X,
)
"""What a refusal says of a parameter that a server does not want."""
INSTEAD = re.compile(
    r"\bexpected\b.*|\buse ['\"`].*"
    r"|\b(allowed|supported|valid|known|available) (fields|parameters|arguments|values|keys)\b.*",
    re.I | re.S,
)
"""From here on a refusal names what it would take."""
SYSTEM_ROLE = re.compile(
    r"""only\ user\ and\ assistant\ roles | roles\ must\ alternate | developer\ instruction | system\ role
    | role:?\ ['"`]?system\b | ['"`]system['"`]\ role | system\ (message|prompt)s?\ (is|are)\ not""",
    re.I | re.X,
)
