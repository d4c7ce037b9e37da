// Opens WeChat Pay for the order on this page, then goes to the page that says what came of it.
"use strict";
(() => {
  const cashier = document.getElementById("cashier");
  const button = document.getElementById("pay");
  const BRIDGE_WAIT_MS = 2500; // WeChat hands out its bridge a moment after the page is ready

  const show = (name) => {
    for (const id of ["cancelled", "failed", "outside"]) {
      document.getElementById(id).hidden = id !== name;
    }
  };

  const withBridge = (found, missing) => {
    if (window.WeixinJSBridge) return found();
    const late = setTimeout(missing, BRIDGE_WAIT_MS);
    document.addEventListener("WeixinJSBridgeReady", () => {
      clearTimeout(late);
      found();
    }, { once: true });
  };

  const pay = () => {
    const call = JSON.parse(cashier.dataset.jsapi);
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", call, (answer) => {
      // "ok" is WeChat's word to the phone, not proof: the next page asks the provider.
      if (answer.err_msg === "get_brand_wcpay_request:ok") {
        location.assign(cashier.dataset.return);
        return;
      }
      show(answer.err_msg === "get_brand_wcpay_request:cancel" ? "cancelled" : "failed");
      button.disabled = false;
    });
  };

  button.addEventListener("click", () => {
    button.disabled = true;
    withBridge(pay, () => {
      show("outside");
      button.disabled = false;
    });
  });
})();
