// What was sent: counts, units, insight; and audiences.

import assert from 'node:assert/strict';
import { insight as insightApi, manageAudience } from '@line/bot-sdk';
import { advance, date, dayMs, refusal } from './stage.mjs';

const text = (words) => [{ type: 'text', text: words }];

export const walk = async (stage) => {
  const { api, userId, makePerson, act, server } = stage;
  await api.pushMessage({ to: userId, messages: text('x'), customAggregationUnits: ['spring'] });
  assert.deepEqual(await api.getAggregationUnitUsage(), { numOfCustomAggregationUnits: 1 });
  assert.deepEqual((await api.getAggregationUnitNameList('10')).customAggregationUnits, ['spring']);
  for (let number = 0; number < 50; number += 1) {
    const { user } = await makePerson({ displayName: `Friend ${number}` });
    await act('follow', {}, user);
    await server.next();
  }
  const sent = await api.broadcastWithHttpInfo({ messages: text('look https://shop.example/tea') });
  const requestId = sent.httpResponse.headers.get('x-line-request-id');
  const day = await date();
  await audiences(stage, requestId);
  await advance(dayMs);
  await counts(stage, day);
  await insight(stage, day, requestId);
};

const counts = async ({ api }, day) => {
  for (const way of ['Reply', 'Push', 'Multicast', 'Broadcast']) {
    const counted = await api[`getNumberOfSent${way}Messages`](day);
    assert.ok(counted.status === 'ready' && counted.success >= 1, way);
  }
  assert.deepEqual(await api.getPNPMessageStatistics(day), { status: 'ready', success: 1 });
  await refusal(400, () => api.getNumberOfSentPushMessages('yesterday'));
};

const insight = async ({ options }, day, requestId) => {
  const api = new insightApi.InsightClient(options);
  const followers = await api.getNumberOfFollowers(day);
  assert.deepEqual([followers.status, followers.followers], ['ready', 51]);
  assert.equal((await api.getNumberOfMessageDeliveries(day)).apiBroadcast, 52);
  assert.equal(typeof (await api.getFriendsDemographics()).available, 'boolean');
  assert.equal((await api.getMessageEvent(requestId)).overview.delivered, 51);
  assert.equal((await api.getStatisticsPerUnit('spring', day, day)).messages[0].seq, 1);
};

const audiences = async ({ options, userId }, requestId) => {
  const api = new manageAudience.ManageAudienceClient(options);
  const blobs = new manageAudience.ManageAudienceBlobClient(options);
  const one = [{ id: userId }];
  const made = await api.createAudienceGroup({ description: 'Tea', audiences: one });
  const id = made.audienceGroupId;
  assert.deepEqual([made.type, made.createRoute], ['UPLOAD', 'MESSAGING_API']);
  await api.addAudienceToAudienceGroup({ audienceGroupId: id, audiences: one });
  const file = () => new Blob([`${userId}\n`], { type: 'text/plain' });
  const filed = await blobs.createAudienceForUploadingUserIds(file(), 'By file', false, 'first');
  assert.equal(filed.description, 'By file');
  await blobs.addUserIdsToAudience(file(), filed.audienceGroupId, 'more');
  const clicked = await api.createClickBasedAudienceGroup({ description: 'Clicked', requestId });
  assert.equal(clicked.requestId, requestId);
  assert.equal((await api.createImpBasedAudienceGroup({ description: 'Seen', requestId })).type, 'IMP');
  await advance(60_000);
  const data = await api.getAudienceData(id);
  assert.deepEqual([data.audienceGroup.status, data.audienceGroup.audienceCount], ['READY', 1]);
  assert.ok((await api.getAudienceGroups(1, undefined, 'READY', 40, true, 'MESSAGING_API')).totalCount >= 2);
  await refusal(400, () => api.getAudienceData(1));
  assert.equal((await api.getSharedAudienceGroups(1)).totalCount, 0);
  assert.equal((await api.getSharedAudienceData(id)).owner.name, 'Node Tea');
  await api.updateAudienceGroupDescription(id, { description: 'Coffee' });
  assert.equal((await api.getAudienceData(id)).audienceGroup.description, 'Coffee');
  await api.deleteAudienceGroup(id);
  await refusal(400, () => api.getAudienceData(id));
};
