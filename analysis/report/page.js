"use strict";

// Texts of marks: without this script the browser shows them by itself, but late, and not on touch.
const tip = document.getElementById("tip");
document.querySelectorAll("svg title").forEach((title) => {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
});
const showTip = (event) => {
  const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.dataset.tip;
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const below = event.clientY + 18;
  const top = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : below;
  tip.style.translate = `${Math.max(8, left)}px ${Math.max(8, top)}px`;
};
document.addEventListener("pointermove", showTip);
document.addEventListener("pointerdown", showTip);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

// Tables: a click on a heading sorts by its column, a second one the other way round.
document.querySelectorAll("th button").forEach((button) => {
  button.addEventListener("click", () => {
    const heading = button.parentNode;
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    const sign = ascending ? 1 : -1;
    const compare = (first, second) => {
      const [a, b] = [first.cells[column], second.cells[column]];
      if (a.dataset.order === undefined || b.dataset.order === undefined) {
        return sign * a.textContent.localeCompare(b.textContent);
      }
      const [x, y] = [Number(a.dataset.order), Number(b.dataset.order)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // missing ones stay last
      return sign * (x - y);
    };
    table.querySelectorAll("th").forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    table.classList.add("sorted");
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  });
});
