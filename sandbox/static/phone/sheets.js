// What slides over the screen: choices, the scanner, short messages, the in-app browser.

import { h, icon, stage } from "./dom.js";
import { inside } from "./server.js";

const CLOSE = "M6 6l12 12M18 6L6 18";
const RELOAD = ["M19 12a7 7 0 1 1-2.2-5.1", "M19 4v4h-4"];
const TOAST_MS = 2600;
const BANNER_MS = 4500;

function veil(sheet, label) {
  const before = document.activeElement;
  const close = () => {
    layer.remove();
    before?.focus();
  };
  const layer = h("div", { class: "veil", role: "dialog", "aria-modal": "true", "aria-label": label }, sheet);
  layer.addEventListener("click", (event) => event.target === layer && close());
  layer.addEventListener("keydown", (event) => event.key === "Escape" && close());
  stage().append(layer);
  sheet.querySelector("input, button")?.focus();
  return close;
}

// Offer choices [{label, face?, class?, run}] under an optional sentence.
export function offer(choices, sentence) {
  const sheet = h("div", { class: "choices-sheet" }, sentence ? h("p", {}, sentence) : null);
  const close = veil(sheet, sentence ?? "更多");
  for (const { label, face, kind, run } of choices) {
    const choose = () => {
      close();
      run();
    };
    sheet.append(h("button", { type: "button", class: kind, onclick: choose }, face ?? null, label));
  }
  sheet.append(h("button", { type: "button", class: "cancel", onclick: () => close() }, "取消"));
  sheet.querySelector("button").focus();
}

// Ask for a QR code: pasted, picked from those made lately, or from the homes' binding codes.
export function scanner({ codes, homes, scene = "", scan }) {
  const input = h("input", { type: "text", value: scene, "aria-label": "二维码内容", placeholder: "粘贴二维码内容", maxlength: 300 });
  const choose = (value) => {
    close();
    scan(value);
  };
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) choose(input.value.trim());
  };
  const list = (title, items) =>
    items.length ? [h("h4", {}, title), h("ul", {}, items.map((item) => row(item, choose)))] : [];
  const closer = h("button", { class: "icon-button", type: "button", "aria-label": "关闭", onclick: () => close() }, icon(CLOSE));
  const sheet = h(
    "div",
    { class: "scan-sheet" },
    h("header", { class: "sheet-head" }, closer, h("h3", {}, "扫一扫")),
    h("form", { onsubmit: submit }, input, h("button", { class: "primary", type: "submit" }, "扫码")),
    list("刚刚生成的二维码", codes.map(({ scene: value, age_s }) => ({ value, label: value, note: ageText(age_s) }))),
    list("房屋绑定码", homes.map((home) => ({ value: home.scene, label: home.room, note: home.code }))),
  );
  const close = veil(sheet, "扫一扫");
  input.focus();
}

const row = ({ value, label, note }, choose) =>
  h("li", {}, h("button", { type: "button", onclick: () => choose(value) }, h("span", {}, label), h("span", {}, note)));

const ageText = (seconds) => (seconds < 60 ? `${seconds} 秒前` : `${Math.floor(seconds / 60)} 分钟前`);

export function toast(text) {
  stage().querySelector(".toast")?.remove();
  const shown = h("p", { class: "toast", role: "alert" }, text);
  stage().append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}

// Tell of a message that arrived behind the in-app browser.
export function banner(title, text, open) {
  stage().querySelector(".banner")?.remove();
  const press = () => {
    shown.remove();
    open();
  };
  const logo = h("span", { class: "avatar small" }, h("img", { src: "/static/icon.svg", alt: "" }));
  const words = h("span", {}, h("b", {}, title), h("span", {}, text));
  const shown = h("button", { class: "banner", type: "button", onclick: press }, logo, words);
  stage().append(shown);
  setTimeout(() => shown.remove(), BANNER_MS);
}

// The in-app browser: at most one is open.
export class Browser {
  get isOpen() {
    return Boolean(this.layer);
  }

  open(openid, url) {
    this.close();
    this.before = document.activeElement;
    const title = h("h3", {}, "");
    const frame = h("iframe", { src: inside(openid, url), title: "网页", name: "web" });
    const button = (label, paths, onclick) =>
      h("button", { class: "icon-button", type: "button", "aria-label": label, onclick }, icon(...paths));
    const reload = () => {
      this.showProgress();
      frame.contentWindow.location.reload();
    };
    this.bar = h("header", { class: "web-bar" }, button("关闭网页", [CLOSE], () => this.close()), title, button("刷新", RELOAD, reload));
    const status = document.querySelector(".status").cloneNode(true);
    this.layer = h("section", { class: "web", "aria-label": "网页" }, status, this.bar, frame);
    frame.addEventListener("load", () => this.loaded(frame, title));
    this.showProgress();
    stage().append(this.layer);
    this.bar.querySelector("button").focus();
  }

  close() {
    this.layer?.remove();
    this.layer = null;
    this.before?.focus();
  }

  showProgress() {
    this.bar.querySelector(".web-progress")?.remove();
    this.bar.append(h("div", { class: "web-progress" }));
  }

  loaded(frame, title) {
    this.bar.querySelector(".web-progress")?.remove();
    if (!frame.contentDocument) return; // left the sandbox: nothing of it can be read
    title.textContent = frame.contentDocument.title;
    const view = frame.contentWindow;
    view.addEventListener("closeWindow", () => this.close());
    view.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && this.close());
    view.addEventListener("pagehide", () => this.layer && this.showProgress());
  }
}
