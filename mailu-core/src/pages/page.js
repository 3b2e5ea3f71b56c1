
"use strict";
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = button.parentElement;
    const code = [...field.querySelectorAll("code")].find((one) => one.offsetParent !== null) || field.querySelector("code");
    let done = false;
    try {
      await navigator.clipboard.writeText(code.textContent);
      done = true;
    } catch {
      // Where the page may not write to the clipboard, the text is selected, and perhaps copied the old way.
      getSelection().selectAllChildren(code);
      try { done = document.execCommand("copy"); } catch { done = false; }
    }
    const word = done ? "Copied" : "Selected";
    button.textContent = word;
    button.classList.add("done");
    document.getElementById("said").textContent = word + ": " + button.getAttribute("aria-label").replace(/^Copy /, "");
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); }, 2000);
  });
}
