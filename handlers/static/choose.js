// Keeps the amount equal to the chosen bills, and says what of it is more than they owe. Whole fen
// only: no fractions of money in here.
"use strict";
(() => {
  const boxes = [...document.querySelectorAll("input[name=bill][data-fen]")];
  const amount = document.querySelector("input[name=amount]");
  const more = document.getElementById("more");
  if (!amount || !more) return;
  const yuan = (fen) => `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
  const owed = () => boxes.length === 0 ? Number(more.dataset.owed)
    : boxes.reduce((sum, box) => sum + (box.checked ? Number(box.dataset.fen) : 0), 0);
  const compare = () => {
    const typed = /^(\d+)(?:\.(\d{0,2}))?$/.exec(amount.value.trim());
    const fen = typed ? Number(typed[1]) * 100 + Number((typed[2] || "").padEnd(2, "0")) : 0;
    // While a bill is left out, more than the chosen ones owe is refused.
    more.hidden = fen <= owed() || boxes.some((box) => !box.checked);
    more.querySelector("b").textContent = yuan(Math.max(fen - owed(), 0));
  };
  boxes.forEach((box) => box.addEventListener("change", () => {
    amount.value = yuan(owed());
    compare();
  }));
  amount.addEventListener("input", compare);
})();
