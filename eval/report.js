"use strict";
(() => {
  const form = document.getElementById("pick");
  const list = document.getElementById("questions");
  const items = Array.from(list.children);
  const texts = new Map(items.map((item) => [item, item.textContent.toLowerCase()]));
  const value = (item, key) => (item.dataset[key] === "" ? Infinity : Number(item.dataset[key]));
  const orders = {
    set: (a, b) => value(a, "number") - value(b, "number"),
    surest: (a, b) => value(b, "sure") - value(a, "sure") || orders.set(a, b),
    unsurest: (a, b) => value(a, "sure") - value(b, "sure") || orders.set(a, b),
    stage: (a, b) => a.dataset.stage.localeCompare(b.dataset.stage) || orders.set(a, b),
  };
  const update = () => {
    const wanted = form.elements.text.value.toLowerCase();
    const kind = form.elements.kind.value;
    const stage = form.elements.stage.value;
    let count = 0;
    for (const item of items) {
      const fits =
        (!kind || item.dataset.verdict === kind || item.dataset.change === kind) &&
        (!stage || item.dataset.stage === stage) &&
        (!wanted || texts.get(item).includes(wanted));
      item.hidden = !fits;
      count += fits;
    }
    items.sort(orders[form.elements.order.value]);
    list.append(...items);
    document.getElementById("count").textContent = `${count} of ${items.length}`;
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  update();
})();
