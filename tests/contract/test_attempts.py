"""Attempts through the official Python SDK: what was tried, what came back, trying again."""

from datetime import datetime, timedelta, timezone

import pytest
from svix.api import (
    EndpointIn,
    MessageAttemptListAttemptedDestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
    MessageIn,
    MessageStatus,
    StatusCodeClass,
)

from harness.receiver import Reply
from harness.sdk import refused, walk
from harness.waiting import eventually

pytestmark = pytest.mark.every_store


@pytest.fixture
def story(svix, app, receiver):
    """Two messages to two endpoints, one of which answers 400 to everything."""
    receiver.answers = {"/good": Reply(201, b"thanks"), "/bad": Reply(418, b"I am a teapot")}
    good = svix.endpoint.create(app, EndpointIn(url=receiver.url("/good"))).id
    bad = svix.endpoint.create(app, EndpointIn(url=receiver.url("/bad"))).id
    messages = [
        svix.message.create(app, MessageIn(event_type=f"a.{n}", payload={"n": n}, channels=[f"c{n}"])).id for n in range(2)
    ]

    def settled():
        listed = [svix.message_attempt.list_attempted_destinations(app, one).data for one in messages]
        return all(sorted(d.status for d in one) == [MessageStatus.SUCCESS, MessageStatus.FAIL] for one in listed)

    eventually(settled, what="one success and one failure for each message")
    return app, good, bad, messages


