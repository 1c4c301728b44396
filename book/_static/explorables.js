// Figures that move without a kernel: <div class="explorable" data-explorable="NAME">. One standard holds for all of them.
// Layout   Controls, panels, key, reading. What the container holds before stands where scripts do not run.
// State    An object. `show` changes it and has `draw` draw it; what `draw` returns is the reading, which is announced,
//          and data attributes. Figures share nothing, so that several can stand on one page.
// Input    Keys do all that a pointer does; what is no native control has a role, a name and a value. A finger taps,
//          or drags sideways or by a handle; a swipe up or down scrolls the page and changes nothing.
// Grammar  Blue is primal, orange tangent or forward, green cotangent or reverse, gray a reference: classes that the
//          style sheet colors, for light pages and dark ones.
// Motion   None that the reader did not ask for; for those who prefer less, each change is at once.
// Paper    The state `paper` is shown, whole and dark on white, without controls; it is `first` where none is named.
// A figure is a function in the table at the end: it fills controls and panels, and returns { key, hint, first, paper, draw }.
"use strict";

(() => {
  const maker = (space) => (name, attributes = {}, parent = null, text = "") => {
    const element = document.createElementNS(`http://www.w3.org/${space}`, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    parent?.append(element);
    return element;
  };
  const svgElement = maker("2000/svg"), htmlElement = maker("1999/xhtml");

  const decimal = (value, digits) => (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "\u2212"); // no −0
  const plain = (value) => String(Number(value.toPrecision(6))).replace("-", "\u2212");
  const digitsAs = (signs, integer) => [...String(integer)].map((c) => signs["0123456789-".indexOf(c)]).join("");
  const scientific = (value) => {
    const [mantissa, exponent] = value.toExponential(1).split("e");
    return `${mantissa} · 10${digitsAs("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", Number(exponent))}`;
  };
  const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const ticks = (...places) => places.map((v) => [v, plain(v)]);
  const grid = (low, high, pieces) => Array.from({ length: pieces + 1 }, (_, i) => low + ((high - low) * i) / (pieces || 1));

  // Controls: each is made with its name and what it does. Sliders and choices return how to set them.
  const button = (controls, name, act) => {
    const made = htmlElement("button", { type: "button" }, controls, name);
    made.addEventListener("click", act);
    return made;
  };
  const slider = (controls, name, range, words, act) => {
    const input = htmlElement("input", { type: "range", ...range }, htmlElement("label", {}, controls, `${name} `));
    input.addEventListener("input", () => act(Number(input.value)));
    return (wanted) => {
      input.value = wanted;
      const value = Number(input.value); // in its range and on its steps
      input.setAttribute("aria-valuetext", words(value));
      return value;
    };
  };
  const choice = (controls, name, options, act) => {
    const input = htmlElement("select", {}, htmlElement("label", {}, controls, `${name} `));
    for (const option of options) htmlElement("option", { value: option }, input, option);
    input.addEventListener("change", () => act(input.value));
    return (value) => { input.value = value; };
  };
  // `act` takes a key that comes alone, and returns whether it was of use.
  const onKey = (element, act) => element.addEventListener("keydown", (event) => {
    const alone = !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
    if (alone && act(event.key)) event.preventDefault();
  });
  // A finger that is put down may be about to scroll: elsewhere than on a handle, it has to go sideways first, or leave.
  const onDrag = (svg, act) => {
    let start = null;
    svg.classList.add("draggable");
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      start = event.pointerType === "touch" && !event.target.closest(".handle") ? event : null;
      if (!start) act(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!svg.hasPointerCapture(event.pointerId)) return;
      if (start && Math.abs(event.clientX - start.clientX) <= Math.abs(event.clientY - start.clientY)) return;
      start = null;
      act(event);
    });
    svg.addEventListener("pointerup", (event) => { if (start) act(event); });
    // What the style sheet says of touch holds for a whole drawing only.
    svg.addEventListener("touchstart", (event) => { if (event.target.closest(".handle")) event.preventDefault(); }, { passive: false });
  };

  const textAt = (parent, x, y, text, className = "tick", anchor = "middle") => (
    svgElement("text", { x, y, class: className, "text-anchor": anchor }, parent, text));
  const through = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
  const arrow = (from, [dx, dy]) => {
    const to = [from[0] + dx, from[1] + dy], head = Math.min(0.3, 12 / Math.hypot(dx, dy));
    const barb = (side) => [to[0] - head * (dx + (side * dy) / 1.5), to[1] - head * (dy - (side * dx) / 1.5)];
    return through([from, to, barb(1), to, barb(-1)]);
  };

  // A panel with linear axes from [left, right] and [low, high], to one scale if `equal`; ticks are [position, label] pairs.
  const panel = (parent, { x, y, xTicks, yTicks, xLabel, yLabel, equal = false, tall = 300, right = 14, role = "img" }) => {
    const width = 380, left = 52, top = 28, bottom = 46, across = width - left - right;
    const up = equal ? (across * (y[1] - y[0])) / (x[1] - x[0]) : tall - top - bottom, height = top + up + bottom;
    const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role }, parent);
    const toX = (v) => left + ((v - x[0]) / (x[1] - x[0])) * across;
    const toY = (v) => top + ((y[1] - v) / (y[1] - y[0])) * up;
    const rule = (x1, x2, y1, y2) => svgElement("line", { x1, x2, y1, y2, class: "grid" }, svg);
    for (const [v, label] of xTicks) {
      rule(toX(v), toX(v), top + up, top);
      textAt(svg, toX(v), top + up + 13, label);
    }
    for (const [v, label] of yTicks) {
      rule(left, left + across, toY(v), toY(v));
      textAt(svg, left - 6, toY(v), label, "tick", "end");
    }
    textAt(svg, left + across / 2, height - 11, xLabel);
    textAt(svg, 8, 10, yLabel, "tick", "start");
    return {
      svg, toX, toY,
      describe: (words) => svg.setAttribute("aria-label", words),
      path: (className) => svgElement("path", { class: className }, svg),
      dot: (r, className, group = svg) => svgElement("circle", { r, class: className }, group),
      label: (px, py, text, className, anchor = "start") => textAt(svg, px, py, text, `tick label ${className}`, anchor),
      area: ([x0, x1], [y0, y1], group = svg) => svgElement(
        "rect", { x: toX(x0), y: toY(y1), width: toX(x1) - toX(x0), height: toY(y0) - toY(y1), class: "area" }, group),
      draw: (path, points) => path.setAttribute("d", through(points.map(([a, b]) => [toX(a), toY(b)]))),
      place: (circle, a, b) => {
        circle.setAttribute("cx", toX(a));
        circle.setAttribute("cy", toY(b));
      },
      onDrag: (act) => onDrag(svg, (event) => {
        const box = svg.getBoundingClientRect(), unit = width / box.width;
        const px = (event.clientX - box.left) * unit, py = (event.clientY - box.top) * unit;
        act(x[0] + ((px - left) / across) * (x[1] - x[0]), y[1] - ((py - top) / up) * (y[1] - y[0]));
      }),
    };
  };

  // The step of a difference: the secant on the left, its error on the right.
  const stepSize = ({ controls, panels, show }) => {
    const f = (t) => 1 / (1 + t * t);
    const x0 = -0.5, slope = 0.64, shortest = -15, longest = 0, floor = 1e-13;
    const schemes = {
      forward: (h) => (f(x0 + h) - f(x0)) / h,
      central: (h) => (f(x0 + h) - f(x0 - h)) / (2 * h),
    };
    const error = (name, h) => Math.max(Math.abs(schemes[name](h) - slope), floor);
    const setExponent = slider(
      controls, "step h", { min: shortest, max: longest, step: 0.1 }, (v) => `h = ${scientific(10 ** v)}`, (exponent) => show({ exponent }));
    const setScheme = choice(controls, "scheme", Object.keys(schemes), (scheme) => show({ scheme }));
    const powers = (...exponents) => exponents.map((v) => [v, v ? `1e${plain(v)}` : "1"]);
    const left = panel(panels, {
      x: [-2, 1], y: [0, 1.2], xTicks: ticks(-2, -1, 0, 1), yTicks: ticks(0, 0.5, 1), xLabel: "x", yLabel: "f(x)",
    });
    const right = panel(panels, {
      x: [shortest, longest], y: [-13, 0], xTicks: powers(-15, -10, -5, 0), yTicks: powers(-12, -8, -4, 0), xLabel: "step h", yLabel: "error",
    });
    const span = [-1.6, 0.1];
    left.draw(left.path("primal"), grid(-2, 1, 120).map((t) => [t, f(t)]));
    left.draw(left.path("reference"), span.map((t) => [t, f(x0) + slope * (t - x0)]));
    const secant = left.path("tangent"), ends = [0, 1].map(() => left.dot(6, "tangent-point"));
    const curves = Object.keys(schemes).map((name) => {
      const curve = right.path("tangent");
      right.draw(curve, grid(shortest, longest, 300).map((v) => [v, Math.log10(error(name, 10 ** v))]));
      return [name, curve];
    });
    const point = right.dot(7, "tangent-point");
    left.onDrag((x) => show({ exponent: Math.log10(Math.max(Math.abs(x - x0), 1e-3)) }));
    right.onDrag((exponent) => show({ exponent }));

    const draw = (state) => {
      const { scheme } = state, exponent = setExponent(state.exponent), h = 10 ** exponent;
      setScheme(scheme);
      const estimate = schemes[scheme](h), off = Math.abs(estimate - slope);
      const points = scheme === "forward" ? [x0, x0 + h] : [x0 - h, x0 + h];
      points.forEach((t, i) => left.place(ends[i], t, f(t)));
      left.draw(secant, [Math.min(span[0], points[0]), Math.max(span[1], ...points)].map((t) => [t, f(points[0]) + estimate * (t - points[0])]));
      right.place(point, exponent, Math.log10(error(scheme, h)));
      for (const [name, curve] of curves) curve.classList.toggle("faint", name !== scheme);
      const words = off ? scientific(off) : "0";
      left.describe(`The curve, its tangent at minus one half, and the secant of the ${scheme} difference for h = ${scientific(h)}.`);
      right.describe(`Error against step, a V-shaped curve; the ${scheme} difference has error ${words} here.`);
      const said = `h = ${scientific(h)}, ${scheme}: slope ${decimal(estimate, 12)}, error ${words}`;
      return { said, scheme, step: h, estimate, error: off };
    };
    const key = "Blue: f. Dashed: its tangent. Orange: the secant, and its error at every step; pale, the other scheme's.";
    return { key, first: { scheme: "forward", exponent: -0.3 }, draw };
  };

  // A linear map A of the plane and its transpose. Inputs are on the left, where Aᵀ leads back; outputs on the right.
  const linearMap = ({ controls, panels, show }) => {
    const maps = {
      "general": [[0.5, 1], [-0.9, 0.4]],
      "rotation": [[0.8, -0.6], [0.6, 0.8]],
      "shear": [[1, 0.5], [0, 1]],
      "stretch": [[1.5, 0], [0, 0.5]],
      "projection of rank one": [[0.6, 0.8], [0.3, 0.4]],
    };
    const most = 2, range = [-3.2, 3.2]; // no map takes a vector in the square of `most` out of the `range`
    const inner = (p, q) => [p[0] * q[0], p[1] * q[1]];
    const times = (matrix, v) => matrix.map((row) => inner(row, v)).map(([p, q]) => p + q);
    const vector = (v, digits = 1) => `(${v.map((entry) => decimal(entry, digits)).join(", ")})`;
    const sum = ([p, q]) => `${decimal(p, 3)} + ${decimal(q, 3)} = ${decimal(p + q, 3)}`.replace("+ \u2212", "\u2212 ");
    const setMap = choice(controls, "map A", Object.keys(maps), (map) => show({ map }));

    const plane = (name, plural, own, image, other) => {
      const view = panel(panels, {
        x: range, y: range, xTicks: ticks(-2, 0, 2), yTicks: ticks(-2, 0, 2), xLabel: `${name}₁`, yLabel: `${plural}: ${name}₂`, equal: true, role: "group",
      });
      const vectors = [[other, image, -1], [own, name, 1]].map(([kind, text, side]) => {
        const path = view.path(kind), label = view.label(0, 0, text, `of-${kind}`, "middle");
        return (v) => {
          const from = [view.toX(0), view.toY(0)], [dx, dy] = [view.toX(v[0]) - from[0], view.toY(v[1]) - from[1]];
          path.setAttribute("d", side > 0 ? through([from, [from[0] + dx, from[1] + dy]]) : arrow(from, [dx, dy])); // the dot is a head
          const far = 14 / (Math.hypot(dx, dy) || 1);
          label.setAttribute("x", from[0] + dx + far * (dx + side * dy));
          label.setAttribute("y", from[1] + dy + far * (dy - side * dx));
        };
      });
      const handle = svgElement("g", {
        class: "handle", role: "slider", tabindex: 0, "aria-label": `vector ${name}`, "aria-valuemin": -most, "aria-valuemax": most,
      }, view.svg);
      const circles = [[22, "reach"], [9, `${own}-point`]].map(([r, kind]) => view.dot(r, kind, handle));
      const moveTo = (v) => ({ [name]: v.map((entry) => clamp(Math.round(10 * entry) / 10, -most, most)) });
      view.onDrag((...v) => show(moveTo(v)));
      onKey(handle, (key) => {
        const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[key];
        if (by) show((state) => moveTo(state[name].map((entry, i) => entry + by[i])));
        return by;
      });
      return (v, mapped) => {
        vectors[0](mapped);
        vectors[1](v);
        circles.forEach((circle) => view.place(circle, ...v));
        handle.setAttribute("aria-valuenow", v[0]);
        handle.setAttribute("aria-valuetext", `${name} = ${vector(v)}`);
        view.describe(`The plane of ${plural}, with the arrows ${name} = ${vector(v)} and ${image} = ${vector(mapped, 2)}.`);
      };
    };
    const drawInputs = plane("x", "inputs", "tangent", "Aᵀy", "cotangent");
    const drawOutputs = plane("y", "outputs", "cotangent", "A\u00a0x", "tangent");

    const draw = ({ map, x, y }) => {
      const A = maps[map], [[a, b], [c, d]] = A, pushed = times(A, x), pulled = times([[a, c], [b, d]], y);
      const products = [inner(y, pushed), inner(pulled, x)];
      setMap(map);
      drawInputs(x, pulled);
      drawOutputs(y, pushed);
      const said = [
        `A = [${A.map((row) => `[${row.map((entry) => decimal(entry, 1)).join(", ")}]`).join(", ")}]`,
        `x = ${vector(x)}, A\u00a0x = ${vector(pushed, 2)}`,
        `y = ${vector(y)}, Aᵀy = ${vector(pulled, 2)}`,
        `⟨y, A\u00a0x⟩ = ${sum(products[0])}`,
        `⟨Aᵀy, x⟩ = ${sum(products[1])}`,
      ].map((line) => htmlElement("span", { class: "line" }, null, `${line} `));
      return { said, map, x, y, pushed, pulled, products: products.map(([p, q]) => p + q) };
    };
    const key = "Orange: x and A\u00a0x, forward. Green: y and Aᵀy, back.";
    const hint = "Drag the two dots, or move them with the arrow keys.";
    return { key, hint, first: { map: "general", x: [1.5, 0.5], y: [0.5, 1.5] }, draw };
  };

  // A chain of rods from the origin, frame by frame as a cell computed it: `data-times` in milliseconds, and in
  // `data-points` x and y of every joint in thousandths. It stands still until the reader plays it.
  const linkage = ({ container, controls, panels, reading, show }) => {
    const times = container.dataset.times.split(",").map(Number);
    const numbers = container.dataset.points.split(",").map((v) => Number(v) / 1000);
    const last = times.length - 1, joints = numbers.length / times.length / 2;
    const end = joints > 1 ? "the last bob" : "the bob";
    const pairs = Array.from({ length: numbers.length / 2 }, (_, i) => numbers.slice(2 * i, 2 * i + 2));
    const chains = times.map((_, i) => [[0, 0], ...pairs.slice(i * joints, (i + 1) * joints)]);
    const frameAt = (time) => Math.max(0, times.findLastIndex((t) => t <= time));
    const secondsOf = (frame) => `${decimal(times[frame] / 1000, 2)} s`;

    const toggle = button(controls, "play", () => show(({ frame, playing }) => ({ playing: !playing, frame: !playing && frame === last ? 0 : frame })));
    const setFrame = slider(controls, "time", { min: 0, max: last, step: 1 }, secondsOf, (frame) => show({ frame, playing: false }));
    const highest = Math.max(0, ...pairs.map(([, y]) => y)), lowest = Math.min(0, ...pairs.map(([, y]) => y));
    const widest = Math.max((highest - lowest) / 2, ...pairs.map(([x]) => Math.abs(x))) || 1, edge = 0.1 * widest;
    const power = 10 ** Math.floor(Math.log10(widest / 2));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= widest / 2);
    const multiples = (low, high) => {
      const [from, to] = [Math.ceil(low / step), Math.floor(high / step)];
      return ticks(...grid(from, to, to - from).map((v) => v * step));
    };
    const x = [-widest - edge, widest + edge], y = [lowest - edge, highest + edge];
    const view = panel(panels, { x, y, xTicks: multiples(...x), yTicks: multiples(...y), xLabel: "x", yLabel: "y", equal: true });
    const trailed = "trail" in container.dataset;

    const pieces = 40, piece = 2000 / pieces; // of the trail, fading with age; a piece is of 50 milliseconds
    const trail = Array.from({ length: trailed ? pieces : 0 }, () => view.path("tangent"));
    trail.forEach((path, i) => path.setAttribute("opacity", (i + 1) / pieces));
    const rods = view.path("primal rods");
    view.place(view.dot(5, "pivot"), 0, 0);
    const bobs = chains[0].slice(1).map(() => view.dot(9, "primal-point"));

    let request = 0, clock = 0, before = null;
    const tick = (now) => {
      clock += Math.min(now - (before ?? now), 100);
      before = now; // a tab that was away goes on where it was
      request = requestAnimationFrame(tick);
      show({ frame: frameAt(clock), playing: frameAt(clock) < last });
    };
    const draw = ({ frame, playing }) => {
      if (playing && !request) [request, clock, before] = [requestAnimationFrame(tick), times[frame], null];
      if (!playing) {
        cancelAnimationFrame(request);
        request = 0;
      }
      const chain = chains[frame], [endX, endY] = chain[joints].map((v) => decimal(v, 3));
      const said = `At ${secondsOf(frame)} ${end} is at x\u00a0=\u00a0${endX}, y\u00a0=\u00a0${endY}.`;
      view.draw(rods, chain);
      bobs.forEach((bob, i) => view.place(bob, ...chain[i + 1]));
      trail.forEach((path, i) => {
        const [from, to] = [pieces - i, pieces - i - 1].map((age) => frameAt(times[frame] - age * piece));
        view.draw(path, chains.slice(from, to + 1).map((past) => past[joints]));
      });
      setFrame(frame);
      toggle.textContent = playing ? "pause" : "play";
      reading.setAttribute("aria-live", playing ? "off" : "polite"); // where it stands still, not sixty times a second
      view.describe(`A chain of ${joints > 1 ? `${joints} rods` : "one rod"} from the origin. ${said}`);
      return { said, frame, playing, time: times[frame] / 1000, shown: chain.slice(1).join() };
    };
    const key = `Blue: rods and bobs.${trailed ? ` Orange: the path of ${end} over the last two seconds.` : ""}`;
    return { key, first: { frame: 0, playing: false }, paper: { frame: last, playing: false }, draw };
  };

  // A computation graph and the steps of a sweep over it, both made by `plotting.steps`, in JSON in `data-graph`: a step
  // writes lines into boxes, and makes edges and boxes stand out. The layers go from left to right, or down where that is too wide.
  const computationGraph = ({ container, words, controls, panels, show }) => {
    const { mode, name, titles, partials, drawings, steps } = JSON.parse(container.dataset.graph);
    const last = steps.length - 1, reverse = mode === "reverse", smallest = 0.8;
    const lines = ["title", "value", "derivative", "sum"];

    container.tabIndex = 0;
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", "Computation graph; the left and right arrow keys step through it");
    const details = htmlElement("details", {}, container);
    htmlElement("summary", {}, details, `All values and ${reverse ? "adjoints" : "tangents"}`);
    details.append(...words.filter((element) => element.tagName === "TABLE"));

    const line = (stops, down) => stops.map(([x, y], i) => {
      if (i === 0) return `M${x} ${y}`;
      const [a, b] = stops[i - 1];
      if (i % 2 === 0) return `L${x} ${y}`;
      return down ? `C${a} ${(b + y) / 2} ${x} ${(b + y) / 2} ${x} ${y}` : `C${(a + x) / 2} ${b} ${(a + x) / 2} ${y} ${x} ${y}`;
    }).join("");
    const head = ([x, y], down, sign) => (down
      ? `M${x} ${y}L${x - 5} ${y - 9 * sign}L${x + 5} ${y - 9 * sign}Z`
      : `M${x} ${y}L${x - 9 * sign} ${y - 5}L${x - 9 * sign} ${y + 5}Z`);

    let drawing = null, svg = null, edges = [], nodes = [];
    const fit = () => {
      const room = panels.clientWidth || Infinity;
      const best = drawings.find(({ size }) => room >= smallest * size[0]) ?? drawings.at(-1);
      if (best === drawing) return false;
      drawing = best;
      panels.textContent = "";
      const { down, size, box } = drawing, [width, height] = box;
      svg = svgElement("svg", { viewBox: `0 0 ${size.join(" ")}`, role: "img" }, panels);
      svg.style.maxWidth = `${size[0]}px`;
      edges = drawing.edges.map((stops) => {
        const group = svgElement("g", { class: "edge" }, svg);
        svgElement("path", { d: line(stops, down) }, group);
        svgElement("path", { d: head(stops.at(-1), down, 1), class: "arrow" }, group);
        svgElement("path", { d: head(stops[0], down, -1), class: "arrow back" }, group);
        return group;
      });
      const labels = svgElement("g", {}, svg); // above all edges
      drawing.labels.forEach(([x, y], i) => {
        const group = svgElement("g", { class: "edge-label" }, labels), wide = 8 * partials[i].length + 2;
        svgElement("rect", { x: x - wide / 2, y: y - 8, width: wide, height: 16, rx: 4 }, group);
        textAt(group, x, y, partials[i], "partial");
        edges[i].label = group;
      });
      nodes = drawing.nodes.map(([x, y], i) => {
        const group = svgElement("g", { class: "node", "data-operation": i }, svg);
        svgElement("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 8 }, group);
        lines.forEach((className, k) => textAt(group, x, y - height / 2 + 15 + 17 * k, k ? "" : titles[i], className));
        return group;
      });
      return true;
    };

    const draw = ({ step }) => {
      if (!drawing) fit();
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
      const said = `Step ${step} of ${last}. ${text}`;
      svg.setAttribute("aria-label", `This is ${name}. ${said}`);
      buttons.forEach(([made, target]) => made.setAttribute("aria-disabled", clamp(target(step), 0, last) === step));
      return { said, mode, step };
    };

    // A button that can do nothing stays where it is: one that is disabled would lose the focus.
    const go = (target) => show(({ step }) => ({ step: clamp(target(step), 0, last) }));
    const [back, forth] = [(step) => step - 1, (step) => step + 1];
    const buttons = Object.entries({ First: () => 0, Back: back, Next: forth, Last: () => last })
      .map(([label, target]) => [button(controls, label, () => go(target)), target]);
    onKey(container, (key) => {
      const target = { ArrowLeft: back, ArrowRight: forth }[key];
      if (target) go(target);
      return target;
    });
    window.addEventListener("resize", () => { if (fit()) show({}); });
    const key = `Blue: values. ${reverse ? "Green: adjoints" : "Orange: tangents"}. On the edges: the local derivatives that multiply them.`;
    return { key, first: { step: 0 }, paper: { step: last }, draw };
  };

  // The columns of one color are added: that is one product with J. The reader colors the columns of a pattern until
  // every entry stands alone in its row of its sum. Rows, columns and colors are counted from 1 in words; color 0 is none.
  const coloring = ({ container, controls, panels, show }) => {
    const square = (n, entry) => Array.from({ length: n }, (_, i) => [...Array(n).keys()].filter((j) => entry(i, j)));
    const third = (i) => Math.min(2, Math.floor(i / 3));
    const patterns = {
      "tridiagonal": square(10, (i, j) => Math.abs(i - j) < 2),
      "arrow": square(10, (i, j) => i === j || i * j === 0),
      "periodic stencil": square(10, (i, j) => [0, 1, 9].includes(Math.abs(i - j))),
      "3 by 3 grid": square(9, (i, j) => Math.abs(third(i) - third(j)) + Math.abs((i % 3) - (j % 3)) < 2),
      "block diagonal": square(10, (i, j) => third(i) === third(j)),
    };
    const listed = (word, indices) => {
      const numbers = indices.map((i) => i + 1), end = numbers.at(-1);
      if (numbers.length > 2 && end - numbers[0] === numbers.length - 1) return `${word}s ${numbers[0]} to ${end}`;
      return numbers.length > 1 ? `${word}s ${numbers.slice(0, -1).join(", ")} and ${end}` : `${word} ${end}`;
    };

    const begin = (pattern) => ({ pattern, colors: patterns[pattern].map(() => 1), stepping: false, note: "" });
    const firstFit = ({ pattern, colors }, j) => {
      const taken = patterns[pattern].filter((row) => row.includes(j)).flat().filter((k) => k !== j).map((k) => colors[k]);
      return colors.map((_, c) => c + 1).find((color) => !taken.includes(color));
    };
    const paint = ({ colors }, j, color, stepping) => ({
      colors: colors.map((old, k) => (k === j ? color : old)), stepping, note: `Column ${j + 1}: color ${color}. `,
    });
    // The colors up to the highest of the other columns, and one more, come in turn.
    const turn = (j, by) => show((state) => {
      const { colors } = state, most = Math.min(colors.length, 1 + Math.max(...colors.filter((_, k) => k !== j)));
      return paint(state, j, by > 0 ? (colors[j] % most) + 1 : colors[j] > 1 ? Math.min(colors[j] - 1, most) : most, false);
    });
    const greedyStep = (state) => {
      if (state.colors.every(Boolean)) {
        if (state.stepping) return {};
        state.colors = state.colors.map(() => 0);
      }
      const j = state.colors.indexOf(0);
      return paint(state, j, firstFit(state, j), true);
    };
    const finished = (state) => state.colors.reduce(
      (so, _, j) => ({ ...so, ...paint(so, j, firstFit(so, j), true) }), { ...state, colors: state.colors.map(() => 0) });

    const setPattern = choice(controls, "pattern", Object.keys(patterns), (pattern) => show(begin(pattern)));
    const restart = button(controls, "Start again", () => show(({ pattern }) => begin(pattern)));
    const greedy = button(controls, "Next greedy step", () => show(greedyStep));
    const [left, right] = ["toolbar", "img"].map((role) => svgElement("svg", { role }, panels));
    left.setAttribute("aria-label", "Columns of J: the left and right arrow keys move between them, up and down change the color");

    const unit = 32, edge = 34;
    const at = (i) => edge + unit * (i + 0.5);
    const cell = (i, j, color, clash, string, parent) => {
      const group = svgElement("g", { class: `cell${clash ? " clash" : ""}${color ? "" : " blank"}` }, parent);
      if (color) group.style.color = `var(--color-${color})`;
      svgElement("rect", { x: at(j) - 12.5, y: at(i) - 12.5, width: 25, height: 25, rx: 4 }, group);
      textAt(group, at(j), at(i), string, "");
    };
    // Row numbers, bold where there is a conflict.
    const margin = (name, rows, torn, parent) => {
      const group = svgElement("g", { class: "margin", "aria-hidden": true }, parent);
      textAt(group, edge / 2, edge / 2, name);
      rows.forEach((_, i) => textAt(group, edge / 2, at(i), i + 1, torn.includes(i) ? "tick torn" : "tick"));
    };

    let drawn = null, columns = [];
    const enter = (j) => columns.forEach((column, k) => column.setAttribute("tabindex", k === j ? 0 : -1));
    const layOut = (pattern) => {
      const n = patterns[pattern].length, size = edge + unit * n + 2;
      for (const svg of [left, right]) svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
      left.textContent = "";
      columns = patterns[pattern].map((_, j) => {
        const column = svgElement("g", { role: "button", class: "column" }, left);
        svgElement("rect", { x: at(j) - 15, y: 2, width: 30, height: size - 4, rx: 6 }, column);
        textAt(column, at(j), edge / 2, j + 1);
        column.addEventListener("click", () => turn(j, 1));
        column.addEventListener("focus", () => enter(j));
        onKey(column, (key) => {
          const to = { ArrowLeft: j - 1, ArrowRight: j + 1, Home: 0, End: n - 1 }[key];
          const by = { ArrowUp: 1, ArrowDown: -1, Enter: 1, " ": 1 }[key];
          if (by) turn(j, by); else columns[to]?.focus();
          return by || to !== undefined;
        });
        return column;
      });
      enter(0);
      drawn = pattern;
    };

    const draw = ({ pattern, colors, stepping, note }) => {
      if (pattern !== drawn) layOut(pattern);
      setPattern(pattern);
      const rows = patterns[pattern], n = rows.length, missing = colors.filter((color) => !color).length;
      const rowsWhere = (test) => [...rows.keys()].filter(test);
      const clashes = (i, j) => colors[j] > 0 && rows[i].some((k) => k !== j && colors[k] === colors[j]);
      const used = rows.map((_, c) => c + 1).filter((color) => colors.includes(color)), k = used.length;
      const sums = rows.map((row) => used.map((color) => row.filter((j) => colors[j] === color)));
      const torn = rowsWhere((i) => sums[i].some((sum) => sum.length > 1));
      const conflicts = sums.flat().filter((sum) => sum.length > 1).length;

      left.querySelector(".margin")?.remove();
      margin("J", rows, torn, left);
      columns.forEach((column, j) => {
        const own = rowsWhere((i) => rows[i].includes(j)), met = own.filter((i) => clashes(i, j));
        const label = [`Column ${j + 1}`, `entries in ${listed("row", own)}`, colors[j] ? `color ${colors[j]}` : "no color"];
        if (met.length) label.push(`conflicts in ${listed("row", met)}`);
        column.setAttribute("aria-label", label.join(", "));
        column.querySelectorAll(".cell").forEach((old) => old.remove());
        own.forEach((i) => cell(i, j, colors[j], met.includes(i), colors[j] || "", column));
      });
      right.textContent = "";
      margin("B", rows, torn, right);
      used.forEach((color, c) => {
        textAt(right, at(c), edge / 2, color);
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
      restart.setAttribute("aria-disabled", colors.every((color) => color === 1));
      greedy.setAttribute("aria-disabled", stepping && !missing);
      return { said: `${note}${counted(k, "color")}, ${counted(conflicts, "conflict")}${verdict}`, pattern, colors, conflicts };
    };
    const hint = "Click a column to change its color, or use the arrow keys.";
    const key = "A number in J is the color of its column. "
      + "B\u00a0=\u00a0J\u00a0S has one column for each color; a number in it is the column of J that the entry comes from. "
      + "Outlined: a conflict, entries of one color in one row, of which B has only the sum,\u00a0+.";
    const named = container.dataset.pattern in patterns ? container.dataset.pattern : "tridiagonal";
    return { key, hint, first: begin(named), paper: (state) => ({ ...finished(state), note: "" }), draw };
  };

  // The fixed point z* of f(a, z) = a cos z and its Picard steps on the left; on the right z* and the last step as functions
  // of a, each with its tangent: the one by the implicit function theorem, the other by differentiating the steps.
  const cobweb = ({ controls, panels, show }) => {
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

    const setA = slider(controls, "a", { min: least, max: most, step: 0.01 }, (a) => `a = ${decimal(a, 2)}`, (a) => show({ a }));
    const setSteps = slider(controls, "steps k", { min: 0, max: 40, step: 1 }, (k) => counted(k, "step"), (k) => show({ k }));
    const left = panel(panels, {
      x: z, y: z, xTicks: ticks(-1, 0, 1, 2), yTicks: ticks(-1, 0, 1, 2), xLabel: "z", yLabel: "y", tall: 340,
    });
    const right = panel(panels, {
      x: [0, most], y: z, xTicks: ticks(0, 1, 2), yTicks: ticks(-1, 0, 1, 2), xLabel: "a", yLabel: "z", tall: 340, right: 40,
    });
    left.draw(left.path("reference"), z.map((v) => [v, v]));
    const drops = [left, right].map((view) => view.path("drop"));
    const curve = left.path("primal"), web = left.path("primal web");
    const solution = right.path("primal"), iterate = right.path("primal dashed");
    const tangents = ["tangent", "tangent dashed"].map((name) => right.path(name));
    right.draw(solution, grid(0, most, 200).map((a) => [a, solve(a)]));
    const [dots, rings] = [[7, "primal-point"], [5, "ring"]].map(([r, name]) => [left, right].map((view) => view.dot(r, name)));
    left.label(left.toX(-0.9), left.toY(z[0]) - 10, "y = z", "of-reference");
    const ofCurve = left.label(left.toX(-0.25), 0, "y = a cos z", "of-primal", "end");
    const ofSolution = left.label(0, left.toY(z[0]) - 10, "z*", "of-primal");
    right.label(right.toX(most) + 12, right.toY(solve(most)), "z*", "of-primal");
    const ofIterate = right.label(right.toX(most) + 12, 0, "", "of-primal");
    right.onDrag((a) => show({ a }));

    // A piece of a line of one length on the screen however steep, as far as it lies in the panel.
    const reach = 70;
    const tangentLine = (a, height, slope) => {
      const half = reach / Math.hypot(right.toX(1) - right.toX(0), slope * (right.toY(0) - right.toY(1)));
      const bounds = [[-half, half], [-a, most - a]];
      if (slope) bounds.push(z.map((v) => (v - height) / slope).sort((p, q) => p - q));
      const from = Math.max(...bounds.map(([low]) => low)), to = Math.min(...bounds.map(([, high]) => high));
      return [from, to].map((t) => [a + t, height + slope * t]);
    };

    const draw = (state) => {
      const a = setA(state.a), k = setSteps(state.k);
      const fixed = solve(a), slope = Math.cos(fixed) / (1 + a * Math.sin(fixed)), rate = a * Math.sin(fixed);
      const steps = unroll(a, k), name = `z${digitsAs("₀₁₂₃₄₅₆₇₈₉", k)}`;

      left.draw(curve, grid(...z, 170).map((v) => [v, f(a, v)]));
      left.draw(web, steps.zs.flatMap((v, i) => (i < k ? [[v, v], [v, steps.zs[i + 1]]] : [[v, v]])));
      right.draw(iterate, grid(0, most, 800).map((v) => [v, unroll(v, k).z]));
      right.draw(tangents[0], tangentLine(a, fixed, slope));
      right.draw(tangents[1], tangentLine(a, steps.z, steps.slope));
      left.draw(drops[0], [[fixed, z[0]], [fixed, fixed]]);
      right.draw(drops[1], [[a, z[0]], [a, Math.max(fixed, steps.z)]]);
      left.place(dots[0], fixed, fixed);
      left.place(rings[0], steps.z, steps.z);
      right.place(dots[1], a, fixed);
      right.place(rings[1], a, steps.z);
      ofCurve.setAttribute("y", left.toY(f(a, -0.25)) - 12);
      ofSolution.setAttribute("x", left.toX(fixed) + 5);
      ofIterate.setAttribute("y", right.toY(unroll(most, k).z)); // at a = 2 no z_k comes near z*
      ofIterate.textContent = name;

      const found = `z*\u00a0=\u00a0${decimal(fixed, 4)}, slope by the theorem ${decimal(slope, 4)}`;
      const reached = `${name}\u00a0=\u00a0${decimal(steps.z, 4)}, slope ${decimal(steps.slope, 4)}`;
      const verdict = rate < 1 ? "< 1: the steps converge." : "> 1: the steps run away from z*, which the theorem does not mind.";
      const said = [
        `a\u00a0=\u00a0${decimal(a, 2)}: ${found}. After ${counted(k, "step")}: ${reached}. At z*, `,
        htmlElement("span", { class: "unbroken" }, null, `|∂f/∂z| = ${decimal(rate, 4)}`), ` ${verdict}`,
      ];
      left.describe(`The curve a cos z, the diagonal, and ${counted(k, "step")} between them from z = 0, which ${rate < 1 ? "close in on" : "go around"} their crossing z* and end at ${decimal(steps.z, 4)}.`);
      right.describe(`The fixed point z* against a, a rising curve, with its tangent of slope ${decimal(slope, 4)}; and ${name} against a, with its tangent of slope ${decimal(steps.slope, 4)}.`);
      return { said, a, steps: k, solution: fixed, slope, iterate: steps.z, iterateSlope: steps.slope, rate };
    };
    const key = "Against z: the steps from z₀\u00a0=\u00a00, between the curve and the diagonal. Against a: z*, and the last step dashed. "
      + "Full dot: z*. Ring: the last step. Orange: the slopes in a, of z* by the theorem, of the last step dashed.";
    return { key, hint: "Drag the dot to change\u00a0a.", first: { a: 1, k: 6 }, draw };
  };

  // A count n of 5 μ + 10 γ expected events, γ known to 35 % from τ auxiliary ones, as `uncorrelated_background([5], [10], [3.5])`
  // of pyhf: on the left −ln L in the plane of μ and γ, on the right the best μ against n. All but the contours is in closed form.
  const likelihood = ({ number, controls, panels, show }) => {
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

    const setCount = slider(controls, "observed count n", { min: 0, max: most, step: 1 }, (n) => `n = ${n}`, (n) => show({ n }));
    const gammas = [0, 2.4], mus = [-1.2, 7.6], counts = [-1.5, 41.5];
    const left = panel(panels, {
      x: mus, y: gammas, xTicks: ticks(0, 2, 4, 6), yTicks: ticks(0, 1, 2), xLabel: "μ", yLabel: "γ", tall: 340,
    });
    const right = panel(panels, {
      x: counts, y: mus, xTicks: ticks(0, 10, 20, 30, 40), yTicks: ticks(0, 2, 4, 6), xLabel: "n", yLabel: "best μ", tall: 340,
    });
    left.area([mus[0], 0], gammas);
    right.area(counts, [mus[0], 0]);
    left.draw(left.path("reference"), gammas.map((gamma) => [0, gamma]));
    const inside = svgElement("clipPath", { id: `inside-of-explorable-${number}` }, left.svg);
    left.area([0, mus[1]], gammas, inside);
    const arrows = left.path("cotangent thin");
    const curves = levels.map((level) => left.path(level === 2.3 ? "primal" : "primal thin"));
    curves.forEach((curve) => curve.setAttribute("clip-path", `url(#${inside.id})`));
    const upper = grid(10, most, 60);
    right.draw(right.path("primal"), [0, 10, most].map((n) => [n, fit(n).mu]));
    for (const sign of [-1, 1]) right.draw(right.path("primal thin dashed"), upper.map((n) => [n, fit(n).mu + sign * fit(n).muError]));
    const bars = [left, left, right].map((view) => view.path("primal bar"));
    const dots = [left, right].map((view) => view.dot(7, "primal-point"));
    // Left of the bound the pointer is where the best fit would be without it.
    left.onDrag((mu) => show({ n: 10 + 5 * mu }));
    right.onDrag((n) => show({ n }));

    // In units of the drawing the arrows cross the contours at right angles; as long as the root of the slope there, to be seen near and far.
    const scale = [left.toX(1) - left.toX(0), left.toY(1) - left.toY(0)];
    const downhill = (n, mu, gamma) => {
      const down = gradient(n, mu, gamma).map((v, i) => -v / scale[i]), slope = Math.hypot(...down);
      const size = Math.min(30 * Math.sqrt(slope), 24);
      return arrow([left.toX(mu), left.toY(gamma)], down.map((v) => (v * size) / (slope || 1)));
    };

    const draw = (state) => {
      const n = setCount(state.n), found = fit(n), { mu, gamma, muError, gammaError } = found;
      levels.forEach((level, i) => left.draw(curves[i], contour(n, found, level)));
      arrows.setAttribute("d", grid(0, 7, 10).flatMap((x) => grid(0.3, 2.1, 6).map((y) => downhill(n, x, y))).join(""));
      left.draw(bars[0], [-muError, muError].map((v) => [mu + v, gamma]));
      left.draw(bars[1], [-gammaError, gammaError].map((v) => [mu, gamma + v]));
      right.draw(bars[2], [-muError, muError].map((v) => [n, mu + v]));
      left.place(dots[0], mu, gamma);
      right.place(dots[1], n, mu);
      const ofMu = muError ? `${decimal(mu, 3)} ± ${decimal(muError, 3)}` : "0, held by its bound";
      const words = `best μ\u00a0=\u00a0${ofMu}, best γ\u00a0=\u00a0${decimal(gamma, 3)} ± ${decimal(gammaError, 3)}`;
      left.describe(`The plane of μ and γ: four contours around the best fit, and arrows that point downhill. For n = ${n}, ${words}.`);
      right.describe(`Best μ against n: zero up to ten, then a straight rise of one fifth per event. At n = ${n} it is ${ofMu}.`);
      return { said: `n\u00a0=\u00a0${n}: ${words}.`, count: n, ...found };
    };
    const key = "Contours: \u22122\u00a0ln\u00a0L is 1, 2.30, 4 and 9 above its minimum; thick: 2.30, for 68\u00a0% where the bound is far. "
      + "Green: downhill, along minus the gradient. Bars: plus and minus one standard deviation, dashed for other\u00a0n. Gray: μ\u00a0<\u00a00, out of bounds.";
    return { key, hint: "Drag the dot to change\u00a0n.", first: { n: 15 }, draw };
  };

  const figures = {
    "step-size": stepSize, "linear-map": linearMap, linkage, "computation-graph": computationGraph, coloring, cobweb, likelihood,
  };

  const open = (container, number) => {
    const fill = figures[container.dataset.explorable];
    if (!fill) return;
    const words = [...container.children];
    container.textContent = "";
    const [controls, panels] = ["controls", "panels"].map((name) => htmlElement("div", { class: name }, container));
    const keyLine = htmlElement("p", { class: "key" }, container);
    const reading = htmlElement("output", { "aria-live": "polite" }, container);
    let state = {}, kept = null;
    const show = (change) => {
      state = { ...state, ...(typeof change === "function" ? change({ ...state }) : change) };
      const { said, ...data } = draw(state);
      reading.replaceChildren(...[said].flat());
      Object.assign(container.dataset, data);
    };
    const { key, hint = "", first, paper = first, draw } = fill({ container, number, words, controls, panels, reading, show });
    keyLine.textContent = `${key} `;
    htmlElement("span", { class: "hint" }, keyLine, hint);
    show(first);
    window.addEventListener("beforeprint", () => {
      kept = state;
      show(paper);
    });
    window.addEventListener("afterprint", () => show(kept));
  };
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-explorable]").forEach(open));
})();
