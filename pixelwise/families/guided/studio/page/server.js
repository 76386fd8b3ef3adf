// What the page asks of its server. A request that is refused throws an Error with the server's own words.

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the studio's server does not answer: is `pixelwise studio` still running?");
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(found.error ?? `${path}: status ${response.status}`);
  return found;
}

const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });

export const desk = () => ask("api/desk");
export const see = (picture) => ask(`api/pictures/${picture}/mask`);
export const click = (picture, x, y, way) => post("api/click", { picture, x, y, way });
export const stroke = (picture, points, radius, way) => post("api/stroke", { picture, points, radius, way });
export const remove = (picture, number) => post("api/remove", { picture, number });
export const undo = () => post("api/undo");
export const addClass = (name) => post("api/classes", { name });
export const saveMask = (picture) => post(`api/pictures/${picture}/save`);
export const finish = () => post("api/save");
export const drop = (file) =>
  ask(`api/pictures?name=${encodeURIComponent(pathOf(file))}`, { method: "POST", body: file });
// The path of a file below the folder that was dropped or chosen.
export const pathOf = (file) => (file.path ?? file.webkitRelativePath).replace(/^\/?[^/]*\/(?=.)/, "") || file.name;
export const pictureAt = (picture, longest) => `api/pictures/${picture}?longest=${longest}`;
