// Why backward takes the youngest node first: the same diamonds walked by naive recursion.
import { button, drawn, element } from "./base.js";

// x feeds two branches that are added, k times over: 3 k + 1 nodes.
function diamonds(count) {
  const nodes = [{ name: "x", inputs: [] }];
  for (let index = 1; index <= count; index += 1) {
    const source = nodes.length - 1;
    nodes.push({ name: `a${index}`, inputs: [source] }, { name: `b${index}`, inputs: [source] });
    nodes.push({ name: `s${index}`, inputs: [source + 1, source + 2] });
  }
  return nodes;
}

// Every node passes on what has just arrived, at once: a node is visited once per path.
function naiveVisits(nodes) {
  const visits = [];
  const walk = (index, gradient) => {
    visits.push({ index, gradient });
    for (const input of nodes[index].inputs) walk(input, gradient);
  };
  walk(nodes.length - 1, 1);
  return visits;
}

// The youngest node first: when its turn comes all its consumers have run, and its sum is complete.
function orderedVisits(nodes) {
  const sums = nodes.map(() => 0);
  sums[nodes.length - 1] = 1;
  const visits = [];
  for (let index = nodes.length - 1; index >= 0; index -= 1) {
    visits.push({ index, gradient: sums[index] });
    for (const input of nodes[index].inputs) sums[input] += sums[index];
  }
  return visits;
}

const COUNT = 2;
const COLUMNS = { x: 150, a: 70, b: 230, s: 150 };
const [LOWEST, STEP] = [235, 50];

export function showRecursion(container) {
  const nodes = diamonds(COUNT);
  container.replaceChildren(
    element("h2", {}, "Why the order of backward matters"),
    element("p", {}, "A node that feeds two others receives two gradients. It may pass on only their sum, so it must wait until both are there. Taking the youngest node first ensures that; recursion does not: it sends every part on by itself, and a node is visited once for every path that leads to it."),
    element("div", { class: "walks" }, walkFigure("Naive recursion", nodes, naiveVisits(nodes), true), walkFigure("Youngest node first", nodes, orderedVisits(nodes), false)),
    countTable(),
  );
}

// x at the bottom, sums above the branches that they add.
function positionOf(node) {
  const level = Number(node.name.slice(1));
  const row = { x: 0, a: 2 * level - 1, b: 2 * level - 1, s: 2 * level }[node.name[0]];
  return [COLUMNS[node.name[0]], LOWEST - row * STEP];
}

function walkFigure(title, nodes, visits, naive) {
  const places = nodes.map(positionOf);
  const picture = drawn("svg", { viewBox: "0 0 300 260", role: "img", "aria-label": `${title}: ${nodes.length} nodes, ${visits.length} visits` });
  nodes.forEach((node, index) => {
    for (const input of node.inputs) {
      const [[x1, y1], [x2, y2]] = [places[index], places[input]];
      picture.append(drawn("line", { x1, y1, x2, y2, class: "wire" }));
    }
  });
  const circles = nodes.map((node, index) => {
    const [x, y] = places[index];
    const value = drawn("text", { x: x + 24, y: y + 4, class: "small" });
    const group = drawn("g", { class: "node" }, drawn("circle", { cx: x, cy: y, r: 17 }), drawn("text", { x, y: y + 5, "text-anchor": "middle" }, node.name), value);
    picture.append(group);
    return { group, value };
  });
  const status = element("p", { class: "status", role: "status" }, `${visits.length} visits. Step through them.`);
  const walk = { at: -1, sums: nodes.map(() => 0), times: nodes.map(() => 0) };
  const step = () => {
    if (walk.at === visits.length - 1) reset(walk, circles, nodes);
    walk.at += 1;
    const { index, gradient } = visits[walk.at];
    walk.sums[index] += gradient;
    walk.times[index] += 1;
    circles.forEach(({ group }, other) => group.classList.toggle("current", other === index));
    circles[index].group.classList.add("done");
    circles[index].value.textContent = naive ? `visit ${walk.times[index]}, gradient ${gradient}` : `gradient ${gradient}`;
    const incomplete = walk.sums[index] < totalOf(nodes, index);
    circles[index].group.classList.toggle("wrong", incomplete);
    status.textContent = `${walk.at + 1} / ${visits.length}: ${nodes[index].name} passes on ${gradient}${incomplete ? `, but its gradient is ${totalOf(nodes, index)}: it was visited too early` : ""}.`;
  };
  return element("figure", { class: "walk" }, element("figcaption", {}, element("b", {}, title)), picture, button("Step", step, { "aria-label": `Step: ${title}` }), status);
}

const totalOf = (nodes, index) => orderedVisits(nodes).find((visit) => visit.index === index).gradient;

function reset(walk, circles, nodes) {
  walk.at = -1;
  walk.sums = nodes.map(() => 0);
  walk.times = nodes.map(() => 0);
  for (const { group, value } of circles) {
    group.classList.remove("done", "wrong", "current");
    value.textContent = "";
  }
}

function countTable() {
  const rows = [1, 2, 4, 8, 12].map((count) => {
    const nodes = diamonds(count);
    return [String(count), String(nodes.length), String(orderedVisits(nodes).length), String(naiveVisits(nodes).length)];
  });
  const caption = "Visits for a chain of diamonds";
  const head = element("tr", {}, ...["diamonds", "nodes", "visits, youngest first", "visits, naive recursion"].map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text))));
  const counts = element("table", { class: "counts" }, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, counts);
}
