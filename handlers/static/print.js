// Printing: at once where the page was opened for it, and by button.
const print = () => window.print();
document.querySelectorAll("[data-print]").forEach((button) => button.addEventListener("click", print));
if (document.body.matches("[data-print-now]")) {
  // Once: going back to this page prints nothing.
  const seen = `printed ${window.location.pathname}`;
  if (!sessionStorage.getItem(seen)) {
    sessionStorage.setItem(seen, "yes");
    window.addEventListener("load", () => {
      print();
      document.querySelector("a[autofocus]")?.focus();
    });
  }
}
