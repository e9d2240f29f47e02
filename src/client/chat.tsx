/** The page: /r/ROOM. Opens the room and draws it, at most once a frame however fast messages come. */
import { options, render } from 'preact';
import { DEFAULT_ROOM, parseRoomSegment } from '../protocol.js';
import { Desk } from './desk.js';
import { App } from './view/app.js';

// A page that nobody looks at gets no frames: there it is drawn now and then.
options.debounceRendering = (draw) => {
  if (document.visibilityState === 'visible') requestAnimationFrame(draw);
  else setTimeout(draw, 250);
};

const segment = location.pathname.split('/')[2] ?? '';
const place = document.getElementById('app');
const user = place?.dataset['user'];
if (place && user) {
  const desk = new Desk(parseRoomSegment(segment) ?? DEFAULT_ROOM, user);
  document.title = `${desk.name} · Oneport`;
  render(<App desk={desk} />, place);
  desk.open();
} else location.replace('/'); // not the page of a room
