// Small helpers: elements, numbers as text, arrays from base64.

const SVG = "http://www.w3.org/2000/svg";

// An HTML element: attributes by name, `on` for listeners, then children (texts or elements).
export function element(name, attributes = {}, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, name), attributes, children);
}

function furnish(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value === true) {
      node.setAttribute(name, "");
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function button(text, listener, attributes = {}) {
  return element("button", { type: "button", on: { click: listener }, ...attributes }, text);
}

// What the program that serves the page answers; where it does not, the reason stands in `words`.
export async function ask(address, words) {
  let answer;
  try {
    answer = await fetch(address);
  } catch {
    words.textContent = "The program that served this page has ended.";
    return null;
  }
  if (answer.ok) return answer.json();
  words.textContent = await answer.text();
  return null;
}

const WORDS = { 1e12: "T", 1e9: "G", 1e6: "M", 1e3: "k" };

// A count in four digits: 117.6 k.
export function short(count) {
  for (const unit of [1e12, 1e9, 1e6, 1e3]) {
    if (count >= unit) return `${Number((count / unit).toPrecision(4))} ${WORDS[unit]}`;
  }
  return String(count);
}

export function bytes(count) {
  for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (count >= unit) return `${(count / unit).toPrecision(3)} ${name}`;
  }
  return `${count} B`;
}

export function duration(seconds) {
  if (seconds >= 1) return `${seconds.toPrecision(3)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toPrecision(3)} ms`;
  return `${(seconds * 1e6).toPrecision(3)} µs`;
}

// A number as a table shows it: six digits, a true minus sign.
export function number(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e7) ? value.toExponential(4) : String(Number(value.toPrecision(6)));
  return text.replace("-", "−");
}

// Without the batch's axis, which has one image.
export function shape(sizes) {
  const shown = sizes.length > 1 ? sizes.slice(1) : sizes;
  return shown.join("×");
}

export function percent(share) {
  return `${(share * 100).toFixed(share >= 0.1 ? 0 : 1)}%`;
}

const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array };
const decoded = new WeakMap();

// The typed array of exact numbers, decoded when it is first asked for.
export function numbers(packed) {
  if (!decoded.has(packed)) {
    const text = atob(packed.data);
    const raw = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    decoded.set(packed, new KINDS[packed.dtype](raw.buffer));
  }
  return decoded.get(packed);
}

// The i-th plane of an array (P, H, W).
export function plane(packed, index) {
  const size = packed.shape.at(-1) * packed.shape.at(-2);
  return numbers(packed).subarray(index * size, (index + 1) * size);
}

// A choice among texts; calls `chosen` with the index.
export function choice(label, texts, chosen, selected = 0) {
  const options = texts.map((text, index) => element("option", { value: index, selected: index === selected }, text));
  const select = element("select", { on: { change: () => chosen(Number(select.value)) } }, ...options);
  return element("label", { class: "choice" }, `${label} `, select);
}

// A table with a caption for those who cannot see it.
export function table(caption, head, rows, className = "") {
  const cells = (name, texts) => texts.map((text) => element(name, name === "th" ? { scope: "col" } : {}, text));
  return element(
    "div",
    { class: `scroll ${className}`, tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", { class: "unseen" }, caption),
      head.length ? element("thead", {}, element("tr", {}, ...cells("th", head))) : null,
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row)))),
    ),
  );
}
