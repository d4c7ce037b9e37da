// Put into every page of the in-app browser: WeixinJSBridge, and the pretend cashier it opens.
// The page's security policy allows neither inline scripts nor inline styles; this needs none.
(() => {
  "use strict";

  const PAY = "get_brand_wcpay_request";
  const PASSWORD_DIGITS = 6;
  const phone = location.pathname.split("/").slice(0, 3).join("/"); // /phone/<openid>

  // The phone's whole screen where there is one, else this page.
  function findStage() {
    try {
      const stage = window.parent.document.querySelector("[data-stage]");
      if (stage && window.parent !== window) return stage;
    } catch {
      // framed by somebody else: stay inside the page
    }
    return document.body;
  }

  async function post(path, body) {
    const answer = await fetch(phone + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const values = await answer.json();
    if (!answer.ok) throw new Error(values.error);
    return values;
  }

  class Cashier {
    constructor(finish) {
      const stage = findStage();
      this.document = stage.ownerDocument;
      this.host = this.document.createElement("div");
      this.host.dataset.cashier = "";
      if (stage === document.body) this.host.className = "is-alone";
      this.root = this.host.attachShadow({ mode: "open" });
      const style = this.h("link", { rel: "stylesheet", href: "/static/cashier.css" });
      this.veil = this.h("div", { class: "veil", role: "dialog", "aria-modal": "true", "aria-label": "支付", tabindex: "-1" });
      this.veil.hidden = true;
      style.addEventListener("load", () => {
        this.veil.hidden = false;
        this.focus();
      });
      this.root.append(style, this.veil);
      stage.append(this.host);
      this.finish = (result) => {
        this.host.remove();
        finish({ err_msg: `${PAY}:${result}` });
      };
      this.onKey = () => {};
      this.root.addEventListener("keydown", (event) => {
        event.stopPropagation();
        this.onKey(event);
      });
      window.addEventListener("pagehide", () => this.host.remove());
    }

    h(tag, props = {}, ...children) {
      const element = this.document.createElement(tag);
      for (const [name, value] of Object.entries(props)) {
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value);
      }
      element.append(...children);
      return element;
    }

    button(label, props, onclick) {
      return this.h("button", { type: "button", ...props, onclick }, label);
    }

    show(content, onKey) {
      this.veil.replaceChildren(content);
      this.onKey = onKey;
      this.focus();
    }

    focus() {
      (this.veil.querySelector("[data-focus]") ?? this.veil).focus();
    }

    amount(checkout) {
      const yuan = `${Math.floor(checkout.amount_fen / 100)}.${String(checkout.amount_fen % 100).padStart(2, "0")}`;
      return this.h("p", { class: "amount" }, this.h("small", {}, "¥"), yuan);
    }

    // The sheet's upper part, the same while asking and while typing the password.
    bill(checkout) {
      const cancel = this.button("✕", { class: "close", "aria-label": "取消支付" }, () => this.finish("cancel"));
      return [
        cancel,
        this.h("p", { class: "merchant" }, checkout.mch_name),
        this.h("p", { class: "what" }, checkout.description),
        this.amount(checkout),
      ];
    }

    ask(checkout) {
      const method = this.h("p", { class: "method" }, "支付方式", this.h("b", {}, "零钱（沙箱）"));
      const go = this.button("立即支付", { class: "go", "data-focus": "" }, () => this.askPassword(checkout));
      this.show(this.h("div", { class: "sheet" }, ...this.bill(checkout), method, go), this.cancelKey());
    }

    cancelKey() {
      return (event) => event.key === "Escape" && this.finish("cancel");
    }

    askPassword(checkout) {
      let typed = 0;
      const boxes = Array.from({ length: PASSWORD_DIGITS }, () => this.h("i"));
      const set = (count) => {
        if (typed === PASSWORD_DIGITS) return;
        typed = Math.max(0, count);
        boxes.forEach((box, place) => box.classList.toggle("is-full", place < typed));
        if (typed === PASSWORD_DIGITS) this.confirm(checkout);
      };
      const keys = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => this.button(String(digit), {}, () => set(typed + 1)));
      const blank = this.h("span", { class: "blank" });
      const zero = this.button("0", {}, () => set(typed + 1));
      const erase = this.button("⌫", { class: "erase", "aria-label": "删除" }, () => set(typed - 1));
      const sheet = this.h(
        "div",
        { class: "sheet" },
        ...this.bill(checkout),
        this.h("div", { class: "boxes", role: "img", "aria-label": "支付密码" }, ...boxes),
        this.h("p", { class: "note" }, "沙箱支付：任意 6 位数字，不会扣钱"),
        this.h("div", { class: "pad" }, ...keys, blank, zero, erase),
      );
      this.show(sheet, (event) => {
        if (event.key === "Escape") this.finish("cancel");
        else if (event.key === "Backspace") set(typed - 1);
        else if (/^[0-9]$/.test(event.key)) set(typed + 1);
      });
    }

    async confirm(checkout) {
      try {
        await post("/cashier/confirm", { prepay_id: checkout.prepay_id });
      } catch (error) {
        this.refuse(error);
        return;
      }
      const tick = new DOMParser().parseFromString(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M6.5 12.4l3.8 3.8 7.2-7.6"/></svg>',
        "image/svg+xml",
      ).documentElement;
      const back = this.button("返回商家", { class: "back", "data-focus": "" }, () => this.finish("ok"));
      const page = this.h(
        "div",
        { class: "done" },
        this.h("div", { class: "tick" }, this.document.importNode(tick, true)),
        this.h("h2", {}, "支付成功"),
        this.h("p", {}, checkout.mch_name),
        this.amount(checkout),
        back,
      );
      this.show(page, (event) => event.key === "Escape" && this.finish("ok"));
    }

    refuse(error) {
      const know = this.button("我知道了", { "data-focus": "" }, () => this.finish("fail"));
      const text = this.h("p", {}, error.message || "请稍后再试");
      const box = this.h("div", { class: "alert", role: "alert" }, this.h("h2", {}, "无法支付"), text, know);
      this.show(box, (event) => event.key === "Escape" && this.finish("fail"));
    }
  }

  async function pay(params, callback) {
    const cashier = new Cashier(callback);
    try {
      cashier.ask(await post("/cashier/open", params));
    } catch (error) {
      cashier.refuse(error);
    }
  }

  window.WeixinJSBridge = {
    invoke(name, params, callback = () => {}) {
      if (name === "getBrandWCPayRequest") pay(params, callback);
      else callback({ err_msg: `${name}:fail` });
    },
    call(name) {
      if (name === "closeWindow") window.dispatchEvent(new Event("closeWindow"));
    },
    on(name, callback) {
      document.addEventListener(name, callback);
    },
  };

  // WeChat has one window: a link that asks for another opens here.
  document.addEventListener("click", (event) => {
    event.target.closest?.("a[target]")?.removeAttribute("target");
  });

  const ready = () => document.dispatchEvent(new Event("WeixinJSBridgeReady"));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else setTimeout(ready);
})();
