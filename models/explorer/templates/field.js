// The receptive field of a unit: the part of the image that it can see, and the part that does move it.
import { ask, button, element, numbers, plane } from "./base.js";
import { PAGE } from "./data.js";
import { planeView } from "./planes.js";

const SIDE = 216;

export function receptiveField(operation) {
  const { field } = operation;
  if (!field || !PAGE.picture) return null;
  const [height, width] = operation.output_shapes[0].slice(-2);
  const words = element("p", { "aria-live": "polite" });
  const images = [imageWithBox("What it can see", PAGE.picture.source, field)];
  const effective = imageWithBox("", field.effective, field);
  effective.show(field.effective, field.unit);
  images.push(effective);
  const view = planeView({
    title: "Output: point at a unit",
    values: outputPlane(operation, height * width),
    height,
    width,
    side: SIDE,
    pick: (row, column) => {
      view.mark([{ row, column, height: 1, width: 1 }]);
      const region = regionOf(field, row, column);
      for (const image of images) image.mark(region);
      words.textContent = describeRegion(field, row, column, region);
    },
  });
  const ask = PAGE.live && field.asked ? button("What moves this unit?", () => askProgram(operation, view, effective, words)) : null;
  view.pick(...(field.unit ?? [Math.floor(height / 2), Math.floor(width / 2)]));
  return element(
    "div",
    { class: "field" },
    element("div", { class: "planes" }, view.figure, ...images.map((image) => image.figure)),
    words,
    ask,
  );
}

// The plane that the layer's inspector has, or none.
function outputPlane(operation, size) {
  const known = operation.inspector ?? {};
  if (known.filters) return numbers(known.filters[0].y);
  if (known.kind === "pooling") return plane(known.y, 0);
  return new Float32Array(size);
}

// First and last position along one axis: [size, jump, start] of the axis, the unit's number, the image's length.
function reach([size, jump, start], unit, length) {
  const first = Math.ceil(start + unit * jump - 1e-6);
  const last = Math.floor(start + size - 1 + unit * jump + 1e-6);
  return [Math.max(first, 0), Math.min(last, length - 1)];
}

function regionOf(field, row, column) {
  const [top, bottom] = reach(field.rows, row, field.size[0]);
  const [left, right] = reach(field.columns, column, field.size[1]);
  return { top, left, height: Math.max(bottom - top + 1, 0), width: Math.max(right - left + 1, 0) };
}

function describeRegion(field, row, column, { top, left, height, width }) {
  return (
    `Unit (${row}, ${column}) can see rows ${top} to ${top + height - 1} and columns ${left} to ${left + width - 1} of the image, ` +
    `${height} × ${width} pixels. Its window is ${Math.round(field.rows[0])} × ${Math.round(field.columns[0])} with the padding; ` +
    `the next unit's lies ${Number(field.rows[1].toFixed(2))} pixels further.`
  );
}

function imageWithBox(title, source, field) {
  const picture = element("img", { src: source, alt: "" });
  const box = element("div", { class: "mark" });
  const frame = element("div", { class: "plane", hidden: !source }, picture, box);
  const caption = element("figcaption", {}, title);
  frame.style.width = `${(SIDE * field.size[1]) / Math.max(...field.size)}px`;
  frame.style.aspectRatio = `${field.size[1]} / ${field.size[0]}`;
  const mark = ({ top, left, height, width }) => {
    box.style.top = `${(top / field.size[0]) * 100}%`;
    box.style.left = `${(left / field.size[1]) * 100}%`;
    box.style.height = `${(height / field.size[0]) * 100}%`;
    box.style.width = `${(width / field.size[1]) * 100}%`;
  };
  const show = (image, unit) => {
    if (!image) return;
    picture.src = image;
    frame.hidden = false;
    caption.textContent = `What moves unit (${unit.join(", ")}): the brighter, the more`;
  };
  return { figure: element("figure", { class: "plane-figure" }, caption, frame), mark, show };
}

async function askProgram(operation, view, effective, words) {
  const found = await ask(`field?operation=${operation.index}&row=${view.row}&column=${view.column}`, words);
  if (found) effective.show(found.effective, found.unit);
}
