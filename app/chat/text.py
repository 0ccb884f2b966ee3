"""Text as every browser and database can take it."""

from __future__ import annotations


def sendable(text: str) -> str:
    """`text` without null characters and without halves of surrogate pairs."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