def test_an_attempt_says_what_was_tried_and_what_came_back(svix, story, receiver):
    app, good, _, messages = story
    listed = svix.message_attempt.list_by_msg(
        app, messages[0], MessageAttemptListByMsgOptions(endpoint_id=good, with_content=True)
    )
    (attempt,) = listed.data
    assert attempt.id.startswith("atmpt_") and len(attempt.id) == 33
    assert (attempt.msg_id, attempt.endpoint_id, attempt.url) == (messages[0], good, receiver.url("/good"))
    assert (attempt.response, attempt.response_status_code) == ("thanks", 201)
    assert (attempt.status, attempt.status_text, attempt.trigger_type) == (0, "success", 0)
    assert 0 <= attempt.response_duration_ms < 3_000
    assert abs(attempt.timestamp - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert svix.message_attempt.get(app, messages[0], attempt.id) in (attempt, attempt.model_copy(update={"response": ""}))


def test_lists_by_message_and_endpoint_filter_and_page(svix, story):
    app, good, bad, messages = story
    by_message = lambda options: svix.message_attempt.list_by_msg(app, messages[0], options)  # noqa: E731
    everything = [a for page in walk(by_message, MessageAttemptListByMsgOptions, 2) for a in page]
    assert len(everything) == 1 + 4, "one success; a first try and three retries that failed"
    assert [a.id for a in everything] == sorted((a.id for a in everything), reverse=True), "newest first"
    assert {a.status for a in by_message(MessageAttemptListByMsgOptions(status=MessageStatus.FAIL)).data} == {2}
    by_endpoint = lambda options: svix.message_attempt.list_by_endpoint(app, bad, options)  # noqa: E731
    assert len([a for page in walk(by_endpoint, MessageAttemptListByEndpointOptions, 3) for a in page]) == 8
    client_errors = MessageAttemptListByEndpointOptions(status_code_class=StatusCodeClass.CODE4XX)
    assert len(by_endpoint(client_errors).data) == 8
    server_errors = MessageAttemptListByEndpointOptions(status_code_class=StatusCodeClass.CODE5XX)
    assert by_endpoint(server_errors).data == []
    assert {a.msg_id for a in by_endpoint(MessageAttemptListByEndpointOptions(event_types=["a.1"])).data} == {messages[1]}
    assert {a.msg_id for a in by_endpoint(MessageAttemptListByEndpointOptions(channel="c0")).data} == {messages[0]}
    future = datetime.now(timezone.utc) + timedelta(minutes=5)
    assert by_endpoint(MessageAttemptListByEndpointOptions(after=future)).data == []
    assert len(by_endpoint(MessageAttemptListByEndpointOptions(before=future)).data) == 8


def test_what_an_endpoint_was_sent(svix, story):
    app, good, bad, messages = story
    sent = lambda endpoint: lambda options: svix.message_attempt.list_attempted_messages(app, endpoint, options)  # noqa: E731
    pages = walk(sent(bad), MessageAttemptListAttemptedMessagesOptions, 1)
    assert [m.id for page in pages for m in page] == messages[::-1]
    one = pages[0][0]
    assert (one.status, one.status_text, one.event_type, one.next_attempt) == (2, "fail", "a.1", None)
    full = sent(good)(MessageAttemptListAttemptedMessagesOptions(with_content=True)).data
    assert [(m.status, m.payload) for m in full] == [(0, {"n": 1}), (0, {"n": 0})]
    failed = MessageAttemptListAttemptedMessagesOptions(status=MessageStatus.FAIL)
    assert (sent(good)(failed).data, len(sent(bad)(failed).data)) == ([], 2)


def test_where_a_message_went(svix, story):
    app, good, bad, messages = story
    fetch = lambda options: svix.message_attempt.list_attempted_destinations(app, messages[0], options)  # noqa: E731
    pages = walk(fetch, MessageAttemptListAttemptedDestinationsOptions, 1)
    found = {d.id: d for page in pages for d in page}
    assert set(found) == {good, bad}
    assert (found[good].status_text, found[bad].status_text) == ("success", "fail")


def test_resend_tries_again_as_a_manual_attempt(svix, api, story, receiver):
    app, _, bad, messages = story
    receiver.answers["/bad"] = Reply(200, b"better")
    answer = api.post(f"/app/{app}/msg/{messages[0]}/endpoint/{bad}/resend")
    assert (answer.status_code, answer.json()) == (202, {})
    eventually(lambda: api.destinations(app, messages[0])[bad]["status"] == 0, what="delivered after all")
    newest = svix.message_attempt.list_by_msg(app, messages[0]).data[0]
    assert (newest.trigger_type, newest.status, newest.endpoint_id) == (1, 0, bad)
    svix.message_attempt.resend(app, messages[1], bad)
    eventually(lambda: api.destinations(app, messages[1])[bad]["status"] == 0)


def test_what_was_expunged_cannot_be_resent(svix, story):
    app, good, _, messages = story
    svix.message.expunge_content(app, messages[0])
    with refused(400, "missing_payload"):
        svix.message_attempt.resend(app, messages[0], good)


def test_an_attempts_content_can_be_expunged(svix, story):
    app, good, _, messages = story
    only = MessageAttemptListByMsgOptions(endpoint_id=good, with_content=True)
    attempt = svix.message_attempt.list_by_msg(app, messages[0], only).data[0]
    assert svix.message_attempt.expunge_content(app, messages[0], attempt.id) is None
    again = svix.message_attempt.list_by_msg(app, messages[0], only).data[0]
    assert again.response == "EXPUNGED" and again.response_status_code == 201


def test_a_refused_connection_has_its_own_word_and_status_zero(svix, app, receiver):
    receiver.close()
    made = svix.endpoint.create(app, EndpointIn(url=receiver.url())).id
    message = svix.message.create(app, MessageIn(event_type="a.b", payload={})).id
    listing = MessageAttemptListByMsgOptions(with_content=True)
    attempts = eventually(lambda: svix.message_attempt.list_by_msg(app, message, listing).data)
    assert (attempts[0].response_status_code, attempts[0].status, attempts[0].endpoint_id) == (0, 2, made)
    assert "refused" in attempts[0].response.lower()


def test_strangers_are_not_found(svix, story):
    app, good, _, messages = story
    nobody = "atmpt_" + "0" * 27
    with refused(404, "not_found"):
        svix.message_attempt.get(app, messages[0], nobody)
    with refused(404, "not_found"):
        svix.message_attempt.list_by_endpoint(app, "ep_" + "0" * 27)
    with refused(404, "not_found"):
        svix.message_attempt.resend(app, messages[0], "ep_" + "0" * 27)
    with refused(404, "not_found"):
        svix.message_attempt.list_by_msg(app, "msg_" + "0" * 27)


def test_attempts_of_an_endpoint_come_with_their_messages(svix, app, receiver):
    made = svix.endpoint.create(app, EndpointIn(url=receiver.url())).id
    sent = svix.message.create(app, MessageIn(event_type="w.m", payload={"secret": 1}, channels=["c"])).id
    options = MessageAttemptListByEndpointOptions(with_msg=True)
    listed = eventually(lambda: svix.message_attempt.list_by_endpoint(app, made, options).data)
    message = listed[0].msg
    assert (message.id, message.event_type, message.channels, message.payload) == (sent, "w.m", ["c"], {})
    assert svix.message_attempt.list_by_endpoint(app, made).data[0].msg is None
