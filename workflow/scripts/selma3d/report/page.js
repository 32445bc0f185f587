// What a page can do beyond being read: tables that sort and filter, a navigation that follows, a
// viewer of stacks. Nothing in the text needs it.
"use strict";

// -- tables -------------------------------------------------------------------------------------

const FILTER_FROM = 5; // rows

function numberIn(text) {
  const found = text.replace(/\u2212/g, "-").replace(/,/g, "").match(/[-+]?\d+(\.\d+)?/);
  return found ? Number(found[0]) : NaN;
}

function compare(a, b, numeric) {
  if (!numeric) return a.localeCompare(b, "en", { numeric: true });
  const [x, y] = [numberIn(a), numberIn(b)];
  if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
  return x - y;
}

function sortBy(table, column, header) {
  const rising = header.getAttribute("aria-sort") !== "ascending";
  const numeric = header.classList.contains("number");
  const text = row => row.cells[column].textContent.trim();
  const unknown = row => numeric && isNaN(numberIn(text(row)));
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => {
    if (unknown(a) || unknown(b)) return unknown(a) - unknown(b); // last, whatever the direction
    return (rising ? 1 : -1) * compare(text(a), text(b), numeric);
  });
  table.tBodies[0].append(...rows);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", rising ? "ascending" : "descending");
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(table, column, header));
    header.append(button);
  });
}

function addFilter(items, textOf, before, what) {
  const label = document.createElement("label");
  const field = document.createElement("input");
  const status = document.createElement("span");
  label.className = "filter";
  field.type = "search";
  status.setAttribute("role", "status");
  label.append(`Filter ${what} `, field, " ", status);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items) {
      const text = textOf(item).toLowerCase();
      item.hidden = !words.every(word => text.includes(word));
      shown += !item.hidden;
    }
    status.textContent = words.length ? `${shown} of ${items.length}` : "";
  });
  before.before(label);
}

for (const table of document.querySelectorAll("table.tools")) {
  makeSortable(table);
  const rows = [...table.tBodies[0].rows];
  if (rows.length >= FILTER_FROM) {
    addFilter(rows, row => row.textContent, table.closest(".scroll"), "rows");
  }
}

// -- what is hidden -------------------------------------------------------------------------------

// What a link leads to is shown, even if a filter hides it or a fold holds it.
function revealTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.hidden && target.tagName === "TR") target.hidden = false;
  const closed = [];
  for (let e = target.closest("details"); e; e = e.parentElement.closest("details")) {
    if (!e.open) closed.push(e);
  }
  for (const fold of closed) fold.open = true;
  if (closed.length) target.scrollIntoView();
}
addEventListener("hashchange", revealTarget);
document.addEventListener("click", event => { // the address may name that place already
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) revealTarget();
});
revealTarget();

const folds = [...document.querySelectorAll("main details")];
addEventListener("beforeprint", () => { // browsers that cannot open them by style alone
  for (const fold of folds) if (!fold.open) { fold.open = true; fold.dataset.printed = ""; }
});
addEventListener("afterprint", () => {
  for (const fold of folds) if ("printed" in fold.dataset) {
    fold.open = false;
    delete fold.dataset.printed;
  }
});

const contents = document.querySelector("body.wide > nav");
if (contents && folds.length) {
  const all = document.createElement("button");
  all.type = "button";
  all.className = "folds-at-once";
  const name = () => {
    all.textContent = folds.some(fold => !fold.open) ? "Open all parts" : "Close all parts";
  };
  all.addEventListener("click", () => {
    const opening = folds.some(fold => !fold.open);
    for (const fold of folds) fold.open = opening;
  });
  for (const fold of folds) fold.addEventListener("toggle", name);
  name();
  contents.append(all);
}

// -- cards --------------------------------------------------------------------------------------

for (const order of document.querySelectorAll("select[data-sorts]")) {
  const list = document.getElementById(order.dataset.sorts);
  const cards = [...list.children];
  order.closest("[hidden]").hidden = false;
  order.addEventListener("change", () => {
    const [key, direction] = order.value.split(" ");
    const value = card => (key in card.dataset ? Number(card.dataset[key]) : NaN);
    const sorted = [...cards].sort((a, b) => {
      if (key === "title") return a.dataset.title.localeCompare(b.dataset.title, "en");
      const [x, y] = [value(a), value(b)];
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return direction === "down" ? y - x : x - y;
    });
    list.append(...sorted);
  });
}

// -- navigation ---------------------------------------------------------------------------------

const places = [...document.querySelectorAll("body.wide > nav a[href^='#']")]
  .map(link => [link, document.getElementById(link.hash.slice(1))])
  .filter(([, heading]) => heading);

