// Every method of the JavaScript SDK that has a path here, with the options and fields that it can send.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { AppPortalCapability, messageInRaw, MessageStatus, Ordering, StatusCodeClass } from "svix";
import { client, eventually, newApp, RECEIVER_URL, refused, svix, uid } from "./sdk.mjs";

const ids = (page) => page.data.map((one) => one.id);
const minutes = (n) => new Date(Date.now() + n * 60_000);
const disabled = (fields) => ({ url: RECEIVER_URL, disabled: true, ...fields });

test("lists of applications have an order and pages", async () => {
    const made = [await newApp(), await newApp()].map((app) => app.id);
    const newest = await svix.application.list({ order: Ordering.Descending, limit: 250 });
    assert.deepEqual(ids(newest).filter((id) => made.includes(id)), made.toReversed());
    const first = await svix.application.list({ limit: 1, order: Ordering.Ascending });
    const second = await svix.application.list({ limit: 1, iterator: first.iterator });
    assert.notDeepEqual(ids(first), ids(second));
    assert.deepEqual(ids(await svix.application.list({ limit: 1, iterator: second.prevIterator })), ids(first));
    await svix.application.list({
        excludeAppsWithNoEndpoints: false,
        excludeAppsWithDisabledEndpoints: false,
        excludeAppsWithSvixPlayEndpoints: false,
    });
});

test("applications with all fields", async () => {
    const idempotencyKey = randomUUID();
    const given = { name: "all", uid: uid(), throttleRate: 7, metadata: { a: "b" } };
    const made = await svix.application.create(given, { idempotencyKey });
    assert.equal((await svix.application.create(given, { idempotencyKey })).id, made.id);
    assert.deepEqual({ name: made.name, uid: made.uid, throttleRate: made.throttleRate, metadata: made.metadata }, given);
    const cleared = await svix.application.patch(made.id, { throttleRate: null, metadata: { c: "d" } });
    assert.deepEqual([cleared.throttleRate ?? null, cleared.metadata], [null, { c: "d" }]);
});

test("event types with all fields", async () => {
    const name = `js.all.${randomUUID()}`;
    const fields = { description: "d", archived: false, deprecated: true, schemas: { 1: { type: "object" } }, groupName: "js", featureFlags: ["js-flag"] };
    const made = await svix.eventType.create({ name, ...fields }, { idempotencyKey: randomUUID() });
    for (const [field, value] of Object.entries(fields)) assert.deepEqual(made[field], value, field);
    const patched = await svix.eventType.patch(name, { schemas: null, groupName: null, featureFlags: null, deprecated: false });
    for (const field of ["schemas", "groupName", "featureFlags"]) assert.equal(patched[field] ?? null, null, field);
    const put = await svix.eventType.upsert(name, { ...fields, description: "put", archived: true });
    assert.deepEqual([put.description, put.archived, put.schemas], ["put", true, fields.schemas]);
    const listed = async (options) => {
        for (let iterator = null; ; ) {
            const page = await svix.eventType.list({ limit: 250, iterator, order: Ordering.Ascending, ...options });
            const found = page.data.find((one) => one.name === name);
            if (found || page.done) return found;
            iterator = page.iterator;
        }
    };
    assert.equal(await listed({}), undefined);
    assert.equal((await listed({ includeArchived: true })).schemas ?? null, null);
    assert.deepEqual((await listed({ includeArchived: true, withContent: true })).schemas, fields.schemas);
    await svix.eventType.delete(name, { expunge: true });
    await refused(svix.eventType.get(name), 404);
    await refused(svix.eventType.create({ name, description: "d", schemas: { 1: { type: "text" } } }), 422, (body) =>
        assert.deepEqual(body.detail[0].loc, ["body", "schemas", "1", "type"]),
    );
});

