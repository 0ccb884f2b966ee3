"""Makes the assistant that the settings name."""

from __future__ import annotations

from app.assistants.demo import DemoAssistant
from app.assistants.openai_client import new_client
from app.assistants.responses import ResponsesAssistant
from app.chat.interfaces import Assistant
from app.settings import Settings


def assistant_for(settings: Settings) -> Assistant:
    if settings.who_answers == "demo":
        return DemoAssistant(settings.demo_pace, settings.demo_answer)
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    return ResponsesAssistant(
        new_client(key, settings.openai_base_url),
        settings.chat_model or "",
        instructions=settings.instructions,
        max_output_tokens=settings.chat_max_output_tokens,
    )
