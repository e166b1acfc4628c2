"use strict";

// Sorting: each heading of a column becomes a button that goes up, down, and back to the order as written.
(() => {
  const words = new Intl.Collator("en", { numeric: true });
  const order = { none: "ascending", ascending: "descending", descending: "none" };

  const number = (cell) => (cell && "number" in cell.dataset ? Number(cell.dataset.number) : null);
  const said = (cell) => (cell ? cell.textContent.trim() : "");

  // Figures before words, and empty cells last, whichever way the column is turned.
  const compare = (one, other, sign) => {
    const [a, b] = [number(one), number(other)];
    if (a !== null && b !== null) return sign * (a - b);
    if (a !== null || b !== null) return a === null ? 1 : -1;
    const [left, right] = [said(one), said(other)];
    if (!left || !right) return Number(!left) - Number(!right);
    return sign * words.compare(left, right);
  };

  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const written = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[0].cells);
    if (written.length < 2) continue;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const next = order[head.getAttribute("aria-sort")];
        for (const each of heads) each.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", next);
        const sign = next === "descending" ? -1 : 1;
        const rows = Array.from(written);
        if (next !== "none") rows.sort((a, b) => compare(a.cells[column], b.cells[column], sign));
        body.append(...rows);
      });
    });
  }
})();

// Values: shown for the mark under the pointer or the one with the focus; arrow keys go from mark to mark.
(() => {
  const tip = document.getElementById("tip");
  const gap = 10;
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  let shown = null;

  const put = () => {
    if (!shown) return;
    const place = shown.getBoundingClientRect();
    const middle = place.left + place.width / 2 - tip.offsetWidth / 2;
    const most = document.documentElement.clientWidth - tip.offsetWidth - gap;
    const above = place.top - tip.offsetHeight - gap;
    tip.style.left = `${Math.max(gap, Math.min(middle, most))}px`;
    tip.style.top = `${above < 0 ? place.bottom + gap : above}px`;
  };
  const show = (mark) => {
    shown = mark;
    tip.hidden = mark === null;
    if (mark) tip.textContent = mark.getAttribute("aria-label");
    put();
  };
  const hide = () => show(null);
  // The pointer has left: a mark that has the focus goes on saying its value.
  const leave = () => {
    const focused = document.activeElement;
    show(focused && focused.matches(".value") ? focused : null);
  };

  for (const panel of document.querySelectorAll(".panels svg")) {
    const marks = Array.from(panel.querySelectorAll(".value"));
    const go = (index) => {
      const mark = marks[Math.max(0, Math.min(marks.length - 1, index))];
      for (const each of marks) each.setAttribute("tabindex", each === mark ? "0" : "-1");
      mark.focus();
    };
    marks.forEach((mark, index) => {
      // The browser's own hint would say the same a second later.
      mark.querySelector("title").remove();
      mark.addEventListener("pointerenter", () => show(mark));
      mark.addEventListener("pointerleave", leave);
      mark.addEventListener("focus", () => show(mark));
      mark.addEventListener("blur", hide);
      mark.addEventListener("keydown", (event) => {
        if (event.key === "Escape") hide();
        const target =
          event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : index + steps[event.key];
        if (Number.isNaN(target)) return;
        event.preventDefault();
        go(target);
      });
    });
  }
  // Focus may scroll the page after the value was put beside its mark.
  window.addEventListener("scroll", put, { passive: true });
  window.addEventListener("resize", put);
})();
