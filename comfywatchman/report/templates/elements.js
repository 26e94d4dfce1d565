
// --- Elements, made of text alone -------------------------------------------------------------------

const count = (number) => number.toLocaleString("en");

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name === "click") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== ""));
  return element;
}
const bdi = (text) => make("bdi", {}, text);
const link = (text, click) => make("button", { type: "button", class: "linked", click }, bdi(text));
