// The bottom of the chat: the account's menu, or the keyboard's line.

import { find, h, icon } from "./dom.js";

const KEYBOARD = ["M3 7h18v11H3z", "M7 11h.01M11 11h.01M15 11h.01M8 15h8"];
const MENU = ["M4 7h16M4 12h16M4 17h16"];

export class Dock {
  // `doing` has say(text) and tap(button), which the dock calls.
  constructor(doing) {
    this.doing = doing;
    this.element = find("dock");
    this.buttons = [];
    this.isTyping = false;
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".dock-item")) this.closeSubmenu();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.closeSubmenu();
    });
  }

  // Show a menu; drawn anew only when it changed, so that nothing jumps while polling.
  show(buttons) {
    const shape = JSON.stringify(buttons);
    if (shape === this.shape) return;
    this.shape = shape;
    this.buttons = buttons;
    this.isTyping = !buttons.length;
    this.draw();
  }

  draw() {
    const hasMenu = this.buttons.length > 0;
    const toggle = h(
      "button",
      {
        class: "dock-toggle",
        type: "button",
        "aria-label": this.isTyping ? "打开菜单" : "打开键盘",
        onclick: () => {
          this.isTyping = !this.isTyping;
          this.draw();
          this.element.querySelector("input, .dock-toggle").focus();
        },
      },
      this.isTyping ? icon(...MENU) : icon(...KEYBOARD),
    );
    const content = this.isTyping ? [this.line()] : this.buttons.map((button) => this.item(button));
    this.element.replaceChildren(h("div", { class: "dock-row" }, hasMenu ? toggle : null, content));
  }

  line() {
    const input = h("input", {
      type: "text",
      maxlength: 600,
      autocomplete: "off",
      enterkeyhint: "send",
      "aria-label": "输入消息",
      placeholder: "发消息",
    });
    const send = h("button", { type: "submit" }, "发送");
    const submit = (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (!text) return;
      input.value = "";
      this.doing.say(text);
    };
    return h("form", { class: "typing", onsubmit: submit }, input, send);
  }

  item(button) {
    const hasSubs = button.sub_button.length > 0;
    const press = () => {
      const wasOpen = opener.getAttribute("aria-expanded") === "true";
      this.closeSubmenu();
      if (!hasSubs) this.doing.tap(button);
      else if (!wasOpen) this.openSubmenu(opener, button);
    };
    const opener = h(
      "button",
      { type: "button", onclick: press, "aria-expanded": hasSubs ? "false" : null },
      hasSubs ? h("span", { class: "lines", "aria-hidden": "true" }) : null,
      button.name,
    );
    return h("div", { class: "dock-item" }, opener);
  }

  openSubmenu(opener, button) {
    const items = button.sub_button.map((sub) => {
      const choose = () => {
        this.closeSubmenu();
        this.doing.tap(sub);
      };
      return h("li", {}, h("button", { type: "button", onclick: choose }, sub.name));
    });
    opener.setAttribute("aria-expanded", "true");
    opener.after(h("ul", { class: "submenu" }, items));
  }

  closeSubmenu() {
    this.element.querySelector(".submenu")?.remove();
    this.element.querySelector("[aria-expanded='true']")?.setAttribute("aria-expanded", "false");
  }
}
