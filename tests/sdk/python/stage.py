"""A prepared sandbox: an account with its server, a friend, and LINE's Python SDK pointed at it."""

import json
import queue
import sys
import threading
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer

from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import ApiClient, ApiException, Configuration, MessagingApi, MessagingApiBlob

SANDBOX = sys.argv[1].rstrip("/")
NOBODY = "U" + "0" * 32
DAY_MS = 24 * 3_600_000


def control(method, path, fields=None):
    """A call of /sandbox/v1."""
    request = urllib.request.Request(
        f"{SANDBOX}/sandbox/v1{path}",
        method=method,
        data=None if method == "GET" else json.dumps(fields or {}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def advance(ms):
    control("POST", "/clock", {"advanceMs": ms})


def date(days=0):
    """The day in Japan by the sandbox's clock, so many days from now."""
    now = datetime.fromtimestamp(control("GET", "/clock")["now"] / 1_000, timezone(timedelta(hours=9)))
    return (now + timedelta(days=days)).strftime("%Y%m%d")


def refusal(status, call, kind=ApiException):
    """The call must be refused so; gives the error."""
    try:
        call()
    except kind as error:
        assert error.status == status, (error.status, error.body)
        return error
    raise AssertionError(f"expected {status}")


def message(error):
    return json.loads(error.body)["message"]


class Receiver:
    """The account's server: hands over raw bodies with their signatures."""

    def __init__(self):
        received = self.received = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                received.put((body.decode(), self.headers["x-line-signature"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callback"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.received.get(timeout=10)


class Stage:
    """An account whose token never ends, so that the clock may be advanced, and a person."""

    def __init__(self, name):
        self.provider = control("POST", "/providers", {"name": name})["providerId"]
        channel = self.make_channel("messaging", name)
        self.channel, self.secret, self.bot = channel["channelId"], channel["channelSecret"], channel["botUserId"]
        self.user, self.user_id = self.make_person({"displayName": "小明 \U0001F600", "language": "zh-TW"})
        self.token = control("POST", f"/channels/{self.channel}/access-token")["accessToken"]
        self.client = ApiClient(Configuration(host=SANDBOX, access_token=self.token))
        self.api, self.blobs = MessagingApi(self.client), MessagingApiBlob(self.client)
        self.receiver, self.parser = Receiver(), WebhookParser(self.secret)

    def make_channel(self, kind, name):
        return control("POST", "/channels", {"providerId": self.provider, "type": kind, "name": name})

    def make_person(self, fields):
        made = control("POST", "/users", fields)
        return made["user"], made["userId"][self.provider]

    def set(self, **settings):
        control("PATCH", f"/channels/{self.channel}", settings)

    def act(self, what, fields=None, user=None):
        """The friend does something with the account."""
        return control("POST", f"/users/{user or self.user}/{what}", {"channelId": self.channel, **(fields or {})})

    def event(self, kind):
        """The next webhook: signed, with one event of that kind."""
        body, signature = self.receiver.next()
        try:
            self.parser.parse(body + " ", signature)
            raise AssertionError("a changed body must not verify")
        except InvalidSignatureError:
            pass
        payload = self.parser.parse(body, signature, as_payload=True)
        assert payload.destination == self.bot
        [found] = payload.events
        assert isinstance(found, kind), found
        return found

    def timeline(self):
        return control("GET", f"/users/{self.user}/timeline?channelId={self.channel}")["items"]
