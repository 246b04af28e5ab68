// What takes a moment says so, and no form is sent twice. One that asks for a file leaves the page as it is.
{
	const working = document.querySelector(".working");
	const set = (form, on) => {
		form.setAttribute("aria-busy", String(on));
		for (const b of form.querySelectorAll("button")) b.disabled = on;
		working.textContent = on ? "正在处理，请稍候……" : "";
	};
	document.addEventListener("submit", e => {
		const form = e.target;
		if (form.hasAttribute("data-file") || e.submitter?.hasAttribute("formaction")) return;
		setTimeout(() => set(form, true)); // what was pressed is sent first
		setTimeout(() => set(form, false), 10_000); // the answer does not come, or is a file
	});
	// Also when somebody comes back.
	addEventListener("pageshow", () => document.querySelectorAll('form[aria-busy="true"]').forEach(form => set(form, false)));
}
