// A receiver in another language, made from docs/receiver.md, docs/asyncapi.yaml and docs/schema alone: it takes what boxes send over
// MQTT, signs for it, configures them and takes ratings by phone. It is a proof that those documents suffice, and no product: books in
// memory, a file for a journal. Whoever tests it speaks with it by lines of JSON.
//
//	node receiver.mjs SCHEMAS FOLDER HOST:PORT
import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { appendFileSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Books, Unbelievable } from "./books.mjs";
import { alive, publicKey, publicText, readLink, seal } from "./link.mjs";
import { session } from "./mqtt.mjs";
import { decide, reasonOf } from "./rules.mjs";
import { schemas } from "./schema.mjs";

const [, , schemaFolder, folder, broker] = process.argv;
const say = (v) => process.stdout.write(`${JSON.stringify(v)}\n`);
const books = new Books(schemas(schemaFolder));
const heard = { presence: {}, health: {}, replies: [], refused: [] };
let line; // to the broker

const keyFile = `${folder}/centre.pem`;
if (!existsSync(keyFile))
  writeFileSync(keyFile, generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
const key = createPrivateKey(readFileSync(keyFile));

// The journal: one line a thing that came in, flushed before anybody is told.
const journalFile = `${folder}/journal.ndjson`;
const journal = openSync(journalFile, "a");
function commit(entry) {
  appendFileSync(journal, `${JSON.stringify(entry)}\n`);
  fsyncSync(journal);
  return apply(entry);
}

/** Enters what the journal has. */
function apply(e) {
  if (e.kind === "batch") return books.enter(books.believe(e.topic, Buffer.from(e.payload, "base64")), e.received);
  if (e.kind === "phone") return void books.phones.push(e);
  books.devices.set(e.device, { key: publicKey(e.key), enrolled: books.devices.get(e.device)?.enrolled ?? e.received, window: e.window });
}

const publish = (device, purpose, body, retained = false) =>
  line.publish(`hcp/1/${device}/${purpose}`, seal(key, purpose, { device, ...body }), retained);
const command = (device, name, args) =>
  publish(device, "command", { id: randomBytes(16).toString("hex"), name, args, expires: Date.now() + 900_000 });
const configure = (device) => publish(device, "config", { window: books.devices.get(device).window }, true);

async function received(topic, payload, done) {
  const [, , device, channel] = topic.split("/");
  if (channel === "records") await batch(device, payload);
  else if (payload.length > 16384 || books.check(`message.schema.json#/$defs/${channel}`, parsed(payload)))
    heard.refused.push({ device, channel });
  else if (channel === "reply") heard.replies.push({ device, ...parsed(payload) });
  else heard[channel][device] = parsed(payload);
  done();
}

function parsed(payload) {
  try {
    return JSON.parse(payload);
  } catch {
    return null;
  }
}

/** Commits a batch that is to be believed, and returns what is to be said to it. */
function take(topic, payload) {
  try {
    books.believe(topic, payload);
  } catch (e) {
    if (!(e instanceof Unbelievable)) throw e;
    heard.refused.push({ device: topic, channel: "records", why: e.message });
    return { refused: e.message };
  }
  return commit({ kind: "batch", topic, received: Date.now(), payload: payload.toString("base64") });
}

async function batch(topic, payload) {
  const { ack, missing, epoch } = take(topic, payload);
  if (ack) await publish(topic, "ack", ack);
  if (missing) await command(topic, "resend", { epoch, first: `${missing.first}`, last: `${missing.last}` });
}

/** Takes what somebody has filled in behind a link. */
async function rate({ link, submission, answers }) {
  const claim = readLink(link, (device) => books.devices.get(device)?.key);
  if (!claim || !alive(claim, Date.now(), books.closed(claim.device, claim.visit))) return { refused: true };
  if (books.phones.some((p) => p.device === claim.device && p.submission === submission)) return { repeated: true };
  const offered = answers.filter((a) => claim.subjects.includes(a.subject));
  const evaluations = offered.map((a) => ({ ...a, visit: claim.visit, channel: "phone" }));
  commit({ kind: "phone", device: claim.device, submission, received: Date.now(), answers: evaluations });
  const counting = books.evaluations().filter((g) => g.submission === submission && g.counts.length);
  for (const { evaluation: e } of counting) {
    await command(claim.device, "phone_rated", { visit: e.visit, subject: e.subject, ...(e.case ? { case: e.case } : {}) });
  }
  return { counting: counting.length };
}

const orders = {
  async enrol({ device, key, window }) {
    commit({ kind: "device", device, key, window, received: Date.now() });
    await configure(device);
    return {};
  },
  rate,
  async resend({ device, epoch, first, last }) {
    await command(device, "resend", { epoch, first, last });
    return {};
  },
  async books() {
    const logs = [...books.logs.values()].map((l) => ({
      device: l.device,
      epoch: l.epoch,
      records: l.records.size,
      through: books.through(l),
      released: l.released,
      forks: l.forks.length,
    }));
    return {
      ...heard,
      logs,
      findings: books.findings,
      evaluations: books.evaluations(),
      outcomes: [...books.of("outcome")].map((e) => e.record.outcome),
    };
  },
  /** Says what counts of a history that a test has made up. */
  async decide({ visits, given, reasons }) {
    const all = visits.map((v) => v.visit);
    const counts = decide(given, (device, id) => visits.find((v) => v.device === device && v.visit.id === id)?.visit, all);
    return { decisions: given.map((g) => ({ counts: counts.get(g), reason: reasonOf(g, reasons)?.code ?? "" })) };
  },
  async take({ device, payload }) {
    return take(device, Buffer.from(payload, "base64"));
  },
  async read({ link }) {
    return { claim: readLink(link, (device) => books.devices.get(device)?.key) };
  },
};

if (existsSync(journalFile))
  readFileSync(journalFile, "utf8")
    .split("\n")
    .filter(Boolean)
    .forEach((l) => apply(JSON.parse(l)));
const [host, port] = broker.split(":");
// One message after the other, in their order, once the connection stands.
let ready;
let queue = new Promise((resolve) => {
  ready = resolve;
});
line = await session({
  host,
  port,
  id: `receiver-${randomBytes(4).toString("hex")}`,
  filters: ["hcp/1/+/records", "hcp/1/+/presence", "hcp/1/+/health", "hcp/1/+/reply"],
  received: (...message) => {
    queue = queue.then(() => received(...message));
  },
});
line.ended.then(() => process.exit(1)); // whoever started it starts it again
await Promise.all([...books.devices.keys()].map(configure));
ready();
say({ key: publicText(key) });
for await (const text of createInterface({ input: process.stdin })) {
  const order = JSON.parse(text);
  queue = queue.then(async () => say(await orders[order.do](order)));
}
await queue;
process.exit(0);
