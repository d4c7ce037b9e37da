// The chat's messages, drawn as WeChat draws them.

import { avatar, find, h } from "./dom.js";
import { inside } from "./server.js";

const PAUSE_MS = 5 * 60 * 1000;
const NEAR_BOTTOM_PX = 80;
const DAYS = ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"];
// <a href="…">label</a> as services write it, or a bare address up to white space or Chinese.
const LINK = /<a\s[^>]*?href="([^"]+)"[^>]*>([^<]*)<\/a>|(https?:\/\/[!-;=?-~]+)/g;

// A link that sends its sentence, as a choice of a menu message does.
const SENTENCE = "weixin://bizmsgmenu?";

export class Feed {
  // `doing` has open(url), choose(choice) and arrived(message), which the feed calls.
  constructor(doing) {
    this.doing = doing;
    this.element = find("feed");
    this.pill = find("new-messages");
    this.pill.addEventListener("click", () => this.toBottom());
    this.element.addEventListener("scroll", () => {
      if (this.isNearBottom()) this.pill.hidden = true;
    });
  }

  show(person) {
    this.person = person;
    this.last = null;
    this.pill.hidden = true;
    this.element.replaceChildren(h("p", { class: "when" }, "沙箱环境，请勿输入真实信息"));
  }

  // Draw messages in order; those after the first load slide in.
  add(messages, { isFirstLoad }) {
    if (!messages.length) return;
    const stays = isFirstLoad || this.isNearBottom() || messages.some((m) => m.kind === "own");
    for (const message of messages) {
      const at = new Date(message.at);
      if (this.last === null || at - this.last > PAUSE_MS) {
        this.element.append(h("p", { class: "when" }, clockText(at, new Date())));
      }
      this.last = at;
      const drawn = this.draw(message);
      if (!isFirstLoad) {
        drawn.classList.add("is-new");
        if (message.kind !== "own") this.doing.arrived(message);
      }
      this.element.append(drawn);
    }
    if (stays) this.toBottom();
    else this.pill.hidden = false;
  }

  isNearBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
  }

  toBottom() {
    this.pill.hidden = true;
    this.element.scrollTop = this.element.scrollHeight;
  }

  draw(message) {
    const { kind, data, text } = message;
    if (kind === "own") return this.row(message, data.is_voice ? voice(text) : text);
    if (data.fault) return h("p", { class: "system" }, text);
    if (kind === "template" || kind === "subscribe") return this.template(message);
    if (kind === "sms") return h("p", { class: "system" }, `短信 ${text}`);
    if (data.articles) return this.news(data.articles);
    if (data.choices) return this.row(message, this.choices(data));
    return this.row(message, this.linked(text));
  }

  row(message, content) {
    const isOwn = message.kind === "own";
    const logo = h("span", { class: "avatar" }, h("img", { src: "/static/icon.svg", alt: "" }));
    const face = isOwn ? avatar(this.person) : logo;
    const bubble = h("div", { class: "bubble" }, content);
    return h("div", { class: isOwn ? "row own" : "row", "data-seq": message.seq }, face, bubble);
  }

  template({ seq, data, url }) {
    const rows = data.rows.map(([label, value]) => [
      h("span", { class: "label" }, label),
      h("span", { class: "value" }, value),
    ]);
    const body = h(
      "span",
      { class: "card-body" },
      h("span", { class: "card-title" }, data.title),
      h("span", { class: "fields" }, rows.flat()),
    );
    if (!url) return h("div", { class: "card", "data-seq": seq }, body);
    const open = () => this.doing.open(url);
    const more = h("span", { class: "card-more" }, "详情");
    return h("button", { class: "card", type: "button", "data-seq": seq, onclick: open }, body, more);
  }

  news(articles) {
    const cards = articles.map((article) => {
      const picture = article.picurl
        ? h("img", { class: "card-picture", src: inside(this.person.openid, article.picurl), alt: "" })
        : null;
      const body = h(
        "span",
        { class: "card-body" },
        h("span", { class: "card-title" }, article.title),
        h("span", { class: "card-text" }, article.description),
      );
      const open = () => article.url && this.doing.open(article.url);
      return h("button", { class: "card news", type: "button", onclick: open }, picture, body);
    });
    return h("div", {}, cards);
  }

  choices({ head, choices, tail }) {
    const buttons = choices.map((choice) =>
      h("button", { class: "choice", type: "button", onclick: () => this.doing.choose(choice) }, choice.content),
    );
    return [
      head ? h("span", {}, this.linked(head)) : null,
      h("span", { class: "choices" }, buttons),
      tail ? h("span", {}, this.linked(tail)) : null,
    ];
  }

  // Cut a text into words and tappable links.
  linked(text) {
    const pieces = [];
    let end = 0;
    for (const match of text.matchAll(LINK)) {
      const [whole, href, label, bare] = match;
      const url = bare ? bare.replace(/["'.,;:!?)]+$/, "") : href;
      pieces.push(text.slice(end, match.index));
      end = match.index + (bare ? url.length : whole.length);
      pieces.push(this.link(url, label ?? url));
    }
    return [...pieces, text.slice(end)];
  }

  link(url, label) {
    const open = (event) => {
      event.preventDefault();
      if (url.startsWith(SENTENCE)) this.doing.choose(sentence(url));
      else this.doing.open(url);
    };
    return h("a", { href: url, onclick: open }, label);
  }
}

function sentence(url) {
  const query = new URLSearchParams(url.slice(SENTENCE.length));
  return { content: query.get("msgmenucontent"), id: query.get("msgmenuid") };
}

const voice = (text) => h("span", { class: "voice" }, text);

// The time as WeChat writes it above a pause.
export function clockText(at, now) {
  const time = `${at.getHours()}:${String(at.getMinutes()).padStart(2, "0")}`;
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(now) - midnight(at)) / 86_400_000);
  if (days === 0) return time;
  if (days === 1) return `昨天 ${time}`;
  if (days < 7) return `${DAYS[at.getDay()]} ${time}`;
  const day = `${at.getMonth() + 1}月${at.getDate()}日 ${time}`;
  return at.getFullYear() === now.getFullYear() ? day : `${at.getFullYear()}年${day}`;
}
