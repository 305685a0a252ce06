// What scrolls sideways can be reached and scrolled with the keyboard.
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("pre, div.math, div.output, .table-wrapper")) box.tabIndex = 0;
});
