// How large gradients are along the depth of the network.
import { drawn, element, number } from "./base.js";
import { PAGE } from "./data.js";

const [WIDE, HIGH, LEFT, BOTTOM] = [760, 320, 64, 40];

export function showFlow(container) {
  container.replaceChildren(
    element("h2", {}, "How gradients flow through the depth"),
    ...figure(`${PAGE.model}: this pass`, "The Euclidean norm of the gradients of every convolution's and linear layer's output and weight, from the first layer (left) to the last (right). The pass began at the winning score.", PAGE.flow),
    ...(PAGE.comparisons ?? []).flatMap(({ title, text, curves }) => figure(title, `${text} The gradient of every stage's weights, relative to the weights: how far a step would turn them.`, curves)),
  );
}

function figure(title, text, curves = []) {
  const shown = curves.filter((curve) => curve.points.some(([, value]) => value > 0));
  if (!shown.length) return [];
  return [element("h3", {}, title), element("p", {}, text), chart(title, shown), legend(shown)];
}

function chart(title, curves) {
  const values = curves.flatMap((curve) => curve.points.map(([, value]) => value)).filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values))), low + 1);
  const x = (depth) => LEFT + depth * (WIDE - LEFT - 16);
  const y = (value) => 12 + ((high - Math.log10(value)) / (high - low)) * (HIGH - BOTTOM - 12);
  const picture = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${title}: gradient norms from ${number(Math.min(...values))} to ${number(Math.max(...values))}` });
  for (let power = low; power <= high; power += 1) {
    picture.append(
      drawn("line", { x1: LEFT, x2: WIDE - 16, y1: y(10 ** power), y2: y(10 ** power), class: "grid" }),
      drawn("text", { x: LEFT - 8, y: y(10 ** power) + 4, "text-anchor": "end", class: "small" }, `1e${power}`),
    );
  }
  picture.append(drawn("text", { x: WIDE / 2, y: HIGH - 8, "text-anchor": "middle", class: "small" }, "depth, from the input to the output"));
  curves.forEach((curve, order) => {
    const points = curve.points.filter(([, value]) => value > 0);
    picture.append(drawn("polyline", { points: points.map(([depth, value]) => `${x(depth)},${y(value)}`).join(" "), class: `curve curve-${order}` }));
    for (const [depth, value, name] of points) {
      picture.append(drawn("circle", { cx: x(depth), cy: y(value), r: 3, class: `curve-${order}` }, drawn("title", {}, `${name}: ${number(value)}`)));
    }
  });
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Chart: ${title}` }, picture);
}

function legend(curves) {
  return element("ul", { class: "legend" }, ...curves.map((curve, order) => element("li", { class: `curve-${order}` }, curve.name)));
}
