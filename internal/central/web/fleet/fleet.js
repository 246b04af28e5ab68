// A command that waits for its answer is looked at again, and put in place when it is there. The page works without.
async function lookAgain() {
  const now = document.querySelector("#commands[data-waiting]");
  if (!now) return;
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("commands");
    if (answer.ok && next && !next.hasAttribute("data-waiting")) now.replaceWith(next);
  } catch {
    // the network is away; the next time tells
  }
  setTimeout(lookAgain, 2000);
}
lookAgain();
