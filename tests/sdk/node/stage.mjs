// A prepared sandbox: an account with its server, a friend, and LINE's Node SDK pointed at it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { HTTPFetchError, messagingApi, validateSignature } from '@line/bot-sdk';

export const sandbox = process.argv[2].replace(/\/$/, '');
export const nobody = `U${'0'.repeat(32)}`;
export const dayMs = 24 * 3_600_000;

/** A call of /sandbox/v1. */
export const control = async (method, path, fields) => {
  const answer = await fetch(`${sandbox}/sandbox/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: method === 'GET' ? undefined : JSON.stringify(fields ?? {}),
  });
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body;
};

export const advance = (advanceMs) => control('POST', '/clock', { advanceMs });

/** The day in Japan by the sandbox's clock, so many days from now. */
export const date = async (days = 0) => {
  const { now } = await control('GET', '/clock');
  return new Date(now + 9 * 3_600_000 + days * dayMs).toISOString().slice(0, 10).replaceAll('-', '');
};

/** The call must be refused so; gives the error with its parsed body. */
export const refusal = async (status, call) => {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof HTTPFetchError, error);
    assert.equal(error.status, status, error.body);
    return { headers: error.headers, body: JSON.parse(error.body) };
  }
  throw new Error(`expected ${status}`);
};

/** All bytes of a stream. */
export const bytes = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** The account's server: hands over raw bodies with their signatures, in order. */
const receiver = async () => {
  const received = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    const webhook = { body: await bytes(request), signature: request.headers['x-line-signature'] };
    const next = waiting.shift();
    if (next) next(webhook);
    else received.push(webhook);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return {
    url: `http://127.0.0.1:${server.address().port}/callback`,
    next: () => received.shift() ?? new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('no webhook within 10 s')), 10_000);
      waiting.push((webhook) => {
        clearTimeout(limit);
        resolve(webhook);
      });
    }),
  };
};

/** An account whose token never ends, so that the clock may be advanced, and a person. */
export const makeStage = async (name) => {
  const { providerId } = await control('POST', '/providers', { name });
  const makeChannel = (type, title) => control('POST', '/channels', { providerId, type, name: title });
  const makePerson = async (fields) => {
    const made = await control('POST', '/users', fields);
    return { user: made.user, userId: made.userId[providerId] };
  };
  const { channelId, channelSecret, botUserId } = await makeChannel('messaging', name);
  const { user, userId } = await makePerson({ displayName: 'Mali \u{1F600}', language: 'th' });
  const { accessToken } = await control('POST', `/channels/${channelId}/access-token`);
  const options = { channelAccessToken: accessToken, baseURL: sandbox };
  const server = await receiver();
  const verified = async () => {
    const { body, signature } = await server.next();
    assert.ok(validateSignature(body, channelSecret, signature));
    assert.ok(!validateSignature(Buffer.concat([body, Buffer.from(' ')]), channelSecret, signature));
    const webhook = JSON.parse(body);
    assert.equal(webhook.destination, botUserId);
    return webhook.events;
  };
  return {
    channelId,
    channelSecret,
    botUserId,
    user,
    userId,
    options,
    server,
    verified,
    makeChannel,
    makePerson,
    api: new messagingApi.MessagingApiClient(options),
    blobs: new messagingApi.MessagingApiBlobClient(options),
    set: (settings) => control('PATCH', `/channels/${channelId}`, settings),
    /** The friend does something with the account. */
    act: (what, fields, who = user) => control('POST', `/users/${who}/${what}`, { channelId, ...fields }),
    /** The next webhook: signed, with one event of that kind. */
    event: async (type) => {
      const [found, ...rest] = await verified();
      assert.equal(rest.length, 0);
      assert.equal(found.type, type);
      assert.equal(found.mode, 'active');
      return found;
    },
    timeline: async (who = user) => (await control('GET', `/users/${who}/timeline?channelId=${channelId}`)).items,
  };
};
