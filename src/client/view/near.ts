/** Puts what lies over the page beside what opened it, wholly within the window; right to left when the page is. */
const GAP = 6;

export function putNear(box: HTMLElement, opener: Element): void {
  const at = opener.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const rightToLeft = getComputedStyle(opener).direction === 'rtl';
  const below = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
  const top = below ? at.bottom + GAP : at.top - GAP - height;
  const left = rightToLeft ? at.left : at.right - width;
  // Set by script, property by property: style attributes are what the policy forbids.
  box.style.setProperty('inset', 'auto');
  box.style.setProperty('top', `${within(top, innerHeight - height)}px`);
  box.style.setProperty('left', `${within(left, innerWidth - width)}px`);
}

function within(value: number, most: number): number {
  return Math.max(GAP, Math.min(value, most - GAP));
}
