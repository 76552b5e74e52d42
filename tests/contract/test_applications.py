"""Applications through the official Python SDK."""

from datetime import timezone

import pytest
from svix.api import (
    ApplicationIn,
    ApplicationListOptions,
    ApplicationPatch,
    Ordering,
)

from harness.sdk import invalid, refused, walk
from harness.waiting import eventually

pytestmark = pytest.mark.every_store


def test_create_answers_what_was_given_and_what_was_made(svix):
    made = svix.application.create(
        ApplicationIn(name="Shop", uid="shop-1", throttle_rate=20, metadata={"plan": "gold", "ünï": "cödé"})
    )
    assert made.id.startswith("app_") and len(made.id) == 31
    assert (made.name, made.uid, made.throttle_rate) == ("Shop", "shop-1", 20)
    assert made.metadata == {"plan": "gold", "ünï": "cödé"}
    assert made.created_at.tzinfo == timezone.utc or made.created_at.utcoffset().total_seconds() == 0
    assert made.updated_at >= made.created_at
    assert svix.application.get(made.id) == made
    assert svix.application.get("shop-1") == made, "a uid is as good as an id"


def test_a_uid_is_taken_once(svix):
    svix.application.create(ApplicationIn(name="first", uid="taken"))
    with refused(409):
        svix.application.create(ApplicationIn(name="second", uid="taken"))


def test_get_or_create_finds_what_is_there(svix, api):
    first = svix.application.get_or_create(ApplicationIn(name="one", uid="goc"))
    again = svix.application.get_or_create(ApplicationIn(name="another name", uid="goc"))
    assert again == first, "what is there is answered and not changed"
    body = {"name": "x", "uid": "goc"}
    assert api.post("/app", body, get_if_exists="true").status_code == 200
    assert api.post("/app", {"name": "x", "uid": "goc-2"}, get_if_exists="true").status_code == 201


def test_put_creates_and_replaces(svix, api):
    assert api.put("/app/put-1", {"name": "made by put", "uid": "put-1"}).status_code == 201
    assert api.put("/app/put-1", {"name": "again", "uid": "put-1"}).status_code == 200
    whole = svix.application.upsert("put-1", ApplicationIn(name="whole", uid="put-1", metadata={"a": "b"}, throttle_rate=5))
    assert (whole.name, whole.metadata, whole.throttle_rate) == ("whole", {"a": "b"}, 5)
    bare = svix.application.upsert("put-1", ApplicationIn(name="bare", uid="put-1"))
    assert bare.id == whole.id
    assert (bare.metadata, bare.throttle_rate) == ({}, None), "put replaces; what is left out is reset"


def test_patch_changes_only_what_it_names_and_null_clears(svix):
    made = svix.application.create(ApplicationIn(name="p", uid="patch-1", throttle_rate=7, metadata={"k": "v"}))
    named = svix.application.patch(made.id, ApplicationPatch(name="q"))
    assert (named.name, named.uid, named.throttle_rate, named.metadata) == ("q", "patch-1", 7, {"k": "v"})
    cleared = svix.application.patch(made.id, ApplicationPatch(uid=None, throttle_rate=None))
    assert (cleared.name, cleared.uid, cleared.throttle_rate) == ("q", None, None)
    with refused(404):
        svix.application.get("patch-1")
    svix.application.create(ApplicationIn(name="r", uid="patch-2"))
    with refused(409):
        svix.application.patch(made.id, ApplicationPatch(uid="patch-2"))


def test_delete_answers_at_once_and_the_uid_is_free_again(svix):
    made = svix.application.create(ApplicationIn(name="d", uid="gone"))
    assert svix.application.delete(made.id) is None
    with refused(404, "not_found"):
        svix.application.get(made.id)
    with refused(404, "not_found"):
        svix.application.delete(made.id)
    again = eventually(lambda: svix.application.create(ApplicationIn(name="d2", uid="gone")))
    assert again.id != made.id


@pytest.mark.parametrize("order", [Ordering.ASCENDING, Ordering.DESCENDING])
def test_lists_page_through_everything_once_in_order(svix, order):
    made = {svix.application.create(ApplicationIn(name=f"page {n}")).id for n in range(7)}
    pages = walk(svix.application.list, lambda **o: ApplicationListOptions(order=order, **o), 3)
    ids = [one.id for page in pages for one in page]
    assert len(ids) == len(set(ids)), "nothing twice"
    assert made <= set(ids), "nothing left out"
    assert ids == sorted(ids, reverse=order is Ordering.DESCENDING)


def test_pages_turn_back(svix):
    for n in range(5):
        svix.application.create(ApplicationIn(name=f"back {n}"))
    first = svix.application.list(ApplicationListOptions(limit=2))
    second = svix.application.list(ApplicationListOptions(limit=2, iterator=first.iterator))
    back = svix.application.list(ApplicationListOptions(limit=2, iterator=second.prev_iterator))
    assert [one.id for one in back.data] == [one.id for one in first.data]
    assert first.prev_iterator and back.iterator


def test_the_default_order_is_oldest_first(svix):
    older, newer = (svix.application.create(ApplicationIn(name=name)).id for name in ("older", "newer"))
    ids = [one.id for one in svix.application.list(ApplicationListOptions(limit=250)).data]
    assert ids.index(older) < ids.index(newer)


def test_what_is_invalid_is_named(svix, api):
    with invalid("name"):
        svix.application.create(ApplicationIn(name=""))
    with invalid("uid"):
        svix.application.create(ApplicationIn(name="x", uid="no spaces"))
    with invalid("uid"):
        svix.application.create(ApplicationIn(name="x", uid="app_looks_like_an_id"))
    with invalid("uid"):
        svix.application.create(ApplicationIn(name="x", uid="u" * 257))
    with invalid("metadata"):
        svix.application.create(ApplicationIn(name="x", metadata={"k": "v" * 5000}))
    assert api.post("/app", {"name": "x", "throttleRate": 0}).status_code == 422
    assert api.post("/app", {}).status_code == 422
    assert api.get("/app", limit=251).status_code == 422
    assert api.get("/app", limit=250).status_code == 200


def test_fields_and_parameters_from_the_future_are_ignored(api):
    made = api.post("/app", {"name": "x", "brandNew": {"a": 1}}, brand_new="yes")
    assert made.status_code == 201
    assert api.get(f"/app/{made.json()['id']}", with_everything="true").status_code == 200


def test_a_trailing_slash_changes_nothing(api, app):
    assert api.get("/app/").status_code == 200
    assert api.get(f"/app/{app}/").json() == api.get(f"/app/{app}").json()
    assert api.post("/app/", {"name": "slash"}).status_code == 201
    assert api.post(f"/app/{app}/msg/", {"eventType": "a.b", "payload": {}}).status_code == 202
