"""What is kept, and for how long: old messages go by themselves, contents when they are told to."""

import pytest

from harness.api import expect
from harness.receiver import Receiver, Reply
from harness.server import Server
from harness.waiting import eventually

# A walk through what is old begins every few seconds, and what was kept is looked at again after ten.
GONE = 180.0


@pytest.mark.every_store
def test_messages_go_after_their_time_and_what_was_parked_has_expired():
    settings = {"RETENTION__CONTENT": "3s", "DELIVERY__RETRY_SCHEDULE": "1h"}
    with Receiver() as receiver, Receiver(Reply(500)) as failing, Server(**settings) as server:
        api = server.api
        app = api.application()
        good, parked = api.endpoint(app, receiver.url()), api.endpoint(app, failing.url())
        messages = [api.send(app), api.send(app, payloadRetentionHours=24)]
        eventually(lambda: len(receiver.ids) == len(failing.ids) == 2, what="both came to both")
        assert api.patch(f"/app/{app}/endpoint/{parked}", {"disabled": True}).status_code == 200
        for message in messages:
            eventually(lambda: not _is_there(api, app, message), within=GONE, what="the message is gone")
            assert api.get(f"/app/{app}/attempt/msg/{message}").status_code == 404
        for path in ("msg", f"attempt/endpoint/{good}", f"attempt/endpoint/{parked}", f"endpoint/{parked}/msg"):
            assert expect(200, api.get(f"/app/{app}/{path}"))["data"] == [], path
        counted = ("ringbolt_deliveries_expired_total", "ringbolt_deliveries_failed_total")
        eventually(lambda: [server.metric(name) for name in counted] == [2, 2], what="counted as failed and expired")
        assert expect(200, api.get(f"/app/{app}/endpoint/{parked}/stats"))["fail"] == 2
        assert expect(200, api.get(f"/app/{app}/endpoint/{good}/stats"))["success"] == 2
        young = api.send(app)
        eventually(lambda: young in receiver.ids, what="what is new is delivered")


@pytest.mark.every_store
def test_what_is_still_to_be_tried_outlives_retention_and_is_delivered():
    settings = {"RETENTION__CONTENT": "1s", "DELIVERY__RETRY_SCHEDULE": "2s," * 63 + "2s"}
    with Receiver(Reply(500)) as receiver, Server(**settings) as server:
        api = server.api
        app, other = api.application(), api.application()
        api.endpoint(app, receiver.url())
        kept, witness = api.send(app, payload={"kept": True}), api.send(other)
        eventually(lambda: not _is_there(api, other, witness), within=GONE, what="what nobody wants is gone")
        assert expect(200, api.get(f"/app/{app}/msg/{kept}", with_content="true"))["payload"] == {"kept": True}
        receiver.answer = Reply(200)
        delivered = lambda: any(a.answered == 200 and a.id == kept for a in list(receiver.arrivals))  # noqa: E731
        eventually(delivered, within=GONE, what="delivered after all")
        eventually(lambda: not _is_there(api, app, kept), within=GONE, what="gone when nothing is left to be tried")
        assert server.metric("ringbolt_deliveries_expired_total") == 0


def test_the_file_gives_the_space_of_old_messages_back(tmp_path):
    with Server(tmp_path, RETENTION__CONTENT="10s") as server:
        api = server.api
        app = api.application()
        for _ in range(60):
            last = api.send(app, payload={"pad": "x" * 500_000})
        eventually(lambda: not _is_there(api, app, last), within=GONE, what="the last one is gone")
        eventually(lambda: _upkeep(api) == "resting", within=60, what="all is tidied")
        assert server.stop() == 0
        assert (tmp_path / "ringbolt.db").stat().st_size < 12_000_000, "of thirty million bytes"


@pytest.mark.every_store
def test_a_retention_of_nothing_is_refused():
    server = Server(RETENTION__CONTENT="999ms").spawn()
    try:
        assert server.process.wait(60) == 78
        assert "RINGBOLT_RETENTION__CONTENT" in server.log() and "below 1s" in server.log()
    finally:
        server.close()


def test_expunged_contents_are_in_no_list_and_not_in_the_file(tmp_path):
    said, answered = "not-for-the-archive", "nor-is-this-answer"
    reply = Reply(200, (answered * 2_000).encode(), {"x-answer": answered})
    with Receiver(reply) as receiver, Server(tmp_path) as server:
        api = server.api
        app = api.application()
        endpoint = api.endpoint(app, receiver.url())
        # One that lies in its row, and one that takes pages of its own.
        messages = [api.send(app, payload={"said": said * times}) for times in (1, 2_000)]
        attempts = [eventually(lambda: api.attempts(app, message), what="tried")[0]["id"] for message in messages]
        assert server.stop() == 0
        assert _traces(tmp_path, said) and _traces(tmp_path, answered), "it was written as it is"
        server.start()
        for message, attempt in zip(messages, attempts):
            assert api.delete(f"/app/{app}/msg/{message}/content").status_code == 204
            assert api.delete(f"/app/{app}/msg/{message}/attempt/{attempt}/content").status_code == 204
            refused = api.post(f"/app/{app}/msg/{message}/endpoint/{endpoint}/resend")
            assert (refused.status_code, refused.json()["code"]) == (400, "missing_payload")
        for path in (
            "msg",
            f"endpoint/{endpoint}/msg",
            f"attempt/endpoint/{endpoint}",
            *(f"msg/{message}" for message in messages),
            *(f"attempt/msg/{message}" for message in messages),
        ):
            listed = api.get(f"/app/{app}/{path}", with_content="true", with_msg="true")
            assert listed.status_code == 200 and said not in listed.text and answered not in listed.text, path
        assert {a["response"] for m in messages for a in api.attempts(app, m, with_content="true")} == {"EXPUNGED"}
        assert server.stop() == 0
        assert not _traces(tmp_path, said) and not _traces(tmp_path, answered)


def _is_there(api, app, message):
    return api.get(f"/app/{app}/msg/{message}").status_code != 404


def _upkeep(api):
    return {worker["name"]: worker["state"] for worker in api.get("/health").json()["workers"]}["upkeep"]


def _traces(folder, text):
    """The files of the store that hold this text anywhere."""
    return [file.name for file in folder.glob("ringbolt.db*") if text.encode() in file.read_bytes()]
