/** Something that is no defect of the demo's own code: its message is all there is to say. */
export class DemoError extends Error {}
