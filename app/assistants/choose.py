"""Makes the assistant that the settings name."""

from __future__ import annotations

from typing import Any

import openai

from app.assistants.chat_completions import ChatAssistant
from app.assistants.conversation_state import ConversationAssistant
from app.assistants.demo import DemoAssistant
from app.assistants.fallback import ResponsesOrChat
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.assistants.threads import ThreadsAssistant
from app.chat.interfaces import Assistant, Forgetful
from app.settings import Settings


def assistant_for(settings: Settings) -> Assistant:
    """`settings.who_answers`, with its options."""
    if settings.who_answers == "demo":
        return DemoAssistant(settings.demo_pace, settings.demo_answer)
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    client = new_client(key, settings.openai_base_url)
    if settings.who_answers == "threads":
        return ThreadsAssistant(client, settings.assistant_id or "", **_options(settings))
    if settings.who_answers == "chat":
        return _chat(client, settings)
    responses = ResponsesAssistant(client, settings.chat_model or "", **_options(settings), **_tools(settings))
    if settings.chat_state == "conversation":
        return ConversationAssistant(client, responses)
    return ResponsesOrChat(responses, _chat(client, settings)) if settings.assistant == "auto" else responses


def forgetful(assistant: Assistant) -> Forgetful | None:
    """The assistant, if it keeps something on the other side that can be deleted there."""
    return assistant if isinstance(assistant, Forgetful) else None


def _chat(client: openai.OpenAI, settings: Settings) -> ChatAssistant:
    # Newer models of OpenAI refuse the old name, most other servers know only that.
    limit_name = "max_tokens" if settings.openai_base_url else "max_completion_tokens"
    return ChatAssistant(client, settings.chat_model or "", **_options(settings), limit_name=limit_name)


def _options(settings: Settings) -> dict[str, Any]:
    options = {"instructions": settings.instructions, "max_output_tokens": settings.chat_max_output_tokens}
    return {name: value for name, value in options.items() if value}


def _tools(settings: Settings) -> dict[str, Any]:
    stores = list(settings.chat_vector_store_ids)
    return {"tools": [{"type": "file_search", "vector_store_ids": stores}]} if stores else {}
