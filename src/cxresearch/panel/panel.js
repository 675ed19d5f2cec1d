// The panel: what is chosen goes to the kernel as `asked`; `answer` and `rows` come back. Nothing is loaded from elsewhere.
const WIDE = 220, TALL = 22, SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// A scale that holds all intervals and the edges of what is claimed; ratios are compared on a logarithmic one.
function scaleOf(about, answers) {
  const along = about.is_ratio ? (v) => Math.log(Math.max(v, 1e-6)) : (v) => v;
  const edges = [about.low, about.high, about.null].filter((v) => v !== null && (!about.is_ratio || v > 0));
  const ends = answers.flatMap((a) => (a.value === null ? [] : [a.low, a.high])).concat(edges).filter((v) => v !== null).map(along);
  const first = Math.min(...ends), last = Math.max(...ends), room = (last - first || 1) * 0.06;
  const place = (v) => ((along(v) - first + room) / (last - first + 2 * room)) * WIDE;
  return { place, from: about.low === null || (about.is_ratio && about.low <= 0) ? 0 : place(about.low), to: about.high === null ? WIDE : place(about.high) };
}

function strip(about, answer, scale) {
  const picture = draw("svg", { width: WIDE, height: TALL, viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": answer.text || answer.note });
  const ink = { fill: "currentColor", stroke: "currentColor" };
  picture.append(draw("rect", { x: scale.from, y: 3, width: Math.max(scale.to - scale.from, 1), height: TALL - 6, fill: "#00936b", "fill-opacity": 0.22 }));
  const none = scale.place(about.null);
  picture.append(draw("line", { x1: none, x2: none, y1: 0, y2: TALL, stroke: "currentColor", "stroke-opacity": 0.6, "stroke-dasharray": "2 3" }));
  if (answer.value !== null) {
    picture.append(draw("line", { x1: scale.place(answer.low), x2: scale.place(answer.high), y1: TALL / 2, y2: TALL / 2, "stroke-width": 2.5, ...ink }));
    picture.append(draw("circle", { cx: scale.place(answer.value), cy: TALL / 2, r: 4, ...ink }));
  }
  return picture;
}

function pill(answer) {
  const kind = answer.verdict.replace(" ", "-");
  return make("span", { class: `cxw-verdict cxw-${kind}` }, `${answer.symbol} ${answer.verdict}`);
}

function sameChoice(a, b) {
  return ["bad", "blackout_days", "horizon_days", "segment"].every((name) => a[name] === b[name]);
}

let panels = 0;

function render({ model, el }) {
  const about = model.get("about"), choices = model.get("choices"), own = choices.own, id = `cxw-${++panels}`;
  const ask = (change) => {
    model.set("asked", { ...model.get("asked"), ...change });
    model.save_changes();
  };
  // what is known here of the choice that is asked for: an answer belongs to its own definitions and to no others
  const answerTo = (asked) => [model.get("answer"), ...model.get("rows")].find((a) => a.choice && sameChoice(a.choice, asked));

  // a slider over a few values, with the chosen one in words below it
  const fields = make("div"), sliders = [];
  const slider = (name, label, values, words) => {
    if (values.length < 2) return;
    const input = make("input", { type: "range", min: 0, max: values.length - 1, step: 1, id: `${id}-${name}`, "data-definition": name });
    const shown = make("output", { for: `${id}-${name}` });
    input.addEventListener("input", () => ask({ [name]: values[Number(input.value)] }));
    fields.append(make("div", { class: "cxw-field" }, make("label", { for: `${id}-${name}` }, label), input, shown));
    sliders.push(() => {
      const value = model.get("asked")[name], place = values.indexOf(value);
      if (place >= 0) input.value = String(place);
      shown.textContent = words(value);
      input.setAttribute("aria-valuetext", words(value));
    });
  };
  slider("bad", "Bad is", choices.bad, (v) => v);
  const written = make("input", { type: "text", id: `${id}-condition`, "data-definition": "condition", spellcheck: "false", value: own.bad });
  const askWritten = () => {
    const bad = written.value.trim().split(/\s+/).join(" ");
    if (bad && bad !== model.get("asked").bad) ask({ bad });
  };
  written.addEventListener("change", askWritten);
  written.addEventListener("keydown", (event) => { if (event.key === "Enter") askWritten(); });
  fields.append(make("div", { class: "cxw-field" }, make("label", { for: `${id}-condition` }, choices.bad.length > 1 ? "or write" : "Bad is"), written));
  slider("blackout_days", "Blackout", choices.blackout_days, (v) => (v ? `moments take effect after ${v} days` : "moments take effect the next day"));
  slider("horizon_days", "Horizon", choices.horizon_days, (v) => `${v} days`);
  if (choices.segments.length) {
    const select = make("select", { id: `${id}-segment`, "data-definition": "segment" }, make("option", { value: "" }, "all customers"));
    for (const name of choices.segments) select.append(make("option", { value: name }, name));
    select.addEventListener("change", () => ask({ segment: select.value }));
    fields.append(make("div", { class: "cxw-field" }, make("label", { for: `${id}-segment` }, "Segment"), select));
    sliders.push(() => { select.value = model.get("asked").segment; });
  }
  const back = make("button", { type: "button" }, "As the study says");
  back.addEventListener("click", () => { written.value = own.bad; ask({ ...own }); });
  fields.append(back);

  const number = make("div", { class: "cxw-number" }), verdict = make("p"), picture = make("div"), note = make("p", { class: "cxw-note" });
  const result = make("div", { "aria-live": "polite" }, number, verdict, picture, note);
  const table = make("table"), body = make("tbody");
  const head = make("tr", {}, ...["definition", "number", "", "verdict"].map((t) => make("th", { scope: "col" }, t)));
  table.append(make("caption", {}, "One definition moved at a time"), make("thead", {}, head), body);
  const root = make("div", { class: "cx-what-if", "data-complete": "false", "data-lm-suppress-shortcuts": "true" },
    make("h4", {}, about.statement), make("p", {}, `${about.label[0].toUpperCase()}${about.label.slice(1)}. Shaded: where the claim places it.`),
    make("div", { class: "cxw-grid" }, fields, result), make("div", { class: "cxw-scroll" }, table));
  el.replaceChildren(root);

  const showAnswer = () => {
    const answer = answerTo(model.get("asked")), wrong = model.get("message"), rows = model.get("rows");
    note.classList.toggle("cxw-wrong", Boolean(wrong));
    const isOpen = Boolean(wrong) || !answer;
    result.classList.toggle("cxw-pending", isOpen);
    if (isOpen) { // the number of other definitions is not left standing
      number.textContent = "…";
      verdict.replaceChildren();
      picture.replaceChildren(strip(about, { value: null, text: "", note: "being counted" }, scaleOf(about, rows)));
      note.textContent = wrong || "Counting under these definitions …";
      root.dataset.verdict = root.dataset.number = "";
      return;
    }
    number.textContent = answer.text || "no number";
    verdict.replaceChildren(pill(answer));
    picture.replaceChildren(strip(about, answer, scaleOf(about, [answer, ...rows])));
    root.dataset.verdict = answer.verdict;
    root.dataset.number = answer.text;
    const whole = "The whole rule: every rival explanation that the data can test has been tried.";
    const alone = "By the interval alone; rival explanations are being tried.";
    note.textContent = `${answer.what[0].toUpperCase()}${answer.what.slice(1)}. ${answer.note || (answer.is_whole_rule ? whole : alone)}`;
  };
  const showRows = () => {
    const rows = model.get("rows"), asked = model.get("asked");
    const scale = scaleOf(about, rows.length ? rows : [{ value: null }]);
    body.replaceChildren(...rows.map((row) => {
      const open = row.is_whole_rule || row.value === null ? "" : " by the interval alone";
      const line = make("tr", { "aria-current": String(sameChoice(row.choice, asked)) },
        make("th", { scope: "row" }, row.what), make("td", {}, row.text || "–"), make("td", {}, strip(about, row, scale)), make("td", {}, pill(row), open));
      if (sameChoice(row.choice, own)) line.className = "cxw-own";
      return line;
    }));
    root.dataset.complete = String(model.get("is_complete"));
  };
  const showAsked = () => { for (const show of sliders) show(); written.value = model.get("asked").bad; };
  const listeners = { asked: () => { showAsked(); showAnswer(); showRows(); }, answer: showAnswer, message: showAnswer, rows: () => { showAnswer(); showRows(); }, is_complete: showRows };
  for (const [name, show] of Object.entries(listeners)) model.on(`change:${name}`, show);
  showAsked(); showAnswer(); showRows();
  return () => { for (const [name, show] of Object.entries(listeners)) model.off(`change:${name}`, show); };
}

export default { render };