function follow() {
  const above = places.filter(([, heading]) => heading.getBoundingClientRect().top < 120);
  const current = above.length ? above[above.length - 1][0] : places[0][0];
  for (const [link] of places) {
    if (link === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
if (places.length) {
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
  follow();
}

// -- viewer -------------------------------------------------------------------------------------

const ERROR_NAMES = ["in both", "found, not true", "true, not found"];
const AXES = ["z", "y", "x"];

function rgb(hex) {
  return [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
}

// The planes of a strip, as bytes: one a voxel.
async function volumeOf(url, shape) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  const [depth, high, wide] = shape;
  const canvas = new OffscreenCanvas(wide, depth * high);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, wide, depth * high).data;
  const bytes = new Uint8Array(depth * high * wide);
  for (let i = 0; i < bytes.length; i++) bytes[i] = pixels[4 * i];
  return bytes;
}

// Calls each(pixel, voxels of that pixel) for a cut through a volume, or a projection along it.
function eachPixel(shape, axis, plane, projected, each) {
  const strides = [shape[1] * shape[2], shape[2], 1];
  const [down, across] = [0, 1, 2].filter(other => other !== axis);
  const first = projected ? 0 : plane;
  const last = projected ? shape[axis] - 1 : plane;
  let pixel = 0;
  for (let r = 0; r < shape[down]; r++) {
    for (let c = 0; c < shape[across]; c++) {
      const base = r * strides[down] + c * strides[across];
      each(pixel++, base + first * strides[axis], base + last * strides[axis], strides[axis]);
    }
  }
}

// The largest 1, 2 or 5 times a power of ten that is at most so long.
function roundLength(most) {
  const decade = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].find(times => times * decade <= most) * decade;
}

function brightest(volume, first, last, stride) {
  let most = 0;
  for (let i = first; i <= last; i += stride) if (volume[i] > most) most = volume[i];
  return most;
}

class Viewer {
  constructor(root, content) {
    this.root = root;
    this.content = content;
    this.loaded = new Map();
    this.turn = 0;
    const named = name => root.querySelector(`[name=${name}]`);
    this.fields = Object.fromEntries(
      ["case", "axis", "projection", "overlay", "plane", "dark", "bright"].map(n => [n, named(n)]));
    this.canvases = [...root.querySelectorAll("canvas")];
    this.listCases();
    this.fields.case.addEventListener("change", () => this.open(this.fields.case.value));
    this.fields.axis.addEventListener("change", () => { this.measure(); this.draw(); });
    for (const name of ["projection", "overlay", "plane", "dark", "bright"]) {
      this.fields[name].addEventListener("input", () => this.draw());
    }
    const images = root.querySelector(".canvases");
    images.tabIndex = -1;
    images.addEventListener("click", () => images.focus({ preventScroll: true }));
    images.addEventListener("wheel", event => this.wheel(event), { passive: false });
    root.hidden = false;
  }

  listCases() {
    const groups = new Map();
    for (const one of this.content.cases) {
      if (!groups.has(one.group)) {
        const group = document.createElement("optgroup");
        group.label = one.group;
        groups.set(one.group, group);
        this.fields.case.append(group);
      }
      groups.get(one.group).append(new Option(one.title, one.id));
    }
  }

  // Decode a case's strips, each once, and show it.
  async open(id) {
    const turn = ++this.turn;
    const chosen = this.content.cases.find(one => one.id === id);
    if (!this.loaded.has(id)) {
      const strips = [chosen.image, chosen.truth, ...chosen.masks.map(mask => mask.strip)];
      this.loaded.set(id, Promise.all(strips.map(s => s && volumeOf(s, chosen.shape))));
    }
    const [image, truth, ...masks] = await this.loaded.get(id);
    if (turn !== this.turn) return;
    const before = this.chosen && this.fields.overlay.value;
    this.chosen = chosen;
    this.volumes = { image, truth, masks };
    this.fields.case.value = id;
    this.listOverlays(before);
    this.measure();
    const marked = truth || masks.find(Boolean);
    const [, high, wide] = chosen.shape; // begin where most of the truth is, or of the best mask
    const counts = Array.from({ length: chosen.shape[0] }, (_, z) => marked
      && marked.subarray(z * high * wide, (z + 1) * high * wide).reduce((n, v) => n + (v > 127), 0));
    if (marked && this.fields.axis.value === "0") {
      this.fields.plane.value = counts.indexOf(Math.max(...counts));
    }
    const shown = [true, Boolean(truth), this.fields.overlay.options.length > 0];
    this.canvases.forEach((canvas, n) => { canvas.closest("figure").hidden = !shown[n]; });
    this.fields.overlay.closest("label").hidden = !shown[2];
    this.draw();
  }

  listOverlays(before) {
    const options = [];
    const found = this.chosen.masks.filter(mask => mask.strip);
    if (this.chosen.truth) {
      this.chosen.masks.forEach((mask, n) => {
        if (mask.strip) options.push(new Option(`${mask.title}: errors (${mask.score})`, `errors ${n}`));
      });
    }
    if (found.length > 1 || (this.chosen.truth && found.length)) {
      options.push(new Option("all entrants: outlines", "outlines"));
    }
    this.chosen.masks.forEach((mask, n) => {
      if (mask.strip) options.push(new Option(`${mask.title}: mask`, `mask ${n}`));
    });
    this.fields.overlay.replaceChildren(...options);
    if (options.some(option => option.value === before)) this.fields.overlay.value = before;
  }

  get axis() { return Number(this.fields.axis.value); }

  measure() {
    const last = this.chosen.shape[this.axis] - 1;
    this.fields.plane.max = last;
    this.fields.plane.value = Math.round(last / 2);
  }

  wheel(event) {
    if (!event.currentTarget.contains(document.activeElement)) return;
    event.preventDefault();
    this.fields.plane.value = Number(this.fields.plane.value) + Math.sign(event.deltaY);
    this.draw();
  }

  draw() {
    if (!this.chosen) return;
    const { shape, voxel_um: size, steps } = this.chosen;
    const [down, across] = [0, 1, 2].filter(other => other !== this.axis);
    const [high, wide] = [shape[down], shape[across]];
    const sides = size || [steps[0], steps[1], steps[2]];
    const cut = { axis: this.axis, plane: Number(this.fields.plane.value),
      projected: this.fields.projection.checked, high, wide };
    const grey = this.grey(cut);
    const truth = this.volumes.truth && this.flat(this.volumes.truth, cut);
    const pictures = [grey, truth && this.tinted(grey, truth, rgb(this.content.colours[2])),
      this.fields.overlay.value && this.compared(grey, truth, cut)];
    this.canvases.forEach((canvas, n) => {
      if (!pictures[n]) return;
      canvas.width = wide;
      canvas.height = high;
      canvas.style.aspectRatio = `${wide * sides[across]} / ${high * sides[down]}`;
      canvas.getContext("2d").putImageData(new ImageData(pictures[n], wide, high), 0, 0);
    });
    this.drawBar(wide * sides[across], size ? "µm" : "voxels");
    this.tell(cut);
  }

  // The bar on the image, a third of its width at most.
  drawBar(width, unit) {
    const bar = this.root.querySelector(".bar");
    bar.hidden = false;
    const length = roundLength(width / 3);
    bar.querySelector("i").style.width = `${100 * length / width}%`;
    bar.querySelector("b").textContent = `${Number(length.toPrecision(1))} ${unit}`;
  }

  grey(cut) {
    const { image } = this.volumes;
    const dark = 2.55 * Number(this.fields.dark.value);
    const bright = Math.max(dark + 1, 2.55 * Number(this.fields.bright.value));
    const picture = new Uint8ClampedArray(4 * cut.high * cut.wide);
    eachPixel(this.chosen.shape, cut.axis, cut.plane, cut.projected, (pixel, first, last, stride) => {
      const value = 255 * (brightest(image, first, last, stride) - dark) / (bright - dark);
      picture.set([value, value, value, 255].map(v => Math.max(0, Math.min(255, v))), 4 * pixel);
    });
    return picture;
  }

  // Of each pixel of the cut, 128 to 255 where it has a voxel of the mask; 0 elsewhere.
  flat(volume, cut) {
    const found = new Uint8Array(cut.high * cut.wide);
    eachPixel(this.chosen.shape, cut.axis, cut.plane, cut.projected, (pixel, first, last, stride) => {
      const most = brightest(volume, first, last, stride);
      found[pixel] = most > 127 ? most : 0;
    });
    return found;
  }

  paint(picture, pixel, colour, strength = 0.85) {
    for (let c = 0; c < 3; c++) {
      picture[4 * pixel + c] = (1 - strength) * picture[4 * pixel + c] + strength * colour[c];
    }
  }

  tinted(grey, mask, colour) {
    const picture = Uint8ClampedArray.from(grey);
    for (let pixel = 0; pixel < mask.length; pixel++) {
      if (mask[pixel]) this.paint(picture, pixel, colour, 0.25 + 0.6 * (mask[pixel] - 128) / 127);
    }
    return picture;
  }

  compared(grey, truth, cut) {
    const [kind, number] = this.fields.overlay.value.split(" ");
    if (kind === "outlines") return this.outlined(grey, cut);
    const mask = this.chosen.masks[number];
    const found = this.flat(this.volumes.masks[number], cut);
    if (kind === "mask") return this.tinted(grey, found, rgb(mask.colour));
    const colours = this.content.colours.map(rgb);
    const picture = Uint8ClampedArray.from(grey);
    const volumes = [this.volumes.truth, this.volumes.masks[number]];
    eachPixel(this.chosen.shape, cut.axis, cut.plane, cut.projected, (pixel, first, last, stride) => {
      if (!truth[pixel] && !found[pixel]) return;
      const counts = [0, 0, 0]; // the commonest class along the line of sight
      for (let i = first; i <= last; i += stride) {
        const [real, own] = volumes.map(volume => volume[i] > 127);
        if (real || own) counts[real && own ? 0 : own ? 1 : 2]++;
      }
      this.paint(picture, pixel, colours[counts.indexOf(Math.max(...counts))]);
    });
    return picture;
  }

  // Each entrant's outline in its colour; dotted where it started from scratch.
  outlined(grey, cut) {
    const picture = Uint8ClampedArray.from(grey);
    this.chosen.masks.forEach((mask, n) => {
      if (!mask.strip) return;
      const found = this.flat(this.volumes.masks[n], cut);
      const colour = rgb(mask.colour);
      for (let r = 0; r < cut.high; r++) {
        for (let c = 0; c < cut.wide; c++) {
          const at = r * cut.wide + c;
          if (!found[at] || (mask.open && (r + c) % 2)) continue;
          const inner = r > 0 && c > 0 && r < cut.high - 1 && c < cut.wide - 1 &&
            found[at - 1] && found[at + 1] && found[at - cut.wide] && found[at + cut.wide];
          if (!inner) this.paint(picture, at, colour);
        }
      }
    });
    return picture;
  }

  tell(cut) {
    const { shape, voxel_um: size, masks } = this.chosen;
    const depth = size ? `, ${(cut.plane * size[cut.axis]).toFixed(0)} µm deep` : "";
    this.fields.plane.disabled = cut.projected;
    const said = cut.projected ? `all ${shape[cut.axis]} planes`
      : `${AXES[cut.axis]}: ${cut.plane + 1} of ${shape[cut.axis]}${depth}`;
    this.root.querySelector("output").textContent = said;
    this.root.querySelector(".reduced").textContent = this.reduction();
    this.root.querySelector(".opened").hidden = !this.chosen.command;
    this.root.querySelector(".opened code").textContent = this.chosen.command;
    const [kind, number] = this.fields.overlay.value.split(" ");
    if (!kind) return;
    const named = kind === "errors" ? ERROR_NAMES.map((name, n) => [name, this.content.colours[n]])
      : kind === "mask" ? [[masks[number].title, masks[number].colour]]
      : masks.filter(mask => mask.strip).map(
        mask => [mask.title + (mask.open ? " (dotted)" : ""), mask.colour]);
    const caption = this.root.querySelector(".compared");
    caption.textContent = kind === "errors" ? masks[number].title + ":" : "";
    for (const [name, colour] of named) {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = colour;
      caption.append(swatch, name);
    }
    this.canvases[2].setAttribute("aria-label", `Comparison, ${said}: ${caption.textContent}`);
  }

  // How much smaller than the image itself what is shown is.
  reduction() {
    const { steps, truth } = this.chosen;
    if (steps.every(step => step === 1)) return "Full resolution.";
    if (!truth) {
      return `Reduced for this page: ${steps.join(" × ")} voxels (z, y, x) to one, of the brightest `
        + "plane; a mask is the fainter, the fewer of them it covers.";
    }
    const parts = [[steps[0], "plane"], [steps[1], "row and column"]].filter(([step]) => step > 1);
    return `Reduced for this page: one ${parts.map(([step, what]) => `${what} in ${step}`).join(", one ")}.`;
  }
}

const stacks = document.getElementById("stacks");
if (stacks) {
  const viewer = new Viewer(document.getElementById("viewer"), JSON.parse(stacks.textContent));
  const known = id => viewer.content.cases.some(one => one.id === id);
  const go = () => {
    const id = location.hash.slice(1);
    if (!known(id)) return;
    viewer.open(id);
    viewer.root.scrollIntoView({ block: "center" });
    viewer.fields.plane.focus({ preventScroll: true });
  };
  addEventListener("hashchange", go);
  document.addEventListener("click", event => { // a link to what the address names already
    const link = event.target.closest("a[href^='#case-'], a[href^='#volume-']");
    if (link && link.hash === location.hash) go();
  });
  if (known(location.hash.slice(1))) go();
  else { // not before it is near: decoding takes a while
    const near = new IntersectionObserver(entries => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      near.disconnect();
      if (!viewer.chosen && viewer.turn === 0) viewer.open(viewer.content.cases[0].id);
    }, { rootMargin: "600px" });
    near.observe(viewer.root);
  }
}
