const form = document.querySelector("form");
const problem = form.querySelector(".problem");
const button = form.querySelector("button");

/** What the query says for `POST /login`. */
function parameters() {
  const given = Object.fromEntries(new URLSearchParams(location.search));
  for (const secret of ["type", "identifier", "user", "password", "token"]) delete given[secret];
  if ("refresh_token" in given) given.refresh_token = given.refresh_token === "true";
  return given;
}

async function logIn() {
  const [base] = location.href.split("/_matrix/");
  const response = await fetch(`${base}/_matrix/client/v3/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...parameters(),
      type: "m.login.password",
      identifier: { type: "m.id.user", user: form.user.value.trim() },
      password: form.password.value,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  button.disabled = true;
  try {
    const answer = await logIn();
    form.remove();
    document.querySelector("#done").textContent = "You are signed in. You can close this page.";
    window.matrixLogin?.onLogin?.(answer);
  } catch (error) {
    problem.textContent = error.message;
    button.disabled = false;
    form.password.select();
  }
});
form.user.focus();
