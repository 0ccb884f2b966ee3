"""SGLang: like vLLM, from which its Responses come, with flat errors and errors within the stream.

Facts from sgl-project/sglang: python/sglang/srt/entrypoints/openai/serving_responses.py, serving_base.py, protocol.py
(ErrorResponse), python/sglang/srt/entrypoints/http_server.py (only Responses nest errors of validation), and the issues
#3912 (finish_reason "" in every chunk) and #12081 (what is too long is told after a 200); QwenLM/Qwen3#1321 has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..frames import Event, Frame, Json
from ..misbehaviour import Refusal
from .base import answering, chunks_only, with_delta
from .vllm import Vllm


class Sglang(Vllm):
    """A release of 2026."""

    name = "sglang"
    routes: ClassVar[tuple[str, ...]] = ("/responses", "/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning_content")
    responses_changes = answering(thoughts_in="reasoning_text")
    overflow_words = "sglang"

    def error(self, status: int, error: Json) -> Json:
        return {"object": "error", **super().error(status, error)}

    def wrapped(self, error: Json) -> Json | list[Json]:
        return error

    def no_model(self, model: str, path: str) -> Refusal:
        del path
        return self.refusal(404, f"The model `{model}` does not exist.", "", "model")

    def invalid(self, errors: list[Json], required: str) -> Refusal:
        refusal = super().invalid(errors, required)
        assert isinstance(refusal.body, dict)
        refusal.body = {"error": refusal.body} if required == "input" else {"object": "error", **refusal.body}
        return refusal

    def chat_frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        first = True
        for frame in super().chat_frames(frames):
            chunk = chunks_only(frame)
            if chunk is None:
                yield frame
                continue
            nulls = dict.fromkeys(("role", "content", "reasoning_content", "tool_calls"))
            choices = [
                choice | {"delta": {**nulls, **choice["delta"]}, "matched_stop": None} for choice in chunk["choices"]
            ]
            chunk = chunk | {"choices": choices}
            if first:
                chunk, first = with_delta(chunk, {"role": "assistant", "content": ""}), False
            yield Event("", chunk, isinstance(frame, Event) and frame.delta)


class SglangOld(Sglang):
    """A release of early 2025 (0.4.3): no Responses, and a reason in every chunk that is none."""

    name = "sglang_0_4"
    routes = ("/chat/completions", "/completions", "/models", "/embeddings")
    chat_changes = answering(thoughts_in="reasoning_content", finish_reason_before="empty")
