// The studio's page: it holds what is shown; what is known of pictures and clicks, the server holds.
import * as server from "./server.js";
import * as stage from "./stage.js";

const at = (id) => document.getElementById(id);
const state = { desk: { classes: [], pictures: [], notes: [], corrects: false }, current: -1, way: 1, clicks: [], isMasked: true };
// Screen pixels that a pointer must move, pressed, to paint with the brush instead of clicking.
const DRAG = 4;
// Milliseconds from each click to its painted mask.
window.clickTimes = [];
// Changes go one after the other, however fast the clicks come.
let queue = Promise.resolve();

function then(work) {
  queue = queue.then(work).catch((error) => note(error.message, true));
  return queue;
}

const colours = () => state.desk.classes.map((each) => each.colour);

async function refresh() {
  state.desk = await server.desk();
  at("brush").hidden = !state.desk.corrects;
  for (const id of ["add", "add-folder"]) at(id).hidden = state.desk.corrects;
  drawClasses();
  drawStrip();
}

function drawClasses() {
  const counts = state.desk.classes.map((_, way) => state.clicks.filter((click) => click[2] === way).length);
  at("classes").replaceChildren(...state.desk.classes.map(({ name, colour }, way) => {
    const button = document.createElement("button"), key = document.createElement("small");
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", way === state.way);
    button.style.setProperty("--colour", way ? `rgb(${colour})` : "#8b95a5");
    key.textContent = counts[way] || "";
    button.append(document.createElement("i"), name, key);
    button.onclick = () => choose(way);
    return button;
  }));
}

function choose(way) {
  if (way >= state.desk.classes.length) return;
  state.way = way;
  drawClasses();
}

function drawStrip() {
  const strip = at("strip"), pictures = state.desk.pictures;
  strip.hidden = pictures.length < 2;
  at("empty").hidden = pictures.length > 0;
  while (strip.children.length < pictures.length) {
    const number = strip.children.length, button = document.createElement("button"), image = new Image();
    image.loading = "lazy";
    image.src = server.pictureAt(number, 160);
    image.alt = button.title = pictures[number].name;
    button.append(image);
    button.onclick = () => then(() => step(number));
    strip.append(button);
  }
  [...strip.children].forEach((button, number) => {
    button.setAttribute("aria-current", number === state.current);
    button.classList.toggle("clicked", pictures[number].clicked);
  });
  at("count").textContent = pictures.length > 1 ? `${state.current + 1} of ${pictures.length}` : "";
  for (const id of ["undo", "save", "look"]) at(id).disabled = !pictures.length;
}

async function step(number) {
  const picture = state.desk.pictures[number];
  if (!picture || number === state.current) return;
  await stage.showPicture(server.pictureAt(number, 2048), picture.width, picture.height);
  stage.clear();
  state.current = number;
  drawStrip();
  at("strip").children[number].scrollIntoView({ block: "nearest", inline: "nearest" });
  at("time").textContent = "";
  at("name").textContent = `${picture.name} · ${picture.width} × ${picture.height}`;
  await show(await server.see(number));
}

async function show(seen) {
  state.clicks = seen.clicks;
  state.desk.pictures[seen.picture].clicked = state.desk.corrects || seen.clicks.length > 0;
  stage.showDots(seen.clicks, colours());
  drawClasses();
  drawStrip();
  await stage.showMask(seen.mask);
}

function pressed(event) {
  if (event.button > 2 || state.current < 0) return;
  event.preventDefault();
  if (state.desk.corrects) return brush(event);
  const { x, y, number } = stage.place(event);
  change(number, x, y, event.button === 2 || event.shiftKey ? 0 : state.way, event.timeStamp);
}

function change(number, x, y, way, began) {
  // The dot is there at once; the mask follows.
  if (number < 0) stage.showDots([...state.clicks, [x, y, way]], colours());
  at("stage").classList.add("busy");
  then(async () => {
    try {
      const seen = number < 0 ? await server.click(state.current, x, y, way) : await server.remove(state.current, number);
      await show(seen);
      const took = performance.now() - began;
      window.clickTimes.push(took);
      at("time").textContent = `click to mask ${took.toFixed(0)} ms, of which the model ${seen.milliseconds.toFixed(0)} ms`;
    } finally {
      stage.showDots(state.clicks, colours());
      at("stage").classList.remove("busy");
    }
  });
}

// On a label that is corrected, a drag paints with the brush, and a press without one is a click.
function brush(pressed) {
  const room = at("stage"), points = [pressed].map(spot), way = state.way, radius = Number(at("radius").value);
  let isDrag = false;
  room.setPointerCapture(pressed.pointerId);
  const drag = (event) => {
    isDrag ||= Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) > DRAG;
    points.push(spot(event));
    if (isDrag) stage.showStroke(points, radius, colours()[way]);
  };
  const release = () => {
    room.removeEventListener("pointermove", drag);
    if (!isDrag) return change(-1, ...points[0], way, pressed.timeStamp);
    then(async () => {
      try {
        await show(await server.stroke(state.current, points, radius, way));
      } finally {
        stage.showDots(state.clicks, colours());
      }
    });
  };
  room.addEventListener("pointermove", drag);
  room.addEventListener("pointerup", release, { once: true });
}

