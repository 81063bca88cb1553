// The binary data of the page: base64 in script elements, arrays deflated.

const textOf = id => document.getElementById(id).textContent;
const known = new Map();

/** A picture's address. */
export const pictureAddress = id => `data:image/webp;base64,${textOf(id)}`;

/** A promise of the array of a stream, little-endian values of a typed array's class. */
export function arrayOf(id, Type) {
  if (!known.has(id)) known.set(id, inflate(bytesOf(textOf(id))).then(buffer => new Type(buffer)));
  return known.get(id);
}

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function inflate(bytes) {
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(inflated).arrayBuffer();
}
