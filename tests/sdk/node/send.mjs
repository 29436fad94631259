// Sending: push, multicast, narrowcast, broadcast, by phone number; validation.

import assert from 'node:assert/strict';
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { advance, nobody, refusal } from './stage.mjs';

const text = (words) => [{ type: 'text', text: words }];

export const walk = async (stage) => {
  await push(stage);
  await many(stage);
  await narrowcast(stage);
  await validate(stage);
  await phone(stage);
};

/** Sends with a retry key; the same key is refused. Gives the first answer. */
const once = async (call, request) => {
  const key = randomUUID();
  const first = await call(request, key);
  const again = await refusal(409, () => call(request, key));
  assert.equal(again.headers.get('x-line-accepted-request-id'), first.httpResponse.headers.get('x-line-request-id'));
  return first;
};

const push = async ({ api, userId, set, timeline }) => {
  const bubble = { type: 'bubble', body: { type: 'box', layout: 'vertical', contents: [{ type: 'text', text: 'tea' }] } };
  const messages = [...text('news'), { type: 'flex', altText: 'menu', contents: bubble }];
  const sent = await once((...all) => api.pushMessageWithHttpInfo(...all), { to: userId, messages });
  assert.equal(sent.body.sentMessages.length, 2);
  assert.deepEqual((await timeline()).at(-1).message.contents, bubble);
  const unknown = await refusal(400, () => api.pushMessage({ to: nobody, messages }));
  assert.equal(unknown.body.message, 'Failed to send messages');
  const empty = await refusal(400, () => api.pushMessage({ to: userId, messages: text('') }));
  assert.deepEqual(empty.body.details, [{ message: 'May not be empty', property: 'messages[0].text' }]);
  assert.deepEqual(await api.getMessageQuotaConsumption(), { totalUsage: 1 });
  await set({ monthlyQuota: 1 });
  assert.deepEqual(await api.getMessageQuota(), { type: 'limited', value: 1 });
  const over = await refusal(429, () => api.pushMessage({ to: userId, messages: text('x') }));
  assert.equal(over.body.message, 'You have reached your monthly limit.');
  await set({ monthlyQuota: null });
};

const many = async ({ api, userId, timeline }) => {
  await once((...all) => api.multicastWithHttpInfo(...all), { to: [userId], messages: text('all') });
  const wrong = await refusal(400, () => api.multicast({ to: [userId, 'someone'], messages: text('all') }));
  assert.match(wrong.body.message, /to\[1\]/);
  await once((...all) => api.broadcastWithHttpInfo(...all), { messages: text('all') });
  assert.deepEqual((await timeline()).slice(-2).map((item) => item.via), ['multicast', 'broadcast']);
};

const narrowcast = async ({ api }) => {
  const limit = { max: 10, upToRemainingQuota: true };
  const sent = await once((...all) => api.narrowcastWithHttpInfo(...all), { messages: text('some'), limit });
  assert.equal(sent.httpResponse.status, 202);
  await advance(60_000);
  const progress = await api.getNarrowcastProgress(sent.httpResponse.headers.get('x-line-request-id'));
  assert.deepEqual([progress.phase, progress.successCount], ['succeeded', 1]);
  await refusal(404, () => api.getNarrowcastProgress(randomUUID()));
  const filter = { demographic: { type: 'gender', oneOf: ['male'] } };
  const few = await refusal(403, () => api.narrowcast({ messages: text('x'), filter }));
  assert.equal(few.body.message, 'Your account does not have enough friends');
};

const validate = async ({ api }) => {
  for (const kind of ['Reply', 'Push', 'Multicast', 'Narrowcast', 'Broadcast']) {
    await api[`validate${kind}`]({ messages: text('fine') });
    await refusal(400, () => api[`validate${kind}`]({ messages: text('') }));
  }
};

const phone = async ({ api, makePerson, timeline, event }) => {
  const number = `+8180${String(randomInt(10 ** 8)).padStart(8, '0')}`;
  const { user } = await makePerson({ displayName: 'Hana', phone: number });
  const to = createHash('sha256').update(number).digest('hex');
  await api.pushMessagesByPhone({ to, messages: text('parcel') }, 'delivery-tag-0001');
  assert.equal((await timeline(user)).length, 1);
  assert.equal((await event('delivery')).delivery.data, 'delivery-tag-0001');
  await refusal(422, () => api.pushMessagesByPhone({ to: '0'.repeat(64), messages: text('x') }));
};