function spot(event) {
  const { x, y } = stage.place(event);
  return [x, y];
}

async function undo() {
  const seen = await server.undo();
  if (seen.picture !== state.current) await step(seen.picture);
  else await show(seen);
}

async function save() {
  // Of labels that are corrected, only those that a person has seen are saved.
  const numbers = [...state.desk.pictures.keys()].filter((n) => !state.desk.corrects || state.desk.pictures[n].clicked);
  for (const [place, number] of numbers.entries()) {
    note(`saving masks: ${place + 1} of ${numbers.length}`);
    await server.saveMask(number);
  }
  const saved = await server.finish();
  const what = state.desk.corrects ? "pictures that you looked at" : "masks, clicks and guidance";
  note(`${numbers.length} ${what} saved beside ${saved.file}. Next: `, false, saved.next);
}

async function take(files) {
  const before = state.desk.pictures.length, faults = [];
  const sorted = [...files].sort((a, b) => server.pathOf(a).localeCompare(server.pathOf(b), undefined, { numeric: true }));
  for (const [place, file] of sorted.entries()) {
    note(`reading ${file.name}, ${place + 1} of ${sorted.length}`);
    await server.drop(file).catch((error) => faults.push(error.message));
  }
  at("note").hidden = true;
  await refresh();
  if (state.desk.pictures.length > before) await step(before);
  else if (state.current >= 0) await show(await server.see(state.current));
  if (faults.length) note(faults.length > 1 ? `${faults[0]} (and ${faults.length - 1} more)` : faults[0], true);
  else if (state.desk.notes.length) note(state.desk.notes.join("; "));
}

// All files of what was dropped, folders searched through.
async function filesOf(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter(Boolean), files = [];
  for (let entry = entries.shift(); entry; entry = entries.shift()) {
    if (entry.isFile) {
      const file = await new Promise((found, failed) => entry.file(found, failed));
      files.push(Object.assign(file, { path: entry.fullPath }));
      continue;
    }
    const reader = entry.createReader();
    let some;
    // A reader gives at most a hundred at a time.
    while ((some = await new Promise((found, failed) => reader.readEntries(found, failed))).length) entries.push(...some);
  }
  return files.filter((file) => !file.path.includes("/."));
}

function note(text, isBad = false, command = "") {
  const box = at("note"), code = document.createElement("code");
  code.textContent = command;
  box.replaceChildren(text, ...(command ? [code] : []));
  box.classList.toggle("bad", isBad);
  box.hidden = false;
  clearTimeout(note.timer);
  if (isBad) note.timer = setTimeout(() => { box.hidden = true; }, 6000);
}

function keyed(event) {
  if (event.target.type === "text") return;
  const isCommand = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
  if (isCommand && key === "z") then(undo);
  else if (isCommand && key === "s") then(save);
  else if (isCommand) return;
  else if (key === "arrowright") then(() => step(state.current + 1));
  else if (key === "arrowleft") then(() => step(state.current - 1));
  else if (key === "m") look();
  else if (key === "[" || key === "]") at("radius").value = Number(at("radius").value) * (key === "]" ? 1.3 : 1 / 1.3);
  else if (key >= "0" && key <= "9") choose(Number(key));
  else return;
  event.preventDefault();
}

function look() {
  state.isMasked = !state.isMasked;
  at("look").setAttribute("aria-pressed", state.isMasked);
  stage.toggleMask(state.isMasked);
}

at("stage").addEventListener("pointerdown", pressed);
at("stage").addEventListener("contextmenu", (event) => event.preventDefault());
at("stage").addEventListener("pointerdown", () => { at("note").hidden = true; }, true);
document.addEventListener("keydown", keyed);
at("undo").onclick = () => then(undo);
at("save").onclick = () => then(save);
at("look").onclick = look;
at("add").onclick = at("choose").onclick = () => at("files").click();
at("add-folder").onclick = at("choose-folder").onclick = () => at("folder").click();
for (const id of ["files", "folder"]) at(id).onchange = ({ target }) => then(() => take(target.files));
at("new-class").onsubmit = (event) => {
  event.preventDefault();
  then(async () => {
    await server.addClass(at("class-name").value);
    at("class-name").value = "";
    at("class-name").blur();
    await refresh();
    choose(state.desk.classes.length - 1);
  });
};
addEventListener("dragover", (event) => { event.preventDefault(); at("room").classList.add("over"); });
addEventListener("dragleave", () => at("room").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  at("room").classList.remove("over");
  // The items are gone once the event is over.
  const found = filesOf(event.dataTransfer.items);
  then(async () => take(await found));
});
stage.onResize(() => stage.showDots(state.clicks, colours()));
then(async () => { await refresh(); await step(0); });
