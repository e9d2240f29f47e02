/** The page: /r/ROOM. Opens the room and draws it, at most once a frame however fast messages come. */
import { options, render } from 'preact';
import { parseRoomSegment } from '../parse.js';
import { DEFAULT_ROOM } from '../protocol.js';
import { keepAppearance } from './appearance.js';
import { Desk } from './desk.js';
import { App } from './view/app.js';

// A page that nobody looks at gets no frames: there it is drawn now and then.
options.debounceRendering = (draw) => {
  if (document.visibilityState === 'visible') requestAnimationFrame(draw);
  else setTimeout(draw, 250);
};

const segment = location.pathname.split('/')[2] ?? '';
const desk = new Desk(parseRoomSegment(segment) ?? DEFAULT_ROOM);
const place = document.getElementById('app');
if (place) {
  document.title = `${desk.here.value.name} · Oneport`;
  desk.open();
  void keepAppearance(desk.settings).then(() => render(<App desk={desk} />, place));
}
