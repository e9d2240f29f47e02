/** The page: /r/ROOM#ID. Opens the desk and draws it, at most once a frame however fast messages come. */
import { options, render } from 'preact';
import { addressOf } from './address.js';
import { keepAppearance } from './appearance.js';
import { Desk } from './desk.js';
import { beforeDrawing, onceDrawn } from './draw.js';
import { shelf } from './shelf.js';
import { snapshotOf } from './snapshot.js';
import { Settings } from './state/settings.js';
import { App } from './view/app.js';
import { tellTimes } from './view/when.js';

options.debounceRendering = beforeDrawing;

const root = document.getElementById('app');
const user = root?.dataset['user'];
const address = addressOf(location);
if (root && user && address) {
  const settings = new Settings(shelf);
  const dressed = keepAppearance(settings); // its language may have to be loaded: meanwhile the rest is made
  const snapshot = snapshotOf(user, address);
  const desk = new Desk(user, address, settings, snapshot);
  desk.open(address, snapshot);
  void dressed.then(() => {
    render(<App desk={desk} />, root);
    onceDrawn(tellTimes);
  });
} else location.replace('/'); // not the page of a room
