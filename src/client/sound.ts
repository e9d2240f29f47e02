/** A short sound, made here: two soft tones, the second a fifth above the first. */
const TONES = [523.25, 783.99] as const;
const EACH_S = 0.12;
const LOUD = 0.08;

let context: AudioContext | undefined;

/** Browsers keep still until somebody has touched the page: then nothing is heard. */
export function ring(): void {
  try {
    context ??= new AudioContext();
    void context.resume();
    for (const [index, tone] of TONES.entries()) play(context, tone, context.currentTime + index * EACH_S);
  } catch {} // no sound here
}

function play(audio: AudioContext, frequency: number, from: number): void {
  const [tone, volume] = [audio.createOscillator(), audio.createGain()];
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, from);
  volume.gain.linearRampToValueAtTime(LOUD, from + 0.01);
  volume.gain.exponentialRampToValueAtTime(0.001, from + EACH_S * 2);
  tone.connect(volume).connect(audio.destination);
  tone.start(from);
  tone.stop(from + EACH_S * 2);
}
