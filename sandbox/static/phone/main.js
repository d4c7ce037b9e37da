// The phone page: one phone at a time, polled once a second.
// Links: #as=<openid> picks a phone, #scan=<scene> opens the scanner with this code.

import { avatar, find, h } from "./dom.js";
import { Dock } from "./dock.js";
import { Feed } from "./feed.js";
import { People } from "./people.js";
import { act, chat, demo, recentCodes } from "./server.js";
import { banner, Browser, offer, scanner, toast } from "./sheets.js";

const POLL_MS = 1000;
const TYPING = "对方正在输入…";
const PAYMENT_CODE = "weixin://wxpay/";
const account = document.body.dataset.account;

class Phone {
  constructor(people, homes) {
    this.people = people;
    this.homes = homes;
    this.browser = new Browser();
    this.feed = new Feed({
      open: (url) => this.open(url),
      choose: (choice) => this.act("say", { text: choice.content, choice: choice.id }),
      arrived: (message) => this.arrived(message),
    });
    this.dock = new Dock({
      say: (text) => this.act("say", { text }),
      tap: (button) => this.tap(button),
    });
    this.waiting = 0;
  }

  switchTo(person) {
    this.person = person;
    this.since = 0;
    this.isFirstLoad = true;
    this.browser.close();
    this.feed.show(person);
    find("chat").hidden = true;
    find("profile").hidden = true;
    history.replaceState(null, "", `#as=${person.openid}`);
    this.drawPeople();
    this.poll();
  }

  // Fetch what is new; two at once would draw a message twice, so they take turns.
  async poll() {
    if (this.polling) {
      this.pollAgain = true;
      return;
    }
    this.polling = true;
    const { person } = this;
    try {
      const news = await chat(person.openid, this.since);
      if (person === this.person) this.show(news);
      this.isLost = false;
    } catch (error) {
      if (!this.isLost) toast(error.message);
      this.isLost = true;
    }
    this.polling = false;
    if (this.pollAgain || person !== this.person) {
      this.pollAgain = false;
      this.poll();
    }
  }

  show({ follows, menu, messages }) {
    find("chat").hidden = !follows;
    find("profile").hidden = follows;
    find("more").hidden = !follows;
    this.dock.show(menu);
    this.feed.add(messages, { isFirstLoad: this.isFirstLoad });
    if (messages.length) this.since = messages.at(-1).seq;
    if (this.isFirstLoad || follows !== this.follows) this.feed.toBottom();
    this.isFirstLoad = false;
    this.follows = follows;
  }

  // Do something as this person, showing that the account is busy until it answered.
  async act(verb, body) {
    this.waiting += 1;
    find("title").textContent = verb === "say" ? TYPING : account;
    const done = act(this.person.openid, verb, body);
    setTimeout(() => this.poll(), 60);
    try {
      return await done;
    } catch (error) {
      toast(error.message);
      return null;
    } finally {
      this.waiting -= 1;
      if (!this.waiting) find("title").textContent = account;
      this.poll();
    }
  }

  tap(button) {
    if (button.type === "view") {
      this.act("tap", { key: button.url });
      this.open(button.url);
    } else {
      this.act("tap", { key: button.key });
    }
  }

  open(url) {
    this.browser.open(this.person.openid, url);
  }

  arrived(message) {
    if (!this.browser.isOpen) return;
    const title = message.data.title ?? account;
    banner(title, message.text.replaceAll("\n", "  "), () => {
      this.browser.close();
      this.feed.toBottom();
    });
  }

  async scan(scene = "") {
    const codes = await recentCodes().catch(() => []);
    scanner({ codes, homes: this.homes, scene, scan: (value) => this.scanned(value) });
  }

  // What a code holds decides what scanning it does: pay, open a page, or meet the account.
  scanned(value) {
    if (value.startsWith(PAYMENT_CODE)) this.payCode(value);
    else if (/^https?:/.test(value)) this.open(value);
    else this.act("scan", { scene: value });
  }

  async payCode(value) {
    try {
      const checkout = await act(this.person.openid, "cashier/scan", { code_url: value });
      const fen = checkout.amount_fen;
      const amount = `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
      const pay = { label: `立即支付 ¥${amount}`, run: () => this.confirmCode(checkout) };
      offer([pay], `${checkout.mch_name}：${checkout.description}`);
    } catch (error) {
      toast(error.message);
    }
  }

  async confirmCode({ prepay_id }) {
    try {
      await act(this.person.openid, "cashier/confirm", { prepay_id });
      toast("支付成功");
    } catch (error) {
      toast(error.message);
    }
  }

  more() {
    const choices = [
      { label: "扫一扫", run: () => this.scan() },
      { label: "不再关注", kind: "danger", run: () => this.confirmLeaving() },
    ];
    offer(choices);
  }

  confirmLeaving() {
    const leave = { label: "不再关注", kind: "danger", run: () => this.act("unfollow") };
    offer([leave], `不再关注“${account}”后，将收不到它下发的消息`);
  }

  choosePhone() {
    const choices = this.people.all.map((person) => ({
      label: person.name,
      face: avatar(person, "small"),
      kind: person === this.person ? "current" : "",
      run: () => this.switchTo(person),
    }));
    offer([...choices, { label: "＋ 新手机", run: () => this.switchTo(this.people.make()) }], "切换手机");
  }

  drawPeople() {
    const items = this.people.all.map((person) => {
      const isCurrent = person === this.person;
      const name = h("span", { class: "name" }, person.name);
      const dot = isCurrent ? h("span", { class: "dot" }) : null;
      const choose = () => this.switchTo(person);
      return h(
        "li",
        {},
        h("button", { type: "button", "aria-current": String(isCurrent), onclick: choose }, avatar(person, "small"), name, dot),
      );
    });
    find("people").replaceChildren(...items);
  }

  drawHomes() {
    const items = this.homes.map((home) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", onclick: () => this.act("scan", { scene: home.scene }) },
          h("span", { class: "room" }, home.room),
          h("span", { class: "code" }, home.code),
        ),
      ),
    );
    find("homes").hidden = !items.length;
    find("homes-list").replaceChildren(...items);
  }
}

const SCENE_OF = (home) => home.scene ?? `bind_${home.code}`;

async function begin() {
  const shown = await demo();
  const homes = (shown.bind ?? []).map((home) => ({ ...home, scene: SCENE_OF(home) }));
  const asked = new URLSearchParams(location.hash.slice(1));
  const phone = new Phone(new People(shown.phones), homes);
  phone.switchTo(phone.people.adopt(asked.get("as") ?? "") ?? phone.people.all[0]);
  phone.drawHomes();
  find("switch").addEventListener("click", () => phone.choosePhone());
  find("more").addEventListener("click", () => phone.more());
  find("follow").addEventListener("click", () => phone.act("follow"));
  find("scan-follow").addEventListener("click", () => phone.scan());
  find("new-phone").addEventListener("click", () => phone.switchTo(phone.people.make()));
  if (asked.get("scan")) phone.scan(asked.get("scan"));
  tick();
  setInterval(() => {
    phone.poll();
    tick();
  }, POLL_MS);
}

function tick() {
  const now = new Date();
  const text = `${now.getHours()}:${String(now.getMinutes()).padStart(2, "0")}`;
  for (const clock of document.querySelectorAll("[data-clock]")) clock.textContent = text;
}

begin();
