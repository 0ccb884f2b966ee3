from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assistants.content import split_content, thoughts_of
from app.assistants.think_tags import ThinkTags, without_thoughts
from app.chat.interfaces import Delta, TakenBack


def read(*deltas: str) -> tuple[str, str, bool]:
    """(text, thoughts, whether text was taken back) of a text in deltas."""
    tags = ThinkTags()
    text, thoughts, taken_back = "", "", False
    for event in [event for delta in deltas for event in tags.feed(delta)] + list(tags.end()):
        if isinstance(event, TakenBack):
            text, taken_back = "", True
        elif isinstance(event, Delta):
            text += event.text
        else:
            thoughts += event.text
    assert text == tags.said
    return text, thoughts, taken_back


CASES = [
    ("<think>Let me see.</think>Hello.", "Hello.", "Let me see."),
    ("\n<think>\nLet me see.\n</think>\n\nHello.", "Hello.", "\nLet me see.\n"),
    ("<THINK>a</THINK>b", "b", "a"),
    ("[THINK]a[/THINK]b", "b", "a"),
    ("<thinking>a</thinking><reasoning>b</reasoning>c", "c", "ab"),
    ("<seed:think>a</seed:think>b", "b", "a"),
    ("Hello <b> and 1 < 2", "Hello <b> and 1 < 2", ""),
    ("    indented <think> code", "    indented <think> code", ""),
    ("Write `<think>` and `</think>` around it.", "Write `<think>` and `</think>` around it.", ""),
    ("```\n<think>\nx\n</think>\n```\nis an example", "```\n<think>\nx\n</think>\n```\nis an example", ""),
    ("Sure.\n<think>\nhm\n</think>\nYes.", "Sure.\nYes.", "\nhm\n"),
    ("A line.\n<think> is a tag that nobody closes", "A line.\n<think> is a tag that nobody closes", ""),
    ("<think>only thoughts", "", "only thoughts"),
    ('<think time="3">a</think>b', "b", "a"),
    ("◁think▷a◁/think▷b", "b", "a"),
    ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b", "b", "a"),
    ("<|channel|>final<|message|>b", "b", ""),
    ("<think>It ends with `</think>`, I know.</think>b", "b", "It ends with `</think>`, I know."),
    ("~~~\n<think>\nx\n</think>\n~~~\nis it", "~~~\n<think>\nx\n</think>\n~~~\nis it", ""),
    ("````\n```\n<think>\nx\n</think>\n````", "````\n```\n<think>\nx\n</think>\n````", ""),
    ("So:\n    <think>\n    </think>", "So:\n    <think>\n    </think>", ""),
    ("the </think> tag, or '</think>', or (</think>).", "the </think> tag, or '</think>', or (</think>).", ""),
    ("<think></think>Hello", "Hello", ""),
    ("ends with <", "ends with <", ""),
    ("ends with </thin", "ends with </thin", ""),
    ("", "", ""),
    ("\n\n", "", ""),
]


@pytest.mark.parametrize(("whole", "text", "thoughts"), CASES)
def test_thoughts_in_tags_are_taken_out_wherever_the_deltas_are_cut(whole: str, text: str, thoughts: str) -> None:
    assert read(whole)[:2] == (text, thoughts)
    assert read(*whole)[:2] == (text, thoughts)
    for cut in range(len(whole)):
        assert read(whole[:cut], whole[cut:])[:2] == (text, thoughts)
    assert without_thoughts(whole) == text


@given(st.data())
def test_a_text_without_tags_is_what_was_given(data: st.DataObject) -> None:
    text = data.draw(
        st.text("ab <>/[]\n`think", max_size=60).filter(lambda t: not re.search("think[>\\]]", t) and t.strip())
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    deltas = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    assert read(*deltas) == (text, "", False)


@pytest.mark.parametrize("whole", ["I wonder.\nYes.\n</think>\n\nHello.", "</think>Hello.", "I wonder.</think>Hello."])
def test_a_closing_tag_alone_makes_all_before_it_a_thought(whole: str) -> None:
    assert without_thoughts(whole) == "Hello."
    text, thoughts, taken_back = read(*whole)
    assert text == "Hello."
    assert taken_back == whole.startswith("I")
    assert thoughts.strip() == whole.partition("</think>")[0].strip()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("text", ("text", "")),
        (None, ("", "")),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ("ab", "")),
        ([{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "a"}], ("a", "hm")),
        ({"type": "output_text", "text": "a"}, ("a", "")),
        ([{"type": "text", "text": {"value": "a"}}], ("a", "")),
        (["a", "b"], ("ab", "")),
        ([{"type": "image_url", "image_url": {"url": "x"}}, 7, None], ("", "")),
    ],
)  # fmt: skip
def test_content_is_a_string_or_parts(content: object, found: tuple[str, str]) -> None:
    assert split_content(content) == found


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "hm"}, {"reasoning": "hm"}, {"reasoning_content": None, "reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.text", "text": "m"}]},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
    ],
)  # fmt: skip
def test_reasoning_is_found_under_each_of_its_names_once(fields: dict[str, object]) -> None:
    assert thoughts_of(fields) == "hm"
