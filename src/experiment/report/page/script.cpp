#include "src/experiment/report/page/script.h"

namespace hijack::report {

const char* const kScript = R"js(
'use strict';
const all = (css, from = document) => [...from.querySelectorAll(css)];
document.documentElement.classList.add('js');

// What a row is sorted by; rows that say nothing come last in either direction.
const value = (row, i) => {
  const cell = row.cells[i], text = cell.textContent.trim();
  return cell.dataset.sort ? Number(cell.dataset.sort) : text === '–' ? null : text;
};
const compare = (a, b) => typeof a === 'number' && typeof b === 'number' ? a - b
  : String(a).localeCompare(String(b), 'en', {numeric: true});

for (const table of all('table.sortable')) {
  const body = table.tBodies[0], rows = [...body.rows], heads = all('thead th', table);
  heads.forEach((head, i) => {
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const numbers = rows.some(row => typeof value(row, i) === 'number');
      const before = head.ariaSort, up = before ? before === 'descending' : !numbers;
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = up ? 'ascending' : 'descending';
      body.append(...[...rows].sort((a, b) => {
        const x = value(a, i), y = value(b, i);
        return x === null || y === null ? (x === null) - (y === null) : up ? compare(x, y) : compare(y, x);
      }));
    };
  });
  const filter = table.closest('figure').querySelector('.filter');
  if (!filter) continue;
  filter.hidden = false;
  const field = filter.querySelector('input');
  field.oninput = () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of rows)
      row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
    filter.querySelector('output').value =
      rows.filter(row => !row.hidden).length + ' of ' + rows.length;
  };
  field.oninput();
}

// Tables say so when they reach beyond their right edge.
const watch = () => {
  for (const box of all('figure > .scroll'))
    box.parentElement.classList.toggle('scrolls', box.scrollWidth > box.clientWidth + 1);
};
addEventListener('resize', watch);
addEventListener('toggle', watch, true);
watch();

for (const trial of all('details.trial')) {
  const row = document.querySelector('a[href="#' + trial.querySelector('.body').id + '"]').closest('tr');
  const mark = () => row.classList.toggle('open', trial.open);
  trial.addEventListener('toggle', mark);
  mark();
}
const follow = () => {
  const trial = document.getElementById(location.hash.slice(1))?.closest('details.trial');
  if (!trial) return;
  trial.open = true;
  trial.scrollIntoView();
};
addEventListener('hashchange', follow);
follow();
)js";

}  // namespace hijack::report
