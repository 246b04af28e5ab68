// The hall that is chosen is looked up at once. The page works without.
const hall = document.getElementById("hall");
if (hall) hall.addEventListener("change", () => hall.form.requestSubmit());
// Boxes that were accepted are looked at again until all are connected. The page works without.
async function lookAgain() {
  const now = document.querySelector(".done");
  if (!now || !now.querySelector(".waiting")) return;
  try {
    const answer = await fetch(location.href);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".done");
    if (answer.ok && next) now.replaceWith(next);
  } catch {
    // the network is away; the next time tells
  }
  setTimeout(lookAgain, 2000);
}
setTimeout(lookAgain, 2000);
