// The packages that this project shares with others stand above it.
import { join } from "node:path";

export default { turbopack: { root: join(import.meta.dirname, "../..") } };
