"use strict";
// The picture of the parts: key, log, broker and books of all boxes, and what travels between them.
const picture = (() => {
  const space = "http://www.w3.org/2000/svg";
  const svg = (name, attributes, parent) => {
    const e = document.createElementNS(space, name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    parent.append(e);
    return e;
  };
  const $ = (id) => document.getElementById(id);
  const at = { broker: [640, 56], books: [911, 56], phone: [1181, 56] };
  const width = 132;
  const notes = {};
  const lines = new Map();
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function node(name, [x, y], title, note, height = 34) {
    at[name] = [x, y];
    const g = svg("g", { class: "node", id: `node-${name}`, transform: `translate(${x - width / 2} ${y - height / 2})` }, $("nodes"));
    svg("rect", { width, height, rx: 8 }, g);
    svg("text", { x: width / 2, y: height / 2 + (note === null ? 5 : -2), class: "title" }, g).textContent = title;
    if (note === null) return;
    notes[name] = svg("text", { x: width / 2, y: height / 2 + 12, class: "note" }, g);
    notes[name].textContent = note;
  }

  // A line leaves a node at its edge, so that what travels is seen between the nodes alone.
  function line(from, to) {
    const [a, b] = [[at[from][0] + width / 2, at[from][1]], [at[to][0] - width / 2, at[to][1]]];
    const middle = (a[0] + b[0]) / 2;
    lines.set(`${from} ${to}`, svg("path", { class: "line", id: `line-${from}-${to}`, d: `M${a[0]} ${a[1]} C${middle} ${a[1]} ${middle} ${b[1]} ${b[0]} ${b[1]}` }, $("lines")));
  }

  function flash(name) {
    const g = $(`node-${name}`);
    g.classList.remove("lit");
    g.getBoundingClientRect(); // the animation begins anew
    g.classList.add("lit");
  }

  // One thing travels along a way of nodes. Its word stands still beside each line: above it on the way to the books, below it on the way back.
  async function travel(way, kind, word) {
    const g = svg("g", { class: `traveller ${kind}`, "data-word": word }, $("travellers"));
    const dot = svg("circle", { r: 7 }, g);
    const text = svg("text", {}, g);
    text.textContent = word;
    for (let i = 0; i + 1 < way.length; i++) {
      const forth = lines.get(`${way[i]} ${way[i + 1]}`);
      const path = forth || lines.get(`${way[i + 1]} ${way[i]}`);
      const length = path.getTotalLength();
      const place = path.getPointAtLength(length / 2);
      text.setAttribute("transform", `translate(${place.x} ${place.y + (forth ? -11 : 21)})`);
      const here = `${path.id} ${Boolean(forth)}`;
      for (const t of document.querySelectorAll("#travellers text")) if (t.dataset.at === here) t.textContent = ""; // one word at one place
      text.dataset.at = here;
      text.textContent = word;
      const began = performance.now();
      const time = still.matches ? 1 : 600;
      for (let part = 0; part < 1;) {
        part = Math.min(1, (performance.now() - began) / time);
        const p = path.getPointAtLength(length * (forth ? part : 1 - part));
        dot.setAttribute("transform", `translate(${p.x} ${p.y})`);
        await new Promise((next) => (document.hidden ? setTimeout(next, 20) : requestAnimationFrame(next)));
      }
      flash(way[i + 1]);
    }
    g.remove();
  }

  return {
    begin(boxes) {
      boxes.forEach(({ device, name: whole }, i) => {
        const [name] = whole.split(" ");
        const y = 18 + i * 38;
        node(`key-${device}`, [67, y], `${name} 按键 Key`, null);
        node(`log-${device}`, [346, y], `${name} 日志 Log`, "待发 0 pending");
        line(`key-${device}`, `log-${device}`);
      });
      node("broker", at.broker, "消息代理 Broker", "网络正常 up", 44);
      node("books", at.books, "账本 Books", "已收 0 批 batches", 44);
      node("phone", at.phone, "手机 Phone", null, 44);
      for (const { device } of boxes) line(`log-${device}`, "broker");
      line("broker", "books");
      line("books", "phone");
    },
    travel, flash,
    note(name, text) { notes[name].textContent = text; },
    // A box that has not found its way back yet is cut off although the network is up.
    connected(device, is) { $(`line-log-${device}-broker`).classList.toggle("off", !is); },
    end() {
      $("picture").classList.add("cut");
      for (const n of Object.values(notes)) n.textContent = "已停止 stopped";
    },
    network(up) { $("picture").classList.toggle("cut", !up); notes.broker.textContent = up ? "网络正常 up" : "网络已断开 cut"; },
  };
})();
