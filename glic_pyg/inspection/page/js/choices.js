// What is chosen, for all panels together; who listens is told of every change.

export class Choices {
  constructor(start) {
    Object.assign(this, start);
    this.listeners = [];
  }

  /** Take over some choices. `source` tells how they came about: "pointer", "keys" or "controls". */
  change(some, source) {
    Object.assign(this, some);
    for (const listener of this.listeners) listener(source);
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  toggleKind(kind, source) {
    const kinds = new Set(this.kinds);
    if (!kinds.delete(kind)) kinds.add(kind);
    this.change({ kinds }, source);
  }
}
