// Talks to the sandbox. A refusal becomes an Error whose message a person can read.

const UNREACHABLE = "沙箱没有回应，请稍后再试";

export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(UNREACHABLE);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? UNREACHABLE);
  return body;
}

export function act(openid, verb, body = {}) {
  return ask(`/phone/${openid}/${verb}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export const chat = (openid, since) => ask(`/phone/${openid}/chat?since=${since}`);

export const recentCodes = async () => (await ask("/codes")).codes;

// The demo's people and homes; an empty object while no demo runs.
export const demo = () => ask("/demo.json").catch(() => ({}));

// Where the in-app browser must go to show an absolute address.
export const inside = (openid, url) => `/phone/${openid}/open?url=${encodeURIComponent(url)}`;
