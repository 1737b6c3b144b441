// What the command line needs of config/, by way of the place that knows every part.
export { describeSettings } from '../config/describe.ts'
export { loadSettings, type Settings } from '../config/load.ts'
export { nearest } from '../config/nearest.ts'
