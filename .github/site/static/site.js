// What the theme leaves out: names and levels for screen readers, and a way for the keyboard to reach
// what scrolls sideways.
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("pre, div.math, div.output, .table-wrapper")) box.tabIndex = 0;
  for (const caption of document.querySelectorAll(".sidebar-tree .caption")) caption.ariaLevel = 2;
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
});
