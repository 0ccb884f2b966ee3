"""Assistants v2, as the official SDK reads them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.beta import AssistantStreamEvent

from . import raw_http
from .openai_server import OpenAIServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def new_thread(client: openai.OpenAI, *texts: str) -> str:
    thread = client.beta.threads.create().id
    for text in texts:
        client.beta.threads.messages.create(thread, role="user", content=text)
    return thread


def streamed(client: openai.OpenAI, thread: str, **more: Any) -> list[AssistantStreamEvent]:
    return list(client.beta.threads.runs.create(thread, assistant_id="asst_1", stream=True, **more))


def text_of(events: list[AssistantStreamEvent]) -> str:
    deltas = [event.data.delta for event in events if event.event == "thread.message.delta"]
    parts = [part for delta in deltas for part in delta.content or []]
    return "".join((part.text.value or "") for part in parts if part.type == "text" and part.text)


def newest(client: openai.OpenAI, thread: str) -> Any:
    return client.beta.threads.messages.list(thread).data[0]


def run_id(event: AssistantStreamEvent) -> str:
    assert event.event == "thread.run.created"
    return event.data.id


def test_a_run_streams_every_event_in_order(client: openai.OpenAI) -> None:
    events = streamed(client, new_thread(client, "Hi"))
    names = [event.event for event in events if event.event != "thread.message.delta"]
    assert names == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    assert text_of(events) == "You said: Hi. This is turn 1 of our conversation."
    for event in events:
        type(event).model_validate(event.model_dump())  # the SDK itself does not check


def test_a_run_ends_with_done(upstream: OpenAIServer) -> None:
    last = raw_http.events(raw_http.run(upstream, "Hi").body)[-1]
    assert (last.name, last.text) == ("done", "[DONE]")


def test_a_thread_keeps_the_history(client: openai.OpenAI) -> None:
    thread = new_thread(client, "One")
    streamed(client, thread)
    client.beta.threads.messages.create(thread, role="user", content="Two")
    last = streamed(client, thread)[-1]
    assert last.event == "thread.run.completed"
    assert last.data.usage is not None
    texts = [message.content[0] for message in client.beta.threads.messages.list(thread, order="asc")]
    assert [text.text.value for text in texts if text.type == "text"] == [
        "One",
        "You said: One. This is turn 1 of our conversation.",
        "Two",
        "You said: Two. This is turn 2 of our conversation; before it you said: One.",
    ]


def test_messages_come_in_pages(client: openai.OpenAI) -> None:
    thread = new_thread(client, *(f"m{number}" for number in range(7)))
    page = client.beta.threads.messages.list(thread, limit=3)
    assert (len(page.data), page.has_next_page()) == (3, True)
    assert len(list(page)) == 7


def test_history_can_be_given_with_the_thread_and_with_the_run(client: openai.OpenAI) -> None:
    first: Any = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Yes"}]
    thread = client.beta.threads.create(messages=first).id
    events = streamed(client, thread, additional_messages=[{"role": "user", "content": "Two"}])
    assert text_of(events).endswith("before it you said: One.")


def test_a_run_without_stream_completes_by_itself(upstream: OpenAIServer, client: openai.OpenAI) -> None:
    thread = new_thread(client, "Hi")
    run = client.beta.threads.runs.create(thread, assistant_id="asst_1")
    read = client.beta.threads.runs.retrieve
    upstream.wait_until(lambda: read(run.id, thread_id=thread).status == "completed")


def test_an_active_run_keeps_others_and_messages_out_until_it_is_cancelled(client: openai.OpenAI) -> None:
    thread = new_thread(client, "Hi [[stall=60]]")
    stream = iter(client.beta.threads.runs.create(thread, assistant_id="asst_1", stream=True))
    run = run_id(next(stream))
    with pytest.raises(openai.BadRequestError, match="already has an active run"):
        streamed(client, thread)
    with pytest.raises(openai.BadRequestError, match="Can't add messages"):
        client.beta.threads.messages.create(thread, role="user", content="More")
    assert client.beta.threads.runs.cancel(run, thread_id=thread).status == "cancelling"
    assert [event.event for event in stream][-1] == "thread.run.cancelled"
    assert newest(client, thread).incomplete_details.reason == "run_cancelled"
    with pytest.raises(openai.BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        client.beta.threads.runs.cancel(run, thread_id=thread)


def test_a_run_goes_on_when_its_client_leaves(upstream: OpenAIServer, client: openai.OpenAI) -> None:
    thread = new_thread(client, "Hi [[deltas=30]] [[delay=0.01]]")
    stream = client.beta.threads.runs.create(thread, assistant_id="asst_1", stream=True)
    run = run_id(next(iter(stream)))
    stream.close()
    upstream.wait_until(lambda: upstream.client_closed == [run])
    read = client.beta.threads.runs.retrieve
    assert read(run, thread_id=thread).status == "in_progress"
    upstream.wait_until(lambda: read(run, thread_id=thread).status == "completed")
    assert newest(client, thread).content[0].text.value.endswith("w30")


def test_a_cut_run_stays_active_until_it_is_cancelled(client: openai.OpenAI) -> None:
    thread = new_thread(client, "Hi [[cut]] [[cancel_polls=2]]")
    with pytest.raises(openai.APIConnectionError):
        streamed(client, thread)
    run = client.beta.threads.runs.list(thread).data[0]
    assert run.status == "in_progress"
    client.beta.threads.runs.cancel(run.id, thread_id=thread)
    read = client.beta.threads.runs.retrieve
    seen = [read(run.id, thread_id=thread).status for _ in range(3)]
    assert seen == ["cancelling", "cancelling", "cancelled"]
    client.beta.threads.messages.create(thread, role="user", content="On we go")
    assert streamed(client, thread)[-1].event == "thread.run.completed"


@pytest.mark.parametrize("ending", ["cut", "end"])
def test_or_it_finishes_although_its_stream_was_lost(client: openai.OpenAI, ending: str) -> None:
    thread = new_thread(client, f"Hi [[{ending}]] [[finishes]]")
    if ending == "cut":
        with pytest.raises(openai.APIConnectionError):
            streamed(client, thread)
    else:
        assert streamed(client, thread)[-1].event == "thread.message.delta"
    assert client.beta.threads.runs.list(thread).data[0].status == "completed"
    assert newest(client, thread).status == "completed"


def test_a_run_that_requires_action_goes_on_with_all_tool_outputs(client: openai.OpenAI) -> None:
    thread = new_thread(client, "Go [[tool=2]] [[parallel=2]]")
    event = streamed(client, thread)[-1]
    for _ in range(2):
        assert event.event == "thread.run.requires_action"
        assert event.data.required_action is not None
        calls = event.data.required_action.submit_tool_outputs.tool_calls
        submit: Any = client.beta.threads.runs.submit_tool_outputs
        outputs = [{"tool_call_id": call.id, "output": "no"} for call in calls]
        with pytest.raises(openai.BadRequestError, match="Expected tool outputs for call_ids"):
            submit(event.data.id, thread_id=thread, tool_outputs=outputs[:1], stream=True)
        events = list(submit(event.data.id, thread_id=thread, tool_outputs=outputs, stream=True))
        event = events[-1]
    assert event.event == "thread.run.completed"
    assert text_of(events).endswith("The tool said: no | no | no | no.")


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled", "expired"])
def test_a_run_can_end_in_every_way(client: openai.OpenAI, status: str) -> None:
    last = streamed(client, new_thread(client, f"Hi [[{status}]]"))[-1]
    assert last.event == f"thread.run.{status}"
    run: Any = last.data
    assert run.status == status
    assert (run.last_error is not None) == (status == "failed")
    assert (run.incomplete_details is not None) == (status == "incomplete")


def test_an_error_event_ends_the_run(upstream: OpenAIServer) -> None:
    for ending in ("error_flat", "error_nested"):
        sent = raw_http.events(raw_http.run(upstream, f"Hi [[{ending}]]").body)
        assert [event.name for event in sent[-2:]] == ["error", "done"]
        assert ("error" in sent[-2].data) == (ending == "error_nested")


def test_citations_come_with_a_delta_and_in_the_message(client: openai.OpenAI) -> None:
    thread = new_thread(client, "Hi [[cite]]")
    streamed(client, thread)
    text = newest(client, thread).content[0].text
    [note] = text.annotations
    assert text.value[note.start_index : note.end_index] == note.text == "【4:0†policy.pdf】"
    assert client.files.retrieve(note.file_citation.file_id).filename == "policy.pdf"


def test_a_deleted_thread_is_gone_and_so_is_one_that_never_was(client: openai.OpenAI) -> None:
    thread = new_thread(client, "Hi")
    assert client.beta.threads.delete(thread).deleted
    for ident in (thread, "thread_never"):
        with pytest.raises(openai.NotFoundError, match="No thread found"):
            client.beta.threads.messages.create(ident, role="user", content="Hi")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "assistant_id"),
        ({"assistant_id": "gpt-x"}, "assistant_id"),
        ({"assistant_id": "asst_1", "max_completion_tokens": 5}, "max_completion_tokens"),
    ],
)
def test_a_malformed_run_is_refused(upstream: OpenAIServer, body: dict[str, Any], param: str) -> None:
    thread = raw_http.ask(upstream, "/threads", {}).json["id"]
    reply = raw_http.ask(upstream, f"/threads/{thread}/runs", body)
    assert (reply.status, reply.json["error"]["param"]) == (400, param)
