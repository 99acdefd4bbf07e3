// The page's frame: header, views, and how the network is shown.
import { button, duration, element, percent, short } from "./base.js";
import { PAGE, TOTALS } from "./data.js";
import { foldAll, foldForStart } from "./state.js";
import { showFlow } from "./flow.js";
import { showGraph } from "./graph.js";
import { showOutline } from "./outline.js";
import { showPanel } from "./panel.js";
import { showRecursion } from "./recursion.js";
import { showRegions } from "./pooling.js";
import { showSteps } from "./steps.js";

const VIEWS = { network: "Network", order: "Why order matters", flow: "Gradient flow", regions: "Regions of interest" };
const narrow = matchMedia("(max-width: 900px)");
const at = (id) => document.getElementById(id);

function showHeader() {
  const facts = [
    `${short(TOTALS.parameters)} parameters`,
    `${short(TOTALS.multiply_adds)} mult-adds`,
    `forward ${duration(TOTALS.forward_seconds)}`,
    `backward ${duration(TOTALS.backward_seconds)}`,
  ];
  const answers = (PAGE.answers ?? []).map(([name, share]) => {
    const bar = element("li", {}, element("span", {}, name), element("span", {}, percent(share)));
    bar.style.setProperty("--share", String(share));
    return bar;
  });
  const picture = PAGE.picture ? element("img", { src: PAGE.picture.source, alt: "The image that the network sees", class: "image" }) : null;
  at("header").append(
    ...[picture].filter(Boolean),
    element("div", {}, element("h1", {}, PAGE.model), element("p", {}, PAGE.summary), element("p", { class: "quiet" }, (PAGE.subject ?? []).join(" ")), element("p", { class: "quiet" }, facts.join(" · "))),
  );
  if (answers.length) at("header").append(element("ol", { class: "answers", "aria-label": "Most probable classes" }, ...answers));
}

function showTabs() {
  const names = Object.keys(VIEWS);
  const choose = (name) => {
    for (const other of names) {
      const chosen = other === name;
      at(`view-${other}`).hidden = !chosen;
      at(`tab-${other}`).setAttribute("aria-selected", String(chosen));
      at(`tab-${other}`).setAttribute("tabindex", chosen ? 0 : -1);
    }
  };
  const move = (event, name) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = names[(names.indexOf(name) + step + names.length) % names.length];
    choose(next);
    at(`tab-${next}`).focus();
  };
  at("tabs").append(
    ...names.map((name) =>
      button(VIEWS[name], () => choose(name), { role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}` }),
    ),
  );
  for (const name of names) at(`tab-${name}`).addEventListener("keydown", (event) => move(event, name));
  choose("network");
}

function showSwitch() {
  const show = (kind) => {
    at("graph").hidden = kind !== "graph";
    at("outline").hidden = kind !== "list";
    graph.setAttribute("aria-pressed", String(kind === "graph"));
    list.setAttribute("aria-pressed", String(kind === "list"));
  };
  const graph = button("Graph", () => show("graph"));
  const list = button("List", () => show("list"));
  at("switch").append(graph, list, button("Fold all", () => foldAll(true)), button("Unfold all", () => foldAll(false)));
  show(narrow.matches ? "list" : "graph");
  narrow.addEventListener("change", () => show(narrow.matches ? "list" : "graph"));
}

foldForStart();
showHeader();
showTabs();
showSteps(at("steps"));
showGraph(at("graph"));
showOutline(at("outline"));
showPanel(at("panel"));
showSwitch();
showRecursion(at("view-order"));
showFlow(at("view-flow"));
showRegions(at("view-regions"));
document.body.dataset.ready = String(Math.round(performance.now())); // how long it took
