// Brings each still chart to life. The interpreter (ast) needs no eval, so the page's policy can forbid it.
const options = {
  ast: true,
  renderer: "svg",
  defaultStyle: false,
  tooltip: {disableDefaultStyle: true},
  actions: false,
};
const FEW = 40; // marks one would want to step through by keyboard

for (const figure of document.querySelectorAll("figure.cx-chart")) {
  const spec = JSON.parse(figure.querySelector("script.cx-spec").textContent);
  const live = figure.querySelector(".cx-live");
  const still = figure.querySelector(".cx-static");
  live.hidden = false; // its width is measured
  vegaEmbed(live, spec, options)
    .then(() => {
      still.hidden = true;
      const marks = live.querySelectorAll('path[aria-roledescription="point"]');
      if (marks.length <= FEW) marks.forEach(focusable);
      figure.dataset.ready = "1";
    })
    .catch((error) => {
      live.hidden = true;
      figure.dataset.error = String(error);
    });
}

// A mark reached by keyboard shows what the pointer would show.
function focusable(mark) {
  mark.setAttribute("tabindex", "0");
  const point = (type) => {
    const box = mark.getBoundingClientRect();
    const where = {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
    mark.dispatchEvent(new PointerEvent(type, where));
    mark.dispatchEvent(new MouseEvent(type.replace("pointer", "mouse"), where));
  };
  mark.addEventListener("focus", () => { point("pointerover"); point("pointermove"); });
  mark.addEventListener("blur", () => point("pointerout"));
}
