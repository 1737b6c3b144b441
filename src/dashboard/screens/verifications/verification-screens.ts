import { Verifications } from '../verifications.tsx'
import { Verification } from './verification.tsx'

/** The screens of verifications, which come from the server together. */
export const verificationScreens = { Verifications, Verification }
