// Channel access tokens of all kinds.

import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { channelAccessToken } from '@line/bot-sdk';
import { control, refusal, sandbox } from './stage.mjs';

const bearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export const walk = async (stage) => {
  const api = new channelAccessToken.ChannelAccessTokenClient({ baseURL: sandbox });
  await bySecret(stage, api);
  await byKey(stage, api);
};

const bySecret = async ({ channelId, channelSecret }, api) => {
  const stateless = await api.issueStatelessChannelTokenByClientSecret(channelId, channelSecret);
  assert.equal(stateless.expires_in, 900);
  const short = await api.issueChannelToken('client_credentials', channelId, channelSecret);
  assert.equal(short.expires_in, 2_592_000);
  assert.equal((await api.verifyChannelToken(short.access_token)).client_id, channelId);
  await api.revokeChannelToken(short.access_token);
  await refusal(400, () => api.verifyChannelToken(short.access_token));
  const wrong = await refusal(400, () => api.issueStatelessChannelTokenByClientSecret(channelId, 'wrong'));
  assert.equal(wrong.body.error, 'invalid_request');
};

/** A JWT by a key that is registered as in the console. */
const signed = async (channelId) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' };
  const { kid } = await control('POST', `/channels/${channelId}/public-keys`, { jwk });
  const now = Math.floor((await control('GET', '/clock')).now / 1_000);
  const claims = { iss: channelId, sub: channelId, aud: 'https://api.line.me/', exp: now + 1_700, token_exp: 86_400 };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'RS256', typ: 'JWT', kid })}.${part(claims)}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`;
};

const byKey = async ({ channelId, channelSecret }, api) => {
  const assertion = await signed(channelId);
  const issued = await api.issueChannelTokenByJWT('client_credentials', bearer, assertion);
  assert.equal(issued.expires_in, 86_400);
  assert.equal((await api.issueStatelessChannelTokenByJWTAssertion(assertion)).expires_in, 900);
  assert.deepEqual((await api.getsAllValidChannelAccessTokenKeyIds(bearer, assertion)).kids, [issued.key_id]);
  assert.equal((await api.verifyChannelTokenByJWT(issued.access_token)).client_id, channelId);
  await api.revokeChannelTokenByJWT(channelId, channelSecret, issued.access_token);
  const revoked = await refusal(400, () => api.verifyChannelTokenByJWT(issued.access_token));
  assert.equal(revoked.body.error_description, 'The access token revoked');
};
