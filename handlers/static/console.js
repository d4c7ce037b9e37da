// The console without a keyboard works too; this only makes it quicker.
document.addEventListener("keydown", (event) => {
  const find = document.querySelector("[data-find]");
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && find && !typing) {
    event.preventDefault();
    find.focus();
  }
});

// A form that stood open for long: whoever was signed out meanwhile is told before it is sent, signs
// in beside it and loses nothing of what he typed.
const OPENED = Date.now(), LONG_MS = 20 * 60_000;
document.addEventListener("submit", async (event) => {
  const form = event.target, account = document.body.dataset.account;
  if (!account || form.method !== "post" || form.dataset.asked || Date.now() - OPENED < LONG_MS) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const answer = await fetch(account).catch(() => null);
  const told = document.querySelector("[data-signed-out]");
  told.hidden = Boolean(answer?.ok) && !answer.redirected;
  if (!told.hidden) {
    told.scrollIntoView();
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  form.elements.csrf_token.value = page.querySelector("[name=csrf_token]").value;
  form.dataset.asked = "yes";
  form.requestSubmit(event.submitter);
}, true);

// What cannot be taken back is asked about; without this script the order is still one click.
document.addEventListener("submit", (event) => {
  const words = event.target.dataset.sure;
  if (words && !window.confirm(words)) event.preventDefault();
  else event.target.querySelectorAll("button:not([name], [data-keep])").forEach((button) => {
    setTimeout(() => { button.disabled = true; }, 0);
  });
});

// A menu that is always open takes a phone's whole screen.
const menu = document.querySelector("[data-menu]");
if (menu && window.matchMedia("(max-width: 820px)").matches) menu.open = false;

// Part of a page that changes by itself: data-live is its address, and its own HTML the answer. It is
// asked for again once the last answer is there, so that a slow server gets no heap of questions.
for (const part of document.querySelectorAll("[data-live]")) {
  let isOver = false;
  const renew = async () => {
    if (document.hidden) return;
    const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    part.innerHTML = await answer.text();
    if (!part.querySelector("[data-over]")) return;
    isOver = true;
    if (part.dataset.then) window.location.replace(part.dataset.then);
    else window.location.reload();
  };
  const wait = () => setTimeout(async () => {
    await renew().catch(() => {});
    if (!isOver) wait();
  }, Number(part.dataset.every || 5) * 1000);
  wait();
}

// Readings: the usage at once, what is odd marked, Enter goes to the next row.
const JUMP_TIMES = 3, JUMP_MIN = 5;
function showUsage(row) {
  const input = row.querySelector("input[inputmode]"), odd = row.querySelector("[data-odd]");
  const { last, times, rolls, expected } = row.dataset, typed = input.value.trim();
  let usage = null;
  if (typed !== "" && last !== "" && !Number.isNaN(Number(typed))) {
    let steps = Number(typed) - Number(last);
    if (steps < 0 && rolls !== "" && -2 * steps > Number(rolls)) steps += Number(rolls);
    usage = steps * Number(times);
  }
  row.querySelector("[data-usage]").textContent = usage === null ? "" : String(Math.round(usage * 1000) / 1000);
  const usual = expected === "" ? null : Number(expected);
  const jumps = usage !== null && usual !== null && (usage === 0 ? usual >= JUMP_MIN
    : usage >= JUMP_MIN && usage > usual * JUMP_TIMES);
  const strange = jumps || (usage !== null && usage < 0);
  row.classList.toggle("odd", strange);
  if (jumps) odd.hidden = false;
  else if (!odd.querySelector("input").checked) odd.hidden = true;
}
for (const form of document.querySelectorAll("[data-readings]")) {
  const rows = [...form.querySelectorAll("[data-meter]")];
  const inputs = rows.map((row) => row.querySelector("input[inputmode]"));
  rows.forEach(showUsage);
  form.addEventListener("input", (event) => {
    const row = event.target.closest("[data-meter]");
    if (!row) return;
    const input = row.querySelector("input[inputmode]");
    if (event.target.matches("[data-fill]")) input.value = event.target.checked ? row.dataset.estimate : "";
    else if (event.target === input && row.querySelector("[data-fill]")) row.querySelector("[data-fill]").checked = false;
    showUsage(row);
  });
  form.addEventListener("keydown", (event) => {
    const at = inputs.indexOf(event.target);
    if (at < 0 || !["Enter", "ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const to = inputs[event.key === "ArrowUp" ? at - 1 : at + 1] || form.querySelector("button");
    to.focus();
    if (to.select) to.select();
  });
  (form.querySelector("[aria-invalid]") || inputs.find((one) => one.value === "") || inputs[0]).focus();
}

// Of a price only the fields of its method are shown.
for (const form of document.querySelectorAll("[data-price]")) {
  const method = form.elements["price.method"];
  const show = () => form.querySelectorAll("[data-for]").forEach((part) => {
    part.hidden = !part.dataset.for.split(" ").includes(method.value);
  });
  method.addEventListener("change", show);
  show();
}

// Name and number are asked for of whoever is not known yet.
for (const part of document.querySelectorAll("[data-person]")) {
  const who = part.querySelector("select"), newcomer = part.querySelector("[data-newcomer]");
  const show = () => { newcomer.hidden = who.value !== ""; };
  who.addEventListener("change", show);
  show();
}

// One tick for all of a page: data-all names the boxes.
for (const all of document.querySelectorAll("[data-all]")) {
  const boxes = [...all.closest("form").querySelectorAll(`input[type=checkbox][name=${all.dataset.all}]`)];
  all.hidden = false;
  all.addEventListener("change", (event) => boxes.forEach((box) => { box.checked = event.target.checked; }));
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.addEventListener("click", () => window.print());
}

// A meaning is picked by its number or by what its name holds; Enter sends it, Escape skips.
for (const form of document.querySelectorAll("[data-pick]")) {
  const find = form.querySelector("[data-pick-find]"), skip = form.querySelector("[data-pick-skip]");
  const options = [...form.querySelectorAll("[data-pick-option]")];
  find.addEventListener("input", () => {
    const said = find.value.trim(), byNumber = /^\d+$/.test(said);
    const fits = (option) => byNumber ? option.dataset.pickOption === said : option.textContent.includes(said);
    const fitting = said === "" ? [] : options.filter(fits);
    options.forEach((option) => {
      option.querySelector("input").checked = option === fitting[0];
      option.hidden = said !== "" && !byNumber && !fitting.includes(option);
    });
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") skip.click();
  });
}
