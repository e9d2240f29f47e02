// @ts-check
/** The result as a picture: bars, one panel for each question, by hand in SVG, light and dark by the reader's system. */
import { show } from './numbers.js';
import { NAMES } from './table.js';

/** @typedef {import('./judge.js').Outcome} Outcome */
/** @typedef {{ name: string, metric: string, title: string, note?: string, unit: string }} Panel note: shorter than the case's title */

/** @type {Panel[]} */
const PANELS = [
  {
    name: 'fanout',
    metric: 'delivered',
    title: 'Deliveries a second (more is better)',
    note: '1,000 people in one room, 2,000 messages/s offered',
    unit: '',
  },
  {
    name: 'cpu',
    metric: 'cpuUs',
    title: 'CPU for one delivery (less is better)',
    note: 'the same room, 50 messages/s',
    unit: ' µs',
  },
  { name: 'idle', metric: 'kbEach', title: 'Memory for one connection (less is better)', unit: ' kB' },
  { name: 'join', metric: 'seconds', title: 'Time until all are in (less is better)', unit: ' s' },
];

const [WIDTH, MARGIN, GAP] = [880, 24, 32];
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - GAP) / 2;
const [TOP, HEAD, ROW, BAR, NAME_WIDTH, VALUE_WIDTH] = [78, 54, 26, 16, 118, 72];

const STYLE = `
  :root { --ground: #ffffff; --ink: #1d2126; --soft: #626b76; --bar: #b9c1cb; --ours: #1f6feb; }
  @media (prefers-color-scheme: dark) {
    :root { --ground: #14171b; --ink: #e8ebef; --soft: #97a1ad; --bar: #4a535e; --ours: #6cb1ff; }
  }
  .ground { fill: var(--ground); }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); }
  .title { font-size: 19px; font-weight: 600; }
  .panel { font-size: 14px; font-weight: 600; }
  .soft { fill: var(--soft); font-size: 12px; }
  .bar { fill: var(--bar); }
  .ours { fill: var(--ours); }
  .number { font-variant-numeric: tabular-nums; }`;

/** @param {Outcome[]} outcomes @param {string} footer date and machine @returns {string | undefined} nothing to draw: undefined */
export function drawingOf(outcomes, footer) {
  const panels = PANELS.flatMap((panel) => {
    const outcome = outcomes.find(({ name }) => name === panel.name);
    return outcome ? [{ panel, outcome }] : [];
  });
  if (panels.length === 0) return undefined;
  const height = HEAD + ROW * 4 + GAP;
  const total = TOP + Math.ceil(panels.length / 2) * height + MARGIN;
  const bodies = panels.map(({ panel, outcome }, i) =>
    panelOf(panel, outcome, MARGIN + (i % 2) * (PANEL_WIDTH + GAP), TOP + Math.floor(i / 2) * height),
  );
  const title = 'Oneport beside Bun, the tutorial and Socket.IO';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${total}" role="img" aria-label="${title}">
<style>${STYLE}
</style>
<rect class="ground" width="${WIDTH}" height="${total}" rx="8"/>
<text class="title" x="${MARGIN}" y="38">${title}</text>
<text class="soft" x="${MARGIN}" y="58">Oneport signs in, numbers, and commits each message to disk before anyone sees it; the others keep nothing.</text>
${bodies.join('\n')}
<text class="soft" x="${MARGIN}" y="${total - 16}">${markup(footer)}</text>
</svg>
`;
}

/** @param {Panel} panel @param {Outcome} outcome @param {number} x @param {number} y */
function panelOf({ metric, title, note, unit }, outcome, x, y) {
  const values = Object.entries(outcome.subjects).map(([subject, metrics]) => ({
    subject,
    value: metrics[metric]?.median ?? 0,
  }));
  const most = Math.max(...values.map(({ value }) => value));
  const scale = (PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH) / (most || 1);
  const bars = values.map(({ subject, value }, i) => {
    const top = y + HEAD - 12 + i * ROW;
    const width = Math.max(1, value * scale).toFixed(1);
    const end = x + NAME_WIDTH + Number(width) + 6;
    return `<text x="${x}" y="${top + 13}">${markup(NAMES[subject] ?? subject)}</text>
<rect class="${subject === 'oneport' ? 'ours' : 'bar'}" x="${x + NAME_WIDTH}" y="${top}" width="${width}" height="${BAR}" rx="2"/>
<text class="number" x="${end.toFixed(1)}" y="${top + 13}">${show(value)}${unit}</text>`;
  });
  return `<text class="panel" x="${x}" y="${y + 12}">${title}</text>
<text class="soft" x="${x}" y="${y + 29}">${markup(note ?? outcome.title)}</text>
${bars.join('\n')}`;
}

/** @param {string} text */
function markup(text) {
  return text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);
}
