// Keeps the amount equal to the chosen bills. Whole fen only: no fractions of money in here.
"use strict";
(() => {
  const boxes = [...document.querySelectorAll("input[name=bill][data-fen]")];
  const amount = document.querySelector("input[name=amount]");
  if (!amount || boxes.length === 0) return;
  const update = () => {
    const fen = boxes.reduce((sum, box) => sum + (box.checked ? Number(box.dataset.fen) : 0), 0);
    amount.value = `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
  };
  boxes.forEach((box) => box.addEventListener("change", update));
})();
