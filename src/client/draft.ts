/** What is being written in a room, kept until it is sent. Storage may be forbidden or full: then it lives with the page. */
export class Draft {
  #text = '';

  read(): string {
    return this.#text;
  }

  keep(text: string): void {
    this.#text = text;
  }
}
