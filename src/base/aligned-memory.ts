/** The part of WebAssembly's JavaScript interface that is used; the compiler's Node types do not declare it. */
interface WebAssemblyHost {
  readonly Memory: new (options: { readonly initial: number; readonly maximum: number }) => {
    readonly buffer: ArrayBuffer;
  };
}

const WASM_PAGE_BYTES = 64 * 1024;

/**
 * Memory that begins where a page of the system does, as the system wants it for reads and writes around its cache (O_DIRECT). Node
 * promises that of no Buffer; the memory of a WebAssembly module is mapped page by page. It is zero, and takes room only where it was
 * written to.
 *
 * @param bytes rounded up to 64 KiB
 * @returns null where there is none: without WebAssembly (`--jitless`), or when the process may not have the 8 GiB of addresses
 *   that V8 puts around each
 */
export function alignedMemory(bytes: number): Buffer | null {
  const { WebAssembly } = globalThis as { readonly WebAssembly?: WebAssemblyHost };
  if (WebAssembly === undefined) return null;
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  try {
    return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