test("endpoints with all fields", async () => {
    const app = await newApp();
    const type = `js.wanted.${randomUUID()}`;
    await svix.eventType.create({ name: type, description: "d" });
    const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
    const fields = { description: "d", throttleRate: 9, uid: uid(), disabled: true, eventTypes: [type], channels: ["a", "b"], metadata: { m: "1" } };
    const headers = { "x-js": "1" };
    const made = await svix.endpoint.create(app.id, { url: RECEIVER_URL, secret, headers, ...fields }, { idempotencyKey: randomUUID() });
    for (const [field, value] of Object.entries(fields)) assert.deepEqual(made[field], value, field);
    assert.equal((await svix.endpoint.getSecret(app.id, fields.uid)).key, secret);
    assert.deepEqual(await svix.endpoint.get(app.id, fields.uid), made);
    const cleared = await svix.endpoint.patch(app.id, made.id, { throttleRate: null, uid: null, eventTypes: null, channels: null, metadata: {} });
    for (const field of ["throttleRate", "uid", "eventTypes", "channels"]) assert.equal(cleared[field] ?? null, null, field);
    const put = await svix.endpoint.upsert(app.id, made.id, { url: RECEIVER_URL, ...fields, description: "put" });
    assert.deepEqual([put.id, put.description, put.uid], [made.id, "put", fields.uid]);
    assert.deepEqual((await svix.endpoint.getHeaders(app.id, made.id)).headers, headers, "PUT leaves them alone");
    const fresh = uid();
    assert.equal((await svix.endpoint.upsert(app.id, fresh, disabled())).uid, fresh);
    assert.deepEqual(ids(await svix.endpoint.list(app.id, { limit: 1, order: Ordering.Ascending })), [made.id]);
    await svix.endpoint.setHeaders(app.id, made.id, { headers: { "x-one": "1", "x-two": "2" } });
    await svix.endpoint.patchHeaders(app.id, made.id, { headers: { "x-three": "3" }, deleteHeaders: ["x-one"] });
    assert.deepEqual((await svix.endpoint.getHeaders(app.id, made.id)).headers, { "x-two": "2", "x-three": "3" });
    const key = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
    await svix.endpoint.rotateSecret(app.id, made.id, { key, gracePeriodSeconds: 60 }, { idempotencyKey: randomUUID() });
    assert.equal((await svix.endpoint.getSecret(app.id, made.id)).key, key);
});

test("statistics, recovery and examples", async () => {
    const app = await newApp();
    const endpoint = await svix.endpoint.create(app.id, { url: RECEIVER_URL });
    const type = `js.example.${randomUUID()}`;
    await svix.eventType.create({ name: type, description: "d", schemas: { 1: { type: "object", examples: [{ n: 1 }, { n: 2 }] } } });
    const example = (given) => svix.endpoint.sendExample(app.id, endpoint.id, { eventType: type, ...given }, { idempotencyKey: randomUUID() });
    assert.deepEqual((await example({})).payload, { n: 1 });
    assert.deepEqual((await example({ exampleIndex: 1 })).payload, { n: 2 });
    await refused(example({ exampleIndex: 2 }), 422);
    const stats = () => svix.endpoint.getStats(app.id, endpoint.id, { since: minutes(-60), until: minutes(0) });
    await eventually(async () => (await stats()).success === 2);
    const task = await svix.endpoint.recover(app.id, endpoint.id, { since: minutes(-60), until: minutes(0) }, { idempotencyKey: randomUUID() });
    assert.match(task.id, /^qtask_/);
    assert.deepEqual([task.status, task.task, task.updatedAt instanceof Date], ["running", "endpoint.recover", true]);
});

test("messages with all fields, and lists of them", async () => {
    const name = uid();
    const given = {
        eventType: "js.one", eventId: uid(), channels: ["a", "b"], payload: { n: 1 }, application: { name: "made", uid: name },
        payloadRetentionPeriod: 5, payloadRetentionHours: 120, tags: ["t"],
    };
    const one = await svix.message.create(name, given, { withContent: true, idempotencyKey: randomUUID() });
    assert.deepEqual([one.eventId, one.channels, one.payload, one.timestamp instanceof Date], [given.eventId, ["a", "b"], { n: 1 }, true]);
    const two = await svix.message.create(name, messageInRaw("js.two", "not <json>", "text/plain"), { withContent: true });
    assert.equal(two.payload, "not <json>");
    assert.deepEqual((await svix.message.get(name, one.id)).payload, {});
    assert.deepEqual((await svix.message.get(name, given.eventId, { withContent: true })).payload, { n: 1 });
    const listed = async (options) => ids(await svix.message.list(name, options));
    assert.deepEqual(await listed({ withContent: true, limit: 10 }), [two.id, one.id]);
    assert.deepEqual(await listed({ channel: "b" }), [one.id]);
    assert.deepEqual(await listed({ eventTypes: ["js.two", "js.never"] }), [two.id]);
    assert.deepEqual(await listed({ before: minutes(-5) }), []);
    assert.deepEqual(await listed({ after: minutes(-5), before: minutes(5) }), [two.id, one.id]);
    await refused(svix.message.create(name, { eventType: "js.later", payload: {}, deliverAt: minutes(60) }), 422);
    await refused(svix.message.create(name, { ...given, application: undefined }), 409);
});

