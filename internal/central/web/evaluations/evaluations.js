// A search may take a moment: the form says so, and is not sent twice.
for (const form of document.querySelectorAll("form.filter")) {
	const busy = form.querySelector(".busy"), button = form.querySelector("button");
	const set = on => { busy.hidden = !on; button.disabled = on; form.setAttribute("aria-busy", String(on)); };
	form.addEventListener("submit", () => setTimeout(() => set(true)));
	addEventListener("pageshow", () => set(false)); // also when somebody comes back
}
