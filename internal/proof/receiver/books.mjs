// What a receiver has taken: logs with their records, forks, gaps and quarantine, and ratings by phone. It knows no network and no file.
import { sha256, verified } from "./link.mjs";
import { JSONError, parse, utf8 } from "./json.mjs";
import { decide, reasonOf } from "./rules.mjs";

export const kinds = ["visit", "evaluation", "outcome", "event", "salvaged", "reason"];
const hash = (bytes) => sha256(bytes).toString("base64url");

/** The hash by which a record names the one before it, also of a record that cannot be accepted; undefined if it names none. */
function prev(bytes) {
  try {
    return JSON.parse(bytes.toString("utf8"))?.prev;
  } catch {
    return undefined;
  }
}

/** Thrown for a batch that is not to be believed. */
export class Unbelievable extends Error {}

export class Books {
  constructor(check) {
    this.check = check; // (reference, value) says what is wrong by the schemas
    this.devices = new Map(); // name to {key, enrolled, window}
    this.logs = new Map(); // device/epoch to a log
    this.phones = []; // what came by phone
    this.findings = [];
  }

  log(device, epoch) {
    const name = `${device}/${epoch}`;
    if (!this.logs.has(name)) this.logs.set(name, { device, epoch, records: new Map(), forks: [], released: 0, whole: new Set(), open: [] });
    return this.logs.get(name);
  }

  /** Reads a batch and makes sure whose it is. It changes nothing. */
  believe(topic, payload) {
    let batch, text;
    if (payload.length > 262144) throw new Unbelievable("it is too large");
    try {
      // One character a byte: what is no UTF-8 is the fault of one record.
      ({ value: batch, text } = parse(payload.toString("latin1"), { once: false }));
    } catch (e) {
      throw e instanceof JSONError ? new Unbelievable(e.message) : e;
    }
    // Records come last and are judged one by one later on.
    const { records: all, ...rest } = batch;
    const wrong = this.check("message.schema.json#/$defs/records", { ...rest, records: Array.isArray(all) ? all.map(() => null) : all });
    if (wrong && !wrong.startsWith("/records/")) throw new Unbelievable(wrong);
    const records = batch.records.map((_, i) => Buffer.from(text(batch.records, i), "latin1"));
    const device = this.devices.get(batch.device);
    if (batch.device !== topic) throw new Unbelievable(`it came on the topic of ${topic}`);
    if (batch.count !== records.length || batch.head !== hash(records.at(-1))) throw new Unbelievable("it was changed on the way");
    if (batch.released >= batch.first) throw new Unbelievable("it has let go what it sends");
    if (!device) throw new Unbelievable("the device is not enrolled");
    if (batch.alg !== device.key.alg) throw new Unbelievable("it is signed in another algorithm than that of the device's key");
    const said = Buffer.concat([
      Buffer.from(`hcp/1 batch\n${batch.device}\n${batch.epoch}\n${batch.first}\n${batch.count}\n${batch.released}\n`),
      ...records.map(sha256),
    ]);
    if (!verified(device.key, said, Buffer.from(batch.sig, "base64"))) throw new Unbelievable("the signature is not its key's");
    return { ...batch, records };
  }

  /** Enters a batch that is believed, and returns the acknowledgement, null if there is nothing to say, and what is missing. */
  enter(batch, now) {
    const log = this.log(batch.device, batch.epoch);
    const quarantined = [];
    batch.records.forEach((bytes, i) => {
      const reason = this.record(log, batch.first + i, bytes, now);
      if (reason) quarantined.push({ seq: batch.first + i, reason });
    });
    const missing = this.missing(log, log.released + 1, batch.released);
    if (missing) this.findings.push({ what: "gap", device: log.device, epoch: log.epoch, ...missing });
    log.released = Math.max(log.released, batch.released);
    const last = batch.first + batch.count - 1;
    const through = Math.min(this.through(log), last);
    const head = through >= batch.first ? hash(batch.records[through - batch.first]) : log.records.get(through)?.hash;
    this.settle(log, batch);
    const ack = head && log.whole.has(`${through} ${head}`) && { device: log.device, epoch: log.epoch, through, head, quarantined, first: batch.first, last, time: now, kinds };
    return { ack: ack || null, missing, epoch: log.epoch };
  }

  /** Notes which records are here with all that their sender still holds of what came before them. */
  settle(log, batch) {
    log.open.push({ first: batch.first, released: batch.released, prev: prev(batch.records[0]), hashes: batch.records.map(hash) });
    const holds = (b, seq, h) => h && b.hashes[seq - b.first] === h;
    const settled = (b, seq, h) =>
      seq <= b.released || log.whole.has(`${seq} ${h}`) || log.open.some((o) => holds(o, seq, h) && settled(b, o.first - 1, o.prev));
    for (let found = true; found; ) {
      found = false;
      log.open = log.open.filter((b) => {
        const names = b.hashes.map((h, i) => `${b.first + i} ${h}`);
        const whole = settled(b, b.first - 1, b.prev) || names.some((n) => log.whole.has(n));
        if (whole) names.forEach((n) => log.whole.add(n));
        found ||= whole;
        return !whole;
      });
    }
  }

  /** The first and the last seq between two that are not here, null if all are. */
  missing(log, first, last) {
    while (first <= last && log.records.has(first)) first++;
    while (first <= last && log.records.has(last)) last--;
    return first <= last ? { first, last } : null;
  }

  /** The seq up to which everything is here, or was let go. */
  through(log) {
    let n = Math.max(log.through ?? 0, log.released);
    while (log.records.has(n + 1)) n++;
    return (log.through = n);
  }

