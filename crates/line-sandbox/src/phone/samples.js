// What stands for a camera and a microphone: pictures and sounds made on the spot.
'use strict';

/** A landscape that stands for a photo: sky, sun, hills in the colours of a time of day. */
const samplePicture = (number) => {
  const canvas = document.createElement('canvas');
  canvas.width = 960;
  canvas.height = 720;
  const paint = canvas.getContext('2d');
  const [high, low, hill, near, sun] = [
    ['#6fb7e9', '#dff1fb', '#6d9f71', '#3f7a4f', '#fff6c9'],
    ['#f08a5d', '#ffd9a0', '#8a5a6b', '#4f3350', '#fff1b8'],
    ['#1d2b53', '#5b6fa8', '#2c3f66', '#16213d', '#f4f1de'],
    ['#9ad5c8', '#f4f0df', '#7fa5a0', '#3d6a6f', '#ffffff'],
  ][number % 4];
  const sky = paint.createLinearGradient(0, 0, 0, 560);
  sky.addColorStop(0, high);
  sky.addColorStop(1, low);
  paint.fillStyle = sky;
  paint.fillRect(0, 0, 960, 720);
  paint.fillStyle = sun;
  paint.beginPath();
  paint.arc(200 + 180 * number, 210, 66, 0, 7);
  paint.fill();
  for (const [colour, base, height] of [[hill, 470, 150], [near, 560, 90]]) {
    paint.fillStyle = colour;
    paint.beginPath();
    paint.moveTo(0, 720);
    for (let x = 0; x <= 960; x += 8) paint.lineTo(x, base - height * Math.abs(Math.sin(x / 190 + number + base)) / 1.6);
    paint.lineTo(960, 720);
    paint.fill();
  }
  return canvas;
};

/** A picture as a file. At once: the other way of a canvas waits until the page is idle. */
const jpeg = (canvas) => {
  const bytes = atob(canvas.toDataURL('image/jpeg', 0.86).split(',')[1]);
  return new File([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], 'sample.jpg', { type: 'image/jpeg' });
};

/** Two seconds of a soft tone as a WAV file: what stands for a voice. */
const sampleVoice = () => {
  const rate = 8_000;
  const length = rate * 2;
  const view = new DataView(new ArrayBuffer(44 + length));
  const word = (at, text) => [...text].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  word(0, 'RIFF');
  view.setUint32(4, 36 + length, true);
  word(8, 'WAVEfmt ');
  for (const [at, size, value] of [[16, 4, 16], [20, 2, 1], [22, 2, 1], [24, 4, rate], [28, 4, rate], [32, 2, 1], [34, 2, 8]]) {
    if (size === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
  }
  word(36, 'data');
  view.setUint32(40, length, true);
  for (let at = 0; at < length; at += 1) {
    const swell = Math.sin((Math.PI * at) / length);
    view.setUint8(44 + at, 128 + 50 * swell * Math.sin((2 * Math.PI * (300 + 60 * Math.sin(at / 900)) * at) / rate));
  }
  return new Blob([view], { type: 'audio/wav' });
};
