"""Two nodes on one database: what one answers, the other knows at once."""

from concurrent.futures import ThreadPoolExecutor

from harness.api import Api, expect
from harness.receiver import Receiver, Reply
from harness.waiting import eventually, never


def test_what_one_accepts_the_other_lists_counts_resends_and_expunges(nodes, receiver):
    one, other = nodes[0].api, nodes[1].api
    app = one.application()
    endpoint = one.endpoint(app, receiver.url())
    message = one.send(app, payload={"n": 1})
    assert expect(200, other.get(f"/app/{app}/msg/{message}"))["payload"] == {"n": 1}
    assert [one["id"] for one in expect(200, other.get(f"/app/{app}/msg"))["data"]] == [message]
    receiver.wait(1)
    eventually(lambda: other.destinations(app, message)[endpoint]["status"] == 0, what="the other sees it delivered")
    assert expect(200, other.get(f"/app/{app}/endpoint/{endpoint}/stats"))["success"] == 1
    expect(202, other.post(f"/app/{app}/msg/{message}/endpoint/{endpoint}/resend"))
    receiver.wait(2)
    eventually(lambda: len(one.attempts(app, message)) == 2, what="the first sees what the other has sent")
    expect(204, other.delete(f"/app/{app}/msg/{message}/content"))
    assert "n" not in expect(200, one.get(f"/app/{app}/msg/{message}"))["payload"]


def test_a_message_obeys_what_was_changed_on_another_node_just_before(nodes, receiver):
    one, other = nodes[0].api, nodes[1].api
    app = one.application()
    one.event_type("another.event")
    other.send(app)  # its routes are known there: none
    for round in range(5):
        endpoint = one.endpoint(app, receiver.url(f"/{round}/first"))
        sent = other.send(app)
        assert list(other.destinations(app, sent)) == [endpoint], "created"
        expect(200, one.patch(f"/app/{app}/endpoint/{endpoint}", {"filterTypes": ["another.event"]}))
        assert not other.destinations(app, other.send(app)), "filtered"
        expect(200, one.patch(f"/app/{app}/endpoint/{endpoint}", {"filterTypes": None, "url": receiver.url(f"/{round}/second")}))
        moved = other.send(app)
        found = receiver.wait(1, f"/{round}/second")
        assert {arrival.id for arrival in found} <= {sent, moved}
        expect(200, one.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": True}))
        parked = other.send(app)
        assert other.destinations(app, parked)[endpoint]["disabled"]
        expect(204, one.delete(f"/app/{app}/endpoint/{endpoint}"))
        assert not other.destinations(app, other.send(app)), "deleted"
        assert parked not in receiver.ids, "disabled"


def test_disabling_and_deleting_stop_the_attempts_of_other_nodes(nodes):
    one, other = nodes[0].api, nodes[1].api
    with Receiver(Reply(500)) as receiver:
        for stop in (
            lambda app, endpoint: one.patch(f"/app/{app}/endpoint/{endpoint}", {"disabled": True}),
            lambda app, endpoint: one.delete(f"/app/{app}/endpoint/{endpoint}"),
            lambda app, endpoint: one.delete(f"/app/{app}"),
        ):
            app = one.application()
            endpoint = one.endpoint(app, receiver.url(f"/{app}"))
            for _ in range(20):
                other.send(app)
            receiver.wait(3, f"/{app}")
            assert stop(app, endpoint).is_success
            stopped = len(receiver.at(f"/{app}"))
            # What was in flight may arrive still; then nothing comes, though retries were due long ago.
            quiet = lambda: not _grows(receiver, f"/{app}", 0.7)  # noqa: E731
            eventually(quiet, within=10, what="the other node stops")
            never(lambda: _grows(receiver, f"/{app}", 0.1), during=1.0, what="an attempt after it stopped")
            assert len(receiver.at(f"/{app}")) <= stopped + 40


def _grows(receiver, path, during):
    before = len(receiver.at(path))
    try:
        never(lambda: len(receiver.at(path)) > before, during=during)
    except AssertionError:
        return True
    return False


def test_a_key_that_was_revoked_elsewhere_is_refused(nodes):
    one, other = nodes[0].api, nodes[1].api
    made = expect(201, one.post("/key", {"name": "shared", "role": "admin"}))
    stranger = Api(nodes[1].url, made["token"])
    try:
        expect(200, stranger.get("/app"))
        assert one.delete(f"/key/{made['id']}").is_success
        eventually(lambda: stranger.get("/app").status_code == 401, within=10, what="the key is refused by the other node")
        expect(200, other.get("/app"))
    finally:
        stranger.close()


def test_one_key_on_two_nodes_at_one_moment_makes_one_message(nodes, receiver):
    apis = [node.api for node in nodes.all]
    app = apis[0].application()
    apis[0].endpoint(app, receiver.url())
    body = {"eventType": "test.event", "payload": {"same": True}}

    def send(api, key):
        return api.post(f"/app/{app}/msg", body, headers={"idempotency-key": key})

    ids = set()
    with ThreadPoolExecutor(4) as threads:
        for round in range(50):
            answers = [threads.submit(send, api, f"key-{round}") for api in apis * 2]
            made = {expect(202, answer.result())["id"] for answer in answers}
            assert len(made) == 1, made
            ids |= made
    assert len(ids) == 50
    eventually(lambda: set(receiver.ids) == ids, what="each arrives")
    never(lambda: receiver.count > 50, during=0.5, what="one arrives twice")
