"use strict";
// Pictures laid over or beside each other: slider, zoom, pan, flicker. On a pair's page its layers; elsewhere
// a deck: the pairs listed below the viewer, one at a time, the next one by a key.
const viewer = document.querySelector(".viewer");
const typing = target => target.matches?.("select, textarea, input:not([type=range])");
if (viewer) {
  const get = name => viewer.querySelector(name);
  const port = get(".viewport"), stage = get(".stage"), slider = get(".slider"), handle = get(".handle");
  const second = get(".viewport.second"), mirror = second.querySelector(".stage");
  const zooms = [...viewer.querySelectorAll(".zoom")];
  const steps = zooms.map(button => Number(button.dataset.zoom)).filter(Boolean);
  const deck = document.getElementById(viewer.dataset.deck);
  const measure = name => Number(viewer.style.getPropertyValue(name));
  const beside = () => viewer.classList.contains("beside");
  let zoom = 1, fitted = false;

  const place = () => {  // the divider stays where it is in the window; the cut follows in the picture
    const seen = port.getBoundingClientRect(), whole = stage.getBoundingClientRect();
    const left = Math.max(seen.left, whole.left), right = Math.min(seen.left + port.clientWidth, whole.right);
    const at = left + slider.value / 100 * (right - left);
    stage.style.setProperty("--cut", `${at - whole.left}px`);
    handle.style.left = `${at - seen.left}px`;
    handle.style.height = `${Math.min(port.clientHeight, whole.height)}px`;
  };
  const follow = (from, to) => {
    if (to.scrollLeft !== from.scrollLeft) to.scrollLeft = from.scrollLeft;
    if (to.scrollTop !== from.scrollTop) to.scrollTop = from.scrollTop;
  };
  const fit = () => Math.min(steps.at(-1), port.clientWidth / measure("--w"), 0.72 * innerHeight / measure("--h"));
  const setZoom = (to, x, y) => {  // what is at (x, y) of the window stays there; default its middle
    const seen = port.getBoundingClientRect(), whole = stage.getBoundingClientRect();
    x ??= port.clientWidth / 2;
    y ??= port.clientHeight / 2;
    const across = (seen.left + x - whole.left) / whole.width, down = (seen.top + y - whole.top) / whole.height;
    fitted = to === "fit";
    zoom = fitted ? fit() : Number(to);
    for (const one of [stage, mirror]) one.style.setProperty("--zoom", zoom);
    viewer.classList.toggle("sharp", zoom >= 2);
    port.scrollLeft = across * stage.offsetWidth - x;
    port.scrollTop = down * stage.offsetHeight - y;
    follow(port, second);
    for (const button of zooms) button.setAttribute("aria-pressed", String(button.dataset.zoom === "fit" ? fitted : !fitted && Number(button.dataset.zoom) === zoom));
    place();
  };
  const middle = () => {
    port.scrollTo((stage.offsetWidth - port.clientWidth) / 2, (stage.offsetHeight - port.clientHeight) / 2);
    follow(port, second);
    place();
  };
  const copy = () => mirror.replaceChildren(...(beside() ? [...stage.querySelectorAll(".under")].map(layer => layer.cloneNode(true)) : []));
  const toggled = (button, change) => button?.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    change(on);
  });

  slider.addEventListener("input", place);
  port.addEventListener("scroll", () => { if (beside()) follow(port, second); place(); }, {passive: true});
  second.addEventListener("scroll", () => { if (beside()) follow(second, port); }, {passive: true});
  addEventListener("resize", () => fitted ? setZoom("fit") : place());
  for (const button of zooms) button.addEventListener("click", () => setZoom(button.dataset.zoom));
  let timer = 0;
  toggled(get(".flicker"), on => {
    viewer.classList.toggle("flickering", on);
    clearInterval(timer);
    if (on) timer = setInterval(() => viewer.classList.toggle("first"), 500);
    else viewer.classList.remove("first");
  });
  toggled(get(".pixels"), on => {
    viewer.classList.toggle("pixelated", on);
    get(".side.left").textContent = on ? "LR, pixels" : "LR, bicubic";
  });
  toggled(get(".errors"), on => {
    viewer.classList.toggle("erring", on);
    get(".side.right").textContent = on ? "error map" : "HR";
  });
  toggled(get(".apart"), on => {
    viewer.classList.toggle("beside", on);
    copy();
    setZoom(fitted ? "fit" : zoom);
  });
  // The wheel scrolls the page until somebody works with the viewer; with Ctrl, or two fingers, it zooms at once.
  get(".frame").addEventListener("wheel", event => {  // also over the handle
    if (event.shiftKey || !(event.ctrlKey || viewer.contains(document.activeElement))) return;
    event.preventDefault();
    const seen = (event.target.closest(".viewport") ?? port).getBoundingClientRect(), lines = event.deltaMode ? 20 : 1;
    const to = zoom * 2 ** (-event.deltaY * lines / (event.ctrlKey ? 80 : 240));
    setZoom(Math.min(steps.at(-1), Math.max(steps[0], to)), event.clientX - seen.left, event.clientY - seen.top);
  }, {passive: false});

  const drag = (element, start) => element.addEventListener("pointerdown", event => {
    const move = event.button === 0 && start(event);
    if (!move) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    const stop = () => {
      element.removeEventListener("pointermove", move);
      viewer.classList.remove("dragging");
    };
    viewer.classList.add("dragging");
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", stop, {once: true});
    element.addEventListener("pointercancel", stop, {once: true});
  });
  for (const one of [port, second]) drag(one, event => {  // fingers pan by themselves
    if (event.pointerType === "touch" || event.target === one) return null;
    one.focus({preventScroll: true});
    const left = one.scrollLeft + event.clientX, top = one.scrollTop + event.clientY;
    return now => one.scrollTo(left - now.clientX, top - now.clientY);
  });
  drag(handle, () => now => {
    const seen = port.getBoundingClientRect(), whole = stage.getBoundingClientRect();
    const left = Math.max(seen.left, whole.left), right = Math.min(seen.left + port.clientWidth, whole.right);
    slider.value = 100 * (now.clientX - left) / (right - left);
    place();
  });

  let step = by => document.querySelector(by > 0 ? "nav [rel=next]" : "nav [rel=prev]")?.click();
  if (deck) {
    const items = [...deck.querySelectorAll(".item")], choices = [get(".choice.left"), get(".choice.right")];
    let order = items, at = 0, wanted = [null, null];  // pictures chosen by hand stay chosen
    const shots = item => [...item.querySelectorAll("figure")].map(figure => ({
      img: figure.querySelector("img"), name: figure.querySelector("figcaption").textContent.trim()}));
    const draw = () => {
      const all = shots(order[at]);
      const two = choices.map((choice, side) => {
        const found = all.find(shot => shot.name === wanted[side]) ?? all[Number(order[at].dataset[side ? "right" : "left"])];
        choice.value = found.name;
        return found;
      });
      viewer.style.setProperty("--w", Math.max(...two.map(shot => shot.img.getAttribute("width"))));
      viewer.style.setProperty("--h", Math.max(...two.map(shot => shot.img.getAttribute("height"))));
      stage.replaceChildren(...["over", "under"].map((kind, side) => {
        const layer = document.createElement("div"), img = new Image();
        layer.className = `layer ${kind}`;
        img.src = two[side].img.src;
        img.alt = two[side].img.alt;
        img.draggable = false;
        img.style.width = `${100 * two[side].img.getAttribute("width") / measure("--w")}%`;
        layer.append(img);
        return layer;
      }).reverse());
      get(".side.left").textContent = two[0].name;
      get(".side.right").textContent = two[1].name;
      copy();
    };
    const show = to => {
      at = Math.min(order.length - 1, Math.max(0, to));
      const item = order[at], names = shots(item).map(shot => shot.name);
      for (const choice of choices) choice.replaceChildren(...names.map(name => new Option(name)));
      draw();
      if (item.dataset.key) viewer.dataset.key = item.dataset.key;
      get(".which").textContent = item.querySelector("h3").firstChild.textContent.trim();
      get(".line").textContent = item.dataset.line ?? "";
      get(".count").textContent = `${at + 1} of ${order.length}`;
      get(".before").disabled = at === 0;
      get(".after").disabled = at === order.length - 1;
      setZoom(fitted ? "fit" : zoom);
      viewer.dispatchEvent(new Event("shown"));
    };
    step = by => show(at + by);
    get(".before").addEventListener("click", () => step(-1));
    get(".after").addEventListener("click", () => step(1));
    choices.forEach((choice, side) => choice.addEventListener("change", () => { wanted[side] = choice.value; draw(); place(); }));
    get(".order")?.addEventListener("change", event => {
      const name = item => item.querySelector("h3").firstChild.textContent.trim();
      order = event.target.value === "name" ? [...items].sort((a, b) => name(a).localeCompare(name(b), undefined, {numeric: true})) : items;
      show(0);
    });
    const go = item => {
      show(order.indexOf(item));
      viewer.scrollIntoView({block: "nearest"});
      port.focus({preventScroll: true});
    };
    for (const item of items) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "view";
      button.textContent = "compare";
      button.addEventListener("click", () => go(item));
      item.querySelector("h3").append(" ", button);
      for (const {img, name} of shots(item)) img.addEventListener("click", () => { wanted[1] = name; go(item); });
    }
    const linked = () => {
      const item = items.find(one => `#${one.id}` === location.hash);
      if (item) go(item);
    };
    viewer.hidden = false;
    fitted = true;
    show(0);
    linked();
    addEventListener("hashchange", linked);
  }

  const inSight = () => {
    const box = viewer.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  };
  const keys = {f: ".flicker", p: ".pixels", e: ".errors", s: ".apart"};
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || deck && !inSight()) return;
    if (event.key === "+" || event.key === "=") setZoom(steps.find(step => step > zoom * 1.001) ?? steps.at(-1));
    else if (event.key === "-") setZoom(steps.findLast(step => step < zoom * 0.999) ?? steps[0]);
    else if (event.key === "1") setZoom(1);
    else if (event.key === "0") setZoom("fit");
    else if (event.key === "n") step(1);
    else if (event.key === "b") step(-1);
    else if (keys[event.key] && get(keys[event.key])) get(keys[event.key]).click();
    else return;
    event.preventDefault();
  });
  if (!deck) setZoom(1);
  middle();
}
for (const button of document.querySelectorAll(".quiver .toggle")) button.addEventListener("click", () => {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  button.closest(".quiver").classList.toggle(`show-${button.dataset.set}`, on);
});
