"""Channel access tokens of all kinds."""

import base64
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from linebot.v3.oauth import ApiClient, ApiException, ChannelAccessToken, Configuration

from stage import SANDBOX, control, refusal

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def walk(stage):
    with ApiClient(Configuration(host=SANDBOX)) as client:
        api = ChannelAccessToken(client)
        by_secret(stage, api)
        by_key(stage, api)


def by_secret(stage, api):
    pair = {"grant_type": "client_credentials", "client_id": stage.channel, "client_secret": stage.secret}
    assert api.issue_stateless_channel_token(**pair).expires_in == 900
    short = api.issue_channel_token(**pair)
    assert short.expires_in == 2_592_000
    assert api.verify_channel_token(access_token=short.access_token).client_id == stage.channel
    api.revoke_channel_token(access_token=short.access_token)
    refusal(400, lambda: api.verify_channel_token(access_token=short.access_token), ApiException)
    wrong = {**pair, "client_secret": "wrong"}
    error = refusal(400, lambda: api.issue_stateless_channel_token(**wrong), ApiException)
    assert json.loads(error.body)["error"] == "invalid_request"


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(stage):
    """A JWT by a key that is registered as in the console."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
    jwk = {"kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "n": encoded(modulus)}
    kid = control("POST", f"/channels/{stage.channel}/public-keys", {"jwk": jwk})["kid"]
    now = control("GET", "/clock")["now"] // 1_000
    claims = {"iss": stage.channel, "sub": stage.channel, "aud": "https://api.line.me/", "exp": now + 1_700, "token_exp": 86_400}
    head = {"alg": "RS256", "typ": "JWT", "kid": kid}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def by_key(stage, api):
    assertion = {"client_assertion_type": JWT_BEARER, "client_assertion": signed(stage)}
    issued = api.issue_channel_token_by_jwt(grant_type="client_credentials", **assertion)
    assert issued.expires_in == 86_400
    stateless = api.issue_stateless_channel_token(grant_type="client_credentials", **assertion)
    assert stateless.expires_in == 900
    assert api.gets_all_valid_channel_access_token_key_ids(**assertion).kids == [issued.key_id]
    assert api.verify_channel_token_by_jwt(access_token=issued.access_token).client_id == stage.channel
    api.revoke_channel_token_by_jwt(stage.channel, stage.secret, issued.access_token)
    error = refusal(400, lambda: api.verify_channel_token_by_jwt(access_token=issued.access_token), ApiException)
    assert json.loads(error.body)["error_description"] == "The access token revoked"
