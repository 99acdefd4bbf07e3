// A plane of numbers as a picture in which places can be pointed at, by mouse, touch or arrow keys.
import { element, number } from "./base.js";

const SIDE = 264; // of the larger side, in pixels on the screen, unless `side` says otherwise

// Options: title, values, height, width, side, and `pick(row, column)` if places can be chosen.
export function planeView(options) {
  const canvas = element("canvas", { "aria-hidden": "true" });
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const frame = element("div", { class: "plane" }, canvas, marks);
  const caption = element("figcaption", {}, options.title);
  const view = { figure: element("figure", { class: "plane-figure" }, caption, frame), frame, row: 0, column: 0 };
  view.show = (values, height = options.height, width = options.width) => {
    Object.assign(view, { values, height, width });
    paint(canvas, values, height, width);
    const scale = (options.side ?? SIDE) / Math.max(height, width);
    frame.style.width = `${Math.max(width * scale, 24)}px`;
    frame.style.aspectRatio = `${width} / ${height}`;
  };
  view.title = (text) => (caption.textContent = text);
  view.mark = (rectangles) => marks.replaceChildren(...rectangles.map((one) => markOf(one, view)));
  view.show(options.values);
  if (options.pick) makePickable(view, options);
  return view;
}

// Rectangles: {row, column, height, width, className} in elements of the plane.
function markOf({ row, column, height, width, className = "" }, view) {
  const box = element("div", { class: `mark ${className}` });
  box.style.left = `${(column / view.width) * 100}%`;
  box.style.top = `${(row / view.height) * 100}%`;
  box.style.width = `${(width / view.width) * 100}%`;
  box.style.height = `${(height / view.height) * 100}%`;
  return box;
}

export function paint(canvas, values, height, width) {
  canvas.width = width;
  canvas.height = height;
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = high > low ? 255 / (high - low) : 0;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let index = 0; index < height * width; index += 1) {
    image.data.fill(Math.round((values[index] - low) * scale), 4 * index, 4 * index + 3);
    image.data[4 * index + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function makePickable(view, options) {
  const { frame } = view;
  frame.classList.add("pickable");
  Object.entries({
    tabindex: 0,
    role: "application",
    "aria-roledescription": "plane of numbers",
    "aria-label": `${options.title}: choose a pixel with the arrow keys`,
  }).forEach(([name, value]) => frame.setAttribute(name, value));
  view.pick = (row, column) => {
    view.row = Math.min(Math.max(row, 0), view.height - 1);
    view.column = Math.min(Math.max(column, 0), view.width - 1);
    options.pick(view.row, view.column);
  };
  const at = (event) => {
    const box = frame.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * view.height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * view.width);
    if (row !== view.row || column !== view.column || event.type === "pointerdown") view.pick(row, column);
  };
  frame.addEventListener("pointermove", at);
  frame.addEventListener("pointerdown", at);
  frame.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    view.pick(view.row + move[0], view.column + move[1]);
  });
}

// Three digits, so that matrices fit side by side; where numbers are added up they stand with six.
const brief = (value) => number(Number(value.toPrecision(3)));

// A small matrix of numbers, with the cells of `winners` marked.
export function matrix(caption, values, columns, winners = []) {
  const rows = [];
  for (let start = 0; start < values.length; start += columns) {
    const cells = Array.from(values.slice(start, start + columns), (value, offset) =>
      element("td", { class: winners.includes(start + offset) ? "winner" : null }, brief(value)),
    );
    rows.push(element("tr", {}, ...cells));
  }
  return element(
    "div",
    { class: "scroll matrix", tabindex: 0, role: "region", "aria-label": caption },
    element("table", {}, element("caption", {}, caption), element("tbody", {}, ...rows)),
  );
}
