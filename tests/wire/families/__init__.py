"""Makes of servers that say that they are compatible with OpenAI, each as strict as it is."""

from __future__ import annotations

from .azure import Azure
from .base import Family
from .databricks import Databricks
from .litellm import LiteLlm
from .llamacpp import LlamaCpp, LlamaCppFirst
from .lmstudio import LmStudio
from .mistral import Mistral
from .ollama import Ollama, OllamaOld
from .sglang import Sglang, SglangOld
from .vllm import Vllm

MAKES: tuple[type[Family], ...] = (
    Family, LlamaCpp, Vllm, Sglang, SglangOld, Ollama, OllamaOld, LmStudio, LiteLlm, Mistral, Azure, Databricks,
)  # fmt: skip
FIRST_RELEASES: tuple[type[Family], ...] = (LlamaCppFirst,)
"""Releases that took only shapes which their successors gave up asking for."""
FAMILIES: dict[str, Family] = {make.name: make() for make in MAKES + FIRST_RELEASES}


def families(route: str = "/chat/completions", *, first_releases: bool = False) -> list[str]:
    """The names of the families that have a route, such as "/responses" or "/conversations"; OpenAI's own is first."""
    makes = MAKES + (FIRST_RELEASES if first_releases else ())
    return [make.name for make in makes if FAMILIES[make.name].has(f"/v1{route}")]


def family_named(name: str) -> Family:
    """The family of this name."""
    if name not in FAMILIES:
        raise ValueError(f"The double knows no family {name!r}; it knows {', '.join(FAMILIES)}.")
    return FAMILIES[name]
