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


def has_text(text: str) -> bool:
    """Whether there is anything to read in it: more than white space and characters without a width."""
    return bool(text.strip().strip("\u200b\u200c\u200d\u2060\ufeff").strip())
