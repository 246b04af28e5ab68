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
  const at = { broker: [730, 71], books: [960, 71], phone: [1160, 71] };
  const notes = {};
  const lines = new Map();
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function node(name, [x, y], title, note, height = 40) {
    at[name] = [x, y];
    const g = svg("g", { class: "node", id: `node-${name}`, transform: `translate(${x - 75} ${y - height / 2})` }, $("nodes"));
    svg("rect", { width: 150, height, rx: 8 }, g);
    svg("text", { x: 75, y: height / 2 - 3, class: "title" }, g).textContent = title;
    notes[name] = svg("text", { x: 75, y: height / 2 + 13, class: "note" }, g);
    notes[name].textContent = note;
  }

  function line(from, to) {
    const [a, b] = [at[from], at[to]];
    const middle = (a[0] + b[0]) / 2;
    lines.set(`${from} ${to}`, svg("path", { class: "line", id: `line-${from}-${to}`, d: `M${a[0]} ${a[1]} C${middle} ${a[1]} ${middle} ${b[1]} ${b[0]} ${b[1]}` }, $("lines")));
  }

  function flash(name) {
    const g = $(`node-${name}`);
    g.classList.remove("lit");
    g.getBoundingClientRect(); // the animation begins anew
    g.classList.add("lit");
  }

  // One thing travels along a way of nodes, with a word beside it.
  async function travel(way, kind, word) {
    const g = svg("g", { class: `traveller ${kind}`, "data-word": word }, $("travellers"));
    svg("circle", { r: 7 }, g);
    svg("text", { y: -11 }, g).textContent = word;
    for (let i = 0; i + 1 < way.length; i++) {
      const forth = lines.get(`${way[i]} ${way[i + 1]}`);
      const path = forth || lines.get(`${way[i + 1]} ${way[i]}`);
      const length = path.getTotalLength();
      const began = performance.now();
      const time = still.matches ? 1 : 450;
      for (let part = 0; part < 1;) {
        part = Math.min(1, (performance.now() - began) / time);
        const p = path.getPointAtLength(length * (forth ? part : 1 - part));
        g.setAttribute("transform", `translate(${p.x} ${p.y})`);
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
        const y = 23 + i * 48;
        node(`key-${device}`, [110, y], `${name} 按键 Key`, "");
        node(`log-${device}`, [420, y], `${name} 日志 Log`, "待发 0 pending");
        line(`key-${device}`, `log-${device}`);
      });
      node("broker", at.broker, "消息代理 Broker", "已连接 connected", 56);
      node("books", at.books, "账本 Books", "", 56);
      node("phone", at.phone, "手机 Phone", "", 56);
      for (const { device } of boxes) line(`log-${device}`, "broker");
      line("broker", "books");
      line("books", "phone");
    },
    travel, flash,
    note(name, text) { notes[name].textContent = text; },
    end() {
      $("picture").classList.add("cut");
      for (const n of Object.values(notes)) if (n.textContent) n.textContent = "已停止 stopped";
    },
    network(up) { $("picture").classList.toggle("cut", !up); notes.broker.textContent = up ? "已连接 connected" : "网络已断开 cut"; },
  };
})();
