"""Makes the assistant that the settings name."""

from __future__ import annotations

from typing import Any

import openai

from app.assistants.chat_completions import ChatAssistant
from app.assistants.conversation_state import ConversationAssistant
from app.assistants.demo import DemoAssistant
from app.assistants.fallback import ResponsesOrChat
from app.assistants.learned import Learned
from app.assistants.openai_client import new_client, translated
from app.assistants.responses import ResponsesAssistant
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Assistant, Forgetful
from app.settings import Settings

AFTER_THE_DEADLINE = 10.0
"""Seconds that a request waits for a byte longer than a turn may take."""
A_FEW_TOKENS = 64
LIST_WITHIN = 10.0
"""Seconds that the list of models may take."""


def assistant_for(settings: Settings, learned: Learned | None = None) -> Assistant:
    """`settings.who_answers`, with its options. `learned`: what earlier turns found out about its model."""
    if settings.who_answers == "demo":
        return DemoAssistant(settings.demo_pace, settings.demo_answer)
    learned = learned or Learned()
    client = _client(settings)
    if settings.who_answers == "threads":
        return ThreadsAssistant(client, settings.assistant_id or "", **_options(settings), learned=learned)
    if settings.who_answers == "chat":
        return _chat(client, settings, learned)
    options = _options(settings) | _tools(settings) | _reasoning(settings)
    responses = ResponsesAssistant(client, settings.chat_model or "", learned=learned, **options)
    if settings.chat_state == "conversation":
        return ConversationAssistant(client, responses, learned)
    if settings.assistant != "auto":
        return responses
    return ResponsesOrChat(responses, _chat(client, settings, learned), learned)


def offering_a_function(settings: Settings, api: str, learned: Learned) -> Assistant:
    """The same model by the same API ("responses" or "chat"), offered a function. Refused, it is in `learned`."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "weather_in", "description": "The weather in a city.", "parameters": parameters}
    client, model = _client(settings), settings.chat_model or ""
    options: dict[str, Any] = {"max_output_tokens": A_FEW_TOKENS, "learned": learned}
    if api == "chat":
        return ChatAssistant(client, model, tools=[{"type": "function", "function": function}], **options)
    return ResponsesAssistant(client, model, tools=[{"type": "function", **function}], **options)


def models_at(settings: Settings) -> list[str]:
    """The names of the models that the server says it has. Raises `AssistantError`."""
    with translated():
        page = _client(settings).models.list(timeout=LIST_WITHIN)
        return [model.id for model in page.data or () if isinstance(getattr(model, "id", None), str)]


def forgetful(assistant: Assistant) -> Forgetful | None:
    """The assistant, if it keeps something on the other side that can be deleted there."""
    return assistant if isinstance(assistant, Forgetful) else None


def _client(settings: Settings) -> openai.OpenAI:
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    # The turn's deadline comes first, and tells the visitor better what happened.
    return new_client(key, settings.openai_base_url, settings.turn_deadline + AFTER_THE_DEADLINE)


def _chat(client: openai.OpenAI, settings: Settings, learned: Learned) -> ChatAssistant:
    # Newer models of OpenAI refuse the old name, most other servers know only that. The other one is tried, too.
    limit_name = "max_tokens" if settings.openai_base_url else "max_completion_tokens"
    options = _options(settings)
    return ChatAssistant(client, settings.chat_model or "", **options, limit_name=limit_name, learned=learned)


def _options(settings: Settings) -> dict[str, Any]:
    options = {"instructions": settings.instructions, "max_output_tokens": settings.chat_max_output_tokens}
    return {name: value for name, value in options.items() if value}


def _reasoning(settings: Settings) -> dict[str, Any]:
    # OpenAI's own models show no more of their reasoning than a summary, and that when they are asked for it.
    return {"reasoning": {"summary": "auto"}} if settings.show_reasoning else {}


def _tools(settings: Settings) -> dict[str, Any]:
    stores = list(settings.chat_vector_store_ids)
    return {"tools": [{"type": "file_search", "vector_store_ids": stores}]} if stores else {}
