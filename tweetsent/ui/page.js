// What the pages do in the browser by themselves; `tweetsent` holds what the server fills in.

document.documentElement.lang = "tr";

// After a lost connection Gradio loads the page anew: what was written stays.
let written = sessionStorage.getItem("written");
sessionStorage.removeItem("written");
let isLost = false;
addEventListener("pagehide", () => {
  const box = document.querySelector("#text textarea");
  if (isLost && box) sessionStorage.setItem("written", box.value);
});
function restore() {
  if (written === null) return;
  const box = document.querySelector("#text textarea");
  const tell = document.getElementById("reconnected");
  if (!box || !tell) return;
  box.value = written;
  written = null;
  box.dispatchEvent(new Event("input"));
  tell.click();
}

// What Gradio says in English alone.
function translate(element) {
  const { words, beginnings } = tweetsent;
  for (const one of element.querySelectorAll("[aria-label], [title]")) {
    if (words[one.ariaLabel]) one.ariaLabel = words[one.ariaLabel];
    if (words[one.title]) one.title = words[one.title];
  }
  for (const one of element.querySelectorAll(".toast-title, .toast-message-text")) {
    const text = one.textContent.trim();
    const beginning = Object.keys(beginnings).find(begun => text.startsWith(begun));
    const said = words[text] ?? beginnings[beginning];
    isLost ||= text.startsWith("Connection to the server was lost");
    if (said) one.textContent = said;
  }
}
new MutationObserver(changes => {
  for (const { addedNodes, target } of changes) if (addedNodes.length) translate(target);
  restore();
}).observe(document, { subtree: true, childList: true });

// A file that is too large is refused before it is sent.
for (const type of ["change", "drop"]) {
  document.addEventListener(type, event => {
    const files = [...(event.dataTransfer ?? event.target).files ?? []];
    if (files.every(file => file.size <= tweetsent.mostBytes)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (type === "change") event.target.value = "";
    document.getElementById("too-large").click();
  }, true);
}

// The keys of İnceleme press its buttons.
const keys = { k: "review-accept", r: "review-reject", a: "review-skip", g: "review-undo" };
document.addEventListener("keydown", event => {
  const id = keys[event.key?.toLowerCase()]; // browsers fill in forms with keys of no name
  if (!id || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const button = document.getElementById(id);
  if (button?.offsetParent) button.click();
});
