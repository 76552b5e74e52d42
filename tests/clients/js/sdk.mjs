// What the tests of the JavaScript SDK share: the client, and how refusals and waits are asked for.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { ApiException, Svix } from "svix";

const { SERVER_URL, TOKEN } = process.env;
export const { RECEIVER_URL } = process.env;
// An empty schedule: the first answer counts.
export const client = (token) => new Svix(token, { serverUrl: `${SERVER_URL}/`, retryScheduleInMs: [] });
export const svix = client(TOKEN);
export const uid = () => `js-${randomUUID()}`;
export const newApp = () => svix.application.create({ name: "js", uid: uid() });

export async function refused(promise, status, check = (body) => assert.ok(body.code && body.detail)) {
    const error = await promise.then(() => assert.fail(`not refused with ${status}`), (error) => error);
    assert.ok(error instanceof ApiException, String(error));
    assert.equal(error.code, status, JSON.stringify(error.body));
    check(error.body);
}

export async function eventually(ask) {
    for (let left = 200; left > 0; left--) {
        const found = await ask();
        if (found) return found;
        await pause(50);
    }
    assert.fail(`not within 10 s: ${ask}`);
}
