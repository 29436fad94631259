"""Requests that schemathesis makes of LINE's own OpenAPI files, right ones and wrong ones, against a prepared sandbox.

made.py SANDBOX_URL OPENAPI_DIR: no 5xx, answers within the schema, wrong requests refused, every answer with LINE's headers.
The same file is the hooks of the runs it starts: there it gives right requests real IDs, and time to endpoints that want a pause.
"""

import itertools
import json
import os
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

SEED = "20260701"
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,refuses_wrong,lines_form"
# Random requests for each operation, beside those that try each keyword of the schema once: few where operations are many.
FILES = {
    "messaging-api": 5,
    "manage-audience": 10,
    "insight": 10,
    "channel-access-token": 10,
    "liff": 10,
    "module": 10,
    "module-attach": 10,
    "shop": 10,
}


def control(sandbox, method, path, fields=None):
    request = urllib.request.Request(
        f"{sandbox}/sandbox/v1{path}",
        method=method,
        data=json.dumps(fields or {}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def line(sandbox, token, method, path, fields):
    request = urllib.request.Request(
        f"{sandbox}{path}",
        method=method,
        data=json.dumps(fields).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return {**json.load(answer), "requestId": answer.headers["x-line-request-id"]}


def upload(sandbox, token, menu):
    """Gives a menu its picture, of which nobody looks at more than the size."""
    picture = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">II", 2500, 843)
    headers = {"content-type": "image/png", "authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{sandbox}/v2/bot/richmenu/{menu}/content", picture, headers)
    urllib.request.urlopen(request, timeout=30).close()


def prepare(sandbox):
    """An account with a friend, a group, a menu and more; gives the tokens and the IDs by the names of parameters and properties."""
    provider = control(sandbox, "POST", "/providers", {"name": "Made"})["providerId"]

    def channel(kind):
        made = control(sandbox, "POST", "/channels", {"providerId": provider, "type": kind, "name": "Made"})
        form = f"grant_type=client_credentials&client_id={made['channelId']}&client_secret={made['channelSecret']}"
        with urllib.request.urlopen(f"{sandbox}/v2/oauth/accessToken", form.encode()) as answer:
            return made, json.load(answer)["access_token"]

    account, _ = channel("messaging")
    account_id = account["channelId"]
    token = control(sandbox, "POST", f"/channels/{account_id}/access-token")["accessToken"]
    settings = {"groupChats": True, "accountType": "premium", "greeting": False, "autoReply": False}
    control(sandbox, "PATCH", f"/channels/{account_id}", {**settings, "partner": True, "missionStickers": ["1234"]})
    person = control(sandbox, "POST", "/users", {"displayName": "Lin"})
    control(sandbox, "POST", f"/users/{person['user']}/follow", {"channelId": account_id})
    picture = {"channelId": account_id, "message": {"type": "image", "contentBase64": "iVBORw0KGgo="}}
    message = control(sandbox, "POST", f"/users/{person['user']}/messages", picture)["messageId"]

    def group(kind):
        fields = {"name": "Team", "channelId": account_id, "members": [person["user"]], "kind": kind}
        return control(sandbox, "POST", "/groups", fields)["groupId"]

    menu = {"size": {"width": 2500, "height": 843}, "selected": True, "name": "main", "chatBarText": "menu", "areas": []}
    user_id = person["userId"][provider]
    audience = {"description": "Tea", "audiences": [{"id": user_id}]}
    menu_id = line(sandbox, token, "POST", "/v2/bot/richmenu", menu)["richMenuId"]
    upload(sandbox, token, menu_id)
    alias = {"richMenuAliasId": "made", "richMenuId": menu_id}
    line(sandbox, token, "POST", "/v2/bot/richmenu/alias", alias)
    now = control(sandbox, "GET", "/clock")["now"] // 1_000
    coupon = {"title": "Tea", "reward": {"type": "free"}, "acquisitionCondition": {"type": "normal"}, "timezone": "ASIA_TAIPEI"}
    coupon |= {"startTimestamp": now, "endTimestamp": now + 100_000_000, "visibility": "UNLISTED", "maxUseCountPerTicket": 1}
    plan = {"title": "Basic", "price": 500, "benefits": ["photos"]}
    plan = control(sandbox, "POST", f"/channels/{account_id}/memberships", plan)["membershipId"]
    joins = {"channelId": account_id, "membershipId": plan, "type": "joined"}
    control(sandbox, "POST", f"/users/{person['user']}/memberships", joins)
    some = {"messages": [{"type": "text", "text": "made"}]}
    known = {
        "richMenuAliasId": "made",
        "couponId": line(sandbox, token, "POST", "/v2/bot/coupon", coupon)["couponId"],
        "membershipId": plan,
        "date": "20260101",
        "requestId": line(sandbox, token, "POST", "/v2/bot/message/narrowcast", some)["requestId"],
        "userId": user_id,
        "chatId": user_id,
        "groupId": group("group"),
        "roomId": group("room"),
        "messageId": message,
        "richMenuId": menu_id,
        "audienceGroupId": line(sandbox, token, "POST", "/v2/bot/audienceGroup/upload", audience)["audienceGroupId"],
    }
    tokens = {"liff": channel("login")[1], "module": channel("module")[1]}
    return tokens, token, known


def successes(sandbox):
    """How many of the last calls were right ones."""
    with urllib.request.urlopen(f"{sandbox}/sandbox/v1/requests", timeout=30) as answer:
        calls = json.load(answer)["items"]
    return f"{sum((call['status'] or 0) < 300 for call in calls)} of {len(calls)} calls succeeded"


def main():
    sandbox, folder = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    only = sys.argv[3:] or FILES
    tokens, token, known = prepare(sandbox)
    here = Path(__file__).resolve().parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(here),
        "SCHEMATHESIS_HOOKS": "made",
        "MADE_SANDBOX": sandbox,
        "MADE_KNOWN": json.dumps(known),
    }
    failed = []
    for file in only:
        command = [str(Path(sys.executable).parent / "st"), "--config-file", str(here / "schemathesis.toml"), "run"]
        command += [str(folder / f"{file}.yml"), "--url", sandbox, "--seed", SEED, "--checks", CHECKS]
        command += ["--max-examples", str(FILES[file]), "--phases", "coverage,fuzzing", "--no-shrink"]
        command += ["--suppress-health-check", "all"]
        command += ["--generation-deterministic", "--continue-on-failure", "--request-timeout", "10", "--no-color"]
        if file not in ("channel-access-token", "module-attach"):
            command += ["-H", f"Authorization: Bearer {tokens.get(file, token)}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        print(f"{file}: {'content' if done.returncode == 0 else 'not content'}, {successes(sandbox)}", flush=True)
        if done.returncode != 0:
            failed.append(file)
            print(done.stdout[-20_000:], done.stderr[-4_000:], sep="\n")
    sys.exit(f"not within LINE's schema: {', '.join(failed)}" if failed else 0)


def hooks():
    import schemathesis
    from schemathesis.specs.openapi.checks import negative_data_rejection

    sandbox, known = os.environ["MADE_SANDBOX"], json.loads(os.environ["MADE_KNOWN"])

    known |= {"to": known["userId"], "userIds": [known["userId"]], "messages": [{"type": "text", "text": "made"}]}
    turn = itertools.count()

    def replace(value):
        """Puts what exists in the places of made-up IDs."""
        if isinstance(value, dict):
            return {name: given(name, inner) for name, inner in value.items()}
        return [replace(inner) for inner in value] if isinstance(value, list) else value

    def given(name, value):
        found = known.get(name, replace(value))
        return [found] if isinstance(value, list) and not isinstance(found, list) else found

    @schemathesis.hook
    def before_call(context, case, kwargs):
        """Every other right request is about something that exists, so that not all end at the first check."""
        meta = case.meta
        ends = case.method == "DELETE" or case.path.endswith(("/leave", "/close", "/detach"))
        if meta is None or meta.generation.mode.is_negative or ends or next(turn) % 2:
            return
        case.path_parameters = replace(case.path_parameters)
        case.query = replace(case.query)
        case.body = replace(case.body)

    @schemathesis.hook
    def after_call(context, case, response):
        """An endpoint that allows some calls an hour gets its hour."""
        if response.status_code == 429:
            control(sandbox, "POST", "/clock", {"advanceMs": 3_600_000})

    def has_null(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return value is None or any(has_null(part) for part in inner)

    @schemathesis.check
    def refuses_wrong(ctx, response, case):
        """Wrong requests are refused. But null is a missing property: LINE's Ruby SDK sends it for all that is not set."""
        return None if has_null(case.body) else negative_data_rejection(ctx, response, case)

    @schemathesis.check
    def lines_form(ctx, response, case):
        """PLATFORM 5: the request ID on every answer, JSON on every answer that is no media."""
        assert len(response.headers.get("x-line-request-id", [""])[0]) == 36, "no x-line-request-id"
        kind = response.headers.get("content-type", [""])[0]
        media = response.status_code == 200 and case.path.endswith(("/content", "/preview"))
        assert media or not response.content or kind == "application/json", f"content-type {kind}"
        if response.status_code >= 400:
            body = json.loads(response.content)
            assert isinstance(body.get("message", body.get("error")), str), "no error text"


if __name__ == "__main__":
    main()
elif "MADE_SANDBOX" in os.environ:
    hooks()
