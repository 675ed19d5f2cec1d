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
  const fold = figure.closest("details:not([open])");
  if (fold) fold.addEventListener("toggle", () => enliven(figure), {once: true});
  else enliven(figure);
}

function enliven(figure) {
  const spec = JSON.parse(figure.querySelector("script.cx-spec").textContent);
  const live = figure.querySelector(".cx-live");
  const still = figure.querySelector(".cx-static");
  live.hidden = false; // its width is measured, so that a chart in a fold waits until it is opened
  vegaEmbed(live, spec, options)
    .then(({view}) => {
      still.hidden = true;
      offer(figure, spec, view);
      const marks = live.querySelectorAll('path[aria-roledescription="point"]');
      if (marks.length <= FEW) marks.forEach(focusable);
      figure.dataset.ready = "1";
    })
    .catch((error) => {
      live.hidden = true;
      figure.dataset.error = String(error);
    });
}

// What is drawn as a table, and as a picture, for those who want to take it along.
function offer(figure, spec, view) {
  const title = (spec.usermeta && spec.usermeta.title) || "chart";
  const name = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);
  const place = figure.querySelector(".cx-take") || document.createElement("p");
  place.className = "cx-take";
  const take = (label, ending, address) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.setAttribute("aria-label", `${label} of: ${title}`);
    button.addEventListener("click", async () => {
      const link = document.createElement("a");
      link.href = await address();
      link.download = `${name}.${ending}`;
      link.click();
    });
    place.append(button);
  };
  take("CSV", "csv", () => `data:text/csv;charset=utf-8,${encodeURIComponent(table(spec))}`);
  take("PNG", "png", () => view.toImageURL("png", 2));
  if (view.getState().signals.zoom !== undefined) zoom(place, title, spec, view);
  figure.append(place);
}

// The first half of the time, as high as what is drawn there, and of that the first half again: for fingers and the
// keyboard. With Ctrl and the wheel or a drag one zooms where one likes.
function zoom(place, title, spec, view) {
  const [along, up] = view.signal("zoom_tuple_fields").map(({field}) => field);
  const set = (times, heights) => view.signal(`zoom_${along}`, times).signal(`zoom_${up}`, heights).runAsync();
  const button = (label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.title = "Ctrl (or ⌘) and the wheel or a drag zoom and move; a double click shows the whole";
    made.setAttribute("aria-label", `${label}: ${title}`);
    made.addEventListener("click", act);
    place.append(made);
    return made;
  };
  button("Zoom in", () => {
    const [from, to] = view.scale("x").domain();
    const middle = (from + to) / 2;
    const [low, high] = heights(rows(spec).filter((row) => from <= row[along] && row[along] <= middle), up);
    set([from, middle], low < high ? [low, high] : view.scale("y").domain());
  });
  const back = button("Whole", () => set(null, null));
  back.hidden = true;
  view.addSignalListener("zoom_tuple", (_, tuple) => { back.hidden = !tuple; });
}

// From the lowest to the highest of lines and bands.
function heights(some, up) {
  const known = some.flatMap((row) => [up, "low", "high", "from"].map((name) => row[name]))
    .filter((value) => typeof value === "number");
  return [Math.min(...known), Math.max(...known)];
}

function rows(spec) {
  const sets = [spec.data && spec.data.values, ...Object.values(spec.datasets || {})].filter(Array.isArray);
  return sets.sort((a, b) => b.length - a.length)[0] || [];
}

// All rows of a chart, with the columns of all of them; what a spreadsheet would take for a formula stays text.
function table(spec) {
  const all = rows(spec);
  const heads = [...new Set(all.flatMap(Object.keys))];
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [heads, ...all.map((row) => heads.map((head) => row[head]))].map((r) => r.map(cell).join(",")).join("\r\n");
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
