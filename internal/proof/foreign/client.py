#!/usr/bin/env python3
"""A business system in another language, written from /v1/openapi.yaml alone and with nothing but Python's own library.

It tells of cases, out of order, twice and corrected; has a citizen rate by a link as a browser without script and cookies does; hands on answers, keys and
messages; and asks what has become of it all. It ends with status 1 and a reason if the centre is not as described.

    client.py http://centre:8090 TOKEN https://rate.example.com http://where-that-is
"""
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

CENTRE, TOKEN, RATE, PHONES = sys.argv[1:5]
CHINA = timezone(timedelta(hours=8))


def fail(*what):
    sys.exit(" ".join(str(w) for w in what))


def send(request):
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def ask(method, path, body=None, key=None, token=TOKEN):
    """One request, sent again with the same Idempotency-Key while the centre cannot save."""
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    for _ in range(20):
        status, text = send(urllib.request.Request(CENTRE + path, data, headers, method=method))
        if status != 503:
            return status, json.loads(text)
        time.sleep(1)
    fail(method, path, "is never answered")


def want(what, got, status, **fields):
    if got[0] != status or any(got[1].get(k) != v for k, v in fields.items()):
        fail(what + ":", got, "want", status, fields)


def state_of(project, state):
    """What is told is worked out a moment later."""
    for _ in range(120):
        status, case = ask("GET", "/v1/cases/620100/" + project)
        if status == 200 and case["state"] == state:
            if {"level", "contact"} & set(case):
                fail("a case shows", case)
            return case
        time.sleep(0.5)
    fail(project, "is", case, "want", state)


class Form(HTMLParser):
    """The one form of a page: what a browser would send, and which levels can be chosen."""

    def __init__(self, page):
        super().__init__()
        self.hidden, self.levels, self.chosen, self.scripts = {}, {}, [], 0
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == "script":
            self.scripts += 1
        if tag != "input":
            return
        if a.get("type") == "hidden":
            self.hidden[a["name"]] = a["value"]
        if a.get("type") == "radio":
            self.levels.setdefault(a["name"], []).append(a["value"])
            if "checked" in a:
                self.chosen.append(a["name"])


def rate(url, level):
    """Rates the matter as a phone does, and returns the page that thanks."""
    page = PHONES + url.removeprefix(RATE)
    status, text = send(urllib.request.Request(page))
    form = Form(text)
    if status != 200 or form.scripts or form.chosen or list(form.levels) != ["matter.level"] or sorted(form.levels["matter.level"]) != list("12345"):
        fail("the rating page:", status, form.levels, form.chosen, form.scripts)
    data = urllib.parse.urlencode(form.hidden | {"matter.level": str(level)}).encode()
    status, thanks = send(urllib.request.Request(page, data, {"Content-Type": "application/x-www-form-urlencoded"}))
    if status != 200:
        fail("the form:", status, thanks)
    return thanks


now = datetime.now(CHINA).replace(microsecond=0)
before = now - timedelta(hours=2)


def fact(project, **more):
    return {"area": "620100", "project_no": project, "task_code": "11620100MB01", "as_of": now.isoformat(), **more}


# Cases: completed before they are known to be accepted, twice, contradicted, corrected.
cases = {"cases": [fact("F-1", completed_at=before.isoformat(), handling="online"), fact("F-2", completed_at=before.isoformat(), contact="13800000001"), fact("F-3", batch="b-1"),
                   fact("F-4", batch="b-1", completed_at=before.isoformat())]}
want("cases", ask("POST", "/v1/cases", cases, "f1"), 200, accepted=4)
want("cases again", ask("POST", "/v1/cases", cases, "f1"), 200, accepted=4, replayed=True)
want("another body under the key", ask("POST", "/v1/cases", {"cases": [fact("F-9")]}, "f1"), 409, code="idempotency_key")
want("accepted afterwards", ask("POST", "/v1/cases", {"cases": [fact("F-1", accepted_at=(before - timedelta(days=1)).isoformat())]}, "f2"), 200, accepted=1)
state_of("F-1", "completed")
other = before - timedelta(hours=1)
status, told = ask("POST", "/v1/cases", {"cases": [fact("F-1", completed_at=other.isoformat()), fact("F-5")]}, "f3")
if status != 200 or told["accepted"] != 1 or [(r["index"], r["code"]) for r in told["refused"]] != [(0, "contradiction")]:
    fail("a contradiction:", status, told)
correction = fact("F-1", completed_at=other.isoformat(), corrects=True)
correction["as_of"] = (now + timedelta(seconds=1)).isoformat()
want("a correction", ask("POST", "/v1/cases", {"cases": [correction]}, "f4"), 200, accepted=1)
for _ in range(120):
    if datetime.fromisoformat(state_of("F-1", "completed")["completed_at"]) == other:
        break
    time.sleep(0.5)
else:
    fail("the correction is not taken")

# A link, and a citizen who rates by it.
status, link = ask("POST", "/v1/links", {"area": "620100", "project_no": "F-1", "channel": "portal", "return": "https://portal.example.com/mine"})
if status != 200 or not link["url"].startswith(RATE + "/") or "F-1" in link["url"] or datetime.fromisoformat(link["expires_at"]) < now:
    fail("a link:", status, link)
if "https://portal.example.com/mine" not in rate(link["url"], 2):
    fail("the thanks page does not lead back")
state_of("F-1", "rated")

# Other channels: an answer twice, a key, a message that is handed on again at another time.
answer = {"answers": [{"area": "620100", "project_no": "F-4", "level": 4, "channel": "app", "given_at": now.isoformat(), "text": "窗口很快"}]}
want("an answer", ask("POST", "/v1/answers", answer, "a1"), 200, accepted=1, replayed=False)
want("an answer again", ask("POST", "/v1/answers", answer, "a1"), 200, accepted=1, replayed=True)
state_of("F-4", "rated")
want("its batch", ask("POST", "/v1/cases", {"cases": [fact("F-3", completed_at=now.isoformat())]}, "f5"), 200, accepted=1)
state_of("F-3", "rated")  # by the one answer of the batch
press = {"id": "call-1", "key": "1", "pressed_at": now.isoformat(), "area": "620100", "project_no": "F-2"}
want("a key", ask("POST", "/v1/voice/keys", press), 200, outcome="saved")
press["pressed_at"] = (now - timedelta(seconds=30)).isoformat()
want("the key with another time", ask("POST", "/v1/voice/keys", press), 200, outcome="saved")
want("another key in the call", ask("POST", "/v1/voice/keys", press | {"key": "5"}), 409, code="id_used")
state_of("F-2", "rated")
reply = {"id": "mo-1", "number": "13800000009", "text": "5", "received_at": now.isoformat()}
want("a reply to nothing", ask("POST", "/v1/sms/replies", reply), 200, outcome="unclear")
want("a stop", ask("POST", "/v1/messages/stop", {"number": "13800000009"}, "s1"), 200, stopped=True)
want("figures", ask("GET", "/v1/figures"), 200, cases=5, completed=4, rated=4, default=0, unrated=0)
want("a wrong token", ask("GET", "/v1/figures", token="x"), 401, code="unauthorized")
want("a case that nobody knows", ask("GET", "/v1/cases/620100/F-77"), 404, code="unknown")
print("ok")
