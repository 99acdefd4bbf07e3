// What is folded, what is selected and what a pass has reached; views listen for changes of these ("fold",
// "select", "pass"), and for who wants to go back from the panel ("return").
import { BLOCKS, ROOT, isBlock } from "./data.js";

const listeners = [];
const MOST_OPEN = 40; // nodes that a graph begins with

export const STATE = { folded: new Set(), selected: null, reached: new Map() };

export function listen(kinds, listener) {
  listeners.push([kinds, listener]);
}

export function announce(kind) {
  for (const [kinds, listener] of listeners) if (kinds.includes(kind)) listener(kind);
}

export function fold(block, folded) {
  if (block === ROOT || STATE.folded.has(block) === folded) return;
  if (folded) STATE.folded.add(block);
  else STATE.folded.delete(block);
  announce("fold");
}

export function foldAll(folded) {
  STATE.folded = new Set(folded ? BLOCKS.filter((block) => block !== ROOT) : []);
  announce("fold");
}

export function select(item) {
  STATE.selected = item;
  announce("select");
}

// The item that stands for this one in the graph: the outermost folded block around it.
export function visible(item) {
  let shown = item;
  for (let block = item.parent; block; block = block.parent) if (STATE.folded.has(block)) shown = block;
  return shown;
}

// Unfold whatever hides an item.
export function reveal(item) {
  let changed = false;
  for (let block = item.parent; block; block = block.parent) changed = STATE.folded.delete(block) || changed;
  if (changed) announce("fold");
}

// Items in the order in which they are shown, blocks before their parts.
export function shownItems(block = ROOT) {
  return block.items.flatMap((item) =>
    isBlock(item) && !STATE.folded.has(item) ? [item, ...shownItems(item)] : [item],
  );
}

// A deep network begins folded: its outermost levels are open as long as they keep it small.
export function foldForStart() {
  STATE.folded = new Set(BLOCKS.filter((block) => block !== ROOT));
  for (let level = ROOT.items; level.length; level = level.filter(isBlock).flatMap((block) => block.items)) {
    const blocks = level.filter(isBlock);
    for (const block of blocks) STATE.folded.delete(block);
    if (shownItems().length <= MOST_OPEN) continue;
    for (const block of blocks) STATE.folded.add(block);
    return;
  }
}
