// What the theme leaves out: names and levels for screen readers, and a way for the keyboard to reach
// what scrolls sideways.
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("pre, div.math, div.output, .table-wrapper")) box.tabIndex = 0;
  for (const caption of document.querySelectorAll(".sidebar-tree .caption")) caption.ariaLevel = 2;
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
  for (const corner of document.querySelectorAll("th")) { // the empty corner of a table is no header
    if (!corner.textContent.trim()) corner.replaceWith(document.createElement("td"));
  }
  if (!document.querySelector("h1")) { // the page of the search
    const title = document.createElement("h1");
    title.textContent = document.title.split(" - ")[0];
    document.querySelector("article")?.prepend(title);
  }
});
