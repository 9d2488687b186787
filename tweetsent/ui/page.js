// What the pages do in the browser by themselves; `tweetsent` holds what the server fills in.

document.documentElement.lang = "tr";

// A file that is too large is refused before it is sent.
for (const type of ["change", "drop"]) {
  document.addEventListener(type, event => {
    const files = [...(event.dataTransfer ?? event.target).files ?? []];
    if (files.every(file => file.size <= tweetsent.mostBytes)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (type === "change") event.target.value = "";
    alert(tweetsent.tooLarge);
  }, true);
}

// The keys of İnceleme press its buttons.
const keys = { k: "review-accept", r: "review-reject", a: "review-skip", g: "review-undo" };
document.addEventListener("keydown", event => {
  const id = keys[event.key.toLowerCase()];
  if (!id || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const button = document.getElementById(id);
  if (button?.offsetParent) button.click();
});