test("attempts by every filter", async () => {
    const app = await newApp();
    const endpoint = await svix.endpoint.create(app.id, { url: RECEIVER_URL });
    const other = await svix.endpoint.create(app.id, disabled());
    const sent = await svix.message.create(app.id, { eventType: "js.tried", payload: { n: 1 }, channels: ["c"] });
    const attempts = svix.messageAttempt;
    const byMsg = async (options) => (await attempts.listByMsg(app.id, sent.id, options)).data;
    await eventually(async () => (await byMsg()).length === 1);
    const all = {
        limit: 10, status: MessageStatus.Success, statusCodeClass: StatusCodeClass.Code2xx, channel: "c", before: minutes(5),
        after: minutes(-5), withContent: true, expandedStatuses: true, eventTypes: ["js.tried"],
    };
    assert.equal((await byMsg({ ...all, endpointId: endpoint.id })).length, 1);
    assert.equal((await byMsg({ endpointId: other.id })).length, 0);
    const byEndpoint = async (options) => (await attempts.listByEndpoint(app.id, endpoint.id, options)).data;
    const [withMessage] = await byEndpoint({ ...all, withMsg: true });
    assert.equal(withMessage.msg.id, sent.id);
    for (const none of [
        { status: MessageStatus.Fail }, { statusCodeClass: StatusCodeClass.CodeNone }, { channel: "d" }, { before: minutes(-5) },
        { after: minutes(5) }, { eventTypes: ["js.never"] },
    ]) {
        assert.deepEqual([await byMsg(none), await byEndpoint(none)], [[], []], JSON.stringify(none));
    }
    const { statusCodeClass: _, ...filters } = all;
    const owed = await attempts.listAttemptedMessages(app.id, endpoint.id, filters);
    assert.deepEqual([owed.data[0].status, owed.data[0].statusText, owed.data[0].payload], [MessageStatus.Success, "success", { n: 1 }]);
    const first = await attempts.listAttemptedDestinations(app.id, sent.id, { limit: 1 });
    const second = await attempts.listAttemptedDestinations(app.id, sent.id, { limit: 1, iterator: first.iterator });
    assert.deepEqual([...ids(first), ...ids(second)], [endpoint.id, other.id], "the oldest endpoint first");
    assert.equal(second.data[0].status, MessageStatus.Pending);
    const got = await attempts.get(app.id, sent.id, withMessage.id, { expandedStatuses: true });
    assert.deepEqual([got.statusText, typeof got.responseDurationMs, got.url], ["success", "number", RECEIVER_URL]);
    await attempts.resend(app.id, sent.id, endpoint.id, { idempotencyKey: randomUUID() });
    await eventually(async () => (await byMsg()).length === 2);
});

test("portals with all that can be asked for", async () => {
    const name = uid();
    const access = await svix.authentication.appPortalAccess(
        name,
        {
            application: { name: "portal", uid: name }, featureFlags: ["js-flag"], expiry: 3600, sessionId: "js-session",
            capabilities: [AppPortalCapability.ViewBase, AppPortalCapability.CreateAttempts],
        },
        { idempotencyKey: randomUUID() },
    );
    const portal = client(access.token);
    assert.deepEqual((await portal.endpoint.list(name)).data, []);
    await refused(portal.endpoint.create(name, disabled()), 403);
    const reading = client((await svix.authentication.appPortalAccess(name, { readOnly: true })).token);
    await refused(reading.endpoint.create(name, disabled()), 403);
    await svix.authentication.expireAll(name, { sessionIds: ["js-session"] }, { idempotencyKey: randomUUID() });
    await refused(portal.endpoint.list(name), 401);
    assert.deepEqual((await reading.endpoint.list(name)).data, []);
    await svix.authentication.expireAll(name, { expiry: 0 });
    await refused(reading.endpoint.list(name), 401);
});
