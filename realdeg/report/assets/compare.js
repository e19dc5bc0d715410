"use strict";
for (const pair of document.querySelectorAll(".pair")) {
  const box = pair.querySelector(".compare"), over = pair.querySelector(".over");
  const under = pair.querySelector(".under"), right = pair.querySelector(".side.right");
  const slider = pair.querySelector(".slider"), smooth = over.src, first = under.src;
  const move = () => box.style.setProperty("--at", slider.value + "%");
  slider.addEventListener("input", move);
  move();
  let timer = 0;
  const flicker = pair.querySelector(".flicker");
  flicker.addEventListener("click", () => {
    const on = flicker.getAttribute("aria-pressed") !== "true";
    flicker.setAttribute("aria-pressed", String(on));
    box.classList.toggle("flickering", on);
    clearInterval(timer);
    if (on) timer = setInterval(() => box.classList.toggle("first"), 500);
    else box.classList.remove("first");
  });
  const pixels = pair.querySelector(".pixels");
  const swaps = pair.querySelectorAll(".swap");
  if (pixels) pixels.addEventListener("click", () => {
    const on = pixels.getAttribute("aria-pressed") !== "true";
    pixels.setAttribute("aria-pressed", String(on));
    box.classList.toggle("pixelated", on);
    over.src = on ? over.dataset.pixels : smooth;
  });
  for (const button of swaps) button.addEventListener("click", () => {
    for (const other of swaps) other.setAttribute("aria-pressed", String(other === button));
    under.src = button.dataset.file ?? first;
    right.textContent = button.dataset.name;
  });
}
