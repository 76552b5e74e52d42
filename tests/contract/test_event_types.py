"""Event types through the official Python SDK."""

import pytest
from svix.api import (
    EventTypeIn,
    EventTypeListOptions,
    EventTypePatch,
    EventTypeUpsertIn,
)
from svix.api.event_type import EventTypeDeleteOptions

from harness.sdk import invalid, refused, walk

pytestmark = pytest.mark.every_store

SCHEMA = {"1": {"type": "object", "properties": {"n": {"type": "integer"}}}}


def test_create_get_and_conflict(svix):
    made = svix.event_type.create(EventTypeIn(name="invoice.paid", description="Paid", schemas=SCHEMA))
    assert (made.name, made.description, made.archived, made.deprecated) == ("invoice.paid", "Paid", False, False)
    assert made.schemas == SCHEMA
    assert svix.event_type.get("invoice.paid") == made
    with refused(409, "event_type_exists"):
        svix.event_type.create(EventTypeIn(name="invoice.paid", description="again"))
    with refused(404):
        svix.event_type.get("invoice.never")


def test_delete_archives_and_creating_brings_back(svix):
    svix.event_type.create(EventTypeIn(name="archive.me", description="a"))
    svix.event_type.delete("archive.me")
    assert svix.event_type.get("archive.me").archived is True
    listed = [one.name for page in walk(svix.event_type.list, EventTypeListOptions, 250) for one in page]
    assert "archive.me" not in listed
    everything = svix.event_type.list(EventTypeListOptions(limit=250, include_archived=True))
    assert "archive.me" in [one.name for one in everything.data]
    back = svix.event_type.create(EventTypeIn(name="archive.me", description="back"))
    assert (back.archived, back.description) == (False, "back")


def test_expunge_removes(svix):
    svix.event_type.create(EventTypeIn(name="expunge.me", description="a"))
    svix.event_type.delete("expunge.me", EventTypeDeleteOptions(expunge=True))
    with refused(404):
        svix.event_type.get("expunge.me")


def test_put_and_patch(svix, api):
    assert api.put("/event-type/up.sert", {"description": "new"}).status_code == 201
    assert api.put("/event-type/up.sert", {"description": "old"}).status_code == 200
    put = svix.event_type.upsert("up.sert", EventTypeUpsertIn(description="put", deprecated=True, schemas=SCHEMA))
    assert (put.description, put.deprecated, put.schemas) == ("put", True, SCHEMA)
    patched = svix.event_type.patch("up.sert", EventTypePatch(description="patched"))
    assert (patched.description, patched.deprecated, patched.schemas) == ("patched", True, SCHEMA)
    with refused(404):
        svix.event_type.patch("never.there", EventTypePatch(description="x"))


def test_lists_are_by_name_and_leave_schemas_out_unless_asked(svix):
    for n in range(7):
        svix.event_type.create(EventTypeIn(name=f"list.t{n}", description="l", schemas=SCHEMA))
    pages = walk(svix.event_type.list, EventTypeListOptions, 3)
    names = [one.name for page in pages for one in page]
    assert names == sorted(names) and len(set(names)) == len(names)
    assert {f"list.t{n}" for n in range(7)} <= set(names)
    bare, full = (
        {one.name: one for one in svix.event_type.list(EventTypeListOptions(limit=250, with_content=with_content)).data}
        for with_content in (False, True)
    )
    assert not bare["list.t0"].schemas
    assert full["list.t0"].schemas == SCHEMA


def test_names_have_an_alphabet(svix, api):
    for name in ("with space", "sl/ash", "", "x" * 257, "uml.äut"):
        with invalid("name"):
            svix.event_type.create(EventTypeIn(name=name, description="d"))
    assert api.post("/event-type", {"name": "a-b_c.D1", "description": "d"}).status_code == 201
    assert api.post("/event-type", {"name": "no.description"}).status_code == 422
