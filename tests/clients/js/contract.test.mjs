// The official JavaScript SDK, unmodified, against the server named in SERVER_URL and TOKEN.
// Run by tests/contract/test_other_sdks.py; RECEIVER_URL answers 200 to everything.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { MessageAttemptTriggerType, MessageStatus } from "svix";
import { client, eventually, newApp, RECEIVER_URL, refused, svix, uid } from "./sdk.mjs";

test("applications", async () => {
    const made = await svix.application.create({ name: "js", uid: uid(), metadata: { a: "b" } });
    assert.match(made.id, /^app_[0-9A-Za-z]{27}$/);
    assert.ok(made.createdAt instanceof Date && !Number.isNaN(made.createdAt.getTime()));
    assert.deepEqual(await svix.application.get(made.uid), made);
    assert.equal((await svix.application.getOrCreate({ name: "x", uid: made.uid })).id, made.id);
    await refused(svix.application.create({ name: "x", uid: made.uid }), 409);
    const patched = await svix.application.patch(made.id, { uid: null, name: "renamed" });
    assert.equal(patched.uid ?? null, null);
    assert.equal(patched.name, "renamed");
    const upserted = uid();
    assert.equal((await svix.application.upsert(upserted, { name: "put", uid: upserted })).uid, upserted);
    await svix.application.delete(made.id);
    await refused(svix.application.get(made.id), 404, (body) => assert.equal(body.code, "not_found"));
});

test("errors", async () => {
    await refused(svix.application.create({ name: "" }), 422, (body) => {
        assert.ok(body.detail.length > 0);
        for (const item of body.detail) assert.ok(item.loc && item.msg && item.type, JSON.stringify(item));
    });
    await refused(client("nonsense").application.list(), 401);
});

test("event types", async () => {
    const name = `js.${randomUUID()}`;
    const schemas = { 1: { type: "object", examples: [{ n: 1 }] } };
    const made = await svix.eventType.create({ name, description: "d", schemas });
    assert.deepEqual(made.schemas, schemas);
    assert.equal((await svix.eventType.patch(name, { description: "e" })).description, "e");
    await svix.eventType.delete(name);
    assert.equal((await svix.eventType.get(name)).archived, true);
});

test("endpoints", async () => {
    const app = await newApp();
    const made = await svix.endpoint.create(app.id, {
        url: RECEIVER_URL,
        uid: uid(),
        channels: ["a"],
        headers: { "X-Made-By": "js" },
    });
    assert.match(made.id, /^ep_[0-9A-Za-z]{27}$/);
    assert.deepEqual(made.channels, ["a"]);
    const key = (await svix.endpoint.getSecret(app.id, made.id)).key;
    await svix.endpoint.rotateSecret(app.id, made.id, {});
    const rotated = (await svix.endpoint.getSecret(app.id, made.id)).key;
    assert.ok(rotated.startsWith("whsec_") && rotated !== key);
    await svix.endpoint.patchHeaders(app.id, made.id, { headers: { "X-More": "1", Authorization: "s" } });
    const headers = await svix.endpoint.getHeaders(app.id, made.id);
    assert.deepEqual(Object.keys(headers.headers).map((name) => name.toLowerCase()).sort(), ["x-made-by", "x-more"]);
    assert.deepEqual(headers.sensitive.map((name) => name.toLowerCase()), ["authorization"]);
    const patched = await svix.endpoint.patch(app.id, made.id, { channels: null, disabled: true });
    assert.equal(patched.channels ?? null, null);
    assert.equal(patched.disabled, true);
    const stats = await svix.endpoint.getStats(app.id, made.id);
    assert.deepEqual([stats.success, stats.pending, stats.sending, stats.fail], [0, 0, 0, 0]);
    await svix.endpoint.delete(app.id, made.id);
    await refused(svix.endpoint.get(app.id, made.id), 404);
});

test("messages and attempts", async () => {
    const app = await newApp();
    const endpoint = await svix.endpoint.create(app.id, { url: RECEIVER_URL });
    const sent = await svix.message.create(
        app.id,
        { eventType: "js.sent", payload: { n: 1 }, eventId: uid() },
        { withContent: true },
    );
    assert.deepEqual(sent.payload, { n: 1 });
    const [attempt] = await eventually(async () => {
        const { data } = await svix.messageAttempt.listByMsg(app.id, sent.eventId);
        return data.length > 0 && data;
    });
    assert.equal(attempt.status, MessageStatus.Success);
    assert.equal(attempt.triggerType, MessageAttemptTriggerType.Scheduled);
    assert.equal(attempt.responseStatusCode, 200);
    assert.deepEqual(await svix.messageAttempt.resend(app.id, sent.id, endpoint.id), {});
    const attempts = await eventually(async () => {
        const { data } = await svix.messageAttempt.listByEndpoint(app.id, endpoint.id);
        return data.length === 2 && data;
    });
    assert.equal(attempts[0].triggerType, MessageAttemptTriggerType.Manual);
    assert.equal((await svix.messageAttempt.get(app.id, sent.id, attempt.id)).id, attempt.id);
    assert.equal((await svix.messageAttempt.listAttemptedMessages(app.id, endpoint.id)).data[0].id, sent.id);
    assert.equal((await svix.messageAttempt.listAttemptedDestinations(app.id, sent.id)).data[0].id, endpoint.id);
    await svix.messageAttempt.expungeContent(app.id, sent.id, attempt.id);
    await svix.message.expungeContent(app.id, sent.id);
    assert.deepEqual((await svix.message.get(app.id, sent.id, { withContent: true })).payload, { expired: true });
});

test("payloads need not be objects", async () => {
    const app = await newApp();
    for (const payload of [[1, 2], "text", 7, true]) {
        assert.ok((await svix.message.create(app.id, { eventType: "js.any", payload })).id);
    }
});

test("one idempotency key, one message", async () => {
    const app = await newApp();
    const options = { idempotencyKey: randomUUID() };
    const send = () => svix.message.create(app.id, { eventType: "js.once", payload: {} }, options);
    assert.equal((await send()).id, (await send()).id);
    assert.equal((await svix.message.list(app.id)).data.length, 1);
});

test("pages", async () => {
    const app = await newApp();
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push((await svix.message.create(app.id, { eventType: "js.page", payload: {} })).id);
    const seen = [];
    for (let iterator = null, done = false; !done; ) {
        const page = await svix.message.list(app.id, { limit: 2, iterator });
        seen.push(...page.data.map((message) => message.id));
        ({ iterator, done } = page);
    }
    assert.deepEqual(seen, ids.reverse());
});

test("the portal's token", async () => {
    const app = await newApp();
    const access = await svix.authentication.appPortalAccess(app.id, {});
    assert.ok(access.url);
    const portal = client(access.token);
    assert.deepEqual((await portal.endpoint.list(app.id)).data, []);
    await refused(portal.endpoint.list((await newApp()).id), 404);
    await portal.authentication.logout();
    await refused(portal.endpoint.list(app.id), 401);
});

test("health", async () => {
    await svix.health.get();
});
