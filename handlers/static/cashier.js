// The till reckons along while somebody types; what is booked the server reckons again.
const till = document.querySelector("[data-till]");
const fen = (text) => {
  const found = /^\s*(\d{1,10})(?:\.(\d{1,2}))?\s*$/.exec(text.replaceAll(",", ""));
  return found ? Number(found[1]) * 100 + Number((found[2] || "").padEnd(2, "0")) : null;
};
const yuan = (sum) => `${Math.floor(sum / 100).toLocaleString("en")}.${String(sum % 100).padStart(2, "0")}`;
const plain = (sum) => `${Math.floor(sum / 100)}.${String(sum % 100).padStart(2, "0")}`;

if (till) {
  const bills = [...till.querySelectorAll("[name=bill]")];
  const all = till.querySelector("[data-every-bill]");
  const amount = till.querySelector("[data-amount]");
  const received = till.querySelector("[data-received]");
  const change = till.querySelector("[data-change]");

  const giveChange = () => {
    const due = fen(amount.value);
    const handed = fen(received.value);
    const enough = due !== null && handed !== null && handed >= due;
    change.hidden = !enough;
    if (enough) change.querySelector("b").textContent = yuan(handed - due);
  };
  const choose = () => {
    const chosen = bills.filter((bill) => bill.checked);
    const sum = chosen.reduce((total, bill) => total + Number(bill.dataset.fen), 0);
    const shown = till.querySelector("[data-chosen]");
    if (shown) shown.textContent = yuan(sum);
    if (all) all.checked = chosen.length === bills.length;
    return sum;
  };
  const showWay = () => {
    const way = till.querySelector("[name=channel]:checked")?.value;
    for (const part of till.querySelectorAll("[data-way]")) part.hidden = part.dataset.way !== way;
  };

  bills.forEach((bill) => bill.addEventListener("change", () => {
    const sum = choose();
    amount.value = sum ? plain(sum) : "";
    giveChange();
  }));
  all?.addEventListener("change", () => {
    bills.forEach((bill) => { bill.checked = all.checked; });
    const sum = choose();
    amount.value = sum ? plain(sum) : "";
    giveChange();
  });
  amount.addEventListener("input", giveChange);
  received.addEventListener("input", giveChange);
  till.querySelectorAll("[name=channel]").forEach((way) => way.addEventListener("change", showWay));
  choose();
  showWay();
  giveChange();
}

// A figure that is there already is replaced by typing.
document.querySelectorAll("[data-select]").forEach((field) => {
  field.addEventListener("focus", () => field.select());
});
