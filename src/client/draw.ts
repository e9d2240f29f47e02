/** When the page draws. One that nobody looks at is not drawn by the browser: there it is done now and then. */
export function beforeDrawing(show: () => void): void {
  if (isSeen()) requestAnimationFrame(show);
  else setTimeout(show, 250);
}

export function isSeen(): boolean {
  return document.visibilityState === 'visible';
}
