"""Recounts figures of the centre from single evaluations, by the descriptions of both (docs/figures.md, openapi.yaml) and nothing else.

usage: recount.py BASE TOKEN FROM TO
"""
import collections
import json
import os
import sys
import urllib.parse
import urllib.request

base, token, first, last = sys.argv[1:]


def get(path, **query):
    request = urllib.request.Request(base + path + "?" + urllib.parse.urlencode(query), headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def listed(path, **query):
    """Yields all items of a list."""
    cursor = ""
    while True:
        part = get(path, cursor=cursor, limit=200, **query)
        yield from part["items"]
        cursor = part["next"]
        if not cursor:
            return


def percent(n, of):
    """A share in percent, rounded half up to two digits; what is not all is not 100, and what is not nothing not 0."""
    p = (n * 20000 + of) // (2 * of)
    if p == 10000 and n < of:
        p = 9999
    if p == 0 and n > 0:
        p = 1
    return p / 100


levels = collections.Counter()
channels = collections.defaultdict(collections.Counter)
windows, staff, bad, causes, seen = collections.Counter(), collections.Counter(), collections.Counter(), collections.Counter(), 0
for e in listed("/api/v1/evaluations", **{"from": first, "to": last}):
    seen += 1
    if e["status"] != "counted":
        continue
    n = 1  # once for the person, and once for each case
    if e["subject"] == "matter":
        whole = get("/api/v1/evaluations/%d" % e["cursor"])
        n = sum(c["status"] == "counted" for c in whole["contests"])
    levels[e["level"]] += n
    channels[e["channel"]][e["level"]] += n
    windows[e["window"]["id"]] += n
    if e["subject"] == "staff":
        staff[e["staff"].get("id", "")] += n
        bad[e["staff"].get("id", "")] += n * (e["level"] <= 2)
    for code in set(e.get("reasons", [])):
        causes["%s/%d" % (code, e["catalogue"])] += n

wrong = []


def same(what, mine, theirs):
    if mine != theirs:
        wrong.append("%s: recounted %r, the figures say %r" % (what, mine, theirs))


def good(counter):
    return counter[5] + counter[4] + counter[3]


figures = get("/api/v1/figures", by="window", **{"from": first, "to": last})
total = figures["total"]
answered = sum(levels.values())
for level in range(1, 6):
    same("level %d" % level, levels[level], total["level_%d" % level]["n"])
same("answered", answered, total["answered"]["n"])
same("bad", levels[1] + levels[2], total["bad"]["n"])
same("active good rate", percent(good(levels), answered), total["active_good_rate"]["percent"])
silent = total["silent"]["n"]
same("good rate", percent(good(levels) + silent, answered + silent), total["good_rate"]["percent"])
same("unrated", percent(total["asked"]["n"] - answered, total["asked"]["n"]), total["unrated"]["percent"])
theirs = {c["channel"]: c["figures"] for c in figures["channels"] if c["channel"] != "default"}
same("channels", sorted(channels), sorted(theirs))
for name, counter in channels.items():
    for level in range(1, 6):
        same("%s, level %d" % (name, level), counter[level], theirs[name]["level_%d" % level]["n"])
    same("%s, active good rate" % name, percent(good(counter), sum(counter.values())), theirs[name]["active_good_rate"]["percent"])
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../rating/reasons.json"), encoding="utf-8") as f:
    about = {r["code"]: r["aspect"] for r in json.load(f)["reasons"]}
aspects = collections.Counter()
for cause, n in causes.items():
    aspects[about[cause.split("/")[0]]] += n
places = collections.Counter({name: sum(counter.values()) for name, counter in channels.items()})
repeated = get("/api/v1/figures", by="staff", **{"from": first, "to": last})["repeated"]
same("rated badly again and again", sorted(s for s, n in bad.items() if s and n >= 3), sorted(repeated))
for by, mine in (("window", windows), ("staff", staff), ("cause", causes), ("aspect", aspects), ("channel", places)):
    parts = {x["id"]: x["figures"]["answered"]["n"] for x in listed("/api/v1/figures", by=by, **{"from": first, "to": last})}
    same(by, dict(mine), {k: v for k, v in parts.items() if v})
if seen < 100 or not levels[1] or len(channels) < 2 or len(causes) < 4 or len(aspects) < 3 or not repeated:
    wrong.append("there were %d evaluations, so nothing was proven" % seen)
print("\n".join(wrong) or "ok")
sys.exit(bool(wrong))
