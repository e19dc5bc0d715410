"use strict";
// One pair at full resolution: zoom, pan, slider, flicker; and which arrows are drawn.
const viewer = document.querySelector(".viewer");
if (viewer) {
  const get = name => viewer.querySelector(name);
  const viewport = get(".viewport"), stage = get(".stage"), slider = get(".slider"), handle = get(".handle");
  const zooms = [...viewer.querySelectorAll(".zoom")], steps = [0.25, 0.5, 1, 2, 4];
  const width = Number(viewer.style.getPropertyValue("--w")), height = Number(viewer.style.getPropertyValue("--h"));
  let zoom = 1, fitted = false;

  const place = () => {  // the divider stays where it is in the window; the cut follows in the picture
    const seen = viewport.getBoundingClientRect(), whole = stage.getBoundingClientRect();
    const left = Math.max(seen.left, whole.left), right = Math.min(seen.left + viewport.clientWidth, whole.right);
    const at = left + slider.value / 100 * (right - left);
    stage.style.setProperty("--cut", `${at - whole.left}px`);
    handle.style.left = `${at - seen.left}px`;
    handle.style.height = `${Math.min(viewport.clientHeight, whole.height)}px`;
  };
  const fit = () => Math.min(4, viewport.clientWidth / width, 0.72 * innerHeight / height);
  const setZoom = to => {
    const seen = viewport.getBoundingClientRect(), whole = stage.getBoundingClientRect();
    const x = (seen.left + viewport.clientWidth / 2 - whole.left) / whole.width;  // what is in the middle stays
    const y = (seen.top + viewport.clientHeight / 2 - whole.top) / whole.height;
    fitted = to === "fit";
    zoom = fitted ? fit() : Number(to);
    stage.style.setProperty("--zoom", zoom);
    viewer.classList.toggle("sharp", zoom >= 2);
    viewport.scrollLeft = x * stage.offsetWidth - viewport.clientWidth / 2;
    viewport.scrollTop = y * stage.offsetHeight - viewport.clientHeight / 2;
    for (const button of zooms) button.setAttribute("aria-pressed", String(button.dataset.zoom === "fit" ? fitted : !fitted && Number(button.dataset.zoom) === zoom));
    place();
  };
  const toggled = (button, change) => button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    change(on);
  });

  slider.addEventListener("input", place);
  viewport.addEventListener("scroll", place, {passive: true});
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
  drag(viewport, event => {  // fingers pan by themselves
    if (event.pointerType === "touch" || event.target === viewport) return null;
    viewport.focus({preventScroll: true});
    const left = viewport.scrollLeft + event.clientX, top = viewport.scrollTop + event.clientY;
    return now => viewport.scrollTo(left - now.clientX, top - now.clientY);
  });
  drag(handle, () => now => {
    const seen = viewport.getBoundingClientRect(), whole = stage.getBoundingClientRect();
    const left = Math.max(seen.left, whole.left), right = Math.min(seen.left + viewport.clientWidth, whole.right);
    slider.value = 100 * (now.clientX - left) / (right - left);
    place();
  });
  const keys = {f: ".flicker", p: ".pixels", e: ".errors"};
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") setZoom(steps.find(step => step > zoom * 1.001) ?? 4);
    else if (event.key === "-") setZoom(steps.findLast(step => step < zoom * 0.999) ?? 0.25);
    else if (event.key === "1") setZoom(1);
    else if (event.key === "0") setZoom("fit");
    else if (keys[event.key]) get(keys[event.key]).click();
    else return;
    event.preventDefault();
  });
  setZoom(1);
  viewport.scrollTo((stage.offsetWidth - viewport.clientWidth) / 2, (stage.offsetHeight - viewport.clientHeight) / 2);
  place();
}
for (const button of document.querySelectorAll(".quiver .toggle")) button.addEventListener("click", () => {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  button.closest(".quiver").classList.toggle(`show-${button.dataset.set}`, on);
});