  /** Enters one record and returns why it is in quarantine, "" if it is not. */
  record(log, seq, bytes, received) {
    const before = log.records.get(seq);
    const { record, reason } = this.read(log, seq, bytes);
    const entry = { seq, hash: hash(bytes), bytes, record, reason, received };
    if (before && before.hash !== entry.hash) {
      if (!log.forks.some((f) => f.hash === entry.hash)) {
        log.forks.push(entry);
        this.findings.push({ what: "fork", device: log.device, epoch: log.epoch, seq });
      }
      return reason;
    }
    if (before) return before.reason;
    log.records.set(seq, entry);
    if (reason) this.findings.push({ what: "quarantine", device: log.device, epoch: log.epoch, seq, reason });
    for (const one of [entry, log.records.get(seq + 1)]) this.link(log, one);
    if (!reason && record.kind === "salvaged") {
      const inner = Buffer.from(record.salvaged.record, "base64");
      const old = parse(utf8(inner)).value;
      this.record(this.log(log.device, old.epoch), old.seq, inner, received);
    }
    return reason;
  }

  /** Looks whether a record follows from the one before it, where both are here. */
  link(log, entry) {
    const before =
      entry?.seq === 1 ? { hash: hash(`hcp/1 genesis\n${log.device}\n${log.epoch}\n`) } : entry && log.records.get(entry.seq - 1);
    if (before && entry.record && entry.record.prev !== before.hash)
      this.findings.push({ what: "broken_chain", device: log.device, epoch: log.epoch, seq: entry.seq });
  }

  read(log, seq, bytes) {
    let record;
    try {
      if (bytes.length > 98304) return { reason: `${bytes.length} bytes` };
      record = parse(utf8(bytes)).value;
    } catch (e) {
      if (e instanceof JSONError) return { reason: e.message };
      throw e;
    }
    const reason =
      this.check("record.schema.json#", record) ||
      this.beyondSchema(record, bytes) ||
      (record.device !== log.device || record.epoch !== log.epoch || record.seq !== seq
        ? `it says that it is record ${record.seq} of ${record.device}, epoch ${record.epoch}`
        : "");
    return { record: reason ? undefined : record, reason };
  }

  /** What the schema says in words. */
  beyondSchema(record) {
    const { visit, salvaged } = record;
    if (visit) {
      const cases = visit.cases ?? [];
      const done = cases.filter((c) => c.completed);
      if (Buffer.byteLength(JSON.stringify(visit)) > 64512) return "the visit is too large";
      if (visit.grouping === "batch" && (cases.length < 2 || cases.some((c) => (c.task_code ?? "") !== (cases[0].task_code ?? ""))))
        return "article 14: no batch";
      if (visit.subjects.includes("matter") && done.length === 0) return "article 14: no case is completed";
    }
    if (!salvaged) return "";
    const inner = Buffer.from(salvaged.record, "base64");
    try {
      const old = parse(utf8(inner)).value;
      if (old.device !== record.device || old.epoch === record.epoch)
        return "salvaged: it holds a record of another device, or of its own log";
      const wrong = this.read({ device: old.device, epoch: old.epoch }, old.seq, inner).reason;
      return wrong && `salvaged: ${wrong}`;
    } catch (e) {
      if (e instanceof JSONError) return `salvaged: ${e.message}`;
      throw e;
    }
  }

  /** The records of one kind, with their places. */
  *of(kind) {
    for (const log of this.logs.values()) {
      for (const e of [...log.records.values()].sort((a, b) => a.seq - b.seq)) if (e.record?.kind === kind) yield { log, ...e };
    }
  }

  visit(device, id) {
    for (const e of this.of("visit")) if (e.log.device === device && e.record.visit.id === id) return e.record.visit;
  }

  closed(device, id) {
    for (const e of this.of("outcome")) if (e.log.device === device && e.record.outcome.visit === id) return e.received;
  }

  /** When a record was written, as well as it is known. */
  time({ log, record, received }) {
    const enrolled = this.devices.get(log.device)?.enrolled ?? 0;
    const floor = Math.max(enrolled - 86_400_000, Date.UTC(2021, 0, 1));
    const set = ({ record: r, received }) => r.at.synced && r.at.wall >= floor && r.at.wall <= received + 60_000;
    if (set({ record, received })) return { time: record.at.wall, known: "set" };
    const near = [...log.records.values()].filter((e) => e.record?.at.boot === record.at.boot);
    const sure = near
      .filter(set)
      .sort((a, b) => Math.abs(a.record.at.mono - record.at.mono) - Math.abs(b.record.at.mono - record.at.mono))[0];
    if (sure) return { time: sure.record.at.wall + record.at.mono - sure.record.at.mono, known: "corrected" };
    return { time: Math.min(...near.map((e) => e.received - e.record.at.mono)) + record.at.mono, known: "estimated" };
  }

  /** Every evaluation, with what it counts for. */
  evaluations() {
    const all = [...this.of("evaluation")].map((e) => ({
      device: e.log.device,
      epoch: e.log.epoch,
      seq: e.seq,
      submission: "",
      ...this.time(e),
      evaluation: e.record.evaluation,
    }));
    for (const p of this.phones)
      for (const evaluation of p.answers)
        all.push({ device: p.device, epoch: "", seq: 0, submission: p.submission, time: p.received, known: "set", evaluation });
    const reasons = [...this.of("reason")].map((e) => ({ device: e.log.device, epoch: e.log.epoch, seq: e.seq, reason: e.record.reason }));
    const visits = [...this.of("visit")].map((e) => e.record.visit);
    const counts = decide(all, (device, id) => this.visit(device, id), visits);
    return all.map((g) => ({ ...g, counts: counts.get(g), reason: reasonOf(g, reasons)?.code }));
  }
}
