// The console without a keyboard works too; this only makes it quicker.
document.addEventListener("keydown", (event) => {
  const find = document.querySelector("[data-find]");
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && find && !typing) {
    event.preventDefault();
    find.focus();
  }
});

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

// Part of a page that changes by itself: data-live is its address, and its own HTML the answer.
for (const part of document.querySelectorAll("[data-live]")) {
  const renew = async () => {
    if (document.hidden) return;
    const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    part.innerHTML = await answer.text();
    if (part.querySelector("[data-over]")) {
      clearInterval(timer);
      if (part.dataset.then) window.location.replace(part.dataset.then);
      else window.location.reload();
    }
  };
  const timer = setInterval(() => renew().catch(() => {}), Number(part.dataset.every || 5) * 1000);
}
