/* Charts of one rollout: two sides over time, as SVG without a style of its own (the page allows none). Each says its
   figures in a line above: of the moment that is pointed at, by pointer or arrow keys, else of the newest one. After the
   candidate has gone that is the last moment at which it was seen, and its time is said. */
"use strict";

const Charts = (() => {
  const WIDTH = 360, HEIGHT = 130, LEFT = 44, RIGHT = 8, TOP = 10, BOTTOM = 18;
  const NS = "http://www.w3.org/2000/svg";
  const percent = (value) => value >= 0.1 || value === 0 ? `${Math.round(value * 100)}%` : `${Number((value * 100).toPrecision(2))}%`;
  const finer = (value) => `${Number((value * 100).toFixed(value < 0.01 ? 2 : 1))}%`;
  const time = (value) => value >= 1000 ? `${(value / 1000).toFixed(1)}s` : `${value >= 10 ? Math.round(value) : Number(value.toFixed(1))}ms`;
  const plain = (value) => value >= 10 ? Math.round(value).toLocaleString("en") : String(Number(value.toFixed(1)));
  const way = (value) => `${Math.round(value * 100)}% of the way to the limit`;
  const KINDS = {
    exposure: { lines: [["wanted", "wanted"], ["applied", "applied"], ["served", "served"]], axis: percent, said: finer, steps: true, now: true },
    requests: { lines: [["baseline", "baseline_rate"], ["candidate", "candidate_rate"]], axis: plain, said: plain },
    errors: { lines: [["baseline", "baseline_errors"], ["candidate", "candidate_errors"]], axis: percent, said: finer, least: 0.01, most: 1 },
    latency: { lines: [["baseline", "baseline_p99"], ["candidate", "candidate_p99"]], axis: time, said: time },
    evidence: { lines: [["", "evidence"]], axis: percent, said: way, limit: 1, top: 1.12, area: true },
  };

  const svg = (name, attributes, text) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const clock = (seconds) => {
    const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return (hours ? `${hours}h` : "") + (hours || minutes ? `${minutes}m` : "") + `${whole % 60}s`;
  };

  const nice = (value) => {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
  };

  class Chart {
    constructor(figure) {
      this.kind = KINDS[figure.dataset.chart];
      this.name = figure.querySelector("figcaption").textContent;
      this.readout = document.createElement("p");
      this.readout.className = "readout";
      this.plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0" });
      figure.append(this.readout, this.plot);
      this.rows = [];
      this.at = null;
      this.plot.addEventListener("pointermove", (event) => this.point(event));
      this.plot.addEventListener("pointerleave", () => this.move(null));
      this.plot.addEventListener("blur", () => this.move(null));
      this.plot.addEventListener("keydown", (event) => this.key(event));
    }

    show(rows) {
      this.rows = rows;
      if (this.at !== null) this.at = Math.min(this.at, rows.length - 1);
      this.draw();
    }

    point(event) {
      if (!this.rows.length) return;
      const box = this.plot.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDTH;
      const distance = (row) => Math.abs(this.x(row.at) - x);
      this.move(this.rows.reduce((best, row, place) => distance(row) < distance(this.rows[best]) ? place : best, 0));
    }

    key(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -this.rows.length, End: this.rows.length }[event.key];
      if (step === undefined || !this.rows.length) return;
      event.preventDefault();
      const from = this.at === null ? this.rows.length - 1 : this.at;
      this.move(Math.max(0, Math.min(this.rows.length - 1, from + step)));
    }

    move(at) {
      if (this.at === at) return;
      this.at = at;
      this.tell();
    }

    x(at) {
      const first = this.rows[0].at, span = Math.max(3, this.rows[this.rows.length - 1].at - first);
      return LEFT + ((at - first) / span) * (WIDTH - LEFT - RIGHT);
    }

    y(value) {
      return HEIGHT - BOTTOM - (Math.min(value, this.top) / this.top) * (HEIGHT - BOTTOM - TOP);
    }

    draw() {
      const kind = this.kind, seen = kind.lines.flatMap(([, key]) => this.rows.map((row) => row[key]).filter((value) => value !== null));
      this.plot.replaceChildren();
      if (!seen.length) {
        this.readout.textContent = "Nothing was counted.";
        this.plot.append(svg("text", { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "nothing counted"));
        this.plot.setAttribute("aria-label", `${this.name}: nothing counted`);
        return;
      }
      this.top = kind.top || Math.min(kind.most || Infinity, nice(Math.max(kind.least || 0, ...seen, 1e-6)));
      const ticks = kind.limit ? [0, 0.5, 1] : [0, this.top / 2, this.top];
      for (const tick of ticks) {
        const y = this.y(tick), limit = tick === kind.limit;
        this.plot.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: limit ? "limit" : "grid" }));
        this.plot.append(svg("text", { x: LEFT - 5, y: y + 4, "text-anchor": "end", class: limit ? "limit" : "" }, limit ? "limit" : kind.axis(tick)));
      }
      const first = this.rows[0], last = this.rows[this.rows.length - 1];
      this.plot.append(svg("text", { x: LEFT, y: HEIGHT - 4 }, clock(first.at)));
      this.plot.append(svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, clock(last.at)));
      for (const [name, key] of kind.lines) {
        if (kind.area) this.plot.append(svg("path", { d: this.path(key, true), class: "area" }));
        this.plot.append(svg("path", { d: this.path(key, false), class: name }));
      }
      this.cursor = svg("line", { y1: TOP, y2: HEIGHT - BOTTOM, x1: -9, x2: -9, class: "cursor" });
      this.plot.append(this.cursor);
      this.tell();
    }

    /* A line with gaps where nothing was seen. */
    path(key, area) {
      let d = "", pen = false, start = 0, before = null;
      const close = (x) => area && pen ? `L${x} ${this.y(0).toFixed(1)}L${start} ${this.y(0).toFixed(1)}Z` : "";
      let x = 0;
      for (const row of this.rows) {
        if (row[key] === null) {
          d += close(x);
          pen = false;
          continue;
        }
        x = this.x(row.at).toFixed(1);
        const y = this.y(row[key]).toFixed(1);
        if (pen && this.kind.steps) d += `H${x}V${y}`;
        else d += `${pen ? "L" : "M"}${x} ${y}`;
        if (!pen) start = x;
        pen = true;
        before = row;
      }
      if (before === this.rows[this.rows.length - 1]) d += close(x);
      return d;
    }

    /* The newest moment of which everything was seen, or just the newest. */
    newest() {
      const last = this.rows.length - 1;
      if (this.kind.now) return last;
      const whole = this.rows.findLastIndex((row) => this.kind.lines.every(([, key]) => row[key] !== null));
      return whole < 0 ? last : whole;
    }

    tell() {
      if (!this.rows.length || !this.cursor) return;
      const at = this.at === null ? this.newest() : this.at, row = this.rows[at];
      const said = this.kind.lines
        .filter(([, key]) => row[key] !== null)
        .map(([name, key]) => `${name} ${this.kind.said(row[key])}`.trim()).join(", ") || "nothing counted";
      this.readout.textContent = this.at === null && at === this.rows.length - 1 ? said : `at ${clock(row.at)}: ${said}`;
      this.plot.setAttribute("aria-label", `${this.name} over time, at ${clock(row.at)}: ${said}. Arrow keys move in time.`);
      const x = this.at === null ? -9 : this.x(row.at);
      this.cursor.setAttribute("x1", x);
      this.cursor.setAttribute("x2", x);
    }
  }

  /* The charts of this page; `show(names, rows, fresh)` takes points as they come. */
  const MOST = 720;
  const begin = () => {
    const charts = [...document.querySelectorAll("[data-chart]")].map((figure) => new Chart(figure));
    let kept = [];
    return (names, rows, fresh) => {
      const points = rows.map((row) => Object.fromEntries(names.map((name, place) => [name, row[place]])));
      kept = fresh ? points : [...kept, ...points];
      if (kept.length > MOST) kept = kept.filter((_, place) => place % 2 || place === kept.length - 1);
      for (const chart of charts) chart.show(kept);
    };
  };
  return { begin };
})();
