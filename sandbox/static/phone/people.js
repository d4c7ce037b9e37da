// The phones somebody has on this desk: the demo's, and those made here (kept by the browser).

const TONES = 6;
const KEY = "sandbox.phones";
const OPENID = /^[A-Za-z0-9_-]{1,64}$/;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function randomOpenid() {
  const bytes = crypto.getRandomValues(new Uint8Array(26));
  return `oS${[...bytes].map((byte) => LETTERS[byte % LETTERS.length]).join("")}`;
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(kept) ? kept.filter((p) => OPENID.test(p.openid) && p.name) : [];
  } catch {
    return [];
  }
}

export class People {
  constructor(demoPhones = []) {
    this.own = read();
    this.demo = demoPhones.filter((person) => OPENID.test(person.openid));
    if (!this.all.length) this.make();
  }

  // Everybody, each with a `tone`: the colour of the avatar.
  get all() {
    const known = new Set(this.demo.map((person) => person.openid));
    const all = [...this.demo, ...this.own.filter((person) => !known.has(person.openid))];
    all.forEach((person, place) => (person.tone = place % TONES));
    return all;
  }

  find(openid) {
    return this.all.find((person) => person.openid === openid);
  }

  // Add a phone with an openid of its own, or with a given one.
  make(openid = randomOpenid()) {
    const count = this.own.length;
    const person = { openid, name: count ? `手机 ${count + 1}` : "我的手机" };
    this.own.push(person);
    localStorage.setItem(KEY, JSON.stringify(this.own));
    return this.find(openid);
  }

  // Take a phone that is named in a link, also one nobody made here.
  adopt(openid) {
    if (!OPENID.test(openid)) return undefined;
    return this.find(openid) ?? this.make(openid);
  }
}
