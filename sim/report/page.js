"use strict";
// The time axis: lanes over virtual time, drawn on a canvas. Times are ns as numbers.
(function () {
  const run = JSON.parse(document.getElementById("run").textContent);
  const box = document.getElementById("axis"), ruler = document.getElementById("ruler"), canvas = document.getElementById("lanes");
  const detail = document.getElementById("detail"), hint = detail.textContent;
  // Colours are the style sheet's: the canvas is painted anew where the page turns dark or light.
  let paper, ink, soft, line, bad, nodeInk, nodeFill, outcome, faultInk, faultFill, faultAll, good, wash, short, healed, logEnd, stable;
  function paint() {
    const style = getComputedStyle(document.documentElement), v = (name) => style.getPropertyValue("--" + name).trim(), five = (set) => [1, 2, 3, 4, 5].map((n) => v(set + n));
    [paper, ink, soft, line, bad, good, wash, short, healed, logEnd, stable] = ["paper", "ink", "soft", "rule", "bad", "good", "k-n", "short", "healed", "log-end", "stable"].map(v);
    [nodeInk, nodeFill, faultInk, faultFill, faultAll] = [five("n"), five("f"), v("open"), v("fault"), v("fault-all")];
    outcome = { ok: v("bar-edge"), fail: bad, info: v("info"), open: v("pending") };
  }
  const font = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif';
  const end = Math.max(run.end, 1);
  let from = 0, to = end, lanes = [], hits = [], width = 0, left = 150, total = 0, waits = false, picked = null, mouse = null;

  const list = (a) => a || [];
  const color = (set, node) => set[(node - 1) % set.length];
  const seconds = (ns) => (ns / 1e9).toFixed(3) + " s";
  const millis = (ns) => (ns / 1e6).toFixed(ns < 1e7 ? 2 : 0) + " ms";
  const x = (t) => left + (t - from) / (to - from) * (width - left);
  const time = (px) => from + (px - left) / (width - left) * (to - from);

  function lane(label, height, draw, more) { lanes.push(Object.assign({ label, height, draw, y: 0 }, more)); }
  function head(text) { lanes.push({ head: true, label: text, height: 28, y: 0 }); }

  function build() {
    lanes = [];
    const name = new Map(list(run.names).map((n) => [n[0], n]));
    head("Faults");
    for (const f of list(run.faults)) {
      const spans = list(run.spans).filter((s) => s.class === f.class);
      lane(f.class, 18, (c, y) => faults(c, y, f, spans), { sub: name.get(f.class)[2], tip: f.class + ": " + name.get(f.class)[1] + ", " + f.count + " times" });
    }
    head("Brokers");
    lane("quorum leader", 18, (c, y) => { for (const s of list(run.control)) bar(c, y + 2, 14, s.begin_ns, s.end_ns, s.node, "n" + s.node, "n" + s.node + " leads the quorum"); });
    list(run.nodes).forEach((n, i) => lane("n" + (i + 1), 18, (c, y) => {
      for (const s of list(n.lives)) bar(c, y + 2, 14, s.begin_ns, s.end_ns, i + 1, "", "n" + (i + 1) + ", " + s.text);
    }));
    for (const inner of [false, true]) {
      const parts = list(run.parts).filter((p) => !!p.internal === inner).sort((a, b) => (b.key === run.key) - (a.key === run.key));
      if (!parts.length || inner && !document.getElementById("internal").checked) continue;
      head(inner ? "Partitions of internal topics" : "Partitions");
      for (const p of parts) partition(p);
    }
    head("Clients");
    lane("latency", 64, latency, { sub: "0.1 ms to 100 s" });
    clients();
    let y = 0;
    for (const l of lanes) { l.y = y; y += l.height; }
    total = y + 6;
  }

  function faults(c, y, f, spans) {
    if (!spans.length && f.count) {
      const until = run.healed || end;
      rect(c, x(0), y + 7, x(until) - x(0), 4, faultAll);
      hit(x(0), y, x(until), y + 18, f.class + ": " + f.count + " times, all through the phase of faults");
    }
    for (const s of spans) {
      const a = x(s.begin_ns), b = Math.max(x(s.end_ns), a + 2), who = s.node ? "n" + s.node + " " : "";
      if (b < left || a > width) continue;
      rect(c, a, y + 2, b - a, 14, faultFill);
      rect(c, a, y + 2, 2, 14, faultInk);
      write(c, who + s.text, a + 5, y + 9, b, faultInk) || write(c, who.trim(), a + 5, y + 9, b, faultInk);
      hit(a - 2, y, b + 2, y + 18, f.class + " " + who + s.text + ", " + span(s.begin_ns, s.end_ns));
    }
  }

  function partition(p) {
    const mine = p.key === run.key;
    lane(p.key, 18, (c, y) => {
      for (const l of list(p.leaders)) {
        // One that takes itself for the leader although a newer epoch has begun stands a little lower.
        const late = list(p.leaders).some((o) => o.epoch > l.epoch && o.begin_ns < l.end_ns);
        bar(c, late ? y + 6 : y + 2, late ? 12 : 14, l.begin_ns, l.end_ns, l.node, "n" + l.node + " epoch " + l.epoch, p.key + ": n" + l.node + " takes itself for the leader of epoch " + l.epoch);
      }
    }, { sub: "leader", bold: mine });
    if (list(p.states).length) lane("", 16, (c, y) => {
      p.states.forEach((s, i) => {
        const until = i + 1 < p.states.length ? p.states[i + 1].at_ns : end, a = Math.max(left, x(s.at_ns)), b = Math.min(width, x(until)), isr = list(s.isr);
        if (b < left || a > width || !s.replicas) return;
        rect(c, a, y + 2, Math.max(1, b - a - 1), 12, isr.length < s.replicas ? short : wash);
        write(c, isr.map((n) => "n" + n).join(" ") || "none", a + 4, y + 8, b, isr.length < s.replicas ? bad : soft);
        hit(a, y, b, y + 16, p.key + ": the quorum has leader " + (s.leader ? "n" + s.leader : "none") + ", epoch " + s.epoch + ", in sync " + (isr.map((n) => "n" + n).join(", ") || "none") + " of " + s.replicas + ", from " + seconds(s.at_ns));
      });
    }, { sub: "in sync" });
    if (list(p.offsets).some((m) => m.end)) lane("", 44, (c, y) => offsets(c, y, p), { sub: "end, high, stable" });
  }

  function offsets(c, y, p) {
    const m = p.offsets;
    let i = Math.max(0, after(m, from) - 1), k = Math.min(m.length, after(m, to) + 1);
    let low = Infinity, high = -Infinity;
    for (let j = i; j < k; j++) { low = Math.min(low, m[j].lso); high = Math.max(high, m[j].end); }
    if (low > high) return;
    const scale = (v) => y + 40 - (high > low ? (v - low) / (high - low) : 0.5) * 34;
    for (const [key, stroke, wide, dash] of [["end", logEnd, 1.2, []], ["hw", nodeInk[0], 1.6, []], ["lso", stable, 1.2, [4, 3]]]) {
      c.beginPath(); c.strokeStyle = stroke; c.lineWidth = wide; c.setLineDash(dash);
      for (let j = i; j < k; j++) {
        const a = x(m[j].at_ns), b = x(j + 1 < m.length ? m[j + 1].at_ns : end), v = scale(m[j][key]);
        if (j === i) c.moveTo(a, v); else c.lineTo(a, v);
        c.lineTo(b, v);
      }
      c.stroke(); c.setLineDash([]);
    }
    for (const [v, at] of [[high, y + 7], [low, y + 38]]) {
      c.font = "10px " + font; c.textAlign = "right"; c.textBaseline = "middle"; c.lineJoin = "round"; c.lineWidth = 3; c.strokeStyle = paper;
      c.strokeText(String(v), width - 4, at);
      text(c, String(v), width - 4, at, soft, "right", 10);
    }
    hits.push({ a: left, b: width, y: y, z: y + 44, say: (t) => {
      const at = after(m, t) - 1;
      return at < 0 ? "" : p.key + " at " + seconds(t) + ": last stable offset " + m[at].lso + ", high watermark " + m[at].hw + ", log end " + m[at].end;
    } });
  }

  // after is the index of the first mark later than t.
  function after(m, t) { let a = 0, b = m.length; while (a < b) { const h = (a + b) >> 1; if (m[h].at_ns <= t) a = h + 1; else b = h; } return a; }

  function latency(c, y) {
    for (const o of list(run.ops)) {
      if (o.begin_ns < from || o.begin_ns > to) continue;
      const ms = Math.max(0.1, (o.end_ns - o.begin_ns) / 1e6), v = y + 60 - Math.min(1, Math.log10(ms * 10) / 6) * 56, a = x(o.begin_ns);
      rect(c, a - 1, v - 1, 2.4, 2.4, outcome[o.type]);
    }
  }

  function clients() {
    list(run.roles).forEach((who) => {
      const i = who.id, role = who.name;
      const mine = list(run.ops).filter((o) => o.client === i), slots = [...new Set(mine.map((o) => o.slot || 0))].sort((a, b) => a - b);
      if (!mine.length) return;
      const height = Math.max(18, slots.length * 7 + 8);
      lane("c" + i, height, (c, y) => {
        for (const o of mine) {
          const a = x(o.begin_ns), b = Math.max(x(o.end_ns), a + 1.6);
          if (b < left || a > width) continue;
          const v = y + (height - slots.length * 7) / 2 + slots.indexOf(o.slot || 0) * 7;
          rect(c, a, v, b - a, o.type === "ok" ? 5 : 6, outcome[o.type]);
          if (run.key && o.key === run.key) rect(c, a, v + 5, b - a, 1, ink);
          hit(a - 1, v - 1, b + 1, v + 7, "c" + i + " " + role + ": " + o.f + " " + (o.key || "") + ", " + (o.text ? o.text + ", " : "") + ({ ok: "succeeded", fail: "refused", info: "outcome unknown", open: "never answered" })[o.type] + ", " + span(o.begin_ns, o.end_ns));
        }
      }, { sub: role });
    });
  }

  function span(a, b) { return b > a ? seconds(a) + " to " + seconds(b) + " (" + millis(b - a) + ")" : "at " + seconds(a); }
  function hit(a, y, b, z, say) { hits.push({ a: Math.max(a, left), b, y, z, say }); }
  function rect(c, a, y, w, h, fill) { const s = Math.max(a, left), e = Math.min(a + w, width); if (e > s) { c.fillStyle = fill; c.fillRect(s, y, e - s, h); } }
  function text(c, s, px, y, fill, align, size) { c.font = (size || 11) + "px " + font; c.fillStyle = fill; c.textAlign = align || "left"; c.textBaseline = "middle"; c.fillText(s, px, y); }
  // write puts a text into a bar if there is room for it.
  function write(c, s, a, y, b, fill) {
    const start = Math.max(a, left + 4), room = Math.min(b, width) - start - 3;
    c.font = "11px " + font;
    if (!s || c.measureText(s).width > room) return false;
    text(c, s, start, y, fill);
    return true;
  }
  function bar(c, y, h, begin, until, node, label, say) {
    const a = x(begin), b = Math.max(x(until), a + 1.5);
    if (b < left || a > width) return;
    rect(c, a, y, b - a - 0.5, h, color(nodeFill, node));
    rect(c, a, y, 2, h, color(nodeInk, node));
    write(c, label, a + 5, y + h / 2 + 0.5, b, color(nodeInk, node));
    hit(a, y - 2, b, y + h + 2, say + ", " + span(begin, until));
  }

  function size(cv, h) {
    const r = Math.min(2, window.devicePixelRatio || 1);
    cv.style.height = h + "px"; cv.width = Math.round(width * r); cv.height = Math.round(h * r);
    const c = cv.getContext("2d"); c.setTransform(r, 0, 0, r, 0, 0); c.clearRect(0, 0, width, h);
    return c;
  }

  function ticks() {
    const rough = (to - from) / Math.max(2, (width - left) / 110), unit = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map((k) => k * unit).find((s) => s >= rough), all = [];
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) all.push(t);
    return { all, digits: Math.max(0, Math.min(9, Math.ceil(9 - Math.log10(step)))) };
  }

  function draw() {
    waits = false; hits = [];
    width = box.clientWidth; left = width < 600 ? 92 : 150;
    const r = size(ruler, 28), c = size(canvas, total), t = ticks();
    c.fillStyle = healed;
    if (run.healed && run.healed < to) { const a = Math.max(left, x(run.healed)); c.fillRect(a, 0, width - a, total); }
    for (const at of t.all) { c.fillStyle = line; c.fillRect(x(at), 0, 1, total); if (x(at) < width - 44) text(r, (at / 1e9).toFixed(t.digits) + " s", x(at) + 4, 14, soft); }
    for (const l of lanes) {
      if (l.head) { c.fillStyle = line; c.fillRect(0, l.y, width, 1); text(c, l.label, 10, l.y + 16, ink, "left", 12); continue; }
      l.draw(c, l.y);
    }
    if (run.healed > from && run.healed < to) text(c, "healed", x(run.healed) + 4, 15, good);
    c.fillStyle = paper; c.fillRect(0, 0, left, total); c.fillStyle = line; c.fillRect(left, 0, 1, total);
    for (const l of lanes) label(c, l);
    r.clearRect(0, 0, left, 28); text(r, run.real ? "time" : "virtual time", 10, 14, soft);
    if (run.broke >= from && run.broke <= to) {
      const a = x(run.broke);
      c.fillStyle = bad; c.fillRect(a - 1, 0, 2, total);
      r.fillStyle = bad; r.fillRect(a - 1, 0, 2, 28);
      r.font = "11px " + font;
      const wide = r.measureText(run.what).width, start = Math.max(left + 4, Math.min(a - wide - 6, width - wide - 6));
      r.fillStyle = paper; r.fillRect(start - 4, 2, wide + 8, 24);
      text(r, run.what, start, 14, bad);
    }
    say();
  }

  function label(c, l) {
    if (l.head) { c.fillStyle = line; c.fillRect(0, l.y, left, 1); c.font = "600 12px " + font; c.fillStyle = ink; c.textAlign = "left"; c.textBaseline = "middle"; c.fillText(l.label, 10, l.y + 16); return; }
    const room = left - 18;
    if (l.label) {
      c.font = (l.bold ? "600 " : "") + "11px " + font;
      let s = l.label;
      while (s.length > 4 && c.measureText(s).width > room) s = s.slice(0, -2) + "…";
      c.fillStyle = l.bold ? bad : ink; c.textAlign = "left"; c.textBaseline = "middle"; c.fillText(s, 10, l.y + 9);
    }
    if (!l.sub) return;
    c.font = "10px " + font;
    const used = l.label ? c.measureText(l.label).width + 26 : 0;
    if (used + c.measureText(l.sub).width < room) text(c, l.sub, left - 8, l.y + 9, soft, "right", 10);
  }

  function later() { if (!waits) { waits = true; requestAnimationFrame(draw); } }
  function show(a, b) {
    const least = 1000, most = end;
    let w = Math.min(most, Math.max(least, b - a));
    a = Math.min(Math.max(0, a), end - w);
    from = a; to = a + w; box.dataset.from = Math.round(from); box.dataset.to = Math.round(to); later();
  }
  function zoom(k, at) { const w = (to - from) * k; show(at - (at - from) * k, at - (at - from) * k + w); }
  function move(part) { const d = (to - from) * part; show(from + d, to + d); }

  function find(px, py) {
    for (let i = hits.length - 1; i >= 0; i--) { const h = hits[i]; if (px >= h.a && px <= h.b && py >= h.y && py <= h.z) return h; }
    const l = lanes.find((o) => o.tip && py >= o.y && py < o.y + o.height);
    return px < left && l ? { say: l.tip } : null;
  }
  function say() {
    if (!mouse) { detail.textContent = picked || hint; return; }
    const h = find(mouse.x, mouse.y);
    detail.textContent = h ? (typeof h.say === "function" ? h.say(time(mouse.x)) : h.say) : mouse.x > left ? seconds(time(mouse.x)) : hint;
    picked = detail.textContent;
  }

  const down = new Map();
  canvas.addEventListener("pointerdown", (e) => { down.set(e.pointerId, e.offsetX); canvas.setPointerCapture(e.pointerId); mouse = { x: e.offsetX, y: e.offsetY }; say(); });
  canvas.addEventListener("pointermove", (e) => {
    mouse = { x: e.offsetX, y: e.offsetY };
    if (down.has(e.pointerId)) {
      const was = down.get(e.pointerId), other = [...down].find(([id]) => id !== e.pointerId);
      if (other) { const gap = Math.abs(was - other[1]), now = Math.max(8, Math.abs(e.offsetX - other[1])); if (gap > 8) zoom(gap / now, time((e.offsetX + other[1]) / 2)); }
      else move((was - e.offsetX) / (width - left));
      down.set(e.pointerId, e.offsetX);
    } else say();
  });
  for (const what of ["pointerup", "pointercancel"]) canvas.addEventListener(what, (e) => down.delete(e.pointerId));
  canvas.addEventListener("pointerleave", () => { if (!down.size) mouse = null; });
  box.addEventListener("wheel", (e) => {
    if (e.ctrlKey || e.metaKey) { e.preventDefault(); zoom(Math.exp(e.deltaY * 0.003), time(Math.max(left, e.offsetX))); }
    else if (Math.abs(e.deltaX) > Math.abs(e.deltaY)) { e.preventDefault(); move(e.deltaX / (width - left)); }
  }, { passive: false });
  box.addEventListener("dblclick", (e) => zoom(0.4, time(Math.max(left, e.offsetX))));
  const doing = { in: () => zoom(0.5, (from + to) / 2), out: () => zoom(2, (from + to) / 2), all: () => show(0, end), broke: () => show(run.broke - 1.5e9, run.broke + 0.3e9) };
  box.addEventListener("keydown", (e) => {
    const keys = { ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), "+": doing.in, "=": doing.in, "-": doing.out, "0": doing.all };
    if (keys[e.key] && !e.ctrlKey && !e.metaKey) { e.preventDefault(); keys[e.key](); }
  });
  for (const a of document.querySelectorAll("[data-at]")) a.addEventListener("click", () => { const t = +a.dataset.at; show(t - 0.25e9, t + 0.25e9); });
  for (const b of document.querySelectorAll("[data-do]")) b.addEventListener("click", doing[b.dataset.do]);
  document.getElementById("internal").addEventListener("change", () => { build(); later(); });
  document.getElementById("tools").hidden = false;

  const copy = document.getElementById("copy");
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", () => navigator.clipboard.writeText(document.getElementById("replay").textContent).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Not allowed here"; }));
  }
  window.addEventListener("resize", later);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); later(); });
  // Paper is light, and shows what is folded.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const d of folded) d.open = true;
    document.documentElement.classList.add("light"); paint(); draw();
  });
  window.addEventListener("afterprint", () => {
    for (const d of folded) d.open = false;
    document.documentElement.classList.remove("light"); paint(); draw();
  });
  paint(); build(); draw();
})();
