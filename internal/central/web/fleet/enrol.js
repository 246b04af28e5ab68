// The hall that is chosen is looked up at once. The page works without.
const hall = document.getElementById("hall");
if (hall) hall.addEventListener("change", () => hall.form.requestSubmit());
