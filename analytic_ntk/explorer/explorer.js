document.addEventListener("click", async (event) => {
  const button = event.target.closest && event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.getAttribute("data-copy");
  const status = document.getElementById("copied");
  let done = true;
  try { await navigator.clipboard.writeText(text); }
  catch (refused) {
    const area = document.createElement("textarea");
    area.value = text; document.body.append(area); area.select();
    done = document.execCommand("copy"); area.remove(); button.focus();
  }
  const before = button.dataset.label || button.textContent;
  button.dataset.label = before;
  button.textContent = done ? "copied" : "not copied";
  if (status) status.textContent = done ? button.getAttribute("aria-label") + ": copied" : "not copied";
  setTimeout(() => { button.textContent = before; }, 1500);
});
