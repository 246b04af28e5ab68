// What counts, as docs/receiver.md has it: a function of all that is known, whatever the order of arrival.

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const first = (all, order) => all.reduce((a, b) => (order(b, a) < 0 ? b : a));
const groups = (all, name) => {
  const m = new Map();
  for (const e of all) m.set(name(e), [...(m.get(name(e)) ?? []), e]);
  return [...m.values()];
};
const logOf = (g) => `${g.device}/${g.epoch}`;
const question = (g) => JSON.stringify([g.device, g.evaluation.visit, g.evaluation.subject, g.evaluation.case ?? ""]);
const area = (visit, c) => c.area || visit.window?.area || "";
const name = (visit, c) => (area(visit, c) ? `${area(visit, c)} ${c.project_no}` : c.project_no);
const casesOf = (visit) => visit.cases ?? [];

/** The cases that some visits have completed. */
const completedBy = (visits) => new Set(visits.flatMap((v) => casesOf(v).filter((c) => c.completed).map((c) => name(v, c))));

/** What an evaluation could count for; visit is undefined while it is not here. */
function items(g, visit, completed) {
  const e = g.evaluation;
  const own = JSON.stringify({ device: g.device, visit: e.visit, subject: e.subject });
  const ofCase = (c) => JSON.stringify({ case: c });
  if (e.subject === "staff") return [own];
  if (!visit) return [e.case ? ofCase(e.case) : own];
  const whole = !e.case && (visit.grouping !== "single" || casesOf(visit).length === 1);
  const claimed = casesOf(visit).filter((c) => whole || c.project_no === e.case || (!e.case && c.completed));
  return [...new Set(claimed.map((c) => name(visit, c)))].filter((c) => completed.has(c)).map(ofCase);
}

/** Whether an evaluation stands for all matters of a visit that could be rated one by one. */
const overall = (g, visit) =>
  g.evaluation.subject === "matter" && !g.evaluation.case && !!visit && (visit.grouping === "theme" || !!visit.separate);

/** Follows the corrections of a log: what was replaced, and of each other one the seq and time that stand for it. */
function corrections(all) {
  const at = new Map(); // evaluations of boxes
  const replaced = new Set();
  for (const g of all.filter((g) => g.seq).sort((a, b) => a.seq - b.seq)) {
    const earlier = at.get(`${logOf(g)}/${g.evaluation.replaces}`);
    g.origin = g.seq;
    g.when = g.time;
    if (earlier && earlier.seq < g.seq && question(earlier) === question(g)) {
      replaced.add(earlier);
      g.origin = earlier.origin;
      g.when = earlier.when;
    }
    at.set(`${logOf(g)}/${g.seq}`, g);
  }
  for (const g of all.filter((g) => !g.seq)) g.when = g.time;
  return replaced;
}

const between = (a, b) =>
  compare(a.when, b.when) ||
  compare(a.seq ? 1 : 0, b.seq ? 1 : 0) ||
  compare(a.device, b.device) ||
  compare(a.epoch, b.epoch) ||
  compare(a.seq, b.seq) ||
  compare(a.submission, b.submission) ||
  compare(a.evaluation.visit, b.evaluation.visit) ||
  compare(a.evaluation.subject, b.evaluation.subject) ||
  compare(a.evaluation.case ?? "", b.evaluation.case ?? "");

/** Of each log only its first stands against those of other logs and of phones. */
function earliest(all) {
  const ofLogs = groups(
    all.filter((g) => g.seq),
    logOf,
  ).map((log) => first(log, (a, b) => a.origin - b.origin || a.seq - b.seq));
  return first([...ofLogs, ...all.filter((g) => !g.seq)], between);
}

/** Returns for each evaluation what it counts for. VisitOf(device, id) returns a visit or undefined; visits are all that are here. */
export function decide(all, visitOf, visits) {
  const completed = completedBy(visits);
  const replaced = corrections(all);
  const left = groups(
    all.filter((g) => !replaced.has(g)),
    question,
  ).map(earliest);
  const contests = new Map();
  for (const g of left) {
    const visit = visitOf(g.device, g.evaluation.visit);
    for (const item of items(g, visit, completed)) contests.set(item, [...(contests.get(item) ?? []), { g, whole: overall(g, visit) }]);
  }
  const counts = new Map(all.map((g) => [g, []]));
  for (const [item, those] of contests) {
    const alone = those.filter((c) => !c.whole);
    counts.get(earliest((alone.length ? alone : those).map((c) => c.g))).push(JSON.parse(item));
  }
  return counts;
}

/** The reason that belongs to an evaluation, undefined if none does. */
export function reasonOf(g, reasons) {
  const e = g.evaluation;
  const its = reasons.filter(
    (r) =>
      e.channel === "keypad" &&
      logOf(r) === logOf(g) &&
      r.reason.of === g.seq &&
      r.seq > g.seq &&
      r.reason.visit === e.visit &&
      r.reason.subject === e.subject &&
      (r.reason.case ?? "") === (e.case ?? ""),
  );
  return its.length ? first(its, (a, b) => a.seq - b.seq).reason : undefined;
}
