// Figures that move without a kernel. Each is a function of its container, and stands in the table at the end.
// A container is <div class="explorable" data-explorable="NAME">; what it holds before is shown where scripts do not run.
"use strict";

(() => {
  const svgElement = (name, attributes = {}, parent = null) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };

  const htmlElement = (name, attributes = {}, parent = null, text = "") => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // A panel with linear axes from [left, right] and [low, high], to one scale if `equal`; ticks are [position, label] pairs.
  const panel = (parent, { x, y, xTicks, yTicks, xLabel, yLabel, equal = false, tall = 300, right = 14 }) => {
    const width = 380, margin = { left: 52, right, top: 28, bottom: 46 };
    const across = width - margin.left - margin.right;
    const height = equal ? margin.top + margin.bottom + (across * (y[1] - y[0])) / (x[1] - x[0]) : tall;
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" }, parent);
    const toX = (v) => margin.left + ((v - x[0]) / (x[1] - x[0])) * across;
    const toY = (v) => height - margin.bottom - ((v - y[0]) / (y[1] - y[0])) * (height - margin.top - margin.bottom);
    const text = (string, px, py, anchor) => {
      svgElement("text", { x: px, y: py, "text-anchor": anchor, class: "tick" }, svg).textContent = string;
    };
    for (const [v, label] of xTicks) {
      svgElement("line", { x1: toX(v), x2: toX(v), y1: toY(y[0]), y2: toY(y[1]), class: "grid" }, svg);
      text(label, toX(v), height - margin.bottom + 18, "middle");
    }
    for (const [v, label] of yTicks) {
      svgElement("line", { x1: toX(x[0]), x2: toX(x[1]), y1: toY(v), y2: toY(v), class: "grid" }, svg);
      text(label, margin.left - 6, toY(v) + 5, "end");
    }
    text(xLabel, (toX(x[0]) + toX(x[1])) / 2, height - 6, "middle");
    text(yLabel, 8, 15, "start");
    const path = (className) => svgElement("path", { class: className }, svg);
    const draw = (element, points) => {
      const inside = points.filter(([, v]) => Number.isFinite(v));
      element.setAttribute("d", inside.map(([a, b], i) => `${i ? "L" : "M"}${toX(a).toFixed(2)} ${toY(b).toFixed(2)}`).join(""));
    };
    const fromX = (event) => {
      const box = svg.getBoundingClientRect();
      const px = ((event.clientX - box.left) / box.width) * width;
      return x[0] + ((px - margin.left) / across) * (x[1] - x[0]);
    };
    return { svg, path, draw, toX, toY, fromX };
  };

  const scientific = (value) => {
    const [mantissa, exponent] = value.toExponential(1).split("e");
    const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
    return `${mantissa} · 10${raised}`;
  };

  const decimal = (value, digits) => value.toFixed(digits).replace("-", "\u2212");

  const ticks = (...places) => places.map((v) => [v, decimal(v, 0)]);

  const grid = (low, high, pieces) => Array.from({ length: pieces + 1 }, (_, i) => low + ((high - low) * i) / pieces);

  const place = (view, circle, x, y) => {
    circle.setAttribute("cx", view.toX(x));
    circle.setAttribute("cy", view.toY(y));
  };

  const drag = (svg, move) => {
    svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); move(event); });
    svg.addEventListener("pointermove", (event) => { if (svg.hasPointerCapture(event.pointerId)) move(event); });
  };

  // The step of a difference: the secant on the left, its error on the right.
  const stepSize = (container, number) => {
    const f = (t) => 1 / (1 + t * t);
    const x0 = -0.5, slope = 0.64;
    const schemes = {
      forward: (h) => (f(x0 + h) - f(x0)) / h,
      central: (h) => (f(x0 + h) - f(x0 - h)) / (2 * h),
    };
    const shortest = -15, longest = 0, floor = 1e-13;

    container.textContent = "";
    const controls = htmlElement("div", { class: "controls" }, container);
    const label = htmlElement("label", {}, controls, "step h ");
    const slider = htmlElement("input", { type: "range", min: shortest, max: longest, step: 0.1, value: -0.3 }, label);
    const choice = htmlElement("fieldset", {}, controls);
    htmlElement("legend", {}, choice, "scheme");
    for (const name of Object.keys(schemes)) {
      const option = htmlElement("label", {}, choice);
      const radio = htmlElement("input", { type: "radio", name: `scheme-of-explorable-${number}`, value: name }, option);
      radio.checked = name === "forward";
      option.append(` ${name}`);
    }
    const panels = htmlElement("div", { class: "panels" }, container);
    const left = panel(panels, {
      x: [-2, 1], y: [0, 1.2], xLabel: "x", yLabel: "f(x)",
      xTicks: [-2, -1, 0, 1].map((v) => [v, String(v).replace("-", "\u2212")]), yTicks: [0, 0.5, 1].map((v) => [v, String(v)]),
    });
    const right = panel(panels, {
      x: [shortest, longest], y: [-13, 0], xLabel: "step h", yLabel: "error",
      xTicks: [-15, -10, -5, 0].map((v) => [v, v ? `1e\u2212${-v}` : "1"]),
      yTicks: [-12, -8, -4, 0].map((v) => [v, v ? `1e\u2212${-v}` : "1"]),
    });
    htmlElement("p", { class: "key" }, container, "Blue: f. Dashed: its tangent. Orange: the secant, and its error at every step; pale, the other scheme's.");
    const reading = htmlElement("output", { "aria-live": "polite" }, container);

    const grid = Array.from({ length: 121 }, (_, i) => -2 + i / 40);
    const span = [-1.6, 0.1];
    left.draw(left.path("primal"), grid.map((t) => [t, f(t)]));
    left.draw(left.path("reference"), span.map((t) => [t, f(x0) + slope * (t - x0)]));
    const secant = left.path("tangent");
    const ends = [0, 1].map(() => svgElement("circle", { r: 6, class: "tangent-point" }, left.svg));
    const error = (name, h) => Math.max(Math.abs(schemes[name](h) - slope), floor);
    const curves = {};
    for (const name of Object.keys(schemes)) {
      curves[name] = right.path("tangent");
      const exponents = Array.from({ length: 301 }, (_, i) => shortest + (i * (longest - shortest)) / 300);
      right.draw(curves[name], exponents.map((e) => [e, Math.log10(error(name, 10 ** e))]));
    }
    const point = svgElement("circle", { r: 7, class: "tangent-point" }, right.svg);

    const update = () => {
      const name = choice.querySelector("input:checked").value;
      const exponent = Number(slider.value), h = 10 ** exponent, estimate = schemes[name](h);
      const off = Math.abs(estimate - slope);
      const points = name === "forward" ? [x0, x0 + h] : [x0 - h, x0 + h];
      points.forEach((t, i) => {
        ends[i].setAttribute("cx", left.toX(t));
        ends[i].setAttribute("cy", left.toY(f(t)));
      });
      left.draw(secant, [Math.min(span[0], points[0]), Math.max(span[1], ...points)].map((t) => [t, f(points[0]) + estimate * (t - points[0])]));
      point.setAttribute("cx", right.toX(exponent));
      point.setAttribute("cy", right.toY(Math.log10(error(name, h))));
      for (const [other, curve] of Object.entries(curves)) curve.classList.toggle("faint", other !== name);
      reading.textContent = `h = ${scientific(h)}: slope ${decimal(estimate, 12)}, error ${off ? scientific(off) : "0"}`;
      slider.setAttribute("aria-valuetext", `h = ${scientific(h)}`);
      left.svg.setAttribute("aria-label", `The curve, its tangent at minus one half, and the secant of the ${name} difference for h = ${scientific(h)}.`);
      right.svg.setAttribute("aria-label", `Error against step, a V-shaped curve; the ${name} difference has error ${off ? scientific(off) : "0"} here.`);
      Object.assign(container.dataset, { scheme: name, step: String(h), estimate: String(estimate), error: String(off) });
    };

    const set = (exponent) => {
      slider.value = Math.min(longest, Math.max(shortest, exponent));
      update();
    };
    drag(left.svg, (event) => set(Math.log10(Math.max(Math.abs(left.fromX(event) - x0), 1e-3))));
    drag(right.svg, (event) => set(right.fromX(event)));
    slider.addEventListener("input", update);
    choice.addEventListener("change", update);
    update();
  };

  // A chain of rods from the origin, frame by frame as a cell computed it: `data-times` in milliseconds, and in
  // `data-points` x and y of every joint in thousandths. It stands still until the reader plays it.
  const linkage = (container) => {
    const times = container.dataset.times.split(",").map(Number);
    const numbers = container.dataset.points.split(",").map((v) => Number(v) / 1000);
    const last = times.length - 1, joints = numbers.length / times.length / 2;
    const end = joints > 1 ? "the last bob" : "the bob";
    const pairs = Array.from({ length: numbers.length / 2 }, (_, i) => numbers.slice(2 * i, 2 * i + 2));
    const chains = times.map((_, i) => [[0, 0], ...pairs.slice(i * joints, (i + 1) * joints)]);
    const frameAt = (time) => Math.max(0, times.findLastIndex((t) => t <= time));

    container.textContent = "";
    const controls = htmlElement("div", { class: "controls" }, container);
    const button = htmlElement("button", { type: "button" }, controls, "play");
    const label = htmlElement("label", {}, controls, "time ");
    const slider = htmlElement("input", { type: "range", min: 0, max: last, step: 1, value: 0 }, label);
    const panels = htmlElement("div", { class: "panels" }, container);
    const highest = Math.max(0, ...pairs.map(([, y]) => y)), lowest = Math.min(0, ...pairs.map(([, y]) => y));
    const widest = Math.max((highest - lowest) / 2, ...pairs.map(([x]) => Math.abs(x))) || 1, edge = 0.1 * widest;
    const power = 10 ** Math.floor(Math.log10(widest / 2));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= widest / 2);
    const ticks = (low, high) => Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => {
      const v = (Math.ceil(low / step) + i) * step;
      return [v, String(Number(v.toPrecision(6))).replace("-", "\u2212")];
    });
    const x = [-widest - edge, widest + edge], y = [lowest - edge, highest + edge];
    const view = panel(panels, { x, y, xTicks: ticks(...x), yTicks: ticks(...y), xLabel: "x", yLabel: "y", equal: true });
    const trailed = "trail" in container.dataset;
    htmlElement("p", { class: "key" }, container, `Blue: rods and bobs.${trailed ? ` Orange: the path of ${end} over the last two seconds.` : ""}`);
    const reading = htmlElement("output", {}, container);

    const pieces = 40, piece = 2000 / pieces; // of the trail, fading with age; a piece is of 50 milliseconds
    const trail = Array.from({ length: trailed ? pieces : 0 }, () => view.path("tangent"));
    trail.forEach((path, i) => path.setAttribute("opacity", (i + 1) / pieces));
    const rods = view.path("primal rods");
    const dot = (r, name) => svgElement("circle", { r, class: name, cx: view.toX(0), cy: view.toY(0) }, view.svg);
    dot(5, "pivot");
    const bobs = chains[0].slice(1).map(() => dot(9, "primal-point"));

    let frame = 0, request = 0;
    const show = (number) => {
      frame = number;
      const chain = chains[frame], seconds = decimal(times[frame] / 1000, 2);
      const [endX, endY] = chain[joints].map((v) => decimal(v, 3));
      const state = `At ${seconds} s ${end} is at x\u00a0=\u00a0${endX}, y\u00a0=\u00a0${endY}.`;
      view.draw(rods, chain);
      bobs.forEach((bob, i) => {
        bob.setAttribute("cx", view.toX(chain[i + 1][0]));
        bob.setAttribute("cy", view.toY(chain[i + 1][1]));
      });
      trail.forEach((path, i) => {
        const [from, to] = [pieces - i, pieces - i - 1].map((age) => frameAt(times[frame] - age * piece));
        view.draw(path, chains.slice(from, to + 1).map((past) => past[joints]));
      });
      slider.value = frame;
      slider.setAttribute("aria-valuetext", `${seconds} s`);
      reading.textContent = state;
      view.svg.setAttribute("aria-label", `A chain of ${joints > 1 ? `${joints} rods` : "one rod"} from the origin. ${state}`);
      Object.assign(container.dataset, { frame, time: times[frame] / 1000, shown: chain.slice(1).join() });
    };
    // A screen reader is told where the bob is when it stands still, not sixty times a second.
    const setPlaying = (playing) => {
      cancelAnimationFrame(request);
      request = 0;
      button.textContent = playing ? "pause" : "play";
      reading.setAttribute("aria-live", playing ? "off" : "polite");
      container.dataset.playing = playing;
      show(frame);
    };
    const play = () => {
      if (frame === last) frame = 0;
      let clock = times[frame], before = null;
      const tick = (now) => {
        clock += Math.min(now - (before ?? now), 100);
        before = now; // a tab that was away goes on where it was
        show(frameAt(clock));
        if (frame === last) setPlaying(false); else request = requestAnimationFrame(tick);
      };
      setPlaying(true);
      request = requestAnimationFrame(tick);
    };
    button.addEventListener("click", () => (request ? setPlaying(false) : play()));
    slider.addEventListener("input", () => {
      frame = Number(slider.value);
      setPlaying(false);
    });
    setPlaying(false);
  };

  // A computation graph and the steps of a sweep over it, both made by `plotting.steps`, in JSON in `data-graph`: a step
  // writes lines into boxes, and makes edges and boxes stand out. The layers go from left to right, or down where that is too wide.
  const computationGraph = (container) => {
    const { mode, name, titles, partials, drawings, steps } = JSON.parse(container.dataset.graph);
    const last = steps.length - 1, reverse = mode === "reverse", smallest = 0.8;
    const lines = ["title", "value", "derivative", "sum"];

    const fallback = [...container.children];
    container.textContent = "";
    container.tabIndex = 0;
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", "Computation graph; the left and right arrow keys step through it");
    const stage = htmlElement("div", { class: "stage" }, container);
    const foot = htmlElement("div", { class: "foot" }, container);
    const controls = htmlElement("div", { class: "controls" }, foot);
    const reading = htmlElement("output", { "aria-live": "polite" }, foot);
    htmlElement("p", { class: "key" }, container, `Blue: values. ${reverse ? "Green: adjoints" : "Orange: tangents"}. On the edges: the local derivatives that multiply them.`);
    const details = htmlElement("details", {}, container);
    htmlElement("summary", {}, details, `All values and ${reverse ? "adjoints" : "tangents"}`);
    details.append(...fallback.filter((element) => element.tagName === "TABLE"));

    const line = (stops, down) => stops.map(([x, y], i) => {
      if (i === 0) return `M${x} ${y}`;
      const [a, b] = stops[i - 1];
      if (i % 2 === 0) return `L${x} ${y}`;
      return down ? `C${a} ${(b + y) / 2} ${x} ${(b + y) / 2} ${x} ${y}` : `C${(a + x) / 2} ${b} ${(a + x) / 2} ${y} ${x} ${y}`;
    }).join("");
    const arrow = ([x, y], down, sign) => (down
      ? `M${x} ${y}L${x - 5} ${y - 9 * sign}L${x + 5} ${y - 9 * sign}Z`
      : `M${x} ${y}L${x - 9 * sign} ${y - 5}L${x - 9 * sign} ${y + 5}Z`);
    const textAt = (x, y, className, parent, string = "") => {
      svgElement("text", { x, y, class: className, "text-anchor": "middle", "dominant-baseline": "central" }, parent).textContent = string;
    };

    let drawing = null, svg = null, edges = [], nodes = [], step = 0;
    const draw = () => {
      stage.textContent = "";
      const { down, size, box } = drawing, [width, height] = box;
      svg = svgElement("svg", { viewBox: `0 0 ${size.join(" ")}`, role: "img" }, stage);
      svg.style.maxWidth = `${size[0]}px`;
      edges = drawing.edges.map((stops) => {
        const group = svgElement("g", { class: "edge" }, svg);
        svgElement("path", { d: line(stops, down) }, group);
        svgElement("path", { d: arrow(stops.at(-1), down, 1), class: "arrow" }, group);
        svgElement("path", { d: arrow(stops[0], down, -1), class: "arrow back" }, group);
        return group;
      });
      const labels = svgElement("g", {}, svg); // above all edges
      drawing.labels.forEach(([x, y], i) => {
        const group = svgElement("g", { class: "edge-label" }, labels), wide = 8 * partials[i].length + 2;
        svgElement("rect", { x: x - wide / 2, y: y - 8, width: wide, height: 16, rx: 4 }, group);
        textAt(x, y, "partial", group, partials[i]);
        edges[i].label = group;
      });
      nodes = drawing.nodes.map(([x, y], i) => {
        const group = svgElement("g", { class: "node", "data-operation": i }, svg);
        svgElement("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 8 }, group);
        lines.forEach((className, k) => textAt(x, y - height / 2 + 15 + 17 * k, className, group, k ? "" : titles[i]));
        return group;
      });
    };

    const show = (number) => {
      step = Math.min(last, Math.max(0, number));
      const { text, role } = steps[step];
      nodes.forEach((node) => {
        for (const className of lines.slice(1)) node.querySelector(`.${className}`).textContent = "";
        delete node.dataset.role;
      });
      edges.forEach((edge) => [edge, edge.label].forEach((part) => {
        part.classList.remove("now");
        delete part.dataset.role;
      }));
      steps.slice(0, step + 1).forEach((past, i) => {
        for (const [node, className, string] of past.write) nodes[node].querySelector(`.${className}`).textContent = string;
        for (const edge of past.edges) {
          [edges[edge], edges[edge].label].forEach((part) => {
            if (past.role !== "primal" || i === step) part.dataset.role = past.role;
            part.classList.toggle("now", i === step);
          });
        }
      });
      for (const node of steps[step].nodes) nodes[node].dataset.role = role;
      const state = `Step ${step} of ${last}. ${text}`;
      if (reading.textContent !== state) reading.textContent = state;
      svg.setAttribute("aria-label", `This is ${name}. ${state}`);
      buttons.forEach(([button, target]) => button.setAttribute("aria-disabled", target() === step));
      Object.assign(container.dataset, { mode, step });
    };

    // A button that can do nothing stays where it is: one that is disabled would lose the focus.
    const buttons = Object.entries({
      First: () => 0, Back: () => Math.max(0, step - 1), Next: () => Math.min(last, step + 1), Last: () => last,
    }).map(([label, target]) => {
      const button = htmlElement("button", { type: "button" }, controls, label);
      button.addEventListener("click", () => show(target()));
      return [button, target];
    });
    container.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(step + move);
    });

    const fit = () => {
      const room = stage.clientWidth || Infinity;
      const best = drawings.find(({ size }) => room >= smallest * size[0]) ?? drawings.at(-1);
      if (best === drawing) return;
      drawing = best;
      draw();
      show(step);
    };
    window.addEventListener("resize", fit);
    let left = 0;
    window.addEventListener("beforeprint", () => { left = step; show(last); });
    window.addEventListener("afterprint", () => show(left));
    fit();
  };

  // The columns of one color are added: that is one product with J. The reader colors the columns of a pattern until
  // every entry stands alone in its row of its sum. Rows, columns and colors are counted from 1 in words; color 0 is none.
  const coloring = (container) => {
    const square = (n, entry) => Array.from({ length: n }, (_, i) => [...Array(n).keys()].filter((j) => entry(i, j)));
    const third = (i) => Math.min(2, Math.floor(i / 3));
    const patterns = {
      "tridiagonal": square(10, (i, j) => Math.abs(i - j) < 2),
      "arrow": square(10, (i, j) => i === j || i * j === 0),
      "periodic stencil": square(10, (i, j) => [0, 1, 9].includes(Math.abs(i - j))),
      "3 by 3 grid": square(9, (i, j) => Math.abs(third(i) - third(j)) + Math.abs((i % 3) - (j % 3)) < 2),
      "block diagonal": square(10, (i, j) => third(i) === third(j)),
    };
    const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
    const listed = (word, indices) => {
      const numbers = indices.map((i) => i + 1), end = numbers.at(-1);
      if (numbers.length > 2 && end - numbers[0] === numbers.length - 1) return `${word}s ${numbers[0]} to ${end}`;
      return numbers.length > 1 ? `${word}s ${numbers.slice(0, -1).join(", ")} and ${end}` : `${word} ${end}`;
    };

    const wanted = container.dataset.pattern;
    container.textContent = "";
    const controls = htmlElement("div", { class: "controls" }, container);
    const choice = htmlElement("select", {}, htmlElement("label", {}, controls, "pattern "));
    for (const name of Object.keys(patterns)) htmlElement("option", { value: name }, choice, name);
    if (wanted in patterns) choice.value = wanted;
    const [restart, greedy] = ["Start again", "Next greedy step"].map((name) => htmlElement("button", { type: "button" }, controls, name));
    const panels = htmlElement("div", { class: "panels" }, container);
    const [left, right] = ["toolbar", "img"].map((role) => svgElement("svg", { role }, panels));
    left.setAttribute("aria-label", "Columns of J: the left and right arrow keys move between them, up and down change the color");
    const reading = htmlElement("output", { "aria-live": "polite" }, htmlElement("div", { class: "foot" }, container));
    htmlElement("p", { class: "key" }, container, "Click a column to change its color, or use the arrow keys. A number in J is the color of its column. "
      + "B\u00a0=\u00a0J\u00a0S has one column for each color; a number in it is the column of J that the entry comes from. "
      + "Outlined: a conflict, entries of one color in one row, of which B has only the sum,\u00a0+.");

    const unit = 32, edge = 34;
    const at = (i) => edge + unit * (i + 0.5);
    const textAt = (x, y, string, className, parent) => {
      svgElement("text", { x, y, class: className, "text-anchor": "middle", "dominant-baseline": "central" }, parent).textContent = string;
    };
    const cell = (i, j, color, clash, string, parent) => {
      const group = svgElement("g", { class: `cell${clash ? " clash" : ""}${color ? "" : " blank"}` }, parent);
      if (color) group.style.color = `var(--color-${color})`;
      svgElement("rect", { x: at(j) - 12.5, y: at(i) - 12.5, width: 25, height: 25, rx: 4 }, group);
      textAt(at(j), at(i), string, "", group);
    };
    // Row numbers, bold where there is a conflict.
    const margin = (name, torn, parent) => {
      const group = svgElement("g", { class: "margin", "aria-hidden": true }, parent);
      textAt(edge / 2, edge / 2, name, "tick", group);
      rows.forEach((_, i) => textAt(edge / 2, at(i), i + 1, torn.includes(i) ? "tick torn" : "tick", group));
    };

    let rows = [], columns = [], colors = [], stepping = false;
    const rowsWhere = (test) => [...rows.keys()].filter(test);
    const clashes = (i, j) => colors[j] > 0 && rows[i].some((k) => k !== j && colors[k] === colors[j]);
    const firstFit = (j) => {
      const taken = rows.filter((row) => row.includes(j)).flat().filter((k) => k !== j).map((k) => colors[k]);
      return colors.map((_, c) => c + 1).find((color) => !taken.includes(color));
    };

    const update = (said = "") => {
      const n = rows.length, missing = colors.filter((color) => !color).length;
      const used = rows.map((_, c) => c + 1).filter((color) => colors.includes(color)), k = used.length;
      const sums = rows.map((row) => used.map((color) => row.filter((j) => colors[j] === color)));
      const torn = rowsWhere((i) => sums[i].some((sum) => sum.length > 1));
      const conflicts = sums.flat().filter((sum) => sum.length > 1).length;

      left.querySelector(".margin")?.remove();
      margin("J", torn, left);
      columns.forEach((column, j) => {
        const own = rowsWhere((i) => rows[i].includes(j)), met = own.filter((i) => clashes(i, j));
        const label = [`Column ${j + 1}`, `entries in ${listed("row", own)}`, colors[j] ? `color ${colors[j]}` : "no color"];
        if (met.length) label.push(`conflicts in ${listed("row", met)}`);
        column.setAttribute("aria-label", label.join(", "));
        column.querySelectorAll(".cell").forEach((old) => old.remove());
        own.forEach((i) => cell(i, j, colors[j], met.includes(i), colors[j] || "", column));
      });
      right.textContent = "";
      margin("B", torn, right);
      used.forEach((color, c) => {
        textAt(at(c), edge / 2, color, "tick", right);
        sums.forEach(({ [c]: [from, ...others] }, i) => {
          if (from !== undefined) cell(i, c, color, others.length > 0, others.length ? "+" : from + 1, right);
        });
      });
      right.setAttribute("aria-label", `The matrix B, of ${n} rows and ${counted(k, "column")}${conflicts ? `; sums of several entries in ${listed("row", torn)}` : ""}.`);

      const most = Math.max(...rows.map((row) => row.length));
      let verdict = conflicts ? `, in ${listed("row", torn)}.` : ".";
      if (missing) verdict += ` ${counted(missing, "column")} without a color.`;
      else if (!conflicts) {
        verdict += ` Valid: ${k < n ? `${k} products instead of ${n}` : `${n} products, as many as columns`}. `
          + `The fullest row has ${most} entries, so no coloring can do with fewer than ${most}: `
          + (k === most ? "this is the best possible." : "a bound only, which need not be reached.");
      }
      reading.textContent = `${said}${counted(k, "color")}, ${counted(conflicts, "conflict")}${verdict}`;
      restart.setAttribute("aria-disabled", colors.every((color) => color === 1));
      greedy.setAttribute("aria-disabled", stepping && !missing);
      Object.assign(container.dataset, { pattern: choice.value, colors, conflicts });
    };

    const paint = (j, color, byHand) => {
      colors[j] = color;
      stepping = !byHand;
      update(`Column ${j + 1}: color ${color}. `);
    };
    // The colors up to the highest of the other columns, and one more, come in turn.
    const turn = (j, by) => {
      const most = Math.min(colors.length, 1 + Math.max(...colors.filter((_, k) => k !== j)));
      paint(j, by > 0 ? (colors[j] % most) + 1 : colors[j] > 1 ? Math.min(colors[j] - 1, most) : most, true);
    };
    const enter = (j) => columns.forEach((column, k) => column.setAttribute("tabindex", k === j ? 0 : -1));
    const start = () => {
      rows = patterns[choice.value];
      const n = rows.length, size = edge + unit * n + 2;
      for (const svg of [left, right]) svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
      left.textContent = "";
      colors = rows.map(() => 1);
      stepping = false;
      columns = rows.map((_, j) => {
        const column = svgElement("g", { role: "button", class: "column" }, left);
        svgElement("rect", { x: at(j) - 15, y: 2, width: 30, height: size - 4, rx: 6 }, column);
        textAt(at(j), edge / 2, j + 1, "tick", column);
        column.addEventListener("click", () => turn(j, 1));
        column.addEventListener("focus", () => enter(j));
        column.addEventListener("keydown", (event) => {
          if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
          const to = { ArrowLeft: j - 1, ArrowRight: j + 1, Home: 0, End: n - 1 }[event.key];
          const by = { ArrowUp: 1, ArrowDown: -1, Enter: 1, " ": 1 }[event.key];
          if (to === undefined && !by) return;
          event.preventDefault();
          if (by) turn(j, by); else columns[to]?.focus();
        });
        return column;
      });
      enter(0);
      update();
    };
    const step = () => {
      if (colors.every(Boolean)) {
        if (stepping) return;
        colors.fill(0);
      }
      const j = colors.indexOf(0);
      paint(j, firstFit(j), false);
    };
    restart.addEventListener("click", start);
    greedy.addEventListener("click", step);
    choice.addEventListener("change", start);
    let kept = null;
    window.addEventListener("beforeprint", () => {
      kept = [colors, stepping];
      colors = colors.map(() => 0);
      colors.forEach((_, j) => { colors[j] = firstFit(j); });
      update();
    });
    window.addEventListener("afterprint", () => {
      [colors, stepping] = kept;
      update();
    });
    start();
  };

  // The fixed point z* of f(a, z) = a cos z and its Picard steps on the left; on the right z* and the last step as functions
  // of a, each with its tangent: the one by the implicit function theorem, the other by differentiating the steps.
  const cobweb = (container) => {
    const f = (a, z) => a * Math.cos(z);
    // Newton's method, from the right of the root of an increasing convex function, cannot overshoot.
    const solve = (a) => {
      let z = Math.PI / 2;
      for (let i = 0; i < 10; i += 1) z -= (z - f(a, z)) / (1 + a * Math.sin(z));
      return z;
    };
    const unroll = (a, count) => {
      const zs = [0];
      let slope = 0;
      for (let i = 0; i < count; i += 1) {
        slope = Math.cos(zs[i]) - a * Math.sin(zs[i]) * slope;
        zs.push(f(a, zs[i]));
      }
      return { zs, z: zs[count], slope };
    };
    const least = 0.1, most = 2, z = [-1.2, 2.2];

    container.textContent = "";
    const controls = htmlElement("div", { class: "controls" }, container);
    const [ofA, ofSteps] = [["a ", { min: least, max: most, step: 0.01, value: 1 }], ["steps k ", { min: 0, max: 40, step: 1, value: 6 }]]
      .map(([name, range]) => htmlElement("input", { type: "range", ...range }, htmlElement("label", {}, controls, name)));
    const panels = htmlElement("div", { class: "panels" }, container);
    const left = panel(panels, {
      x: z, y: z, xTicks: ticks(-1, 0, 1, 2), yTicks: ticks(-1, 0, 1, 2), xLabel: "z", yLabel: "y", tall: 340,
    });
    const right = panel(panels, {
      x: [0, most], y: z, xTicks: ticks(0, 1, 2), yTicks: ticks(-1, 0, 1, 2), xLabel: "a", yLabel: "z", tall: 340, right: 40,
    });
    htmlElement("p", { class: "key" }, container, "Against z: the steps from z₀\u00a0=\u00a00, between the curve and the diagonal. Against a: z*, and the last step dashed. "
      + "Full dot: z*. Ring: the last step. Orange: the slopes in a, of z* by the theorem, of the last step dashed. Drag the dot to change\u00a0a.");
    const reading = htmlElement("output", { "aria-live": "polite" }, container);

    const label = ({ svg }, x, y, string, anchor, name) => {
      const text = svgElement("text", { x, y, "text-anchor": anchor, class: `tick label ${name}` }, svg);
      text.textContent = string;
      return text;
    };
    const subscript = (count) => [...String(count)].map((c) => "₀₁₂₃₄₅₆₇₈₉"[c]).join("");
    left.draw(left.path("reference"), z.map((v) => [v, v]));
    const drops = [left, right].map((view) => view.path("drop"));
    const curve = left.path("primal"), web = left.path("primal web");
    const solution = right.path("primal"), iterate = right.path("primal dashed");
    const tangents = ["tangent", "tangent dashed"].map((name) => right.path(name));
    right.draw(solution, grid(0, most, 200).map((a) => [a, solve(a)]));
    const dot = ({ svg }, r, name) => svgElement("circle", { r, class: name }, svg);
    const [dots, rings] = [[7, "primal-point"], [5, "ring"]].map(([r, name]) => [left, right].map((view) => dot(view, r, name)));
    label(left, left.toX(-0.9), left.toY(z[0]) - 5, "y = z", "start", "of-reference");
    const ofCurve = label(left, left.toX(-0.25), 0, "y = a cos z", "end", "of-primal");
    const ofSolution = label(left, 0, left.toY(z[0]) - 5, "z*", "start", "of-primal");
    label(right, right.toX(most) + 12, right.toY(solve(most)) + 5, "z*", "start", "of-primal");
    const ofIterate = label(right, right.toX(most) + 12, 0, "", "start", "of-primal");

    // A piece of a line of one length on the screen however steep, as far as it lies in the panel.
    const reach = 70;
    const tangentLine = (a, height, slope) => {
      const half = reach / Math.hypot(right.toX(1) - right.toX(0), slope * (right.toY(0) - right.toY(1)));
      const bounds = [[-half, half], [-a, most - a]];
      if (slope) bounds.push(z.map((v) => (v - height) / slope).sort((p, q) => p - q));
      const from = Math.max(...bounds.map(([low]) => low)), to = Math.min(...bounds.map(([, high]) => high));
      return [from, to].map((t) => [a + t, height + slope * t]);
    };

    const update = () => {
      const a = Number(ofA.value), k = Number(ofSteps.value);
      const fixed = solve(a), slope = Math.cos(fixed) / (1 + a * Math.sin(fixed)), rate = a * Math.sin(fixed);
      const steps = unroll(a, k), name = `z${subscript(k)}`;

      left.draw(curve, grid(...z, 170).map((v) => [v, f(a, v)]));
      left.draw(web, steps.zs.flatMap((v, i) => (i < k ? [[v, v], [v, steps.zs[i + 1]]] : [[v, v]])));
      right.draw(iterate, grid(0, most, 800).map((v) => [v, unroll(v, k).z]));
      right.draw(tangents[0], tangentLine(a, fixed, slope));
      right.draw(tangents[1], tangentLine(a, steps.z, steps.slope));
      left.draw(drops[0], [[fixed, z[0]], [fixed, fixed]]);
      right.draw(drops[1], [[a, z[0]], [a, Math.max(fixed, steps.z)]]);
      place(left, dots[0], fixed, fixed);
      place(left, rings[0], steps.z, steps.z);
      place(right, dots[1], a, fixed);
      place(right, rings[1], a, steps.z);
      ofCurve.setAttribute("y", left.toY(f(a, -0.25)) - 7);
      ofSolution.setAttribute("x", left.toX(fixed) + 5);
      ofIterate.setAttribute("y", right.toY(unroll(most, k).z) + 5); // at a = 2 no z_k comes near z*
      ofIterate.textContent = name;

      const found = `z*\u00a0=\u00a0${decimal(fixed, 4)}, slope by the theorem ${decimal(slope, 4)}`;
      const reached = `${name}\u00a0=\u00a0${decimal(steps.z, 4)}, slope ${decimal(steps.slope, 4)}`;
      const counted = `${k} step${k === 1 ? "" : "s"}`;
      const verdict = rate < 1 ? "< 1: the steps converge." : "> 1: the steps run away from z*, which the theorem does not mind.";
      reading.textContent = `a\u00a0=\u00a0${decimal(a, 2)}: ${found}. After ${counted}: ${reached}. At z*, `;
      htmlElement("span", { class: "unbroken" }, reading, `|∂f/∂z| = ${decimal(rate, 4)}`);
      reading.append(` ${verdict}`);
      ofA.setAttribute("aria-valuetext", `a = ${decimal(a, 2)}`);
      ofSteps.setAttribute("aria-valuetext", counted);
      left.svg.setAttribute("aria-label", `The curve a cos z, the diagonal, and ${counted} between them from z = 0, which ${rate < 1 ? "close in on" : "go around"} their crossing z* and end at ${decimal(steps.z, 4)}.`);
      right.svg.setAttribute("aria-label", `The fixed point z* against a, a rising curve, with its tangent of slope ${decimal(slope, 4)}; and ${name} against a, with its tangent of slope ${decimal(steps.slope, 4)}.`);
      Object.assign(container.dataset, {
        a, steps: k, solution: fixed, slope, iterate: steps.z, iterateSlope: steps.slope, rate,
      });
    };
    drag(right.svg, (event) => {
      ofA.value = right.fromX(event);
      update();
    });
    for (const slider of [ofA, ofSteps]) slider.addEventListener("input", update);
    update();
  };

  // A count n of 5 μ + 10 γ expected events, γ known to 35 % from τ auxiliary ones, as `uncorrelated_background([5], [10], [3.5])`
  // of pyhf: on the left −ln L in the plane of μ and γ, on the right the best μ against n. All but the contours is in closed form.
  const likelihood = (container, number) => {
    const tau = (10 / 3.5) ** 2, most = 40, levels = [1, 2.3, 4, 9];
    const nll = (n, mu, gamma) => {
      const rate = 5 * mu + 10 * gamma;
      return rate > 0 && gamma > 0 ? rate - n * Math.log(rate) + tau * (gamma - Math.log(gamma)) : Infinity;
    };
    const gradient = (n, mu, gamma) => {
      const pull = 1 - n / (5 * mu + 10 * gamma);
      return [5 * pull, 10 * pull + tau * (1 - 1 / gamma)];
    };
    // Below ten events the bound μ ≥ 0 holds the best fit.
    const fit = (n) => (n < 10
      ? { mu: 0, gamma: (n + tau) / (10 + tau), muError: 0, gammaError: Math.sqrt(n + tau) / (10 + tau) }
      : { mu: (n - 10) / 5, gamma: 1, muError: Math.sqrt(n / 25 + 4 / tau), gammaError: 1 / Math.sqrt(tau) });
    // −ln L is convex, so it rises through a level once on each ray from the best fit.
    const contour = (n, { mu, gamma }, level) => grid(0, 2 * Math.PI, 180).map((angle) => {
      const at = (t) => [mu + 1.5 * t * Math.cos(angle), gamma + 0.5 * t * Math.sin(angle)];
      const top = nll(n, mu, gamma) + level / 2;
      let low = 0, high = 8;
      for (let i = 0; i < 40; i += 1) {
        const middle = (low + high) / 2;
        if (nll(n, ...at(middle)) < top) low = middle; else high = middle;
      }
      return at(low);
    });

    container.textContent = "";
    const controls = htmlElement("div", { class: "controls" }, container);
    const slider = htmlElement("input", { type: "range", min: 0, max: most, step: 1, value: 15 }, htmlElement("label", {}, controls, "observed count n "));
    const panels = htmlElement("div", { class: "panels" }, container);
    const gammas = [0, 2.4], mus = [-1.2, 7.6], counts = [-1.5, 41.5];
    const left = panel(panels, {
      x: mus, y: gammas, xTicks: ticks(0, 2, 4, 6), yTicks: ticks(0, 1, 2), xLabel: "μ", yLabel: "γ", tall: 340,
    });
    const right = panel(panels, {
      x: counts, y: mus, xTicks: ticks(0, 10, 20, 30, 40), yTicks: ticks(0, 2, 4, 6), xLabel: "n", yLabel: "best μ", tall: 340,
    });
    htmlElement("p", { class: "key" }, container, "Contours: \u22122\u00a0ln\u00a0L is 1, 2.30, 4 and 9 above its minimum; thick: 2.30, for 68\u00a0% where the bound is far. "
      + "Green: downhill, along minus the gradient. Bars: plus and minus one standard deviation, dashed for other\u00a0n. Gray: μ\u00a0<\u00a00, out of bounds. Drag the dot to change\u00a0n.");
    const reading = htmlElement("output", { "aria-live": "polite" }, container);

    const area = ({ toX, toY }, [x0, x1], [y0, y1], parent) => (
      svgElement("rect", { x: toX(x0), y: toY(y1), width: toX(x1) - toX(x0), height: toY(y0) - toY(y1), class: "area" }, parent));
    area(left, [mus[0], 0], gammas, left.svg);
    area(right, counts, [mus[0], 0], right.svg);
    left.draw(left.path("reference"), gammas.map((gamma) => [0, gamma]));
    const inside = svgElement("clipPath", { id: `inside-of-explorable-${number}` }, left.svg);
    area(left, [0, mus[1]], gammas, inside);
    const arrows = left.path("cotangent");
    const curves = levels.map((level) => left.path(level === 2.3 ? "primal" : "primal thin"));
    curves.forEach((curve) => curve.setAttribute("clip-path", `url(#${inside.id})`));
    const upper = grid(10, most, 60);
    right.draw(right.path("primal"), [0, 10, most].map((n) => [n, fit(n).mu]));
    for (const sign of [-1, 1]) right.draw(right.path("primal thin dashed"), upper.map((n) => [n, fit(n).mu + sign * fit(n).muError]));
    const bars = [left, left, right].map((view) => view.path("primal bar"));
    const dots = [left, right].map(({ svg }) => svgElement("circle", { r: 7, class: "primal-point" }, svg));

    // In units of the drawing the arrows cross the contours at right angles; as long as the root of the slope there, to be seen near and far.
    const scale = [left.toX(1) - left.toX(0), left.toY(1) - left.toY(0)];
    const arrow = (n, mu, gamma) => {
      const down = gradient(n, mu, gamma).map((v, i) => -v / scale[i]), slope = Math.hypot(...down);
      const size = Math.min(30 * Math.sqrt(slope), 24), [dx, dy] = down.map((v) => (v * size) / (slope || 1));
      const from = [left.toX(mu), left.toY(gamma)], to = [from[0] + dx, from[1] + dy];
      const barb = (side) => [to[0] - 0.3 * dx - side * 0.2 * dy, to[1] - 0.3 * dy + side * 0.2 * dx];
      return [from, to, barb(1), to, barb(-1)].map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
    };

    const update = () => {
      const n = Number(slider.value), found = fit(n), { mu, gamma, muError, gammaError } = found;
      levels.forEach((level, i) => left.draw(curves[i], contour(n, found, level)));
      arrows.setAttribute("d", grid(0, 7, 10).flatMap((x) => grid(0.3, 2.1, 6).map((y) => arrow(n, x, y))).join(""));
      left.draw(bars[0], [-muError, muError].map((v) => [mu + v, gamma]));
      left.draw(bars[1], [-gammaError, gammaError].map((v) => [mu, gamma + v]));
      right.draw(bars[2], [-muError, muError].map((v) => [n, mu + v]));
      place(left, dots[0], mu, gamma);
      place(right, dots[1], n, mu);
      const ofMu = muError ? `${decimal(mu, 3)} ± ${decimal(muError, 3)}` : "0, held by its bound";
      const words = `best μ\u00a0=\u00a0${ofMu}, best γ\u00a0=\u00a0${decimal(gamma, 3)} ± ${decimal(gammaError, 3)}`;
      reading.textContent = `n\u00a0=\u00a0${n}: ${words}.`;
      slider.setAttribute("aria-valuetext", `n = ${n}`);
      left.svg.setAttribute("aria-label", `The plane of μ and γ: four contours around the best fit, and arrows that point downhill. For n = ${n}, ${words}.`);
      right.svg.setAttribute("aria-label", `Best μ against n: zero up to ten, then a straight rise of one fifth per event. At n = ${n} it is ${ofMu}.`);
      Object.assign(container.dataset, { count: n, ...found });
    };
    const set = (n) => {
      slider.value = n;
      update();
    };
    // Left of the bound the pointer is where the best fit would be without it.
    drag(left.svg, (event) => set(10 + 5 * left.fromX(event)));
    drag(right.svg, (event) => set(right.fromX(event)));
    slider.addEventListener("input", update);
    update();
  };

  const explorables = { "step-size": stepSize, linkage, "computation-graph": computationGraph, coloring, cobweb, likelihood };
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-explorable]").forEach((container, number) => explorables[container.dataset.explorable]?.(container, number));
  });
})();
