// Builds elements: h("button", { class: "primary", onclick: pay }, "text", child).

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

// Draws a 24 x 24 icon of lines; each path is the `d` of one.
export function icon(...paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

export const find = (name) => document.querySelector(`[data-${name}]`);

// The place over the whole screen where sheets go.
export const stage = () => find("stage");

// A square with a person's initial; `tone` is the colour of the person's place on the desk.
export function avatar(person, size = "") {
  const initial = [...person.name.trim()][0] ?? "?";
  const shape = `avatar ${size} tone-${person.tone}`;
  return h("span", { class: shape, "aria-hidden": "true" }, initial);
}
