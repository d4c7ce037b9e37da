// Goes on to the provider's page, unless there is something to read first.
"use strict";
(() => {
  const { redirect, wait } = document.getElementById("leaving").dataset;
  if (wait === undefined) location.replace(redirect);
})();
