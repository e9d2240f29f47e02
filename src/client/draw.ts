/** When the page draws. One that nobody looks at is not drawn by the browser: there it is done now and then. */
export function beforeDrawing(show: () => void): void {
  if (isSeen()) requestAnimationFrame(show);
  else setTimeout(show, 250);
}

/** Called before a drawing, it calls back when that is out: a message to oneself comes after the frame. */
export function afterFrame(then: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    then();
  };
  port2.postMessage(undefined);
}

/** Calls back once, when something has been drawn; or soon after, where nobody looks and nothing is. */
export function onceDrawn(then: () => void): void {
  let waits = true;
  const go = () => {
    if (waits) then();
    waits = false;
  };
  beforeDrawing(() => afterFrame(go));
  setTimeout(go, 1_000);
}

export function isSeen(): boolean {
  return document.visibilityState === 'visible';
}
