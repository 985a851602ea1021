// A track on a map, in pieces of which only the newest is ever drawn anew: the end of a long flight
// costs no more than its beginning, with fifty drones as with one.

const PIECE = 200; // points

export class Track {
  #track = null;
  #pieces = []; // piece i begins with point start + i * PIECE, and ends where the next begins
  #start = 0;
  #end = 0;

  constructor(map, style) {
    this.map = map;
    this.style = style;
  }

  // Show a list of points that only grows at its end, after `dropped` that it has lost at its front.
  // Another list is another track.
  show(track, dropped) {
    if (track !== this.#track || this.#end <= dropped) {
      this.remove();
      this.#track = track;
      this.#start = this.#end = dropped;
    }
    while (this.#end < dropped + track.length) {
      const last = this.#pieces.at(-1);
      if (last && last.getLatLngs().length <= PIECE) {
        last.addLatLng(track[this.#end - dropped]);
        this.#end += 1;
      } else this.#begin(track, dropped);
    }
    while (dropped >= this.#start + PIECE && this.#pieces.length > 1) {
      this.#pieces.shift().remove();
      this.#start += PIECE;
    }
  }

  #begin(track, dropped) {
    const from = this.#end - dropped - (this.#pieces.length ? 1 : 0);
    const points = track.slice(from, from + PIECE + 1);
    this.#pieces.push(window.L.polyline(points, this.style).addTo(this.map));
    this.#end = dropped + from + points.length;
  }

  setStyle(style) {
    this.style = { ...this.style, ...style };
    for (const piece of this.#pieces) piece.setStyle(style);
  }

  remove() {
    for (const piece of this.#pieces) piece.remove();
    this.#pieces = [];
    this.#track = null;
  }
}
