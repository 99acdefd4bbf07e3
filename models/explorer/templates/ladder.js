// An operation's versions side by side: reference, Numba, CUDA; each rung with its idea and its source.
import { button, duration, element } from "./base.js";
import { PAGE } from "./data.js";

const BACKENDS = { reference: "Reference (NumPy)", cpu: "Numba", gpu: "CUDA" };

export function ladders(operation) {
  const names = [...new Set((operation.calls ?? []).map((call) => call.operation))];
  return names.map((name) => ladderOf(PAGE.ladders[name], operation.calls.filter((call) => call.operation === name)));
}

function ladderOf(ladder, calls) {
  const columns = Object.entries(BACKENDS).map(([backend, title]) => {
    const rungs = (ladder.versions ?? []).filter((version) => version.backend === backend);
    return element(
      "div",
      { class: "backend" },
      element("h4", {}, title),
      ...(rungs.length ? rungs.map((version) => rung(version, ladder, calls)) : [element("p", { class: "quiet" }, "none")]),
    );
  });
  const times = calls.map((call) => `${call.version} (${call.backend}), ${call.direction}: ${duration(call.seconds)}`);
  return element(
    "details",
    { class: "ladder", open: calls[0].direction === "forward" },
    element("summary", {}, element("code", {}, ladder.operation), ` ran ${times.join("; ")}`),
    element("details", {}, element("summary", {}, "The contract"), element("pre", { tabindex: 0 }, ladder.contract)),
    element("div", { class: "backends", tabindex: 0, role: "region", "aria-label": `Versions of ${ladder.operation}` }, ...columns),
  );
}

function rung(version, ladder, calls) {
  const ran = calls.some((call) => call.version === version.name && call.backend === version.backend);
  const rung = element(
    "details",
    { class: ran ? "rung ran" : "rung" },
    element("summary", {}, element("b", {}, version.name), ran ? element("span", { class: "badge" }, "ran") : null, ` ${version.idea}`),
  );
  // Source is put into the page when somebody looks.
  rung.addEventListener("toggle", () => rung.open && rung.childElementCount === 1 && rung.append(...sourceOf(version)), { once: false });
  return rung;
}

const FIRST = 3; // pieces that are open at once

function sourceOf(version) {
  const pieces = (version.parts ?? []).map((part) => PAGE.texts[part]);
  const shown = pieces.slice(0, FIRST).map(piece);
  const rest = pieces.slice(FIRST);
  if (!rest.length) return shown;
  const more = button(`${rest.length} more pieces of its source`, () => more.replaceWith(...rest.map(piece)));
  return [...shown, more];
}

function piece(text) {
  return element(
    "figure",
    { class: "source" },
    element("figcaption", {}, `${text.file}, line ${text.line}`),
    element("pre", { tabindex: 0, "aria-label": `Source of ${text.file}` }, text.text),
  );
}
