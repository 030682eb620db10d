// The before/after slider. It shows the pictures of the strips below it; without scripts the strips remain.
(() => {
  const $ = (id) => document.getElementById(id);
  const cases = [...document.querySelectorAll(".case")];
  if (cases.length === 0) return;
  document.body.classList.add("scripted");
  const PAIRS = [["input", "translated"], ["translated", "target"], ["input", "target"]];
  let pair = 0;

  const picture = (role) => cases[$("case").value].querySelector(`.${role} img`);
  const show = () => {
    const known = PAIRS.map(([left, right]) => picture(left) && picture(right));
    if (!known[pair]) pair = 0;
    const [left, right] = PAIRS[pair].map(picture);
    for (const [side, image] of [["left", left], ["right", right]]) {
      $(side).src = image.src;
      $(side).alt = $(`${side}-label`).textContent = image.alt;
    }
    $("stage").style.aspectRatio = `${left.width} / ${left.height}`;
    $("pairs").replaceChildren(...PAIRS.flatMap((roles, number) => {
      if (!known[number]) return [];
      const button = document.createElement("button");
      button.textContent = roles.map((role) => picture(role).alt).join(" | ");
      button.setAttribute("aria-pressed", number === pair);
      button.onclick = () => { pair = number; show(); };
      return [button];
    }));
  };
  const cut = () => $("stage").style.setProperty("--cut", `${$("cut").value}%`);

  cases.forEach((strip, number) => $("case").add(new Option(strip.dataset.name, number)));
  $("case").onchange = show;
  $("cut").oninput = cut;
  show();
  cut();
})();
