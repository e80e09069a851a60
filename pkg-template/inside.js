// Decodes the module, which this script contains as Base64. It cannot be Rust: it runs before the
// module is loaded.

export function decoded(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}
